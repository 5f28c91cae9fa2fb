"""The controller's side of :mod:`.host`: starts it, and has modules run by it. Used by callback and connection."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

UNPACKED = b"#unpacked "  # how a payload begins, among the controller's plugins, that names a module
PROGRAM = Path(__file__).with_name("host.py")
_doors: list[socket.socket] = []  # one, once it is started; workers are forks of the controller and have it too


def start() -> None:
    """Start the host of this run. It imports while the controller goes on."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with far:
        command = [sys.executable, "-P", str(PROGRAM), str(far.fileno()), str(os.getpid())]
        subprocess.Popen(  # noqa: S603 - our own program; it ends by itself when this process is gone
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
            start_new_session=True,  # or Ctrl-C would end it before the modules that it runs
        )
    _doors[:] = [near]


class Begun:
    """A module that was begun. ``output`` and ``errors`` are to be read to their ends."""

    def __init__(self, payload: bytes, environment: dict[str, str]) -> None:
        """Raises OSError where the host is gone."""
        self.output, output = os.pipe()
        self.errors, errors = os.pipe()
        self._leash, leash = socket.socketpair()
        order = os.memfd_create("order")
        try:
            place: dict[str, object] = {"environment": environment, "folder": str(Path.cwd())}
            if payload.startswith(UNPACKED):
                place["module"], payload = json.loads(payload.removeprefix(UNPACKED)), b""
            with os.fdopen(os.dup(order), "wb") as file:
                file.write(json.dumps(place).encode() + b"\n" + payload)
            socket.send_fds(_doors[0], [b"run"], [order, output, errors, leash.fileno()])
        finally:
            leash.close()
            for number in (order, output, errors):
                os.close(number)

    def code(self) -> int | None:
        """Its exit code, once it has ended; negative: the signal that ended it. None where the host has ended too."""
        with self._leash:
            told = self._leash.recv(16)
        return int(told) if told else None


def unpacked(name: str, folder: str, arguments: str, profile: str) -> bytes:
    """The payload that has the module *name* ("ansible.legacy.gcp_network") run with *arguments*, as JSON text.

    *folder*, where it is not empty, is to be searched for the module's packages.
    """
    module = {"name": name, "folder": folder, "arguments": arguments, "profile": profile}
    return UNPACKED + json.dumps(module).encode()


def ready() -> bool:
    """Whether a host was started."""
    return bool(_doors)
