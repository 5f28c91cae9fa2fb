"""Disks of instances that come and go: attachDisk, detachDisk, setDiskAutoDelete, and a disk's resize."""

from __future__ import annotations

from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from . import operations
from .disks import boot_disk
from .generic import check_ready, fetch, save
from .instances import INSTANCE
from .kinds import KINDS
from .links import key_of, locate


def _device(call: Call, disks: list[dict[str, Any]]) -> dict[str, Any]:
    """The attached disk that a request names.

    Raises:
        ApiError: 400, the instance has none of that name.
    """
    name = str(call.query.get("deviceName", ""))
    found = next((disk for disk in disks if disk["deviceName"] == name), None)
    if found is None:
        text = f"Invalid value for field 'disk': '{name}'. No attached disk found with device name '{name}'"
        raise ApiError(400, text, "invalid")
    return found


@handles("compute.instances.attachDisk", "compute.instances.detachDisk", "compute.instances.setDiskAutoDelete")
def change_disks(call: Call) -> dict[str, Any]:
    """Attaches a disk (body: `source`), or detaches or changes the one named by `deviceName`."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    disks: list[dict[str, Any]] = record.body["disks"]
    if call.method.verb == "attachDisk":
        body = {"name": record.body["name"], "disks": [*disks, call.body]}
        disks.append({**boot_disk(call, place, body, len(disks)), "boot": bool(call.body.get("boot", False))})
    elif call.method.verb == "detachDisk":
        gone = _device(call, disks)
        disks.remove(gone)
        if disk := call.tx.get("compute.disks", key_of(gone["source"])):
            disk.body["lastDetachTimestamp"] = call.clock.pacific()
            call.tx.put(disk)
    else:
        _device(call, disks)["autoDelete"] = bool(call.query.get("autoDelete"))
    record.hidden["links"]["disks"] = [key_of(disk["source"]) for disk in disks]
    save(call, INSTANCE, record)
    return operations.begin(call, record, call.method.verb, scope=place.scope)


@handles("compute.disks.resize")
def resize(call: Call) -> dict[str, Any]:
    """A disk grows; it never shrinks.

    Raises:
        ApiError: 400.
    """
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    wanted, now = int(call.body.get("sizeGb", 0)), int(record.body["sizeGb"])
    if wanted <= now:
        text = f"Invalid value for field 'sizeGb': '{wanted}'. New disk size must be larger than {now} GB."
        raise ApiError(400, text, "invalid")
    record.body["sizeGb"] = str(wanted)
    save(call, KINDS["disks"], record)
    return operations.begin(call, record, "resizeDisk", scope=place.scope)
