"""Faults on demand: which call they hit, what they do to it, and the record of that.

A fault names a method (`compute.networks.insert`, `*.insert`) or a resource (`*/networks/mlops`) by a pattern with `*`,
and hits the nth call that matches, then the following ones up to its count. Kept in the state, so that it survives a
restart; what it hit stands in the call log.
"""

from __future__ import annotations

import difflib
import fnmatch
import random
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from .errors import ApiError
from .store import Store

_SETTING = "faults"
KINDS = "http:STATUS[:REASON], reset-before, reset-after, slow:SECONDS, operation-error:CODE, stuck"
_KIND = re.compile(
    r"http:(?P<status>[45]\d\d)(:(?P<reason>\w+))?|reset-before|reset-after|slow:(?P<seconds>\d+(\.\d+)?)"
    r"|operation-error:(?P<code>[A-Z][A-Z_]+)|stuck"
)
_TEXTS = {
    400: "Invalid request.",
    401: "Request had invalid authentication credentials.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    409: "The resource is being changed by another operation.",
    412: "Precondition failed.",
    429: "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.",
    500: "Internal error encountered.",
    502: "Bad gateway.",
    503: "The service is currently unavailable.",
    504: "Deadline exceeded.",
}


class BadFault(Exception):
    """A fault that cannot be; the text says why and what could."""


@dataclass
class Fault:
    """A fault that was ordered.

    Attributes:
        pattern: of a method's id, or (with a `/`) of a resource's path, with `*`.
        kind: see `KINDS`.
        nth: the first matching call that is hit, from 1.
        count: how many are hit; 0 is all from then on.
        chance, seed: each call due is hit with this chance, by a random sequence that the seed repeats.
        seen, hit: matching calls so far, and those that were hit.
    """

    id: int
    pattern: str
    kind: str
    nth: int = 1
    count: int = 1
    chance: float = 1.0
    seed: int = 0
    seen: int = 0
    hit: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is meant."""
        if "/" in self.pattern:
            return fnmatch.fnmatchcase(path, self.pattern) or fnmatch.fnmatchcase(path, f"*/{self.pattern}")
        return fnmatch.fnmatchcase(method, self.pattern)

    def strikes(self) -> bool:
        """Counts a matching call; whether it is hit."""
        self.seen += 1
        due = self.seen >= self.nth and (self.count == 0 or self.hit < self.count)
        if due and self.chance < 1.0:
            due = random.Random(f"{self.seed} {self.seen}").random() < self.chance  # noqa: S311 - no secret
        self.hit += due
        return due

    @property
    def parts(self) -> dict[str, str | None]:
        """What the kind says beside its name."""
        hit = _KIND.fullmatch(self.kind)
        return hit.groupdict() if hit else {}

    def refusal(self) -> ApiError | None:
        """The error of an `http:` fault."""
        status = self.parts.get("status")
        if status is None:
            return None
        code, reason = int(status), self.parts.get("reason")
        text = "Rate Limit Exceeded" if reason == "rateLimitExceeded" else _TEXTS.get(code, "The request failed.")
        domain = "usageLimits" if reason in ("rateLimitExceeded", "quotaExceeded") else "global"
        return ApiError(code, text, reason, domain=domain, always_status=True)


class Faults:
    """The faults in force."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as tx:
            self._faults = [Fault(**item) for item in tx.setting(_SETTING) or []]

    def all(self) -> list[dict[str, Any]]:
        """Every fault with its counters."""
        return [asdict(fault) for fault in self._faults]

    def add(self, given: Any, methods: Iterable[str], words: Iterable[str]) -> dict[str, Any]:
        """A new fault.

        Args:
            given: the members of `Fault` but id and counters; `pattern` and `kind` must be there.
            methods: the ids of all methods.
            words: the segments of all URLs.

        Raises:
            BadFault: it could never hit, or is no fault at all.
        """
        fault = _checked(given)
        _refuse_unknown(fault.pattern, list(methods), set(words))
        fault.id = max((item.id for item in self._faults), default=0) + 1
        self._faults.append(fault)
        self._keep()
        return asdict(fault)

    def clear(self) -> int:
        """Removes all; returns how many there were."""
        number = len(self._faults)
        self._faults = []
        self._keep()
        return number

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that hits a call, if one does."""
        if not self._faults:
            return None
        matching = [fault for fault in self._faults if fault.matches(method, path)]
        struck = [fault for fault in matching if fault.strikes()]
        if matching:
            self._keep()
        return struck[0] if struck else None

    def _keep(self) -> None:
        with self._store.transaction() as tx:
            tx.set(_SETTING, self.all())


def _checked(given: Any) -> Fault:
    names = ("pattern", "kind", "nth", "count", "chance", "seed")
    if not isinstance(given, dict) or not {"pattern", "kind"} <= set(given) <= set(names):
        raise BadFault(f"a fault has pattern and kind, and may have {', '.join(names[2:])}")
    pattern, kind = str(given["pattern"]), str(given["kind"])
    if _KIND.fullmatch(kind) is None:
        raise BadFault(f"{kind!r} is no kind of fault; there are {KINDS}")
    for name, low in (("nth", 1), ("count", 0), ("seed", 0)):
        value = given.get(name, low)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise BadFault(f"{name} is a whole number from {low} on, not {value!r}")
    chance = given.get("chance", 0.5 if "seed" in given else 1.0)
    if not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise BadFault(f"chance is more than 0 and at most 1, not {chance!r}")
    count = given.get("count", 1 if chance == 1 else 0)
    return Fault(0, pattern, kind, given.get("nth", 1), count, float(chance), given.get("seed", 0))


def _refuse_unknown(pattern: str, methods: list[str], words: set[str]) -> None:
    """A pattern must be able to match a method, or a path with a collection that there is."""
    if "/" not in pattern:
        if any(fnmatch.fnmatchcase(method, pattern) for method in methods):
            return
        near = difflib.get_close_matches(pattern, methods, 5, 0.6)
        near = near or [method for method in methods if pattern.strip("*").lower() in method.lower()][:5]
        hint = f"Near: {', '.join(near)}" if near else "Methods are named like compute.networks.insert"
        raise BadFault(f"no method matches {pattern!r}. {hint}")
    plain = [part for part in pattern.strip("/").split("/") if part and "*" not in part]
    if not plain or any(part.partition(":")[0] in words for part in plain):
        return
    near = sorted({item for part in plain for item in difflib.get_close_matches(part, sorted(words), 3, 0.6)})
    hint = f"Near: {', '.join(near)}" if near else "Paths are like */global/networks/NAME"
    raise BadFault(f"no resource has a path like {pattern!r}. {hint}")
