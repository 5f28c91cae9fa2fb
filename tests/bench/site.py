"""The site as an operator meets it: made anew, run again when nothing is to do, and beside google.cloud's modules.

Everything happens in a sealed world of its own without nodes. Each figure is one run on this machine, so compare them
with one another and not with other machines'.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.world import lifecycle, namespaces, record

from .figures import Figure, Unmeasurable

ROOT = Path(__file__).resolve().parents[2]
WORLD = "bench-site"
PACE, CALL_SECONDS = 0.05, 0.1
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
PLATFORM = (PLAYBOOK, "-i", "inventories/rehearsal")
LAYERS = (*PLATFORM, "site.yml", "--skip-tags", "system,gitops,acceptance,way,close")
OURS = (*PLATFORM, "tests/bench/five_ours.yml")
# google.cloud's modules run without this project's settings, as they do for its users
THEIRS = ("env", "ANSIBLE_CONFIG=tests/bench/plain.cfg", PLAYBOOK, "tests/bench/five_theirs.yml")
TIMED = 'exec 2>&1; TIMEFORMAT=%R; time "$@"'  # the last word is the seconds
RUN_SECONDS = 900
_CHAIN = re.compile(r"Google took ([\d.]+) s on the longest chain")


def rehearsal(*words: str) -> str:
    """What a command of the world's says. Raises RuntimeError if it fails."""
    command = [sys.executable, "-m", "rehearsal.cli.main", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
        )
    return done.stdout


def timed(world: str, *command: str) -> tuple[float, str]:
    """Seconds that a command took in the world, and what it said. Raises RuntimeError if it fails.

    The world's own way in, a Python program that starts, is not counted.
    """
    said = rehearsal("run", "--world", world, "--", "bash", "-c", TIMED, "bash", *command)
    return float(said.rsplit(maxsplit=1)[-1]), said


def _nothing_to_do(*command: str) -> float:
    """Seconds of a run that changes nothing, while each of Google's answers takes CALL_SECONDS longer."""
    rehearsal("fault", "add", "--world", WORLD, "*", "--kind", f"slow:{CALL_SECONDS:g}", "--count", "0")
    try:
        seconds, said = timed(WORLD, *command)
    finally:
        rehearsal("fault", "clear", "--world", WORLD)
    if not re.search(r"changed=0 .*failed=0", said):
        raise RuntimeError(f"{' '.join(command)} was to change nothing:\n{said[-2000:]}")
    return seconds


def measure() -> list[Figure]:
    """Cold, no change, and google.cloud. Raises Unmeasurable where no world can be made."""
    try:
        namespaces.probe()
    except RehearsalError as error:
        raise Unmeasurable(str(error)) from error
    with tempfile.TemporaryDirectory() as state:
        os.environ["REHEARSAL_STATE"] = state
        lifecycle.up(WORLD, "none", lambda line: None)
        try:
            return [*_site(), *_five()]
        finally:
            lifecycle.delete(record.load(WORLD))
            del os.environ["REHEARSAL_STATE"]


def _site() -> list[Figure]:
    rehearsal("time", "--world", WORLD, str(PACE))
    cold, said = timed(WORLD, *LAYERS)
    chain = _CHAIN.search(said)
    if chain is None:
        raise RuntimeError(f"the run did not say what took long:\n{said[-2000:]}")
    rehearsal("time", "--world", WORLD, "0")
    longest = float(chain[1])
    again = _nothing_to_do(*LAYERS)
    return [
        Figure(f"cloud layers from nothing, Google at {PACE:g} of its pace", cold, "s"),
        Figure("  Google's longest chain in it", longest, "s"),
        Figure("  the run for each second of that", cold / longest, "", 1.15, less=True),
        Figure(f"cloud layers, nothing to do, {CALL_SECONDS * 1000:.0f} ms a call", again, "s", 8.0, less=True),
    ]


def _five() -> list[Figure]:
    for made in (THEIRS, OURS):
        timed(WORLD, *made)
    theirs, ours = _nothing_to_do(*THEIRS), _nothing_to_do(*OURS)
    return [
        Figure("network, firewall, instance, cluster: google.cloud", theirs, "s"),
        Figure("the same and more: the platform's modules", ours, "s"),
        Figure("  how many times as fast, nothing to do", theirs / ours, "x", 5.0),
    ]
