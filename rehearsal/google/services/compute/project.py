"""The project as Compute sees it, and what every project can read: regions, zones, machine types, images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...filters import matches, page
from ...store import Record
from . import operations, places, quotas
from .kinds import digest
from .links import BASE, url, was_not_found

_KIND = "compute.projects"


def project_record(call: Call) -> Record:
    """The project's own record, made when it is first needed; only writes keep it."""
    key = f"projects/{call.project}"
    found = call.tx.get(_KIND, key)
    if found:
        return found
    number = call.number
    body = {
        "kind": "compute#project",
        "id": f"5{number}",
        "creationTimestamp": "2026-01-05T01:00:00.000-08:00",
        "name": call.project,
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": digest(None)},
        "selfLink": url(key),
        "defaultServiceAccount": f"{number}-compute@developer.gserviceaccount.com",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultNetworkTier": "PREMIUM",
        "vmDnsSetting": "ZONAL_ONLY",
        "cloudArmorTier": "CA_STANDARD",
        "managedProtectionTier": "CA_STANDARD",
    }
    return Record(_KIND, key, body)


@handles("compute.projects.get")
def get_project(call: Call) -> dict[str, Any]:
    """GET of the project, with the number of networks and firewalls in use."""
    body = copy.deepcopy(project_record(call).body)
    body["quotas"] = quotas.shown(call, None)
    return body


@handles("compute.projects.setCommonInstanceMetadata")
def set_metadata(call: Call) -> dict[str, Any]:
    """Replaces the project-wide metadata, by its fingerprint."""
    record = project_record(call)
    given = call.body.get("fingerprint")
    if given is not None and given != record.body["commonInstanceMetadata"]["fingerprint"]:
        raise ApiError(412, "Supplied fingerprint does not match current metadata fingerprint.", "conditionNotMet")
    items = call.body.get("items", [])
    record.body["commonInstanceMetadata"] = {"kind": "compute#metadata", "fingerprint": digest(items)}
    if items:
        record.body["commonInstanceMetadata"]["items"] = items
    call.tx.put(record)
    scope = f"projects/{call.project}/global"
    return operations.begin(call, record, "compute.projects.setCommonInstanceMetadata", scope=scope)


def _list(call: Call, kind: str, path: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = [item for item in items if matches(item, call.query.get("filter"))]
    shown, more = page(chosen, call.query.get("pageToken"), int(call.query.get("maxResults", 500)))
    result: dict[str, Any] = {"kind": kind, "id": path, "selfLink": url(path)}
    if shown:
        result["items"] = shown
    return {**result, "nextPageToken": more} if more else result


@handles("compute.regions.get")
def get_region(call: Call) -> dict[str, Any]:
    """GET of a region."""
    if not places.is_region(call.path["region"]):
        raise was_not_found(f"projects/{call.project}/regions/{call.path['region']}")
    region = call.path["region"]
    return {**places.region(BASE, call.project, region), "quotas": quotas.shown(call, region)}


@handles("compute.regions.list")
def list_regions(call: Call) -> dict[str, Any]:
    """All regions."""
    items = [{**places.region(BASE, call.project, name), "quotas": quotas.shown(call, name)} for name in places.REGIONS]
    return _list(call, "compute#regionList", f"projects/{call.project}/regions", items)


@handles("compute.zones.get")
def get_zone(call: Call) -> dict[str, Any]:
    """GET of a zone."""
    if not places.is_zone(call.path["zone"]):
        raise was_not_found(f"projects/{call.project}/zones/{call.path['zone']}")
    return places.zone(BASE, call.project, call.path["zone"])


@handles("compute.zones.list")
def list_zones(call: Call) -> dict[str, Any]:
    """All zones."""
    items = [places.zone(BASE, call.project, name) for name in places.ZONES]
    return _list(call, "compute#zoneList", f"projects/{call.project}/zones", items)


@handles("compute.machineTypes.get")
def get_machine_type(call: Call) -> dict[str, Any]:
    """GET of a machine type in a zone."""
    zone, name = call.path["zone"], call.path["machineType"]
    found = places.machine_type(BASE, call.project, zone, name) if places.is_zone(zone) else None
    if found is None:
        raise was_not_found(f"projects/{call.project}/zones/{zone}/machineTypes/{name}")
    return found


@handles("compute.machineTypes.list")
def list_machine_types(call: Call) -> dict[str, Any]:
    """All machine types of a zone."""
    zone = call.path["zone"]
    shapes = (places.machine_type(BASE, call.project, zone, name) for name in places.machine_types())
    items = [shape for shape in shapes if shape]
    return _list(call, "compute#machineTypeList", f"projects/{call.project}/zones/{zone}/machineTypes", items)


def _image(call: Call, chosen: Callable[[str, str], bool]) -> dict[str, Any] | None:
    owner = call.path["project"]
    for family, (project, name, _) in places.IMAGES.items():
        if project == owner and chosen(family, name):
            return places.image(BASE, family)
    return None


@handles("compute.images.get")
def get_image(call: Call) -> dict[str, Any]:
    """GET of a public image."""
    wanted = call.path["image"]
    found = _image(call, lambda family, name: name == wanted)
    if found is None:
        raise was_not_found(f"projects/{call.path['project']}/global/images/{wanted}")
    return found


@handles("compute.images.getFromFamily")
def get_from_family(call: Call) -> dict[str, Any]:
    """The newest image of a family."""
    wanted = call.path["family"]
    found = _image(call, lambda family, name: family == wanted)
    if found is None:
        raise was_not_found(f"projects/{call.path['project']}/global/images/family/{wanted}")
    return found


@handles("compute.images.list")
def list_images(call: Call) -> dict[str, Any]:
    """The public images of a project such as debian-cloud."""
    owner = call.path["project"]
    items = [places.image(BASE, family) for family, (project, *_) in places.IMAGES.items() if project == owner]
    return _list(call, "compute#imageList", f"projects/{owner}/global/images", items)


@handles("compute.projects.enableXpnHost")
def enable_shared_vpc(call: Call) -> dict[str, Any]:
    """The project becomes a shared VPC host."""
    record = project_record(call)
    record.body["xpnProjectStatus"] = "HOST"
    call.tx.put(record)
    return operations.begin(call, record, "enableXpnHost", scope=f"projects/{call.project}/global")
