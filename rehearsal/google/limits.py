"""How patient the cloud is: quotas, rate limits, how late changes are seen, what GKE leaves behind. All off at first,
but the last of these.

Set by the emulator's own API (`PUT /limits`) or `rehearsal limits NAME=VALUE`; kept in the state.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .errors import ApiError
from .store import Store, Transaction

_SETTING = "limits"
DEFAULTS: dict[str, Any] = {
    "accounts_seconds": 0.0,  # a new service account is not seen for so long (recordings/iam/serviceAccounts/...409...)
    "policies_seconds": 0.0,  # a changed IAM policy takes effect so much later
    "apis_seconds": 0.0,  # an API that was enabled answers so much later
    "calls_per_minute": 0,  # of one service; 0: no limit
    "rate_status": 429,  # how the limit is told: 429 rateLimitExceeded, or 403 as Compute does
    "connection_seconds": 345600.0,  # private services access is held so long after its last Cloud SQL instance went
    "leftovers": False,  # GKE leaves firewall rules behind when a cluster goes
    "quotas": {},  # metric -> limit, e.g. {"NETWORKS": 5}; others are as Google's first
}
_METERED = 60.0


class BadLimit(Exception):
    """A limit that does not exist, or a value that it cannot have."""


class Limits:
    """The limits in force; read often, so kept in memory too."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as tx:
            self._values = {**DEFAULTS, **(tx.setting(_SETTING) or {})}
        self._calls: dict[str, deque[float]] = {}

    def all(self) -> dict[str, Any]:
        """Every limit with its value."""
        return dict(self._values)

    def change(self, given: Any) -> dict[str, Any]:
        """Sets some limits (null: back to the default); returns all.

        Raises:
            BadLimit: an unknown name or a wrong value; nothing is changed then.
        """
        if not isinstance(given, dict):
            raise BadLimit(f"limits are an object, one or more of {', '.join(DEFAULTS)}")
        wanted = dict(self._values)
        for name, value in given.items():
            if name not in DEFAULTS:
                raise BadLimit(f"{name!r} is no limit; there are {', '.join(DEFAULTS)}")
            wanted[name] = DEFAULTS[name] if value is None else _checked(name, value)
        with self._store.transaction() as tx:
            tx.set(_SETTING, wanted)
        self._values = wanted
        self._calls.clear()
        return self.all()

    def seconds(self, what: str) -> float:
        """How late `accounts`, `policies` or `apis` are seen, or how long a `connection` is held."""
        return float(self._values[f"{what}_seconds"])

    @property
    def leftovers(self) -> bool:
        """Whether GKE leaves firewall rules behind."""
        return bool(self._values["leftovers"])

    def quota(self, metric: str, usual: float) -> float:
        """The limit of a metric."""
        return float(self._values["quotas"].get(metric, usual))

    def count(self, service: str, number: Callable[[], str]) -> None:
        """Counts a call of a service; `number` gives the project's number for the text.

        Raises:
            ApiError: 429 or 403, too many in the last minute.
        """
        allowed = self._values["calls_per_minute"]
        if not allowed:
            return
        now = time.monotonic()
        calls = self._calls.setdefault(service, deque())
        while calls and calls[0] < now - _METERED:
            calls.popleft()
        if len(calls) >= allowed:
            raise rate_exceeded(service, number(), int(self._values["rate_status"]))
        calls.append(now)


def _checked(name: str, value: Any) -> Any:
    usual = DEFAULTS[name]
    if isinstance(usual, bool):
        if not isinstance(value, bool):
            raise BadLimit(f"{name} is true or false, not {value!r}")
        return value
    if isinstance(usual, dict):
        numbers = isinstance(value, dict) and all(_number(item) for item in value.values())
        if not numbers:
            raise BadLimit(f"{name} is an object of metrics and numbers, not {value!r}")
        return value
    if not _number(value) or (name == "rate_status" and value not in (403, 429)):
        raise BadLimit(f"{name} is {'403 or 429' if name == 'rate_status' else 'a number, 0 or more'}, not {value!r}")
    return type(usual)(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def rate_exceeded(service: str, number: str, status: int) -> ApiError:
    """Too many calls, in Google's words: 429 RESOURCE_EXHAUSTED, or 403 with reason rateLimitExceeded."""
    text = (
        f"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service '{service}' for "
        f"consumer 'project_number:{number}'."
    )
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": f"projects/{number}", "quota_limit": "QueriesPerMinutePerProject"},
    }
    return ApiError(status, text, "rateLimitExceeded", domain="usageLimits", details=[detail], always_status=True)


def late(tx: Transaction, kind: str, key: str, seconds: float, now: float) -> bool:
    """Whether a resource was made less than `seconds` ago (`hidden["made"]`, seconds since the epoch)."""
    record = tx.get(kind, key) if seconds else None
    return record is not None and now - float(record.hidden.get("made", 0.0)) < seconds
