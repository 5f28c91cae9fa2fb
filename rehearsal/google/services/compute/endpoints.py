"""Network endpoint groups: zonal ones with their endpoints, and regional serverless ones."""

from __future__ import annotations

from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...filters import page
from ...store import Record
from . import operations
from .generic import check_ready, fetch
from .kinds import Kind, declare
from .links import Place, locate, url


def _insert(call: Call, place: Place, body: dict[str, Any]) -> None:
    body["size"] = 0
    if place.zone is None:
        return
    if "network" not in body:
        body["network"] = url(f"projects/{call.project}/global/networks/default")
    mirrored = {name: body[name] for name in ("network", "subnetwork", "zone", "defaultPort") if name in body}
    body["loadBalancer"] = mirrored


def _show(call: Call, record: Record) -> dict[str, Any]:
    del call
    return {**record.body, "size": len(record.hidden.get("endpoints", []))}


declare(
    Kind(
        "networkEndpointGroups",
        "networkEndpointGroup",
        "network_endpoint_group",
        references=("network", "subnetwork"),
        defaults={"networkEndpointType": "GCE_VM_IP_PORT"},
        output=("size", "loadBalancer"),
        operations={
            "regionNetworkEndpointGroups.insert": "compute.regionNetworkEndpointGroups.insert",
            "regionNetworkEndpointGroups.delete": "compute.regionNetworkEndpointGroups.delete",
        },
        on_insert=_insert,
        show=_show,
    )
)


def _identity(endpoint: dict[str, Any]) -> tuple[str, str, int]:
    return (
        str(endpoint.get("instance", "")).rpartition("/")[2],
        str(endpoint.get("ipAddress", "")),
        int(endpoint.get("port", 0)),
    )


@handles("compute.networkEndpointGroups.attachNetworkEndpoints")
def attach(call: Call) -> dict[str, Any]:
    """Adds endpoints; those that are there already stay."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    endpoints = record.hidden.setdefault("endpoints", [])
    known = {_identity(item) for item in endpoints}
    for endpoint in call.body.get("networkEndpoints", []):
        port = endpoint.get("port") or record.body.get("defaultPort")
        if not port:
            raise ApiError(
                400, "Invalid value for field 'resource.networkEndpoints[0].port': '0'. A port is wanted.", "invalid"
            )
        full = {**endpoint, "port": port}
        if _identity(full) not in known:
            endpoints.append(full)
            known.add(_identity(full))
    call.tx.put(record)
    return operations.begin(call, record, "attachNetworkEndpoints", scope=place.scope)


@handles("compute.networkEndpointGroups.detachNetworkEndpoints")
def detach(call: Call) -> dict[str, Any]:
    """Takes endpoints away.

    Raises:
        ApiError: 400, one of them is not attached.
    """
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    gone = {_identity(item) for item in call.body.get("networkEndpoints", [])}
    known = {_identity(item) for item in record.hidden.get("endpoints", [])}
    if missing := gone - known:
        name, address, port = sorted(missing)[0]
        what = f"The endpoint {name} {address}:{port} is not attached."
        raise ApiError(400, f"Invalid value for field 'resource.networkEndpoints[0]': ''. {what}", "invalid")
    record.hidden["endpoints"] = [item for item in record.hidden.get("endpoints", []) if _identity(item) not in gone]
    call.tx.put(record)
    return operations.begin(call, record, "detachNetworkEndpoints", scope=place.scope)


@handles("compute.networkEndpointGroups.listNetworkEndpoints")
def list_endpoints(call: Call) -> dict[str, Any]:
    """The endpoints of a group."""
    record = fetch(call, str(locate(call).key))
    size = int(call.query.get("maxResults") or 500)
    chosen, more = page(record.hidden.get("endpoints", []), call.query.get("pageToken"), size)
    result: dict[str, Any] = {
        "kind": "compute#networkEndpointGroupsListNetworkEndpoints",
        "id": f"{record.key}/listNetworkEndpoints",
    }
    if chosen:
        result["items"] = [{"networkEndpoint": item} for item in chosen]
    return {**result, "nextPageToken": more} if more else result
