"""What is known about a world from outside: its folder, its first process, its settings (world.json)."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import paths
from rehearsal.errors import RehearsalError

DEFAULT_WORLD = "default"
NODE_KINDS = ("real", "simulated", "none")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")


def boot_id() -> str:
    """Identifies this boot of the machine; process numbers mean nothing after the next."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is no such process (or only its remains)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_root() -> bool:
    """Whether worlds are made with real root rights here."""
    return os.geteuid() == 0


def default_nodes() -> str:
    """What cluster nodes are unless asked otherwise: real kubelets need root (their cgroups, at least)."""
    return "real" if is_root() else "simulated"


@dataclass
class World:
    """A named world. `pid` is its first process as the machine sees it, None while it is down."""

    name: str
    nodes: str = field(default_factory=default_nodes)
    pid: int | None = None
    ticks: int | None = None
    boot: str = field(default_factory=boot_id)
    user_mode: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise RehearsalError(
                f"use the world {self.name!r}",
                "that is no name for a world",
                "Use 1 to 30 lower-case letters, digits and dashes, beginning and ending with a letter or digit.",
            )

    @property
    def folder(self) -> Path:
        """Everything that belongs to the world."""
        return paths.world_dir(self.name)

    @property
    def alive(self) -> bool:
        """Whether the recorded process is still the one that was started (numbers are reused)."""
        return self.pid is not None and self.boot == boot_id() and start_ticks(self.pid) == self.ticks

    def save(self) -> None:
        """Write world.json, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / "world.json.new"
        temporary.write_text(json.dumps(asdict(self), indent=1))
        temporary.replace(self.folder / "world.json")

    def services(self) -> dict[str, dict[str, Any]]:
        """What the world's first process says about its services; empty before it has started them."""
        try:
            content: dict[str, dict[str, Any]] = json.loads((self.folder / "run" / "services.json").read_text())
        except FileNotFoundError:
            return {}
        return content


def load(name: str) -> World:
    """The world of that name, as recorded; a fresh record if there is none."""
    fresh = World(name)
    try:
        stored = json.loads((fresh.folder / "world.json").read_text())
    except FileNotFoundError:
        return fresh
    return World(**stored)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Only one process at a time starts a world; others wait here."""
    worlds = World(name).folder.parent
    worlds.mkdir(parents=True, exist_ok=True)
    with (worlds / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def load_alive(name: str) -> World:
    """The running world of that name, or an error that says how to start it."""
    world = load(name)
    if not world.alive:
        raise RehearsalError(f"enter the world {name!r}", "it is not running", f"Start it: rehearsal up{flag(name)}")
    return world


def load_all() -> list[World]:
    """All worlds that have a folder."""
    root = paths.state_dir() / "worlds"
    return [load(path.parent.name) for path in sorted(root.glob("*/world.json"))]


def flag(name: str) -> str:
    """` --world NAME` for use in advice, nothing for the default world."""
    return "" if name == DEFAULT_WORLD else f" --world {name}"
