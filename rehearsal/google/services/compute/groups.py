"""Instance templates and unmanaged instance groups."""

from __future__ import annotations

from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...store import Record
from . import operations, places
from .generic import check_ready, fetch, save, with_defaults
from .kinds import Kind, declare, digest
from .links import Place, locate, resolve, url, was_not_found

_SCHEDULING = {
    "automaticRestart": True,
    "onHostMaintenance": "MIGRATE",
    "preemptible": False,
    "provisioningModel": "STANDARD",
}


def _insert_template(call: Call, place: Place, body: dict[str, Any]) -> None:
    """Fills in the properties; `initializeParams` stay as they were sent (recordings/FACTS.md, instanceTemplates)."""
    del place
    properties = body.setdefault("properties", {})
    for index, disk in enumerate(properties.get("disks", [])):
        defaults = {"deviceName": f"persistent-disk-{index}", "index": index, "kind": "compute#attachedDisk"}
        properties["disks"][index] = {**defaults, **disk}
    for index, nic in enumerate(properties.get("networkInterfaces", [])):
        nic |= {"kind": "compute#networkInterface", "name": f"nic{index}"}
        for access in nic.get("accessConfigs", []):
            access |= {"kind": "compute#accessConfig", "networkTier": access.get("networkTier", "PREMIUM")}
        for name in ("network", "subnetwork"):
            if name in nic:
                nic[name] = url(resolve(call, f"properties.networkInterfaces.{name}", nic[name]))
    items = properties.get("metadata", {}).get("items", [])
    properties["metadata"] = {"kind": "compute#metadata", "fingerprint": digest({"items": items})}
    if items:
        properties["metadata"]["items"] = items
    properties["scheduling"] = with_defaults(_SCHEDULING, properties.get("scheduling", {}))


declare(
    Kind(
        "instanceTemplates",
        "instanceTemplate",
        "instance_template",
        defaults={"description": ""},
        operations={"insert": "compute.instanceTemplates.insert"},
        on_insert=_insert_template,
    )
)


# Managed groups are only kept as they are declared: no machines come of them.
declare(
    Kind(
        "instanceGroupManagers",
        "instanceGroupManager",
        "instance_group_manager",
        references=("instanceTemplate", "versions[].instanceTemplate"),
        defaults={"description": ""},
        output=("status", "currentActions", "instanceGroup"),
        fingerprint=True,
        operations={verb: f"compute.instanceGroupManagers.{verb}" for verb in ("insert", "delete")},
    )
)


def _insert_group(call: Call, place: Place, body: dict[str, Any]) -> None:
    if "network" not in body:
        body["network"] = url(f"projects/{call.project}/global/networks/default")
    name = body["network"].rpartition("/")[2]
    region = places.region_of(str(place.zone))
    body.setdefault("subnetwork", url(f"projects/{call.project}/regions/{region}/subnetworks/{name}"))
    body["size"] = 0


def _show_group(call: Call, record: Record) -> dict[str, Any]:
    del call
    return {**record.body, "size": len(record.hidden.get("instances", []))}


GROUP = declare(
    Kind(
        "instanceGroups",
        "instanceGroup",
        "instance_group",
        references=("network",),
        defaults={"description": ""},
        output=("size",),
        fingerprint=True,
        operations={verb: f"compute.instanceGroups.{verb}" for verb in ("insert", "delete")},
        on_insert=_insert_group,
        show=_show_group,
    )
)


def _named(call: Call) -> list[str]:
    """The keys of the instances that a request names.

    Raises:
        ApiError: 404.
    """
    keys = [resolve(call, "instances", item["instance"]) for item in call.body.get("instances", [])]
    for key in keys:
        if call.tx.get("compute.instances", key) is None:
            raise was_not_found(key)
    return keys


@handles(
    "compute.instanceGroups.addInstances",
    "compute.instanceGroups.removeInstances",
    "compute.instanceGroups.setNamedPorts",
)
def change_group(call: Call) -> dict[str, Any]:
    """Members and ports of a group."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    members: list[str] = record.hidden.setdefault("instances", [])
    if call.method.verb == "setNamedPorts":
        record.body["namedPorts"] = call.body.get("namedPorts", [])
    elif call.method.verb == "addInstances":
        members += [key for key in _named(call) if key not in members]
    else:
        gone = _named(call)
        if missing := [key for key in gone if key not in members]:
            raise ApiError(400, f"'{missing[0]}' is not a member of '{record.key}'.", "memberNotFound")
        record.hidden["instances"] = [key for key in members if key not in gone]
    record.hidden["links"] = {"instances": record.hidden["instances"]}
    save(call, GROUP, record)
    done = call.method.verb == "addInstances"
    return operations.begin(call, record, call.method.id, scope=place.scope, done=done)


@handles("compute.instanceGroups.listInstances")
def list_members(call: Call) -> dict[str, Any]:
    """The members of a group with their state."""
    record = fetch(call, str(locate(call).key))
    items = []
    for key in record.hidden.get("instances", []):
        found = call.tx.get("compute.instances", key)
        item = {"instance": url(key), "status": found.body.get("status", "RUNNING") if found else "TERMINATED"}
        if record.body.get("namedPorts"):
            item["namedPorts"] = record.body["namedPorts"]
        items.append(item)
    if call.body.get("instanceState") == "RUNNING":
        items = [item for item in items if item["status"] == "RUNNING"]
    answer: dict[str, Any] = {"kind": "compute#instanceGroupsListInstances"}
    return {**answer, "items": items} if items else answer
