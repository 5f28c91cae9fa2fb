"""Whether GKE takes the maintenance window: how long it is, and how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from .rules import instant

PATH = "cluster.maintenance"
# GKE's limits: 48 hours within any 32 days, of which only what is 4 hours long or longer counts.
SHORTEST = timedelta(hours=4)
LEAST, DAYS = timedelta(hours=48), 32
WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def check_maintenance(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every problem of `cluster.maintenance`; what is no time, or missing, is told elsewhere."""
    window = (settings.get("cluster") or {}).get("maintenance")
    if not isinstance(window, Mapping):
        return
    start, end = instant(window.get("start")), instant(window.get("end"))
    if start is None or end is None:
        return
    length = end - start
    if length <= timedelta():
        yield f"{PATH}.end: must be after {PATH}.start; write for example {_shown(start + timedelta(hours=6))}."
    elif length < SHORTEST:
        longer = f"write for example {_shown(start + SHORTEST)}"
        yield f"{PATH}.end: GKE wants windows of 4 hours at least, and this is {_hours(length):.3g}; {longer}."
    else:
        yield from _enough(str(window.get("recurrence", "")), length)


def _enough(rule: str, length: timedelta) -> Iterator[str]:
    windows = fewest_windows(rule)
    if windows is not None and windows * length < LEAST:
        yield (
            f"{PATH}.recurrence: {rule} is {windows} windows of {_hours(length):.3g} hours within 32 days, and GKE "
            "wants 48 hours at least; name more days, or make the window longer."
        )


def fewest_windows(rule: str) -> int | None:
    """How often a recurrence begins within any 32 days at the least; None where this cannot be said."""
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    frequency, interval = parts.pop("FREQ", ""), parts.pop("INTERVAL", "1")
    days = [day for day in parts.pop("BYDAY", "").split(",") if day]
    if parts or not interval.isdecimal() or interval == "0" or not set(days) <= set(WEEK):
        return None
    every = min(int(interval), DAYS + 1)  # what is rarer has no window in the poorest days either
    if frequency == "DAILY" and not days:
        return _fewest({0}, every)
    if frequency == "WEEKLY" and days:
        return _fewest({WEEK.index(day) for day in days}, len(WEEK) * every)
    return None


def _fewest(places: set[int], period: int) -> int:
    """Of a calendar that has these days in each period, those within the poorest 32 days in a row."""
    return min(sum(day % period in places for day in range(first, first + DAYS)) for first in range(period))


def _hours(length: timedelta) -> float:
    return length / timedelta(hours=1)


def _shown(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")
