"""When a failed call is worth sending again.

The list is explicit: an error that is not on it is told to the user at once. Codes and reasons are those that Google's
Terraform provider retries and the recorded traffic shows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from .errors import DISABLED, PlatformError

T = TypeVar("T")

TRANSIENT_CODES = frozenset({429, 500, 502, 503, 504})
TRANSIENT_REASONS = frozenset(
    {
        "connection",
        "rateLimitExceeded",  # per-minute quotas arrive as 403
        "RATE_LIMIT_EXCEEDED",
        "userRateLimitExceeded",
        "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED",
        "operationInProgress",  # 409: another operation on the same Cloud SQL instance
        "resourceNotReady",  # 400: the resource is still being made or removed
        "backendError",
        "UNAVAILABLE",
        "ABORTED",
    }
)
OFFLINE_SECONDS = 20.0
BUSY_CLUSTER = "incompatible operation"  # 400 failedPrecondition: GKE runs one operation on a cluster at a time


def is_transient(error: PlatformError) -> bool:
    """Whether the same call may well succeed a little later."""
    return (
        error.code in TRANSIENT_CODES
        or error.reason in TRANSIENT_REASONS
        or (error.code == 400 and BUSY_CLUSTER in error.message)
    )


def is_conflict(error: PlatformError) -> bool:
    """Whether somebody changed the resource between our read and our write (fingerprint or etag)."""
    return (
        error.code == 412
        or error.reason in ("conditionNotMet", "CONDITION_NOT_MET")
        or (error.code == 409 and "concurrent" in error.message.lower())
        or (error.code == 400 and "etag" in error.message)  # Secret Manager
    )


def is_there_already(error: PlatformError) -> bool:
    """Whether what was to be made is there: made by somebody else, or by a request whose answer got lost."""
    return error.code == 409 or (error.code == 400 and "already exists" in error.message)


def pauses(first: float = 0.5, longest: float = 15.0, jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """Endless pauses in seconds, doubling from *first* to *longest*, each shortened by a random part of its half."""
    pause = first
    while True:
        yield pause * (1 - jitter() / 2)
        pause = min(pause * 2, longest)


def retrying(
    call: Callable[[], T],
    *,
    patience: float = 120.0,
    enabling: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return ``call()``, sent again after transient failures for at most *patience* seconds; then its last error.

    Where nobody answers at all, a person waits in vain: no more than OFFLINE_SECONDS of that. An API that was enabled
    just now may be refused as disabled for a while: that is borne for *enabling* seconds.
    """
    began = clock()
    for pause in pauses():
        try:
            return call()
        except PlatformError as error:
            if error.reason in DISABLED:
                limit = enabling
            elif not is_transient(error):
                raise
            else:
                limit = min(patience, OFFLINE_SECONDS) if error.reason == "connection" else patience
            if clock() + pause > began + limit:
                raise
        sleep(pause)
    raise AssertionError("pauses() never ends")
