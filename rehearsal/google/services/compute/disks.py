"""Disks, as instances make them and by themselves."""

from __future__ import annotations

from typing import Any

from ...core import Call
from ...errors import ApiError
from . import places
from .generic import create
from .kinds import KINDS, Kind, declare
from .links import BASE, Place, key_of, resolve, url, was_not_found

_IMAGE_GB, _BLANK_GB = "10", "500"


def find_image(call: Call, field: str, source: str) -> dict[str, Any]:
    """The image that a reference means: an image, a family, or a zone's view of a family.

    Raises:
        ApiError: 404.
    """
    key = resolve(call, field, source)
    name = key.rpartition("/")[2]
    for family, (project, image, _) in places.IMAGES.items():
        if key.startswith(f"projects/{project}/") and name in (family, image):
            return places.image(BASE, family)
    raise was_not_found(key)


def _insert(call: Call, place: Place, body: dict[str, Any]) -> None:
    """Sizes and what is taken over from the image (recordings/compute/disks)."""
    source = call.query.get("sourceImage") or body.get("sourceImage")
    if source:
        image = find_image(call, "resource.sourceImage", source)
        for name in ("licenses", "licenseCodes", "guestOsFeatures", "architecture"):
            body.setdefault(name, image[name])
        body["sourceImage"], body["sourceImageId"] = image["selfLink"], image["id"]
        body.setdefault("sizeGb", image["diskSizeGb"])
        if int(body["sizeGb"]) < int(image["diskSizeGb"]):
            why = f"must be larger than or equal to the image size of {image['diskSizeGb']} GB"
            raise ApiError(400, f"Requested disk size {why}.", "invalid")
    body.setdefault("sizeGb", _BLANK_GB)
    body.setdefault("type", url(f"{place.scope}/diskTypes/pd-standard"))
    if "://" not in body["type"]:
        body["type"] = url(resolve(call, "resource.type", body["type"]))


declare(
    Kind(
        "disks",
        "disk",
        "disk",
        defaults={
            "physicalBlockSizeBytes": "4096",
            "status": "READY",
            "enableConfidentialCompute": False,
            "satisfiesPzi": True,
            "locked": False,
            "multiWriter": False,
        },
        output=("status", "users", "lastAttachTimestamp", "lastDetachTimestamp"),
        labels=True,
        on_insert=_insert,
        show=lambda call, record: {
            **record.body,
            **({"users": users} if (users := [url(user) for user, _ in call.tx.users_of(record.key)]) else {}),
        },
    )
)


def boot_disk(call: Call, place: Place, body: dict[str, Any], index: int) -> dict[str, Any]:
    """Makes the disk that an instance asks for (or takes an existing one) and returns how it is attached."""
    given = dict(body["disks"][index])
    attached = {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": "READ_WRITE",
        "index": index,
        "deviceName": f"persistent-disk-{index}",
        "boot": index == 0,
        "autoDelete": False,
        "interface": "SCSI",
        **given,
    }
    parameters = attached.pop("initializeParams", None)
    if parameters is None and "source" not in attached:
        raise ApiError(
            400,
            f"Invalid value for field 'resource.disks[{index}]': ''. Boot disk must have a source specified",
            "invalid",
        )
    if parameters is not None:
        attached["source"] = url(_make(call, place, body["name"], index, parameters, attached))
    source = call.tx.get("compute.disks", key_of(url(resolve(call, "disks.source", attached["source"]))))
    if source is None:
        raise was_not_found(resolve(call, "disks.source", attached["source"]))
    source.body["lastAttachTimestamp"] = call.clock.pacific()
    call.tx.put(source)
    attached["source"] = url(source.key)
    attached["diskSizeGb"] = source.body["sizeGb"]
    for name in ("licenses", "guestOsFeatures", "architecture"):
        if name in source.body:
            attached[name] = source.body[name]
    return attached


def _make(
    call: Call, place: Place, instance: str, index: int, parameters: dict[str, Any], attached: dict[str, Any]
) -> str:
    name = parameters.get("diskName") or (instance if index == 0 else f"{instance}-{index}")
    wanted = {"name": name, "sizeGb": parameters.get("diskSizeGb") or attached.get("diskSizeGb")}
    wanted |= {"sourceImage": parameters.get("sourceImage"), "type": parameters.get("diskType")}
    wanted |= {"labels": parameters.get("labels"), "description": parameters.get("description")}
    disk = {key: value for key, value in wanted.items() if value}
    saved = call.body
    record = create(call, KINDS["disks"], Place(place.scope, "disks", None), disk)
    call.body = saved
    return record.key
