"""Making the namespaces of a world, the probe that really tries, and what to do where they are forbidden."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rehearsal.errors import RehearsalError
from rehearsal.world import syscalls
from rehearsal.world.record import is_root

WORLD_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET


def _become_namespace_owner() -> None:
    """As an ordinary user: a user namespace in which one's own uid keeps its number and has all capabilities."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def fork_first_process(body: Callable[[], NoReturn]) -> int:
    """Run `body` as PID 1 of new namespaces; returns its process number as seen from here.

    Two forks: the first child moves into the namespaces, its child is the first process of the PID namespace and
    is adopted by the machine's init, so that nothing has to stay behind. Raises OSError with what failed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _separate(body, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if answer.startswith("pid "):
        return int(answer[4:])
    number, _, action = answer.partition(" ")
    raise OSError(int(number or errno.EIO), action or "the process that makes the namespaces ended early")


def _separate(body: Callable[[], NoReturn], pipe: int) -> NoReturn:
    try:
        if not is_root():
            _become_namespace_owner()
        syscalls.unshare(WORLD_NAMESPACES)
        first = os.fork()
        if first == 0:
            os.close(pipe)
            body()
        os.write(pipe, f"pid {first}".encode())
    except OSError as error:
        os.write(pipe, f"{error.errno} {error.strerror}".encode())
    finally:
        os._exit(0)


def prepare_first_process() -> None:
    """What PID 1 does before anything else: mounts of its own, and the /proc of its own processes."""
    syscalls.mount("none", "/", "none", syscalls.MS_REC | syscalls.MS_SLAVE)
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)


def keep_rights() -> None:
    """Before the first process becomes a program of its own: an ordinary user's program would lose its capabilities."""
    if not is_root():
        syscalls.keep_capabilities()


def probe() -> None:
    """Make and drop the namespaces of a world; raises RehearsalError with the fix for this machine if that fails."""
    if not sys.platform.startswith("linux"):
        raise RehearsalError(
            "make a sealed world",
            f"{sys.platform} has no Linux namespaces",
            "Run it in a Linux virtual machine (Debian 12 or Ubuntu 22.04 and later are known to work).",
        )

    report, answer = os.pipe()

    def attempt() -> NoReturn:
        try:
            prepare_first_process()
        except OSError as error:
            os.write(answer, f"{error.errno} {error.strerror}".encode())
        finally:
            os._exit(0)

    try:
        fork_first_process(attempt)
        os.close(answer)
        with os.fdopen(report) as pipe:
            said = pipe.read()
        if said:
            number, _, action = said.partition(" ")
            raise OSError(int(number), action)
    except OSError as error:
        raise explain(error) from error


@dataclass(frozen=True)
class Facts:
    """What decides why namespaces are refused: limits that are 0, AppArmor's restriction, seccomp, and who asks."""

    exhausted: tuple[str, ...]
    apparmor: bool
    seccomp: bool
    root: bool


def facts() -> Facts:
    """The facts of this machine and process."""
    limits = {kind: Path(f"/proc/sys/user/max_{kind}_namespaces") for kind in ("user", "net", "mnt", "pid")}
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    return Facts(
        exhausted=tuple(kind for kind, path in limits.items() if int(path.read_text()) == 0),
        apparmor=restricted.exists() and restricted.read_text().strip() == "1",
        seccomp="Seccomp:\t2" in Path("/proc/self/status").read_text(),
        root=is_root(),
    )


def explain(error: OSError, known: Facts | None = None) -> RehearsalError:
    """The cause of a refused namespace, and the way out (measured on each of these machines)."""
    known = known or facts()
    if error.errno == errno.ENOSPC or known.exhausted:
        settings = " ".join(f"user.max_{kind}_namespaces=10000" for kind in known.exhausted or ("user", "net"))
        advice = f"Allow namespaces: sudo sysctl -w {settings}"
    elif known.apparmor and not known.root:
        advice = (
            "AppArmor keeps ordinary users from making namespaces here. Run the rehearsal with sudo, or: "
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    elif known.seccomp:
        advice = (
            "A container's seccomp profile forbids it. Start the container with "
            "--privileged (or --security-opt seccomp=unconfined --cap-add SYS_ADMIN --cap-add NET_ADMIN)."
        )
    elif known.root:
        advice = "Root lacks CAP_SYS_ADMIN here. Run as an ordinary user, who can own a user namespace."
    else:
        advice = "Run the rehearsal as root, or allow unprivileged user namespaces."
    return RehearsalError("make the namespaces of a sealed world", error.strerror or str(error), advice)
