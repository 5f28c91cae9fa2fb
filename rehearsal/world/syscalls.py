"""The few Linux calls that Python 3.11 does not wrap: namespaces, mounts, ambient capabilities."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MNT_DETACH = 2
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19

_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, action: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process (for PID namespaces: its next child) into new namespaces."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(descriptor: int, kind: int) -> None:
    """Join the namespace behind an open /proc/PID/ns file; `kind` is its CLONE_NEW* flag."""
    _check(_libc.setns(descriptor, kind), f"setns({kind:#x})")


def mount(source: str | Path, target: str | Path, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    words = [os.fsencode(str(part)) for part in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data)), f"mount {source} on {target}")


def bind(source: str | Path, target: str | Path) -> None:
    """Show `source` in the place of `target`."""
    mount(source, target, "none", MS_BIND)


def keep_capabilities() -> None:
    """Let programs started from here keep the capabilities of this user namespace although their uid isn't 0.

    Without it an ordinary user's services could not add addresses or mounts in a world they own.
    """

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Sets(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))

    header, sets = Header(_CAPABILITY_VERSION_3, 0), (Sets * 2)()
    _check(_libc.capget(ctypes.byref(header), sets), "capget")
    for half in sets:
        half.inheritable = half.permitted
    _check(_libc.capset(ctypes.byref(header), sets), "capset")
    for number in range(64):
        if sets[number // 32].permitted >> (number % 32) & 1:
            raised = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)
            _check(raised, f"raise ambient capability {number}")


def unmount(target: str | Path) -> None:
    """umount(2), lazily: what still uses it keeps it."""
    _check(_libc.umount2(str(target).encode(), MNT_DETACH), f"unmount {target}")
