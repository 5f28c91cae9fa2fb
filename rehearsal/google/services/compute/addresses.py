"""Addresses: external ones, internal ones, and ranges for private services access."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...core import Call
from ...errors import ApiError
from ...store import Record
from .kinds import Kind, declare
from .links import Place, key_of, url
from .network import cidr, invalid, ranges_of


def taken_addresses(call: Call) -> set[str]:
    """External addresses that exist already."""
    return {str(record.body.get("address")) for name in ("addresses",) for record in call.tx.list(f"compute.{name}")}


def external_address(call: Call) -> str:
    """The next free external address, from 34.120.0.0/16."""
    taken = taken_addresses(call)
    while True:
        number = call.tx.next_number("external_addresses")
        address = str(ipaddress.IPv4Address("34.120.0.0") + 256 + number)
        if address not in taken:
            return address


def internal_address(call: Call, subnetwork: Record) -> str:
    """The next free address of a subnetwork: the first usable one after the gateway's.

    Raises:
        ApiError: 503, the range is exhausted.
    """
    network = ipaddress.IPv4Network(subnetwork.body["ipCidrRange"])
    taken = used_internal(call, subnetwork)
    for address in network.hosts():
        if str(address) != subnetwork.body["gatewayAddress"] and str(address) not in taken and address < network[-2]:
            return str(address)
    text = f"IP space of '{subnetwork.key}' is exhausted."
    raise ApiError(503, text, "IP_SPACE_EXHAUSTED")


def used_internal(call: Call, subnetwork: Record) -> set[str]:
    """The addresses of a subnetwork that instances, nodes and reservations hold."""
    found: set[str] = set()
    for source, _ in call.tx.users_of(subnetwork.key):
        if user := call.tx.find(source):
            found |= set(user.hidden.get("addresses", []))
            found |= {str(user.body["address"])} if "address" in user.body else set()
    return found


def _insert_address(call: Call, place: Place, body: dict[str, Any]) -> None:
    body["status"] = "RESERVED"
    if body["addressType"] == "EXTERNAL":
        body.setdefault("address", external_address(call))
        return
    if body.get("purpose") == "VPC_PEERING":
        _reserve_peering_range(call, body)
        return
    body.setdefault("purpose", "GCE_ENDPOINT")
    if place.region and "subnetwork" not in body and "network" not in body:
        body["subnetwork"] = url(f"{place.scope}/subnetworks/default")
    subnetwork = call.tx.get("compute.subnetworks", key_of(body.get("subnetwork", "")))
    if "address" not in body:
        body["address"] = internal_address(call, subnetwork) if subnetwork else "10.128.0.2"


def _reserve_peering_range(call: Call, body: dict[str, Any]) -> None:
    """A range for private services access: the first free block where no address is asked for."""
    length = body.setdefault("prefixLength", 16)
    if "network" not in body:
        raise ApiError(400, "Required field 'resource.network' not specified", "required")
    taken = [cidr("address", item) for item in _ranges_in_network(call, key_of(body["network"]))]
    if "address" in body:
        wanted = cidr("address", f"{body['address']}/{length}")
        if any(wanted.overlaps(item) for item in taken):
            raise invalid(
                "address", body["address"], f"The range {wanted} conflicts with an existing range of the network."
            )
        return
    pool = ipaddress.IPv4Network("10.0.0.0/8").subnets(new_prefix=length)
    free = next((item for item in pool if not any(item.overlaps(other) for other in taken)), None)
    if free is None:
        raise ApiError(400, f"No free range of length {length} in the network.", "invalid")
    body["address"] = str(free.network_address)


def _ranges_in_network(call: Call, network: str) -> list[str]:
    found = []
    for source, _ in call.tx.users_of(network):
        user = call.tx.find(source)
        if user and user.kind == "compute.subnetworks":
            found += ranges_of(user.body)
        elif user and user.body.get("purpose") == "VPC_PEERING":
            found.append(f"{user.body['address']}/{user.body['prefixLength']}")
    return found


def _show_address(call: Call, record: Record) -> dict[str, Any]:
    """In use shows as status and `users`."""
    users = [source for source, field in call.tx.users_of(record.key) if field != "reserved range"]
    if not users:
        return record.body
    return {**record.body, "status": "IN_USE", "users": [url(user) for user in users]}


declare(
    Kind(
        "addresses",
        "address",
        "address",
        references=("network", "subnetwork"),
        defaults={"addressType": "EXTERNAL", "networkTier": "PREMIUM", "description": ""},
        output=("status", "users"),
        dropped=("labels",),
        labels=True,
        on_insert=_insert_address,
        show=_show_address,
    )
)
