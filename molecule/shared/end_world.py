"""Ends a sealed world, deletes it, and shows that nothing of it is left on this computer.

    python end_world.py WORLD

What counts: its processes, whatever has a network or mount namespace of theirs, mounts below its folder, its cgroups,
and the folder. Exits with 1 and a list of what is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rehearsal.world import cgroups, record

SECONDS_TO_VANISH = 20.0
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Process:
    """One process: its start (in clock ticks) tells it from a later one with the same number."""

    pid: int
    parent: int
    start: int
    namespaces: frozenset[str]

    def __str__(self) -> str:
        return f"process {self.pid}"


def processes() -> Iterator[Process]:
    """All processes that can be looked at; zombies have no namespaces."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            spaces = frozenset(str((folder / "ns" / kind).readlink()) for kind in ("net", "mnt"))
        except OSError:
            continue  # it has ended since
        yield Process(int(folder.name), int(fields[1]), int(fields[19]), spaces)


def family(head: int | None) -> set[Process]:
    """A process and all its descendants."""
    everybody = list(processes())
    found = {process for process in everybody if process.pid == head}
    while more := {child for child in everybody if child.parent in {one.pid for one in found}} - found:
        found |= more
    return found


def leftovers(world: record.World, members: set[Process]) -> list[str]:
    """Everything of the world that is still there."""
    identities = {(one.pid, one.start) for one in members}
    here = next(one.namespaces for one in processes() if one.pid == os.getpid())
    own = {space for one in members for space in one.namespaces} - here
    left = [str(one) for one in processes() if (one.pid, one.start) in identities or one.namespaces & own]
    left += [line for line in Path("/proc/mounts").read_text().splitlines() if f"{world.folder}/" in line]
    tops = [top / cgroups.root_name(world.folder) for top in cgroups.hierarchies()]
    return left + [str(path) for path in (*tops, world.folder) if path.exists()]


def main() -> int:
    """Returns the exit status."""
    world = record.load(sys.argv[1])
    members = family(world.pid) if world.alive else set()
    command = [sys.executable, "-m", "rehearsal.cli.main", "down", "--delete", "--world", world.name]
    subprocess.run(command, check=True)
    deadline = time.monotonic() + SECONDS_TO_VANISH
    while (left := leftovers(world, members)) and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    print("\n".join([f"Of the world {world.name!r}, this is left:", *left] if left else ["Nothing of it is left."]))
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
