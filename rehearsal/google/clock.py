"""The time of the emulated cloud, and how long its operations last."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

_PACIFIC = timezone(timedelta(hours=-7))

# Seconds that Google typically takes, by method; measured values would belong here, these are orders of magnitude.
_SECONDS = {
    "container.projects.locations.clusters.create": 420.0,
    "container.projects.locations.clusters.delete": 240.0,
    "container.projects.locations.clusters.update": 120.0,
    "container.projects.locations.clusters.nodePools.create": 90.0,
    "sql.instances.insert": 480.0,
    "sql.instances.delete": 60.0,
    "compute.instances.insert": 15.0,
    "compute.instances.delete": 40.0,
    "compute.networks.insert": 12.0,
    "compute.networks.delete": 15.0,
    "compute.subnetworks.insert": 12.0,
    "servicenetworking.services.connections.patch": 60.0,
    "servicenetworking.services.connections.create": 60.0,
}
_USUAL_SECONDS = 3.0


class Clock:
    """Now, and the latency scale: 0 lets every operation end at once, 1 is about Google's pace."""

    def __init__(self, scale: float = 0.0) -> None:
        self.scale = scale

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def delay(self, method: str) -> float:
        """How long an operation of this method lasts, in seconds."""
        return self.scale * _SECONDS.get(method, _USUAL_SECONDS)

    def pacific(self) -> str:
        """Now as Compute writes it: milliseconds and the offset of California."""
        return datetime.fromtimestamp(self.now(), _PACIFIC).isoformat(timespec="milliseconds")

    def zulu(self, digits: int = 6) -> str:
        """Now in UTC with 0, 3, 6 or 9 digits of a second, as the other services write it."""
        return zulu(self.now(), digits)


def zulu(moment: float, digits: int = 6) -> str:
    """A moment in UTC with 0, 3, 6 or 9 digits of a second."""
    date = datetime.fromtimestamp(moment, UTC)
    text = date.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{date.microsecond:06d}000"[:digits]
    return f"{text}.{fraction}Z" if digits else f"{text}Z"
