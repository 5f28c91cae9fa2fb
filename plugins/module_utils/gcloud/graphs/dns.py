"""What the platform has in Cloud DNS beside what the options name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import PlatformError
from ..kinds.edge import RECORD, ZONE
from ..model import MARK, Caller, Resource, Spec
from ..plan import own
from .listing import listed


def stale_records(
    api: Caller, options: Mapping[str, Any], address: Resource, wanted: Sequence[Resource]
) -> list[Resource]:
    """Records that lead to the load balancer and that the options do not name any more.

    Where it is to be absent, also the platform's zones of domains it had before. Raises PlatformError for a zone that
    is to go and holds what others added: Google removes empty ones only.
    """
    project, absent = options["project"], options.get("state") == "absent"
    at = _address(api, project, address.name)
    known = {resource.name for resource in wanted if resource.kind is RECORD}
    params = {"project": project}
    zones = [Resource(ZONE, options["dns_zone"], {}, params)]
    if absent:
        zones += [Resource(ZONE, name, {}, params, unwanted=True) for name in _former_zones(api, options)]
    found: list[Resource] = []
    for zone in zones:
        others = []
        for entry in _records(api, zone):
            title = f"{entry['type']} {entry['name']}"
            if title in known and not zone.unwanted:
                continue
            if _leads_to(entry, at, zone.unwanted):
                found.append(_gone(title, zone, address))
            else:
                others.append(title)
        if absent and others and not options.get("keep_zone"):
            raise PlatformError(
                f"it has records that others added: {', '.join(others)}",
                action="remove",
                resource=zone.title,
                reason="protected",
                hint="Move them to another zone, or remove them, then run this again.",
            )
    return found if options.get("keep_zone") else [*found, *zones[1:]]


def _records(api: Caller, zone: Resource) -> list[Spec]:
    """The records of a zone but the two that Google puts at its top."""
    place = {**zone.params, "managedZone": zone.name}
    entries = listed(api, f"records of {zone.title}", "dns", "resourceRecordSets.list", place, "rrsets")
    top = next((entry["name"] for entry in entries if entry["type"] == "SOA"), "")
    return [entry for entry in entries if entry["type"] != "SOA" and (entry["type"], entry["name"]) != ("NS", top)]


def _leads_to(entry: Spec, address: str, former: bool) -> bool:
    """Whether a record is one that the platform makes: to its address, or (of a former domain) for its certificate."""
    if entry["type"] == "CNAME":
        return former and str(entry["name"]).startswith("_acme-challenge.")
    return entry["type"] == "A" and bool(address) and entry.get("rrdatas") == [address]


def _gone(title: str, zone: Resource, address: Resource) -> Resource:
    """A record that is to go, before its zone and the address by which it is known."""
    return Resource(
        RECORD,
        title,
        {},
        {**zone.params, "zone": zone.name},
        after=(zone.key, address.key),
        unwanted=True,
        where=f"zone {zone.name}" if zone.unwanted else "",
    )


def _address(api: Caller, project: str, name: str) -> str:
    params = {"project": project, "filter": f'name = "{name}"'}
    entries = listed(api, f"address {name}", "compute", "globalAddresses.list", params)
    return next((str(entry["address"]) for entry in entries if entry["name"] == name and entry.get("address")), "")


def _former_zones(api: Caller, options: Mapping[str, Any]) -> list[str]:
    """The platform's own zones but the one in the options."""
    labels = options.get("labels") or {}
    labels = own(labels) if "platform" in labels else labels  # else another platform's would be taken for this one's
    zones = listed(api, "DNS zones", "dns", "managedZones.list", {"project": options["project"]}, "managedZones")
    return [
        str(zone["name"])
        for zone in zones
        if MARK in zone.get("description", "") and labels and labels.items() <= (zone.get("labels") or {}).items()
        if zone["name"] != options["dns_zone"]
    ]
