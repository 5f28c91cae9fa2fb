"""Worlds for tests: each of its own name, in a state folder of its own, deleted afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.world import lifecycle, namespaces, record

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "rehearsal.cli.main")
COMMAND_SECONDS = 90


class Lab:
    """A world's name, and the command line for it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def world(self) -> record.World:
        return record.load(self.name)

    @property
    def folder(self) -> Path:
        return self.world.folder

    def cli(self, verb: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `rehearsal VERB --world NAME WORDS...` to its end."""
        return subprocess.run(
            [*COMMAND, verb, "--world", self.name, *words],
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            cwd=REPOSITORY,
            env={**os.environ, **(env or {})},
        )

    def run(self, *argv: str, place: str = "office") -> subprocess.CompletedProcess[str]:
        """Run a command in the world."""
        return self.cli("run", "--from", place, "--", *argv)

    def python(self, program: str, place: str = "office") -> str:
        """What a Python program prints in the world; it must succeed."""
        done = self.run(sys.executable, "-c", program, place=place)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder for this run; worlds of the user are not touched."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("REHEARSAL_STATE")
    os.environ["REHEARSAL_STATE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["REHEARSAL_STATE"]
    else:
        os.environ["REHEARSAL_STATE"] = before


@pytest.fixture(scope="session")
def make_lab(state: Path) -> Iterator[Callable[[], Lab]]:
    """Makes worlds (not started) and deletes them at the end."""
    try:
        namespaces.probe()
    except RehearsalError as error:
        pytest.skip(str(error))
    made: list[Lab] = []

    def make() -> Lab:
        made.append(Lab(f"test-{uuid.uuid4().hex[:8]}"))
        return made[-1]

    yield make
    for lab in made:
        lifecycle.delete(lab.world)


@pytest.fixture(scope="session")
def lab(make_lab: Callable[[], Lab]) -> Lab:
    """A running world without cluster nodes, shared by the tests that don't end it."""
    shared = make_lab()
    started = shared.cli("up", "--nodes", "none")
    assert started.returncode == 0, started.stderr
    return shared
