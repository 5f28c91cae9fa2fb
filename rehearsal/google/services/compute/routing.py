"""Routers with their NATs, and firewalls."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...core import Call
from ...errors import ApiError
from ...store import Record
from .generic import with_defaults
from .kinds import Kind, declare
from .links import Place, resolve, url, was_not_found
from .network import invalid

_NAT_DEFAULTS = {
    "PUBLIC": {"type": "PUBLIC", "endpointTypes": ["ENDPOINT_TYPE_VM"], "effectiveTcpTimeWaitTimeoutSec": 120},
    "PRIVATE": {
        "type": "PRIVATE",
        "endpointTypes": ["ENDPOINT_TYPE_VM"],
        "enableDynamicPortAllocation": True,
        "effectiveTcpTimeWaitTimeoutSec": 120,
    },
}
_PEER_DEFAULTS = {
    "bfd": {
        "minReceiveInterval": 1000,
        "minTransmitInterval": 1000,
        "multiplier": 5,
        "sessionInitializationMode": "DISABLED",
    },
    "enableIpv4": True,
    "enable": "TRUE",
    "advertiseMode": "DEFAULT",
}


def _settle_router(call: Call, body: dict[str, Any]) -> None:
    for index, nat in enumerate(body.get("nats", [])):
        _check_nat(nat)
        full = with_defaults(_NAT_DEFAULTS[nat.get("type", "PUBLIC")], nat)
        if "tcpTimeWaitTimeoutSec" in nat and nat.get("type", "PUBLIC") == "PUBLIC":
            full["effectiveTcpTimeWaitTimeoutSec"] = nat["tcpTimeWaitTimeoutSec"]
        body["nats"][index] = {key: value for key, value in full.items() if value not in (None, [])}
        _resolve_nat(call, body["nats"][index])
    for index, peer in enumerate(body.get("bgpPeers", [])):
        body["bgpPeers"][index] = _nonempty(with_defaults(_PEER_DEFAULTS, peer))
    body["interfaces"] = [{"ipVersion": "IPV4", **item} for item in body.get("interfaces", [])]
    if "bgp" in body:
        body["bgp"] = _nonempty(body["bgp"])
    for name in ("nats", "bgpPeers", "interfaces"):
        if not body.get(name):
            body.pop(name, None)


def _nonempty(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item not in ([], None)}


def _check_nat(nat: dict[str, Any]) -> None:
    if nat.get("enableDynamicPortAllocation") and nat.get("enableEndpointIndependentMapping"):
        text = "Endpoint-Independent Mapping cannot be enabled when Dynamic Port Allocation is enabled."
        raise invalid("nats[0].enableEndpointIndependentMapping", "true", text)
    if nat.get("natIpAllocateOption") == "AUTO_ONLY" and nat.get("natIps"):
        raise invalid("nats[0].natIps", nat["natIps"], "natIps must be empty when natIpAllocateOption is AUTO_ONLY.")


def _resolve_nat(call: Call, nat: dict[str, Any]) -> None:
    for name in ("natIps", "drainNatIps"):
        if name in nat:
            nat[name] = [url(resolve(call, f"nats.{name}", item)) for item in nat[name]]
    for subnetwork in nat.get("subnetworks", []):
        key = resolve(call, "nats.subnetworks.name", subnetwork["name"])
        if call.tx.get("compute.subnetworks", key) is None:
            raise was_not_found(key)


def _insert_router(call: Call, place: Place, body: dict[str, Any]) -> None:
    del place
    if "network" not in body:
        raise ApiError(400, "Required field 'resource.network' not specified", "required")
    _settle_router(call, body)


def _change_router(call: Call, record: Record, before: dict[str, Any]) -> None:
    del before
    _settle_router(call, record.body)


declare(
    Kind(
        "routers",
        "router",
        "router",
        references=("network", "nats[].natIps[]"),
        defaults={"encryptedInterconnectRouter": False},
        immutable=("network",),
        late_in_use=False,
        on_insert=_insert_router,
        on_change=_change_router,
    )
)


def _insert_firewall(call: Call, place: Place, body: dict[str, Any]) -> None:
    del place
    if "network" not in body:
        body["network"] = url(f"projects/{call.project}/global/networks/default")
    if "allowed" not in body and "denied" not in body:
        raise ApiError(400, "Required field 'resource.allowed' or 'resource.denied' not specified", "required")
    _settle_firewall(body)


def _settle_firewall(body: dict[str, Any]) -> None:
    sources = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    for name in (*sources, "destinationRanges", "targetTags", "targetServiceAccounts", "allowed", "denied"):
        if body.get(name) == []:
            del body[name]
    if body["direction"] == "INGRESS" and not any(body.get(name) for name in sources):
        body["sourceRanges"] = ["0.0.0.0/0"]
    if body["direction"] == "EGRESS" and not body.get("destinationRanges"):
        body["destinationRanges"] = ["0.0.0.0/0"]
    body.setdefault("logConfig", {"enable": False})
    if body["logConfig"].get("enable"):
        body["logConfig"].setdefault("metadata", "INCLUDE_ALL_METADATA")
    body["enableLogging"] = bool(body["logConfig"].get("enable"))
    for name in ("sourceRanges", "destinationRanges"):
        for value in body.get(name, []):
            _range(name, value)


def _range(field: str, value: str) -> None:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise invalid(f"{field}[0]", value, "Must be a valid CIDR address range.") from error


def _change_firewall(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call, before
    _settle_firewall(record.body)


declare(
    Kind(
        "firewalls",
        "firewall",
        "firewall",
        references=("network",),
        defaults={"direction": "INGRESS", "description": "", "priority": 1000, "disabled": False},
        immutable=("network", "direction"),
        on_insert=_insert_firewall,
        on_change=_change_firewall,
    )
)
