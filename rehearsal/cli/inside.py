"""Verbs that do something inside a world."""

from __future__ import annotations

import argparse

from rehearsal.errors import RehearsalError
from rehearsal.world import enter, environment, record


def run(options: argparse.Namespace) -> int:
    """`rehearsal run -- CMD...`: the command gets this terminal and folder; its exit status is passed on."""
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise RehearsalError("run a command", "none was given", "For a shell in the world: rehearsal run -- bash")
    world = record.load_alive(options.world)
    return enter.run(world, argv, environment.of_commands(world.folder), options.place)


def show(options: argparse.Namespace) -> int:
    """`rehearsal show [--port N] [URL|HOST:PORT]`."""
    from rehearsal.cli.show import show as serve

    return serve(record.load_alive(options.world), options.target, options.port)


def time(options: argparse.Namespace) -> int:
    """`rehearsal time [SCALE]`."""
    from rehearsal.cli.emulator import pace

    world = record.load_alive(options.world)
    return enter.call(world, lambda: pace(world, options.scale))


def summary(options: argparse.Namespace) -> int:
    """`rehearsal summary`."""
    from rehearsal.cli.summary import summary as tell

    return tell(record.load_alive(options.world))
