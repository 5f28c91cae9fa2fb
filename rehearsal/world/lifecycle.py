"""Starting and ending worlds, from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rehearsal import paths
from rehearsal.errors import RehearsalError
from rehearsal.world import cgroups, namespaces, record, seed
from rehearsal.world.record import World, flag

READY_SECONDS = 180.0
"""A world that had clusters and machines starts them again before it is ready."""
STOP_SECONDS = 45.0
POLL_SECONDS = 0.02
LATENCY_SCALE = 0.02
"""Google's own waiting times are divided by fifty unless asked otherwise: they'd dominate every run."""

Progress = Callable[[str], None]


def up(name: str, nodes: str | None, progress: Progress, latency_scale: float = LATENCY_SCALE) -> World:
    """Start the world and wait until all its services are ready; a world that is up already is left as it is.

    Remains of a world that was killed are removed first. Raises RehearsalError if it does not come up.
    """
    with record.locked(name):
        world = record.load(name)
        if world.alive:
            _refuse_other_nodes(world, nodes)
            wait_ready(world, progress)
            return world
        _refuse_impossible_nodes(world.name, nodes)
        namespaces.probe()
        clean(world)
        world = World(name, nodes=nodes or world.nodes, user_mode=not record.is_root())
        seed.prepare(world, latency_scale)
        world.save()
        return _start_and_wait(world, progress)


def _start_and_wait(world: World, progress: Progress) -> World:
    _start(world)
    try:
        wait_ready(world, progress)
    except BaseException:
        down(world)
        raise
    return world


def _refuse_other_nodes(world: World, nodes: str | None) -> None:
    if nodes not in (None, world.nodes):
        raise RehearsalError(
            f"start the world {world.name!r} with {nodes} nodes",
            f"it is running with {world.nodes} nodes",
            f"Stop it first: rehearsal down{flag(world.name)}",
        )


def _refuse_impossible_nodes(name: str, nodes: str | None) -> None:
    if nodes == "real" and not record.is_root():
        raise RehearsalError(
            f"start the world {name!r} with real nodes",
            "real kubelets need root, to limit what their pods use",
            f"Run it as root, or with simulated ones: rehearsal up{flag(name)} --nodes simulated",
        )


def _start(world: World) -> None:
    """Start the first process and record it."""
    try:
        world.pid = namespaces.fork_first_process(lambda: _become_init(world))
    except OSError as error:
        raise namespaces.explain(error) from error
    world.ticks = record.start_ticks(world.pid)
    world.boot = record.boot_id()
    world.save()


def _become_init(world: World) -> NoReturn:
    """In the new namespaces: leave the terminal and its session, keep capabilities, run rehearsal.world.init."""
    os.setsid()
    log = os.open(world.folder / "logs" / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 1024)
    try:
        namespaces.keep_rights()
        os.chdir("/")
        # The world's programs are those of this checkout, whatever else is installed.
        places = os.pathsep.join(filter(None, (str(paths.REPOSITORY), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "rehearsal.world.init", world.name]
        os.execve(command[0], command, {**os.environ, "PYTHONPATH": places})  # noqa: S606 - no shell is wanted
    finally:
        os._exit(126)


def wait_ready(world: World, progress: Progress) -> None:
    """Wait for all services; raises RehearsalError naming the one that isn't ready and its last words."""
    deadline = time.monotonic() + READY_SECONDS
    announced: set[str] = set()
    while True:
        states = world.services()
        for name, entry in states.items():
            if entry["state"] == "ready" and name not in announced:
                announced.add(name)
                progress(f"{name} is ready")
        if states and len(announced) == len(states):
            return
        _check_progress(world, deadline)
        time.sleep(POLL_SECONDS)


def _check_progress(world: World, deadline: float) -> None:
    advice = f"Read the whole log: rehearsal logs{flag(world.name)}"
    failure = world.folder / "run" / "failure.json"
    if failure.exists():
        raise RehearsalError(f"set up the world {world.name!r}", json.loads(failure.read_text())["error"], advice)
    if not world.alive:
        raise RehearsalError(f"start the world {world.name!r}", f"it ended: {last_words(world, 'init')}", advice)
    for name, entry in world.services().items():
        if entry["restarts"] >= 3:
            why = f"{name} ended {entry['restarts']} times; its last words: {last_words(world, name)}"
            raise RehearsalError(f"start the world {world.name!r}", why, f"{advice} {name}")
    if time.monotonic() > deadline:
        late = [name for name, entry in world.services().items() if entry["state"] != "ready"] or ["init"]
        why = f"not ready after {READY_SECONDS:g} s: {', '.join(late)}; last words: {last_words(world, late[0])}"
        raise RehearsalError(f"start the world {world.name!r}", why, f"{advice} {late[0]}")


def last_words(world: World, service: str, lines: int = 6) -> str:
    """The end of a service's log, for an error message."""
    try:
        text = (world.folder / "logs" / f"{service}.log").read_text(errors="replace")
    except FileNotFoundError:
        return "none"
    return "\n        ".join(text.strip().splitlines()[-lines:]) or "none"


def down(world: World) -> None:
    """End the world: services are told to stop, then nothing of it is left but its folder."""
    if world.alive and world.pid is not None:
        _end(world.pid, world)
    clean(world)


def _end(pid: int, world: World) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while world.alive and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if world.alive:
        os.kill(pid, signal.SIGKILL)
        while world.alive:
            time.sleep(POLL_SECONDS)


def clean(world: World) -> None:
    """Remove what a world leaves when it ends or is killed: its cgroups and its sockets."""
    left = cgroups.remove(world.folder)
    if left:
        raise RehearsalError(
            f"remove the control groups of the world {world.name!r}",
            f"processes in {', '.join(map(str, left))} do not end",
            "See which they are: cat " + " ".join(str(path / "cgroup.procs") for path in left),
        )
    shutil.rmtree(world.folder / "run", ignore_errors=True)
    if world.folder.exists():
        world.pid = world.ticks = None
        world.save()


def delete(world: World) -> None:
    """End the world and delete its folder, credentials and emulator state included."""
    down(world)
    if world.folder.exists():
        remove_tree(world.folder)


def remove_tree(folder: Path) -> None:
    """Delete a folder; what other users' machines or pods left in it needs root, and the error says so."""
    try:
        shutil.rmtree(folder)
    except PermissionError as error:
        raise RehearsalError(
            f"delete {folder}", f"{error.filename} belongs to somebody else", f"Delete it as root: sudo rm -r {folder}"
        ) from error
