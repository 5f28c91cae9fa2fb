"""The time of the emulated cloud, and how long its operations last."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone

_PACIFIC = timezone(timedelta(hours=-7))

# Seconds from the request to the operation's end, by collection and verb. Medians of the raw recordings (V): compute in
# globalForwardingRules/http_lb_whole_stack, http_with_polls_settarget, globalAddresses/psa_range_...;
# container in nodePools/raw_cassette_with_operation_progress; certificatemanager in map_entry.
_RECORDED = {
    "networks.insert": 9.1, "networks.delete": 14.9, "networks.removePeering": 8.9,
    "addresses.insert": 1.9, "addresses.delete": 2.2, "addresses.setLabels": 0.0, "forwardingRules.setLabels": 0.0,
    "backendServices.insert": 15.3, "backendServices.delete": 13.1, "healthChecks.insert": 1.6,
    "healthChecks.delete": 3.4, "urlMaps.insert": 0.8, "urlMaps.delete": 1.9, "targetHttpProxies.insert": 1.6,
    "targetHttpProxies.delete": 1.4, "forwardingRules.insert": 9.1, "forwardingRules.delete": 8.0,
    "forwardingRules.setTarget": 10.5, "clusters.create": 420.9, "clusters.delete": 210.5, "nodePools.create": 20.1,
    "nodePools.delete": 20.4, "nodePools.update": 3.6, "clusters.update": 3.6, "certificates.create": 0.3,
    "certificateMaps.create": 0.3, "certificateMapEntries.create": 0.3, "certificates.delete": 0.3,
    "certificateMaps.delete": 0.3, "certificateMapEntries.delete": 0.3, "certificateMaps.patch": 0.3,
}  # fmt: skip
# Not recorded raw; orders of magnitude, below the time limits that clients give these calls (google-cloud-lessons).
_ASSUMED = {
    "subnetworks.insert": 12.0, "subnetworks.delete": 12.0, "instances.insert": 15.0, "instances.delete": 40.0,
    "instances.stop": 30.0, "instances.start": 15.0, "routers.patch": 4.0, "connections.patch": 60.0,
    "connections.create": 60.0, "sql.instances.insert": 480.0, "sql.instances.delete": 60.0, "services.enable": 8.0,
    "services.batchEnable": 20.0,
}  # fmt: skip
_USUAL_SECONDS = 3.0


def seconds_at_google(method: str) -> float:
    """How long an operation of this method (its id) lasts at Google; regional and global ones of a kind last alike."""
    *_, collection, verb = method.split(".")
    plain = re.sub(r"^(region|global)(?=[A-Z])", "", collection)
    plain = plain[:1].lower() + plain[1:]
    for name in (f"{method.partition('.')[0]}.{plain}.{verb}", f"{plain}.{verb}"):
        for table in (_RECORDED, _ASSUMED):
            if name in table:
                return table[name]
    return _USUAL_SECONDS


class Clock:
    """Now, and the latency scale: 0 lets every operation end at once, 1 is about Google's pace."""

    def __init__(self, scale: float = 0.0) -> None:
        self.scale = scale

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def delay(self, method: str) -> float:
        """How long an operation of this method lasts, in seconds."""
        return self.scale * seconds_at_google(method)

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
