"""Two runs at once, and runs that are broken off: who is refused, what is left behind, who finishes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

from .conftest import ROOT, Site, empty_world

pytestmark = pytest.mark.world
WORLD = "test-runs"
SECONDS = 120.0
PLAYBOOKS = ("playbooks/preflight.yml", "playbooks/network.yml")
LEFT = ("ansible-playbook", "ssh ", "tunnel_cli")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world whose operations take as long as Google's own, so that a run can be met at work."""
    with empty_world(WORLD, tmp_path_factory.mktemp("state")) as site:
        yield site


def start(site: Site) -> subprocess.Popen[str]:
    """A run in a process group of its own."""
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [*site.run, "--", program, "-i", "inventories/rehearsal", *PLAYBOOKS]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def pace(site: Site, scale: str) -> None:
    """How long Google's operations take."""
    command = [sys.executable, "-m", "rehearsal.cli.main", "time", "--world", WORLD, scale]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def locked(site: Site) -> bool:
    return "secrets/mlops-run" in site.ask("/state/dump")


def left(site: Site) -> list[str]:
    """Command lines of what a run leaves behind in the world."""
    lines = site.inside("ps", "-eo", "args", place="world").stdout.splitlines()
    return [line for line in lines if line.startswith(LEFT) or any(word in line.split(" ")[0] for word in LEFT)]


def at_work(site: Site) -> subprocess.Popen[str]:
    """A run that holds the lock and is in the middle of the network."""
    pace(site, "1")
    process = start(site)
    until(lambda: locked(site) and "networks.insert" in json.dumps(site.calls()), "the run to get to work", SECONDS)
    return process


def test_a_second_run_is_refused_and_told_who_runs_and_since_when(site: Site) -> None:
    first = at_work(site)
    second = site.inside(
        str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventories/rehearsal", *PLAYBOOKS
    )
    assert second.returncode == 2, second.stdout
    assert "another run holds the lock" in second.stdout
    assert "since 20" in second.stdout
    assert "run_lock_wait" in second.stdout
    assert first.poll() is None, first.communicate()
    os.killpg(first.pid, signal.SIGINT)  # Ctrl-C in a terminal
    first.communicate(timeout=SECONDS)
    assert first.returncode != 0
    until(lambda: not left(site), lambda: f"the end of {left(site)}", SECONDS)
    until(lambda: not locked(site), "the lock to go", SECONDS)


def test_a_killed_run_is_finished_by_the_next_whose_lock_is_not_in_the_way(site: Site) -> None:
    first = at_work(site)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=SECONDS)
    pace(site, "0")
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    again = site.inside(program, "-i", "inventories/rehearsal", *PLAYBOOKS, "-e", "run_lock_wait=60")
    assert again.returncode == 0, again.stdout
    until(lambda: not locked(site), "the lock to go", SECONDS)
    until(lambda: not left(site), lambda: f"the end of {left(site)}", SECONDS)
    third = site.inside(program, "-i", "inventories/rehearsal", *PLAYBOOKS)
    assert "changed=0" in third.stdout
