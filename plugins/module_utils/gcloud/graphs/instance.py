"""From the options of gcp_instance to resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kinds.instance import INSTANCE, STOPPABLE_INSTANCE
from ..model import MARK, Resource, Spec
from .network import given

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def instance_graph(options: Mapping[str, Any]) -> list[Resource]:
    """One virtual machine."""
    params = {"project": options["project"], "zone": options["zone"]}
    region = options["zone"].rsplit("-", 1)[0]
    place = f"projects/{options['project']}/zones/{options['zone']}"
    interface: Spec = {"subnetwork": f"projects/{options['project']}/regions/{region}/subnetworks/{options['subnet']}"}
    interface["accessConfigs"] = (
        [{"name": "external-nat", "type": "ONE_TO_ONE_NAT"}] if options.get("external_address") else []
    )
    spec = given(
        {
            "description": MARK,
            "machineType": f"{place}/machineTypes/{options['machine_type']}",
            "disks": [_boot_disk(options)],
            "networkInterfaces": [interface],
            "serviceAccounts": _service_account(options),
            "shieldedInstanceConfig": _shielded(options.get("shielded")),
            "labels": options.get("labels"),
            "tags": _items(options.get("tags")),
            "metadata": _metadata(options.get("metadata")),
            "status": "RUNNING",
        }
    )
    kind = STOPPABLE_INSTANCE if options.get("allow_stop") else INSTANCE
    return [Resource(kind, options["name"], spec, params, wait=options.get("wait", True))]


def instance_outputs(seen: Mapping[str, Spec | None]) -> dict[str, Any]:
    """What the module returns of the machine; empty while there is none."""
    have = next(iter(seen.values()), None)
    if not have:
        return {"instance": {}}
    interface = (have.get("networkInterfaces") or [{}])[0]
    external = (interface.get("accessConfigs") or [{}])[0]
    return {
        "instance": {
            "name": have.get("name"),
            "id": str(have.get("id", "")),
            "status": have.get("status"),
            "internal_address": interface.get("networkIP"),
            "external_address": external.get("natIP"),
        }
    }


def _boot_disk(options: Mapping[str, Any]) -> Spec:
    place = f"projects/{options['project']}/zones/{options['zone']}/diskTypes"
    initial = given(
        {
            "sourceImage": options["image"],
            "diskSizeGb": None if options.get("disk_gb") is None else str(options["disk_gb"]),
            "diskType": f"{place}/{options['disk_type']}" if options.get("disk_type") else None,
            "labels": options.get("labels"),
        }
    )
    return {"boot": True, "autoDelete": True, "initializeParams": initial}


def _service_account(options: Mapping[str, Any]) -> list[Spec] | None:
    if not options.get("service_account"):
        return None
    return [{"email": options["service_account"], "scopes": [SCOPE]}]


def _shielded(wanted: bool | None) -> Spec | None:
    if wanted is None:
        return None
    return {"enableSecureBoot": wanted, "enableVtpm": wanted, "enableIntegrityMonitoring": wanted}


def _items(values: list[str] | None) -> Spec | None:
    return None if values is None else {"items": values}


def _metadata(values: Mapping[str, Any] | None) -> Spec | None:
    if values is None:
        return None
    return {"items": [{"key": key, "value": str(value)} for key, value in sorted(values.items())]}
