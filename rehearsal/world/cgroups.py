"""Control groups of a world. They outlive the processes in them, so a world has one name under every hierarchy.

Everything that needs a cgroup (kubelets, machines) makes it below `/rehearsal-<world>`; `remove` ends all of it.
"""

from __future__ import annotations

import time
from pathlib import Path

REMOVAL_SECONDS = 5.0


def root_name(world: str) -> str:
    """Name of the folder, directly under each hierarchy's root, that holds all cgroups of the world."""
    return f"rehearsal-{world}"


def hierarchies() -> list[Path]:
    """Mount points of all cgroup hierarchies (one for cgroup v2, several for v1 and hybrid)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] in ("cgroup", "cgroup2"):
            found.append(Path(before.split()[4]))
    return found


def _kill(folder: Path) -> None:
    """End the members at once. v1 has no switch for it, but its members end with the world's PID namespace."""
    switch = folder / "cgroup.kill"
    if switch.exists():
        switch.write_text("1")


def _remove_tree(top: Path) -> bool:
    folders = sorted((path for path in [top, *top.rglob("*")] if path.is_dir()), key=lambda path: -len(path.parts))
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return False  # a process is still leaving; the caller tries again until its deadline
    return True


def remove(world: str) -> list[Path]:
    """End every process in the world's cgroups and remove them; returns what could not be removed."""
    tops = [path for mount in hierarchies() if (path := mount / root_name(world)).is_dir()]
    deadline = time.monotonic() + REMOVAL_SECONDS
    for top in tops:
        _kill(top)
    left = [top for top in tops if not _remove_tree(top)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [top for top in left if not _remove_tree(top)]
    return left
