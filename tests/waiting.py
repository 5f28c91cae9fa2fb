"""Waiting for something to come true, with an end: the one place of the tests that sleeps between two looks."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def until(met: Callable[[], object], what: str | Callable[[], str], seconds: float, every: float = 0.1) -> None:
    """Return once *met* tells something true, looking *every* so many seconds.

    Raises AssertionError with *what* was waited for (or what it tells then) after *seconds*.
    """
    end = time.monotonic() + seconds
    while not met():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what if isinstance(what, str) else what()}")
        time.sleep(every)


def listens(port: int) -> bool:
    """Whether anybody listens at a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
