"""Identity-Aware Proxy: policies of tunnels and web backends, settings, destination groups."""

from __future__ import annotations

import re
from typing import Any

from ..core import AUTHORIZERS, Call, handles, lineage
from ..errors import ApiError
from ..store import Record
from . import policies
from .masks import apply_mask

_GROUPS, _SETTINGS = "iap.destGroups", "iap.settings"
_DENIED = "The caller does not have permission"


def _canonical(call: Call) -> str:
    """The resource of a call with the project's number, as IAP names it."""
    name = call.path.get("resource") or call.path.get("name") or call.path.get("parent") or ""
    parts = name.split("/")
    if parts[0] == "projects" and len(parts) > 1:
        parts[1] = call.number
    return "/".join(parts)


def _kind(name: str) -> str:
    """The noun of the permissions that guard a resource."""
    kinds = (
        (r"iap_tunnel/zones/[^/]+/instances/", "tunnelInstances"),
        (r"iap_tunnel/zones/", "tunnelZones"),
        (r"iap_tunnel/locations/[^/]+/destGroups/", "tunnelDestGroups"),
        (r"iap_tunnel/locations/", "tunnelLocations"),
        (r"iap_tunnel$", "tunnel"),
        (r"iap_web/[^/]+/services/[^/]+/versions/", "webServiceVersions"),
        (r"iap_web/[^/]+/services/", "webServices"),
        (r"iap_web/", "webTypes"),
        (r"iap_web$", "web"),
    )
    return next((noun for pattern, noun in kinds if re.search(pattern, name)), "projects")


def ancestors(name: str) -> tuple[str, ...]:
    """Full names of an IAP resource and of those above it, from the resource up."""
    parts = name.split("/")
    chain = []
    while len(parts) > 2:
        chain.append("//iap.googleapis.com/" + "/".join(parts))
        parts = parts[: -2 if len(parts) > 4 else -1]
    return tuple(chain)


def _authorize(call: Call, permission: str | None) -> None:
    name, verb = _canonical(call), call.method.verb
    if verb in ("getIamPolicy", "setIamPolicy"):
        permission = f"iap.{_kind(name)}.{verb}"
    elif verb in ("getIapSettings", "updateIapSettings"):
        permission = f"iap.{_kind(name)}.{'getSettings' if verb == 'getIapSettings' else 'updateSettings'}"
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project, *ancestors(name))):
        raise ApiError(403, _DENIED, "forbidden")


AUTHORIZERS["iap"] = _authorize


def _check_exists(call: Call, name: str) -> None:
    """Policies hang on instances and backend services that exist."""
    if hit := re.search(r"iap_web/compute(?:-([^/]+))?/services/([^/]+)$", name):
        scope = f"regions/{hit.group(1)}" if hit.group(1) else "global"
        head = f"projects/{call.project}/{scope}/backendServices/"
        services = call.tx.list("compute.backendServices", head)
        if not any(hit.group(2) in (item.body["name"], item.body["id"]) for item in services):
            raise ApiError(404, "Requested entity was not found.", "notFound")


def _by_id(call: Call, name: str) -> str:
    """IAP's settings name a backend service by its number, whichever way it was asked for."""
    hit = re.search(r"(.*/iap_web/compute(?:-([^/]+))?/services/)([^/]+)$", name)
    if hit is None:
        return name
    scope = f"regions/{hit.group(2)}" if hit.group(2) else "global"
    record = call.tx.get("compute.backendServices", f"projects/{call.project}/{scope}/backendServices/{hit.group(3)}")
    return hit.group(1) + str(record.body["id"]) if record else name


@handles("iap.getIamPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """The policy of a tunnel or web resource."""
    name = _canonical(call)
    _check_exists(call, name)
    return policies.read(call, f"//iap.googleapis.com/{name}")


@handles("iap.setIamPolicy")
def set_policy(call: Call) -> dict[str, Any]:
    """Replaces the policy of a tunnel or web resource."""
    name = _canonical(call)
    _check_exists(call, name)
    return policies.write(call, f"//iap.googleapis.com/{name}", call.body.get("policy", {}))


@handles("iap.testIamPermissions")
def test_permissions(call: Call) -> dict[str, Any]:
    """Which of the asked permissions the caller has on a tunnel or web resource."""
    return policies.test(call, ancestors(_canonical(call)), call.body.get("permissions", []))


@handles("iap.getIapSettings")
def get_settings(call: Call) -> dict[str, Any]:
    """The settings of a resource; unset ones answer only the name."""
    name = _by_id(call, _canonical(call))
    record = call.tx.get(_SETTINGS, name)
    return record.body if record else {"name": name}


@handles("iap.updateIapSettings")
def update_settings(call: Call) -> dict[str, Any]:
    """PATCH of the settings; the paths of its mask begin with `iapSettings.`."""
    name = _by_id(call, _canonical(call))
    record = call.tx.get(_SETTINGS, name) or Record(_SETTINGS, name, {"name": name})
    mask = ",".join(
        item.strip().removeprefix("iapSettings.").removeprefix("iap_settings.")
        for item in str(call.query.get("updateMask", "")).split(",")
    )
    given = {key: value for key, value in call.body.items() if key != "name"}
    if mask:
        apply_mask(record.body, given, mask)
    else:
        record.body = {"name": name, **given}
    record.body = {key: value for key, value in record.body.items() if value not in ({}, None)}
    call.tx.put(record)
    return record.body


@handles("iap.projects.iap_tunnel.locations.destGroups.create")
def create_group(call: Call) -> dict[str, Any]:
    """POST of a tunnel destination group."""
    name = f"{_canonical(call)}/destGroups/{call.query.get('tunnelDestGroupId') or call.body.get('name', '')}"
    if call.tx.get(_GROUPS, name):
        raise ApiError(409, "Requested entity already exists", "alreadyExists")
    body = {**call.body, "name": name}
    call.tx.put(Record(_GROUPS, name, body))
    return body


def _group(call: Call) -> Record:
    record = call.tx.get(_GROUPS, _canonical(call))
    if record is None:
        raise ApiError(404, "Requested entity was not found.", "notFound")
    return record


@handles("iap.projects.iap_tunnel.locations.destGroups.get")
def get_group(call: Call) -> dict[str, Any]:
    """GET of a group."""
    return _group(call).body


@handles("iap.projects.iap_tunnel.locations.destGroups.list")
def list_groups(call: Call) -> dict[str, Any]:
    """The groups of a region."""
    found = [record.body for record in call.tx.list(_GROUPS, f"{_canonical(call)}/destGroups/")]
    return {"tunnelDestGroups": found} if found else {}


@handles("iap.projects.iap_tunnel.locations.destGroups.patch")
def patch_group(call: Call) -> dict[str, Any]:
    """PATCH of a group's addresses and names."""
    record = _group(call)
    given = {key: value for key, value in call.body.items() if key != "name"}
    apply_mask(record.body, given, str(call.query.get("updateMask", "")))
    call.tx.put(record)
    return record.body


@handles("iap.projects.iap_tunnel.locations.destGroups.delete")
def delete_group(call: Call) -> dict[str, Any]:
    """DELETE of a group."""
    call.tx.delete(_GROUPS, _group(call).key)
    return {}
