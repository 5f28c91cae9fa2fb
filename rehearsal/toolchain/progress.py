"""What a person sees while something is being built: one line when it begins, one when it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ToolchainError(Exception):
    """A build step failed: the message says what was tried, why it failed and what to do."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announces `title`, and its duration in seconds once it is done."""
    started = time.monotonic()
    print(f"  {title} ...", flush=True)
    yield
    print(f"  {title}: {time.monotonic() - started:.0f} s", file=sys.stdout, flush=True)
