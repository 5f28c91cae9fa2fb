"""The site's cloud layers killed with SIGKILL at any API call: run again, they end as if nothing had happened.

A chain is several runs in one project, each killed at a call drawn by the seed, then one that is left alone; what it
leaves must be, resource by resource, what a run that was never killed leaves. KILLS=200 asks for more than the usual
fifty.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until

from .conftest import ROOT, Site, empty_world
from .state import differences, state

pytestmark = [pytest.mark.world, pytest.mark.timeout(3600)]
WORLD = "test-kills"
KILLS = int(os.environ.get("KILLS", "50"))
CHAIN = 7
LAYERS = ("preflight", "network", "start", "access", "cluster", "data", "edge")
HELD_SECONDS = 4  # how long the call is held at which the run is killed
RUN_SECONDS = 180.0
UNTIL_HIT = "until curl -sf https://emulator.internal/faults | grep -Eq '\"hit\": ?[1-9]'; do sleep 0.2; done"
FIRST_CALLS, LATER_CALLS = 220, 120  # about as many as the first run makes, and one that finds most of it done


def command() -> list[str]:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return [
        program,
        "-i",
        "inventories/rehearsal",
        *(f"playbooks/{name}.yml" for name in LAYERS),
        "--skip-tags",
        "system",
    ]


def rehearsal(*words: str) -> None:
    """A command of the world's."""
    line = [sys.executable, "-m", "rehearsal.cli.main", *words]
    subprocess.run(line, cwd=ROOT, check=True, capture_output=True, timeout=RUN_SECONDS)


def finish(site: Site) -> dict[str, Any]:
    """Run it undisturbed, and tell the state after it."""
    done = site.inside(*command(), "-e", "run_lock_wait=120")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return state(site.ask("/state/dump"))


def kill(site: Site, nth: int) -> bool:
    """Run it, and kill it and all its children at the nth call; False if it had ended by then."""
    rehearsal("fault", "add", "--world", WORLD, "--kind", f"slow:{HELD_SECONDS}", "--nth", str(nth), "*")
    line = [*site.run, "--", *command(), "-e", "run_lock_wait=120"]
    process = subprocess.Popen(
        line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    watch = subprocess.Popen([*site.run, "--from", "world", "--", "sh", "-c", UNTIL_HIT], stdout=subprocess.DEVNULL)
    moved = "the run to end or to come to its call"
    until(lambda: process.poll() is not None or watch.poll() is not None, moved, RUN_SECONDS, 0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(RUN_SECONDS)
    hit = any(fault["hit"] for fault in json.loads(site.ask("/faults"))["faults"])
    watch.terminate()
    watch.wait(RUN_SECONDS)
    rehearsal("fault", "clear", "--world", WORLD)
    return hit


def chain(site: Site, seed: int, kills: int) -> tuple[int, dict[str, Any]]:
    """How many runs were really killed, and what the last one left. One that ends before its call is no kill."""
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    rehearsal("reset", "--world", WORLD)
    killed, calls = 0, FIRST_CALLS
    for _ in range(2 * kills):
        begun = site.newest_call()
        if kill(site, chance.randint(1, calls)):
            killed, calls = killed + 1, min(calls, LATER_CALLS)
        else:
            calls = len(site.calls(begun))
        if killed == kills:
            break
    return killed, finish(site)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world to be killed in. Two side by side take longer than one after the other where there are two cores."""
    with empty_world(WORLD, tmp_path_factory.mktemp("state")) as site:
        yield site


def test_a_run_killed_anywhere_is_finished_by_running_it_again(site: Site) -> None:
    whole = finish(site)
    kills = [min(CHAIN, KILLS - done) for done in range(0, KILLS, CHAIN)]
    done = [(seed, *chain(site, seed, number)) for seed, number in enumerate(kills, 1)]
    for seed, _, left in done:
        assert differences(whole, left) == [], f"seed {seed}"
    assert sum(killed for _, killed, _ in done) == KILLS
    print(f"{KILLS} runs were killed in {len(done)} projects; each project ended as an undisturbed one does")
