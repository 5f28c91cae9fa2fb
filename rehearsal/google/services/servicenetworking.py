"""Private services access: the peering of a network with Google's services (recordings/servicenetworking)."""

from __future__ import annotations

import ipaddress
from typing import Any

from .. import lro
from ..core import AUTHORIZERS, Call, Cloud, handles, lineage
from ..dispatch import permission_denied
from ..errors import ApiError
from ..jobs import WORKS, Arguments, Work
from ..store import Record, Transaction

KIND = "servicenetworking.connections"
RELEASED = "servicenetworking.released"  # when the last instance of Cloud SQL in a network went
PEERING = "servicenetworking-googleapis-com"
_TYPE = "type.googleapis.com/google.cloud.servicenetworking.v1.Connection"


def network_of(call: Call) -> tuple[str, str]:
    """(id of the project, key of the network) that a call is about."""
    given = str(call.query.get("network") or call.body.get("network") or call.body.get("consumerNetwork") or "")
    parts = given.split("/")
    if len(parts) != 5 or parts[0] != "projects" or parts[3] != "networks":
        raise ApiError(
            400, f"Invalid network: {given!r}. It must be projects/{{number}}/global/networks/{{name}}.", "badRequest"
        )
    project = call.cloud.projects.id(call.tx, parts[1])
    if project is None:
        raise ApiError(403, f"Permission denied on resource project {parts[1]}.", "forbidden")
    return project, f"projects/{project}/global/networks/{parts[4]}"


def _authorize(call: Call, permission: str | None) -> None:
    if permission:
        project, _ = network_of(call)
        if not call.access.allowed(call.principal, permission, lineage(project)):
            raise permission_denied(permission, f"projects/{project}")


AUTHORIZERS["servicenetworking"] = _authorize


@handles("servicenetworking.services.connections.list")
def list_connections(call: Call) -> dict[str, Any]:
    """The connection of a network; `{}` where there is none."""
    _, network = network_of(call)
    record = call.tx.get(KIND, network)
    return {"connections": [record.body]} if record else {}


@handles("servicenetworking.services.connections.create", "servicenetworking.services.connections.patch")
def connect(call: Call) -> dict[str, Any]:
    """Makes or changes the connection of a network."""
    project, network = network_of(call)
    if call.tx.get("compute.networks", network) is None:
        raise ApiError(404, f"Network {network} was not found.", "notFound")
    ranges = call.body.get("reservedPeeringRanges", [])
    if not ranges:
        raise ApiError(400, "At least one allocated range must be given in reserved_peering_ranges.", "badRequest")
    for name in ranges:
        _check_range(call, project, network, name)
    number = call.cloud.projects.number(call.tx, project)
    body = {
        "network": f"projects/{number}/global/networks/{network.rpartition('/')[2]}",
        "reservedPeeringRanges": ranges,
        "peering": PEERING,
    }
    arguments = {"network": network, "body": body}
    name = f"operations/pssn.p24-{number}-{lro.new_uuid()}"
    return lro.begin(call, name, None, work="servicenetworking.connect", arguments=arguments)


def _check_range(call: Call, project: str, network: str, name: str) -> None:
    record = call.tx.get("compute.addresses", f"projects/{project}/global/addresses/{name}")
    fits = (
        record is not None and record.body.get("purpose") == "VPC_PEERING" and record.body["network"].endswith(network)
    )
    if not fits:
        text = (
            f"Cannot find allocated IP range {name} in network {network.rpartition('/')[2]} with purpose VPC_PEERING."
        )
        raise ApiError(400, text, "badRequest")


def _connect(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del result
    body = arguments["body"]
    tx.put(Record(KIND, arguments["network"], {**body, "service": "services/servicenetworking.googleapis.com"}))
    network = tx.get("compute.networks", arguments["network"])
    if network and not any(item["name"] == PEERING for item in network.body.get("peerings", [])):
        peering = {
            "name": PEERING,
            "network": "https://www.googleapis.com/compute/v1/projects/e1a2b3c4d5e6f7089-tp/global/networks/servicenetworking",
            "state": "ACTIVE",
            "stateDetails": f"[{cloud.clock.pacific()}]: Connected.",
            "autoCreateRoutes": True,
            "exchangeSubnetRoutes": True,
            "exportCustomRoutes": False,
            "importCustomRoutes": False,
            "exportSubnetRoutesWithPublicIp": False,
            "importSubnetRoutesWithPublicIp": False,
            "stackType": "IPV4_ONLY",
        }
        network.body["peerings"] = [*network.body.get("peerings", []), peering]
        tx.put(network)
    return {"@type": _TYPE, **body}


def _disconnect(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    """Take it away, unless a service uses it or did so until lately (hashicorp/terraform-provider-google#16275)."""
    del result
    key = arguments["network"]
    released = tx.get(RELEASED, key)
    held = released and cloud.clock.now() < released.hidden["at"] + cloud.limits.seconds("connection")
    if held or any(item.hidden.get("network") == key for item in tx.list("sql.instances")):
        text = (
            "Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, etc.) are still using this "
            "connection."
        )
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    tx.delete(KIND, key)
    if network := tx.get("compute.networks", arguments["network"]):
        network.body["peerings"] = [item for item in network.body.get("peerings", []) if item["name"] != PEERING]
        if not network.body["peerings"]:
            del network.body["peerings"]
        tx.put(network)
    return {"@type": "type.googleapis.com/google.protobuf.Empty"}


WORKS["servicenetworking.connect"] = Work(finish=_connect)
WORKS["servicenetworking.disconnect"] = Work(finish=_disconnect)


@handles("servicenetworking.services.connections.deleteConnection")
def delete(call: Call) -> dict[str, Any]:
    """Takes the connection away, unless a service still uses it."""
    project, network = network_of(call)
    if call.tx.get(KIND, network) is None:
        raise ApiError(404, "Connection was not found.", "notFound")
    number = call.cloud.projects.number(call.tx, project)
    name = f"operations/pssn.p24-{number}-{lro.new_uuid()}"
    return lro.begin(call, name, None, work="servicenetworking.disconnect", arguments={"network": network})


@handles("servicenetworking.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    return lro.get(call)


def release(cloud: Cloud, tx: Transaction, network: str) -> None:
    """An instance of Cloud SQL went that had an address by the connection of `network`."""
    tx.put(Record(RELEASED, network, {}, {"at": cloud.clock.now()}))


def allocate(tx: Transaction, network: str, taken: set[str]) -> str | None:
    """The next free address of the ranges that a network has given to Google's services; None without a connection."""
    connection = tx.get(KIND, network)
    if connection is None:
        return None
    project = network.split("/")[1]
    for name in connection.body["reservedPeeringRanges"]:
        record = tx.get("compute.addresses", f"projects/{project}/global/addresses/{name}")
        if record is None:
            continue
        block = ipaddress.IPv4Network(f"{record.body['address']}/{record.body['prefixLength']}")
        for address in list(block.hosts())[2:4096]:
            if str(address) not in taken:
                return str(address)
    return None
