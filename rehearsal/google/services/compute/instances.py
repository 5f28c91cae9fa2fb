"""Virtual machines: what the server fills in, and the machine behind them."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable
from typing import Any

from ...core import Call, Cloud, handles, lineage
from ...errors import ApiError
from ...jobs import WORKS, Arguments, Failure, Work
from ...store import Record, Transaction
from ...substrate import MachineSpec
from . import operations, places, quotas
from .addresses import external_address, internal_address
from .disks import boot_disk
from .generic import check_ready, clean, create, fetch, save, with_defaults
from .kinds import KINDS, Kind, declare, digest
from .links import BASE, Place, key_of, locate, resolve, url, was_not_found

KIND = "compute.instances"
_SHIELDED = {"enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True}
_SCHEDULING = {
    "onHostMaintenance": "MIGRATE",
    "preemptible": False,
    "provisioningModel": "STANDARD",
    "automaticRestart": True,
}


def _insert(call: Call, place: Place, body: dict[str, Any]) -> None:
    if template := call.query.get("sourceInstanceTemplate"):
        _from_template(call, template, body)
    _machine_type(call, place, body)
    if not body.get("disks"):
        raise ApiError(400, "Invalid value for field 'resource.disks': ''. No disks are specified.", "invalid")
    body["disks"] = [boot_disk(call, place, body, index) for index in range(len(body["disks"]))]
    hidden = _interfaces(call, place, body)
    hidden["links"]["disks"] = [key_of(disk["source"]) for disk in body["disks"]]
    _accounts(call, body)
    body.pop("params", None)
    body["scheduling"] = with_defaults(_SCHEDULING, body.get("scheduling", {}))
    _settle(body)
    body |= {"status": "STAGING", "cpuPlatform": "Intel Haswell", "startRestricted": False, "satisfiesPzi": True}
    body["resourceStatus"] = {"effectiveInstanceMetadata": {"vmDnsSettingMetadataValue": "ZonalOnly"}, "scheduling": {}}
    body["__hidden__"] = hidden


def _from_template(call: Call, link: str, body: dict[str, Any]) -> None:
    key = resolve(call, "sourceInstanceTemplate", link)
    template = call.tx.get("compute.instanceTemplates", key)
    if template is None:
        raise was_not_found(key)
    for name, value in template.body["properties"].items():
        if not body.get(name):
            body[name] = copy.deepcopy(value)


def _machine_type(call: Call, place: Place, body: dict[str, Any]) -> None:
    given = str(body.get("machineType", ""))
    name = given.rpartition("/")[2]
    if places.machine_type(BASE, call.project, str(place.zone), name) is None:
        text = f"Invalid value for field 'resource.machineType': '{given}'. The referenced resource does not exist."
        raise ApiError(400, text, "invalid")
    if "/zones/" in given and f"/zones/{place.zone}/" not in given:
        raise ApiError(400, f"Invalid value for field 'resource.machineType': '{given}'. Wrong zone.", "invalid")
    body["machineType"] = url(f"{place.scope}/machineTypes/{name}")


def _interfaces(call: Call, place: Place, body: dict[str, Any]) -> dict[str, Any]:
    """Fills in the network interfaces; returns what the emulator keeps: addresses and links."""
    region = places.region_of(str(place.zone))
    addresses: list[str] = []
    links: dict[str, list[str]] = {"networkInterfaces.network": [], "networkInterfaces.subnetwork": []}
    for index, nic in enumerate(body.get("networkInterfaces") or [{}]):
        subnetwork = _subnetwork(call, region, nic)
        network = key_of(subnetwork.body["network"])
        nic |= {"kind": "compute#networkInterface", "name": f"nic{index}", "network": url(network)}
        nic["subnetwork"] = url(subnetwork.key)
        nic.setdefault("stackType", "IPV4_ONLY")
        nic.setdefault("networkIP", internal_address(call, subnetwork))
        _access(call, nic)
        _aliases(nic, subnetwork)
        nic["fingerprint"] = digest({"index": index, "ip": nic["networkIP"]})
        addresses.append(nic["networkIP"])
        links["networkInterfaces.network"].append(network)
        links["networkInterfaces.subnetwork"].append(subnetwork.key)
        body.setdefault("networkInterfaces", [nic])
    return {"addresses": addresses, "links": links}


def _aliases(nic: dict[str, Any], subnetwork: Record) -> None:
    """An alias range that is only a size (`/24`) becomes the first of that size in its secondary range."""
    ranges = {item["rangeName"]: item["ipCidrRange"] for item in subnetwork.body.get("secondaryIpRanges", [])}
    for alias in nic.get("aliasIpRanges", []):
        within = ranges.get(alias.get("subnetworkRangeName", ""), subnetwork.body["ipCidrRange"])
        if str(alias.get("ipCidrRange", "")).startswith("/"):
            block = within.partition("/")[0]
            alias["ipCidrRange"] = f"{block}{alias['ipCidrRange']}"


def _access(call: Call, nic: dict[str, Any]) -> None:
    if not nic.get("accessConfigs"):  # an answer has no empty list
        nic.pop("accessConfigs", None)
    for access in nic.get("accessConfigs", []):
        defaults = {
            "kind": "compute#accessConfig",
            "type": "ONE_TO_ONE_NAT",
            "name": "external-nat",
            "networkTier": "PREMIUM",
        }
        for name, value in defaults.items():
            access.setdefault(name, value)
        access["natIP"] = access.get("natIP") or external_address(call)


def _subnetwork(call: Call, region: str, nic: dict[str, Any]) -> Record:
    if "subnetwork" in nic:
        key = resolve(call, "resource.networkInterfaces[0].subnetwork", nic["subnetwork"])
    else:
        network = resolve(call, "resource.networkInterfaces[0].network", nic.get("network", "global/networks/default"))
        if call.tx.get("compute.networks", network) is None:
            raise was_not_found(network)
        key = f"projects/{call.project}/regions/{region}/subnetworks/{network.rpartition('/')[2]}"
        return call.tx.get("compute.subnetworks", key) or _auto_subnetwork(call, region, network, key)
    found = call.tx.get("compute.subnetworks", key)
    if found is None:
        raise was_not_found(key)
    if f"/regions/{region}/" not in key:
        field = "resource.networkInterfaces[0].subnetwork"
        text = f"Invalid value for field '{field}': '{key}'. The subnetwork is in another region."
        raise ApiError(400, text, "invalid")
    return found


def _auto_subnetwork(call: Call, region: str, network: str, key: str) -> Record:
    """The subnetwork of an auto-mode network, which Google makes in every region."""
    record = call.tx.get("compute.networks", network)
    if record is None or not record.body["autoCreateSubnetworks"]:
        text = f"Invalid value for field 'resource.networkInterfaces[0]': ''. No subnetwork of '{network}' in {region}."
        raise ApiError(400, text, "invalid")
    block = ipaddress.IPv4Address("10.128.0.0") + 4096 * 4 * places.REGIONS.index(region)
    gateway = str(block + 1)
    return Record(
        "compute.subnetworks", key, {"ipCidrRange": f"{block}/20", "gatewayAddress": gateway, "network": url(network)}
    )


def _accounts(call: Call, body: dict[str, Any]) -> None:
    for account in body.get("serviceAccounts", []):
        if account.get("email", "default") == "default":
            account["email"] = f"{call.number}-compute@developer.gserviceaccount.com"
        _may_act_as(call, account["email"])


def _may_act_as(call: Call, email: str) -> None:
    """A machine may only get an account that exists and that the caller may act as."""
    owner = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    project = call.project if email.endswith("@developer.gserviceaccount.com") else owner
    key = f"projects/{project}/serviceAccounts/{email}"
    if call.tx.get("iam.serviceAccounts", key) is None:
        raise ApiError(400, f"The resource '{email}' of type 'serviceAccount' was not found.", "notFound")
    if not call.access.allowed(
        call.principal, "iam.serviceAccounts.actAs", lineage(project, f"//iam.googleapis.com/{key}")
    ):
        text = (
            f"The user does not have access to service account '{email}'.  User: '{call.principal.email}'.  "
            "Ask a project owner to grant you the iam.serviceAccountUser role on the service account"
        )
        raise ApiError(400, text, "SERVICE_ACCOUNT_ACCESS_DENIED")


def _settle(body: dict[str, Any]) -> None:
    """Twins and fingerprints that follow from the rest."""
    shielded = {**_SHIELDED, **body.get("shieldedInstanceConfig", {})}
    body["shieldedInstanceConfig"] = body["shieldedVmConfig"] = shielded
    policy = body.setdefault("shieldedInstanceIntegrityPolicy", {"updateAutoLearnPolicy": True})
    body["shieldedVmIntegrityPolicy"] = policy
    items = body.get("metadata", {}).get("items", [])
    body["metadata"] = {
        "kind": "compute#metadata",
        "fingerprint": digest({"items": items}),
        **({"items": items} if items else {}),
    }
    tags = body.get("tags", {}).get("items", [])
    body["tags"] = {"fingerprint": digest(tags), **({"items": tags} if tags else {})}


INSTANCE = declare(
    Kind(
        "instances",
        "instance",
        "instance",
        defaults={"deletionProtection": False},
        output=(
            "status",
            "cpuPlatform",
            "lastStartTimestamp",
            "lastStopTimestamp",
            "startRestricted",
            "resourceStatus",
        ),
        fingerprint=True,
        labels=True,
        on_insert=_insert,
    )
)


def _start(call: Call, record: Record, operation: str) -> dict[str, Any]:
    return operations.begin(
        call, record, operation, scope=locate(call).scope, work="compute.instances.start", arguments={"key": record.key}
    )


@handles("compute.instances.insert")
def insert(call: Call) -> dict[str, Any]:
    """POST of an instance: DONE when the machine behind it runs."""
    if earlier := operations.repeated(call):
        return earlier
    place = locate(call)
    given = {
        key: value
        for key, value in clean(call.body).items()
        if key not in ("id", "kind", "selfLink", "zone", "fingerprint")
    }
    if refusal := quotas.exceeded(call, place, given):
        return quotas.refused(call, place, "insert", refusal)
    record = create(call, INSTANCE, place, given)
    arguments = {"key": record.key, "fresh": True}
    return operations.begin(
        call, record, "insert", scope=place.scope, work="compute.instances.start", arguments=arguments
    )


def machine_spec(cloud: Cloud, tx: Transaction, record: Record) -> MachineSpec:
    """The machine behind an instance."""
    _, project, _, zone, _, name = record.key.split("/")
    nic = record.body["networkInterfaces"][0]
    subnetwork = tx.get("compute.subnetworks", key_of(nic["subnetwork"]))
    own = tx.get("compute.projects", f"projects/{project}")
    items = [
        *(own.body["commonInstanceMetadata"].get("items", []) if own else []),
        *record.body["metadata"].get("items", []),
    ]
    disk = tx.get("compute.disks", key_of(record.body["disks"][0]["source"]))
    accounts = record.body.get("serviceAccounts") or [{"email": ""}]
    del cloud
    return {
        "key": record.key,
        "project": project,
        "zone": zone,
        "name": name,
        "address": nic["networkIP"],
        "gateway": subnetwork.body["gatewayAddress"] if subnetwork else "",
        "image": key_of(disk.body.get("sourceImage", "")) if disk else "",
        "service_account": accounts[0]["email"],
        "metadata": {item["key"]: item.get("value", "") for item in items},
        "network_tags": record.body["tags"].get("items", []),
    }


def _prepare_start(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any] | None:
    record = tx.get(KIND, arguments["key"])
    if record is None:
        return None
    spec = machine_spec(cloud, tx, record)
    return lambda: cloud.substrate.ensure_machine(spec)


def _finish_start(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    if record := tx.get(KIND, arguments["key"]):
        record.body |= {"status": "RUNNING", "lastStartTimestamp": cloud.clock.pacific()}
        record.hidden["mode"] = result["mode"] if result else ""
        tx.put(record)


def _fail_start(cloud: Cloud, tx: Transaction, arguments: Arguments, failure: Failure) -> None:
    """An instance that never came up is gone again; one that was there stays, stopped."""
    del failure
    record = tx.get(KIND, arguments["key"])
    if record and arguments.get("fresh"):
        _remove(cloud, tx, arguments, None)
    elif record:
        record.body["status"] = "TERMINATED"
        tx.put(record)


def _remove(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del result
    record = tx.get(KIND, arguments["key"])
    if record is None:
        return
    for disk in record.body["disks"]:
        if disk["autoDelete"]:
            tx.delete("compute.disks", key_of(disk["source"]))
        elif kept := tx.get("compute.disks", key_of(disk["source"])):
            kept.body["lastDetachTimestamp"] = cloud.clock.pacific()
            tx.put(kept)
    tx.delete(KIND, record.key)
    tx.delete("iam.policies", f"//compute.googleapis.com/{record.key}")


def _finish_stop(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del result
    if record := tx.get(KIND, arguments["key"]):
        record.body |= {"status": "TERMINATED", "lastStopTimestamp": cloud.clock.pacific()}
        tx.put(record)


WORKS["compute.instances.start"] = Work(prepare=_prepare_start, finish=_finish_start, fail=_fail_start)
WORKS["compute.instances.stop"] = Work(
    prepare=lambda cloud, tx, arguments: lambda: cloud.substrate.stop_machine(arguments["key"]), finish=_finish_stop
)
WORKS["compute.instances.delete"] = Work(
    prepare=lambda cloud, tx, arguments: lambda: cloud.substrate.remove_machine(arguments["key"]), finish=_remove
)


@handles("compute.instances.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE, unless the instance is protected."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    if record.body.get("deletionProtection"):
        text = f"Invalid value for field 'resource.deletionProtection': 'true'. Resource '{record.key}' is protected."
        raise ApiError(412, text, "conditionNotMet")
    record.body["status"] = "STOPPING"
    call.tx.put(record)
    arguments = {"key": record.key}
    return operations.begin(
        call, record, "delete", scope=place.scope, work="compute.instances.delete", arguments=arguments
    )


@handles("compute.instances.stop")
def stop(call: Call) -> dict[str, Any]:
    """Stops the machine; its disks and addresses stay."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    record.body["status"] = "STOPPING"
    call.tx.put(record)
    arguments = {"key": record.key}
    return operations.begin(call, record, "stop", scope=place.scope, work="compute.instances.stop", arguments=arguments)


@handles("compute.instances.start", "compute.instances.reset")
def start(call: Call) -> dict[str, Any]:
    """Starts (or restarts) the machine."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    if call.method.verb == "start" and record.body["status"] == "TERMINATED":
        record.body["status"] = "STAGING"
        call.tx.put(record)
    return _start(call, record, call.method.verb)


def _matches(given: Any, current: str, what: str) -> None:
    if given is not None and given != current:
        raise ApiError(412, f"Supplied fingerprint does not match current {what} fingerprint.", "conditionNotMet")


@handles("compute.instances.setMetadata", "compute.instances.setTags")
def set_metadata_or_tags(call: Call) -> dict[str, Any]:
    """Replaces metadata or network tags, by their fingerprint; a running machine learns of it."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    name = "metadata" if call.method.verb == "setMetadata" else "tags"
    _matches(call.body.get("fingerprint"), record.body[name]["fingerprint"], name)
    record.body[name] = {"items": call.body.get("items", [])}
    _settle(record.body)
    save(call, INSTANCE, record)
    if record.body["status"] == "RUNNING":
        return _start(call, record, call.method.verb)
    return operations.begin(call, record, call.method.verb, scope=locate(call).scope)


def _stopped(record: Record, what: str) -> None:
    if record.body["status"] != "TERMINATED":
        status = record.body["status"]
        text = f"{what} can only be changed in a TERMINATED instance. The instance '{record.key}' is {status}."
        raise ApiError(400, f"Invalid resource usage: '{text}'.", "invalidResourceUsage")


@handles(
    "compute.instances.setMachineType",
    "compute.instances.setServiceAccount",
    "compute.instances.updateShieldedInstanceConfig",
)
def set_when_stopped(call: Call) -> dict[str, Any]:
    """Changes that Google makes only on a stopped machine."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    if call.method.verb == "setMachineType":
        _stopped(record, "Machine type")
        record.body["machineType"] = call.body.get("machineType", "")
        _machine_type(call, place, record.body)
    elif call.method.verb == "setServiceAccount":
        _stopped(record, "Service account")
        record.body["serviceAccounts"] = [
            {"email": call.body.get("email", "default"), "scopes": call.body.get("scopes", [])}
        ]
        _accounts(call, record.body)
    else:
        _stopped(record, "Shielded instance configuration")
        record.body["shieldedInstanceConfig"] = {**record.body["shieldedInstanceConfig"], **call.body}
        _settle(record.body)
    save(call, INSTANCE, record)
    return operations.begin(call, record, call.method.verb, scope=place.scope)


@handles(
    "compute.instances.setDeletionProtection",
    "compute.instances.setScheduling",
    "compute.instances.setShieldedInstanceIntegrityPolicy",
)
def set_while_running(call: Call) -> dict[str, Any]:
    """Changes of an instance that the machine does not notice."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    if call.method.verb == "setDeletionProtection":
        record.body["deletionProtection"] = call.query.get("deletionProtection", True)
    elif call.method.verb == "setScheduling":
        record.body["scheduling"] = {**record.body["scheduling"], **call.body}
    save(call, INSTANCE, record)
    return operations.begin(call, record, call.method.verb, scope=place.scope)


@handles("compute.instances.getSerialPortOutput")
def serial_output(call: Call) -> dict[str, Any]:
    """What the machine has printed: how it runs, since its console is not carried here."""
    record = fetch(call, str(locate(call).key))
    contents = f"{record.body['name']} runs as: {record.hidden.get('mode') or 'nothing real'}\n"
    return {
        "kind": "compute#serialPortOutput",
        "contents": contents,
        "start": "0",
        "next": str(len(contents)),
        "selfLink": f"{url(record.key)}/serialPort",
    }


__all__ = ["INSTANCE", "KINDS", "machine_spec"]
