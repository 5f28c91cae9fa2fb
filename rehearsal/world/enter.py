"""Running a program inside a world, as `rehearsal run` does."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from rehearsal.errors import RehearsalError
from rehearsal.world import network, syscalls
from rehearsal.world.commands import find_program
from rehearsal.world.record import World

OFFICE, INSIDE = "office", "world"
FAILED = 70


def join(world: World, place: str = OFFICE) -> None:
    """Move this process into the world; its children also get the world's process numbers, and end with the world.

    `place` is the office (sees public addresses only) or the world itself (sees all). For programs that the user
    runs, the office is right: it is where a person outside the VPC sits.
    """
    base = Path(f"/proc/{world.pid}")
    net = base / "root" / network.OFFICE_NAMESPACE.relative_to("/") if place == OFFICE else base / "ns" / "net"
    wanted = [(base / "ns" / "user", syscalls.CLONE_NEWUSER)] if world.user_mode else []
    wanted.append((net, syscalls.CLONE_NEWNET))
    wanted.append((base / "ns" / "pid", syscalls.CLONE_NEWPID))
    wanted.append((base / "ns" / "mnt", syscalls.CLONE_NEWNS))
    here = Path.cwd()
    with ExitStack() as stack:
        files = [(stack.enter_context(path.open("rb")), kind) for path, kind in wanted]
        for file, kind in files:
            syscalls.setns(file.fileno(), kind)
    try:
        os.chdir(here)
    except OSError:
        os.chdir("/")  # a folder the world hides, such as one under /run


def run(world: World, argv: Sequence[str], env: Mapping[str, str], place: str = OFFICE) -> int:
    """Run a program in the world on this terminal; returns its exit status (128 + signal if one ended it)."""
    _join_or_explain(world, place)
    program = find_program(argv[0]) if "/" not in argv[0] else argv[0]
    return _in_child(lambda: _become(program, argv, env))


def call(world: World, body: Callable[[], int], place: str = INSIDE) -> int:
    """Run `body` in a process inside the world, which ends with the world; returns its exit status.

    What this process has open (such as a listening socket of the machine's loopback) is open in there too.
    """
    _join_or_explain(world, place)
    return _in_child(lambda: _report(body))


def _join_or_explain(world: World, place: str) -> None:
    try:
        join(world, place)
    except OSError as error:
        raise RehearsalError(
            f"enter the world {world.name!r}",
            error.strerror or str(error),
            "Worlds belong to the user who made them: use the same user, or make your own with --world NAME.",
        ) from error


def _in_child(body: Callable[[], NoReturn]) -> int:
    child = os.fork()
    if child == 0:
        body()
    # The terminal sends Ctrl-C to the child too: it decides what that means, and we pass its status on.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: os.kill(child, got))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _report(body: Callable[[], int]) -> NoReturn:
    """End this process with the status that `body` returns; it must not go on as a second copy of its parent."""
    status = FAILED
    try:
        status = body()
    except RehearsalError as error:
        print(f"rehearsal: could not {error}", file=sys.stderr)
        status = 1
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _become(program: str, argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    try:
        os.execve(program, list(argv), dict(env))  # noqa: S606 - the user's own command, and no shell
    except OSError as error:
        os.write(2, f"rehearsal run: {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)
