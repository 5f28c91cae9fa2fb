"""An empty sealed world, in which the site is checked or refused; nothing here changes it, so all tests share it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.world import lifecycle, namespaces, record

ROOT = Path(__file__).resolve().parents[2]
WORLD = "test-site"
SECONDS = 180


class Site:
    """site.yml and the emulator's books in a world."""

    def __init__(self, world: str) -> None:
        self.run = (sys.executable, "-m", "rehearsal.cli.main", "run", "--world", world)

    def inside(
        self, *command: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT, place: str = "office"
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the world's office, or at another place of it; `env` is set in there."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        settings = [f"{key}={value}" for key, value in {"MLOPS_REPORTS": "none", **(env or {})}.items()]
        return subprocess.run(
            [*self.run, "--from", place, "--", "env", *settings, *command],
            cwd=cwd,
            env=clean,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def play(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """ansible-playbook site.yml, as the README says it."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        return self.inside(program, "-i", "inventories/rehearsal", "site.yml", *words, env=env)

    def ask(self, path: str) -> str:
        """What the emulator's own API answers; the office may not ask it."""
        address = f"https://emulator.internal{path}"
        done = self.inside("curl", "--silent", "--show-error", "--fail", address, place="world")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Google's methods that were called after the call of that number."""
        found: list[dict[str, Any]] = json.loads(self.ask(f"/calls?since={since}"))["calls"]
        return found

    def newest_call(self) -> int:
        """The number of the newest call of all; 0 where there was none."""
        return max((int(call["id"]) for call in self.calls()), default=0)


@contextmanager
def empty_world(name: str, state: Path) -> Iterator[Site]:
    """A world without nodes, in a state folder of its own; skips the test where none can be made."""
    try:
        namespaces.probe()
    except RehearsalError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_STATE", str(state))
        lifecycle.up(name, "none", lambda line: None)
        try:
            yield Site(name)
        finally:
            lifecycle.delete(record.load(name))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The world, as empty as on the first day."""
    with empty_world(WORLD, tmp_path_factory.mktemp("state")) as site:
        yield site
