"""Verbs that start, end and describe worlds."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rehearsal.cli import describe
from rehearsal.errors import RehearsalError
from rehearsal.world import lifecycle, record
from rehearsal.world.record import flag


def _progress(line: str) -> None:
    print(f"  {line}", flush=True)


def up(options: argparse.Namespace) -> int:
    """`rehearsal up`."""
    begun = time.monotonic()
    scale = lifecycle.LATENCY_SCALE if options.latency is None else options.latency
    world = lifecycle.up(options.world, options.nodes, _progress, scale)
    took = time.monotonic() - begun
    print(f"The world {world.name!r} is up ({took:.1f} s). A shell in it: rehearsal run{flag(world.name)} -- bash")
    return 0


def down(options: argparse.Namespace) -> int:
    """`rehearsal down`."""
    world = record.load(options.world)
    was_up = world.alive
    if options.delete:
        lifecycle.delete(world)
        print(f"The world {world.name!r} is down and deleted.")
    else:
        lifecycle.down(world)
        print(f"The world {world.name!r} {'is' if was_up else 'was'} down.")
    return 0


def reset(options: argparse.Namespace) -> int:
    """`rehearsal reset`."""
    world = record.load(options.world)
    nodes = world.nodes
    lifecycle.delete(world)
    lifecycle.up(options.world, nodes, _progress)
    print(f"The world {world.name!r} is up, and as empty as on the first day.")
    return 0


def list_worlds(options: argparse.Namespace) -> int:
    """`rehearsal list`."""
    for world in record.load_all():
        print(f"{world.name:<20} {'up' if world.alive else 'down':<5} nodes: {world.nodes:<10} {world.folder}")
    return 0


def status(options: argparse.Namespace) -> int:
    """`rehearsal status`: exit status 0 if everything is ready, 3 if the world is down, 1 otherwise."""
    world = record.load(options.world)
    if not world.alive:
        print(f"The world {world.name!r} is down. Start it: rehearsal up{flag(world.name)}")
        return 3
    for line in describe.lines(world):
        print(line)
    return 0 if all(entry["state"] == "ready" for entry in world.services().values()) else 1


def logs(options: argparse.Namespace) -> int:
    """`rehearsal logs [SERVICE] [-f]`."""
    world = record.load(options.world)
    folder = world.folder / "logs"
    if options.service is None:
        for path in sorted(folder.rglob("*.log")):
            print(f"{path.relative_to(folder).with_suffix('')}: {lifecycle.last_words(world, path.stem, 1)}")
        return 0
    path = folder / f"{options.service}.log"
    if not path.exists():
        known = ", ".join(sorted(str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.log")))
        raise RehearsalError(
            f"show the log of {options.service!r}", f"{path} does not exist", f"There are: {known or 'none yet'}"
        )
    _copy(path, options.follow)
    return 0


def _copy(path: Path, follow: bool) -> None:
    with path.open("rb") as file:
        while True:
            while block := file.read(1 << 16):
                sys.stdout.buffer.write(block)
            sys.stdout.flush()
            if not follow:
                return
            if path.exists() and path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                return  # the world was reset: this log is gone
            time.sleep(0.2)
