"""Networks, subnetworks, routers with their NATs, firewalls and addresses."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...store import Record
from .. import servicenetworking
from . import operations, places
from .generic import apply, check_ready, fetch, merge, save
from .kinds import Kind, declare
from .links import Place, key_of, locate, resolve, url

_CONTROLLED = ("autoCreateSubnetworks", "IPv4Range", "networkProfile")


def invalid(field: str, value: Any, why: str) -> ApiError:
    """400 for a field of the body."""
    return ApiError(400, f"Invalid value for field 'resource.{field}': '{value}'. {why}", "invalid")


def cidr(field: str, value: Any) -> ipaddress.IPv4Network:
    """The IPv4 range of a field.

    Raises:
        ApiError: 400.
    """
    try:
        return ipaddress.IPv4Network(str(value))
    except ValueError as error:
        raise invalid(field, value, "Must be a valid IPv4 CIDR address range, without host bits.") from error


def _insert_network(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call, place
    body["selfLinkWithId"] = f"{body['selfLink'].rpartition('/')[0]}/{body['id']}"
    body.setdefault("autoCreateSubnetworks", True)
    if body.get("enableUlaInternalIpv6") is False:
        del body["enableUlaInternalIpv6"]


def _show_network(call: Call, record: Record) -> dict[str, Any]:
    """With the links of its subnetworks, which is how Google lists them."""
    users = [
        source for source, field in call.tx.users_of(record.key) if field == "network" and "/subnetworks/" in source
    ]
    if record.body["autoCreateSubnetworks"]:
        regions = [
            f"projects/{call.project}/regions/{name}/subnetworks/{record.body['name']}" for name in places.REGIONS
        ]
        users = [*users, *(key for key in regions if key not in users)]
    return {**record.body, **({"subnetworks": [url(user) for user in sorted(users)]} if users else {})}


def _change_network(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call
    if record.body.get("enableUlaInternalIpv6") and not before.get("enableUlaInternalIpv6"):
        record.body.setdefault("internalIpv6Range", "fd20:45a:2f00:0:0:0:0:0/48")
    if record.body.get("enableUlaInternalIpv6") is False:
        del record.body["enableUlaInternalIpv6"]


def _network_operation(call: Call) -> str:
    return "updateNetwork" if "enableUlaInternalIpv6" in call.body else "compute.networks.patch"


NETWORK = declare(
    Kind(
        "networks",
        "network",
        "network",
        defaults={
            "routingConfig": {"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY"},
            "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
        },
        references=("networkProfile",),
        output=("subnetworks", "peerings", "gatewayIPv4", "firewallPolicy"),
        immutable=_CONTROLLED,
        late_in_use=True,
        on_insert=_insert_network,
        on_change=_change_network,
        show=_show_network,
    )
)


@handles("compute.networks.patch")
def patch_network(call: Call) -> dict[str, Any]:
    """PATCH of a network: its operation's type depends on what is changed."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    before = copy.deepcopy(record.body)
    for field in _CONTROLLED:
        if field in call.body and call.body[field] != before.get(field):
            raise invalid(field, call.body[field], "The field is immutable.")
    given = {
        key: value
        for key, value in call.body.items()
        if key not in ("name", "id", "selfLink", "kind", "subnetworks", "peerings")
    }
    record.body = merge(record.body, given)
    return apply(call, NETWORK, record, before, _network_operation(call))


@handles("compute.networks.switchToCustomMode")
def switch_to_custom(call: Call) -> dict[str, Any]:
    """An auto-mode network becomes a custom-mode one; there is no way back."""
    record = fetch(call, str(locate(call).key))
    before = copy.deepcopy(record.body)
    record.body["autoCreateSubnetworks"] = False
    return apply(call, NETWORK, record, before, "switchToCustomMode")


@handles("compute.networks.addPeering")
def add_peering(call: Call) -> dict[str, Any]:
    """One side of a peering; it becomes active when the other side exists."""
    record = fetch(call, str(locate(call).key))
    given = call.body.get("networkPeering") or {"name": call.body.get("name"), "network": call.body.get("peerNetwork")}
    peering = {
        "autoCreateRoutes": True,
        "exchangeSubnetRoutes": True,
        "exportCustomRoutes": False,
        "exportSubnetRoutesWithPublicIp": True,
        "importCustomRoutes": False,
        "importSubnetRoutesWithPublicIp": False,
        "stackType": "IPV4_ONLY",
        "state": "INACTIVE",
        "stateDetails": f"[{call.clock.pacific()}]: Waiting for peer network to connect.",
        "updateStrategy": "INDEPENDENT",
        **given,
    }
    peering["network"] = url(resolve(call, "networkPeering.network", str(peering["network"])))
    record.body["peerings"] = [*record.body.get("peerings", []), peering]
    save(call, NETWORK, record)
    return operations.begin(call, record, "addPeering", scope=locate(call).scope)


@handles("compute.networks.removePeering")
def remove_peering(call: Call) -> dict[str, Any]:
    """Takes a peering away."""
    record = fetch(call, str(locate(call).key))
    kept = [item for item in record.body.get("peerings", []) if item["name"] != call.body.get("name")]
    record.body["peerings"] = kept
    if not kept:
        del record.body["peerings"]
    if call.body.get("name") == servicenetworking.PEERING:
        call.tx.delete(servicenetworking.KIND, record.key)
    save(call, NETWORK, record)
    return operations.begin(call, record, "removePeering", scope=locate(call).scope)


def ranges_of(body: dict[str, Any]) -> list[str]:
    """The primary and secondary ranges of a subnetwork."""
    found = [body["ipCidrRange"]] if "ipCidrRange" in body else []
    return found + [item["ipCidrRange"] for item in body.get("secondaryIpRanges", []) if "ipCidrRange" in item]


def _check_overlaps(call: Call, key: str, body: dict[str, Any]) -> None:
    """No two ranges of a network may overlap, within a subnetwork or across."""
    own = [cidr("ipCidrRange", item) for item in ranges_of(body)]
    for index, one in enumerate(own):
        if any(one.overlaps(other) for other in own[:index]):
            raise invalid("secondaryIpRanges", str(one), "IP range overlaps another range of this subnetwork.")
    for source, field in call.tx.users_of(key_of(body["network"])):
        if field != "network" or "/subnetworks/" not in source or source == key:
            continue
        other = call.tx.get("compute.subnetworks", source)
        theirs = [ipaddress.IPv4Network(item) for item in ranges_of(other.body)] if other else []
        for one in own:
            if any(one.overlaps(item) for item in theirs):
                region, name = source.split("/")[3], source.rpartition("/")[2]
                text = f"Invalid IPCidrRange: {one} conflicts with existing subnetwork '{name}' in region '{region}'."
                raise ApiError(400, text, "invalid")


def _insert_subnetwork(call: Call, place: Place, body: dict[str, Any]) -> None:
    if "ipCidrRange" not in body and "reservedInternalRange" not in body:
        raise ApiError(400, "Required field 'resource.ipCidrRange' not specified", "required")
    if internal := body.get("reservedInternalRange"):
        path = str(internal)[str(internal).index("projects/") :]
        body["reservedInternalRange"] = f"https://networkconnectivity.googleapis.com/v1/{path}"
        body.setdefault("ipCidrRange", "10.231.0.0/20")
    if "network" not in body:
        raise ApiError(400, "Required field 'resource.network' not specified", "required")
    _check_overlaps(call, str(place.key), body)
    body["gatewayAddress"] = str(next(cidr("ipCidrRange", body["ipCidrRange"]).hosts()))
    _settle_subnetwork(body)


def _settle_subnetwork(body: dict[str, Any]) -> None:
    """What follows from the rest (recordings/FACTS.md, subnetworks)."""
    if body["purpose"] in ("REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY"):
        body["state"] = "READY"
        for name in ("enableFlowLogs", "stackType", "logConfig"):
            body.pop(name, None)
        return
    if "logConfig" in body:
        body["enableFlowLogs"] = bool(body["logConfig"].get("enable"))
    if body.get("enableFlowLogs"):
        given = body.get("logConfig", {})
        defaults = {"aggregationInterval": "INTERVAL_5_SEC", "flowSampling": 0.5, "metadata": "EXCLUDE_ALL_METADATA"}
        body["logConfig"] = {**defaults, **given, "enable": True}
    for item in body.get("secondaryIpRanges", []):
        cidr("secondaryIpRanges", item.get("ipCidrRange"))


def _change_subnetwork(call: Call, record: Record, before: dict[str, Any]) -> None:
    for field in ("ipCidrRange", "network", "privateIpGoogleAccess"):
        if (
            record.body.get(field) != before.get(field)
            and call.method.verb == "patch"
            and field != "privateIpGoogleAccess"
        ):
            raise invalid(field, record.body.get(field), "The field is immutable.")
    old = {item["rangeName"]: item["ipCidrRange"] for item in before.get("secondaryIpRanges", [])}
    new = {item["rangeName"]: item["ipCidrRange"] for item in record.body.get("secondaryIpRanges", [])}
    if not record.body.get("secondaryIpRanges"):
        record.body.pop("secondaryIpRanges", None)
    gone = set(old) - set(new)
    if gone and set(new) - set(old):
        raise invalid(
            "secondaryIpRanges", sorted(gone)[0], "Adding and removing secondary ranges in one request is not allowed."
        )
    _refuse_used_ranges(call, record, gone)
    _check_overlaps(call, record.key, record.body)
    if "enableFlowLogs" in call.body and "logConfig" not in call.body:
        record.body.setdefault("logConfig", {})["enable"] = call.body["enableFlowLogs"]
    _settle_subnetwork(record.body)


def _refuse_used_ranges(call: Call, record: Record, gone: set[str]) -> None:
    """A secondary range in use by an alias of an instance or by a cluster cannot go; the operation says so."""
    for source, field in call.tx.users_of(record.key):
        user = call.tx.find(source)
        if not gone or user is None or user.kind not in ("compute.instances", "container.clusters"):
            continue
        used = user.hidden.get("ranges") or [
            alias.get("subnetworkRangeName")
            for interface in user.body.get("networkInterfaces", [])
            for alias in interface.get("aliasIpRanges", [])
        ]
        if gone & set(used) or field == "ranges":
            text = f"The subnetwork resource '{record.key}' is already being used by '{source}'"
            raise ApiError(400, text, "resourceInUseByAnotherResource")


SUBNETWORK = declare(
    Kind(
        "subnetworks",
        "subnetwork",
        "subnetwork",
        references=("network",),
        defaults={
            "purpose": "PRIVATE",
            "stackType": "IPV4_ONLY",
            "privateIpGoogleAccess": False,
            "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
            "enableFlowLogs": False,
            "allowSubnetCidrRoutesOverlap": False,
        },
        output=("gatewayAddress", "state", "internalIpv6Prefix"),
        fingerprint=True,
        demands_fingerprint=True,
        late_in_use=True,
        operations={"patch": "compute.subnetworks.patch"},
        on_insert=_insert_subnetwork,
        on_change=_change_subnetwork,
    )
)


@handles("compute.subnetworks.setPrivateIpGoogleAccess")
def set_private_access(call: Call) -> dict[str, Any]:
    """POST setPrivateIpGoogleAccess."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    record.body["privateIpGoogleAccess"] = bool(call.body.get("privateIpGoogleAccess"))
    save(call, SUBNETWORK, record)
    return operations.begin(call, record, "setPrivateIpGoogleAccess", scope=locate(call).scope)


@handles("compute.subnetworks.expandIpCidrRange")
def expand(call: Call) -> dict[str, Any]:
    """The primary range grows; it never shrinks."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    before = copy.deepcopy(record.body)
    wanted = cidr("ipCidrRange", call.body.get("ipCidrRange"))
    if not cidr("ipCidrRange", before["ipCidrRange"]).subnet_of(wanted) or str(wanted) == before["ipCidrRange"]:
        why = f"New range must contain and be larger than the current range {before['ipCidrRange']}."
        raise invalid("ipCidrRange", wanted, why)
    record.body["ipCidrRange"] = str(wanted)
    _check_overlaps(call, record.key, record.body)
    save(call, SUBNETWORK, record)
    return operations.begin(call, record, "compute.subnetworks.expandIpCidrRange", scope=locate(call).scope)
