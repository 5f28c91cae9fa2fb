"""Asking the emulated cloud about itself; only from inside a world."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.world.record import World, flag

HOST = "emulator.internal"
TIMEOUT_SECONDS = 20.0


def ask(world: World, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The emulator's answer as JSON. Raises RehearsalError if it does not answer or refuses."""
    trust = ssl.create_default_context(cafile=str(world.folder / "ca" / "ca.pem"))
    connection = http.client.HTTPSConnection(HOST, context=trust, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body=json.dumps(body) if body else None)
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise RehearsalError(
            f"ask the emulator ({method} {path})", str(error), f"Read its log: rehearsal logs{flag(world.name)} google"
        ) from error
    if answer.status >= 400:
        raise RehearsalError(f"ask the emulator ({method} {path})", str(found.get("error")), "Correct the request.")
    return found


def pace(world: World, scale: float | None) -> int:
    """Print, and set if given, the latency scale; returns the exit status."""
    answer = ask(world, "GET", "/time") if scale is None else ask(world, "PUT", "/time", {"scale": scale})
    print(f"Google's operations take {answer['scale']:g} of their real time.")
    return 0
