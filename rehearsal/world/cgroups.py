"""Control groups of a world. They outlive the processes in them, so a world has one name under every hierarchy.

Everything that needs a cgroup (kubelets, machines) makes it below the world's `root_name`; `remove` ends all of it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

REMOVAL_SECONDS = 5.0


def root_name(world: Path) -> str:
    """Name of the folder, directly under each hierarchy's root, that holds all cgroups of the world in folder `world`.

    By the whole path: cgroups are the machine's, and two states may each have a world of the same name.
    """
    return f"rehearsal-{world.name}-{hashlib.sha256(bytes(world.resolve())).hexdigest()[:8]}"


def _mounts() -> list[tuple[Path, str, str]]:
    """(mount point, type, options) of all cgroup hierarchies."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            found.append((Path(before.split()[4]), kind, options))
    return found


def hierarchies() -> list[Path]:
    """Mount points of all cgroup hierarchies (one for cgroup v2, several for v1 and hybrid)."""
    return [path for path, _, _ in _mounts()]


def systemd_hierarchies() -> list[Path]:
    """Those that a systemd needs: v2, and v1's named one where it exists."""
    return [path for path, kind, options in _mounts() if kind == "cgroup2" or "name=systemd" in options.split(",")]


def _kill(folder: Path) -> None:
    """End the members at once. v1 has no switch for it, but its members end with the world's PID namespace."""
    switch = folder / "cgroup.kill"
    if switch.exists():
        switch.write_text("1")


def end_members(name: str) -> None:
    """End every process in the cgroup of that path below the hierarchies' roots, and in those below it.

    Looks again until REMOVAL_SECONDS have passed, for a process may start another meanwhile.
    """
    deadline = time.monotonic() + REMOVAL_SECONDS
    while (members := _members(name)) and time.monotonic() < deadline:
        for number in members:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.02)


def _members(name: str) -> set[int]:
    """Numbers of the processes; 0 is one of another PID namespace, which is not ours to end."""
    found: set[int] = set()
    for mount in hierarchies():
        for file in (mount / name).rglob("cgroup.procs"):
            with suppress(OSError):  # it went meanwhile
                found |= {int(line) for line in file.read_text().split()}
    return found - {0}


def remove_tree(top: Path) -> bool:
    """Remove an emptied cgroup and all below it, waiting up to REMOVAL_SECONDS for ended processes to leave."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    while not (gone := _remove_once(top)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone


def _remove_once(top: Path) -> bool:
    if not top.exists():
        return True
    folders = sorted((path for path in [top, *top.rglob("*")] if path.is_dir()), key=lambda path: -len(path.parts))
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return False  # a process is still leaving; the caller tries again until its deadline
    return True


def remove(world: Path) -> list[Path]:
    """End every process in the world's cgroups and remove them; returns what could not be removed."""
    tops = [path for mount in hierarchies() if (path := mount / root_name(world)).is_dir()]
    for top in tops:
        _kill(top)
    return [top for top in tops if not remove_tree(top)]
