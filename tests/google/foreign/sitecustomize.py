"""Sends what a foreign client addresses to Google to the emulator: only the socket's other end is another.

Python imports this by itself in every process of the tests of foreign clients (it lies on their PYTHONPATH);
`EMULATOR_PORT` is the port on 127.0.0.1.
"""

from __future__ import annotations

import os
import socket
from typing import Any

_getaddrinfo, _connect = socket.getaddrinfo, socket.socket.connect


def _place(host: Any, port: Any) -> tuple[Any, Any]:
    inside = str(host).endswith(".googleapis.com")
    return ("127.0.0.1", int(os.environ["EMULATOR_PORT"])) if inside else (host, port)


def _resolve(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    return _getaddrinfo(*_place(host, port), *arguments, **options)


def _open(self: socket.socket, address: Any) -> None:
    _connect(self, _place(*address) if isinstance(address, tuple) and len(address) == 2 else address)


if "EMULATOR_PORT" in os.environ:
    socket.getaddrinfo = _resolve
    socket.socket.connect = _open  # type: ignore[method-assign]  # the very purpose
