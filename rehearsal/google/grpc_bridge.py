"""Unary gRPC over the same behaviour as REST: a request message becomes the JSON call that means the same.

The message types come from Google's client libraries, imported when their service is first called. Where a library has
a REST transport, its own table says which call a message means; for GKE, whose library has none, the table is below.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from google.api_core import path_template, rest_helpers
from google.protobuf import json_format

from . import dispatch
from .core import LOG, Cloud, Request, Response
from .errors import GRPC_CODE

_CLUSTER, _POOL = "{parent}/clusters", "{parent}/nodePools"
# RPC of google.container.v1.ClusterManager -> HTTP method and path; what is not in the path is the body.
_GKE = {
    "ListClusters": ("GET", _CLUSTER),
    "GetCluster": ("GET", "{name}"),
    "CreateCluster": ("POST", _CLUSTER),
    "UpdateCluster": ("PUT", "{name}"),
    "DeleteCluster": ("DELETE", "{name}"),
    "UpdateMaster": ("POST", "{name}:updateMaster"),
    "SetLabels": ("POST", "{name}:setResourceLabels"),
    "SetMaintenancePolicy": ("POST", "{name}:setMaintenancePolicy"),
    "SetAddonsConfig": ("POST", "{name}:setAddons"),
    "SetLegacyAbac": ("POST", "{name}:setLegacyAbac"),
    "SetNetworkPolicy": ("POST", "{name}:setNetworkPolicy"),
    "ListNodePools": ("GET", _POOL),
    "GetNodePool": ("GET", "{name}"),
    "CreateNodePool": ("POST", _POOL),
    "UpdateNodePool": ("PUT", "{name}"),
    "DeleteNodePool": ("DELETE", "{name}"),
    "SetNodePoolSize": ("POST", "{name}:setSize"),
    "SetNodePoolAutoscaling": ("POST", "{name}:setAutoscaling"),
    "SetNodePoolManagement": ("POST", "{name}:setManagement"),
    "ListOperations": ("GET", "{parent}/operations"),
    "GetOperation": ("GET", "{name}"),
    "CancelOperation": ("POST", "{name}:cancel"),
    "GetServerConfig": ("GET", "{name}/serverConfig"),
}
_PARENTS = {
    "project_id": "projects",
    "zone": "locations",
    "cluster_id": "clusters",
    "node_pool_id": "nodePools",
    "operation_id": "operations",
}


@dataclass(frozen=True)
class _Rpc:
    """A method of a gRPC service: its message types and, where the library has one, its REST table."""

    request: Any
    response: Any
    rest: Any


class _Recorder:
    """Stands in for a channel and notes the message types that a transport hands to it."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[Any, Any]] = {}

    def unary_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        self.found[path] = (request_serializer, response_deserializer)
        return lambda *arguments, **options: None

    unary_stream = stream_unary = stream_stream = unary_unary


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _package(service: str) -> tuple[str, str]:
    """`google.cloud.secretmanager.v1.SecretManagerService` -> its Python package and the service's own name."""
    package, _, name = service.rpartition(".")
    head, _, version = package.rpartition(".")
    moved = {
        "google.container": "google.cloud.container",
        "google.devtools.artifactregistry": "google.cloud.artifactregistry",
        "google.api.serviceusage": "google.cloud.service_usage",
        "google.cloud.resourcemanager": "google.cloud.resourcemanager",
        "google.cloud.certificatemanager": "google.cloud.certificate_manager",
    }
    return f"{moved.get(head, head)}_{version}", name


@lru_cache(maxsize=64)
def _service(service: str) -> dict[str, _Rpc]:
    """All methods of a service.

    Raises:
        ImportError: no client library of this service is installed.
    """
    package, name = _package(service)
    folder = f"{package}.services.{_snake(name).replace('i_a_p', 'iap').replace('_o_auth', '_oauth')}"
    if "iap_v1" in package:
        folder = f"{package}.services.identity_aware_proxy_{'admin' if 'Admin' in name else 'o_auth'}_service"
    module = importlib.import_module(f"{folder}.transports.grpc")
    transport_class = next(item for key, item in vars(module).items() if key == f"{name}GrpcTransport")
    transport, recorder = object.__new__(transport_class), _Recorder()
    transport._stubs, transport._logged_channel, transport._grpc_channel = {}, recorder, recorder
    transport._operations_client = None
    try:
        rest = vars(importlib.import_module(f"{folder}.transports.rest_base"))[f"_Base{name}RestTransport"]
    except ImportError:
        rest = None
    for attribute in dir(transport_class):
        item = getattr(transport_class, attribute)
        if isinstance(item, property) and attribute not in ("kind", "host", "grpc_channel", "operations_client"):
            item.fget(transport)  # type: ignore[misc]  # a property has its getter
    return {path.rpartition("/")[2]: _rpc(path, types, rest) for path, types in recorder.found.items()}


def _rpc(path: str, types: tuple[Any, Any], rest: Any) -> _Rpc:
    method = path.rpartition("/")[2]
    table = getattr(rest, f"_Base{method}", None)
    request = getattr(types[0], "__self__", None) or _common(f"{method}Request")
    return _Rpc(request, getattr(types[1], "__self__", None) or _common(method), table)


def _common(name: str) -> Any:
    """Messages that many services share."""
    from google.iam.v1 import iam_policy_pb2
    from google.longrunning import operations_pb2

    return getattr(iam_policy_pb2, name, None) or getattr(operations_pb2, name, None)


def _plain(kind: Any) -> Any:
    """The protobuf class of a message class, be it of proto-plus or not."""
    return kind.pb() if hasattr(kind, "pb") and not hasattr(kind, "DESCRIPTOR") else kind


async def answer(cloud: Cloud, request: Request, send: Any) -> None:
    """Answers one unary call."""
    service, _, method = request.path.strip("/").rpartition("/")
    if service == "google.longrunning.Operations":
        await _operation(cloud, request, method, send)
        return
    try:
        rpc = (await asyncio.to_thread(_service, service)).get(method)
    except ImportError as error:
        await finish(send, b"", 12, f"{request.path}: {error}")
        return
    if rpc is None:
        await finish(send, b"", 12, f"{request.path} is not a method.")
        return
    try:
        message = _plain(rpc.request).FromString(request.content[5:])
        call = _gke(request, method, message) if "container" in service else _rest(request, rpc, message)
    except (ValueError, KeyError, AttributeError) as error:
        await finish(send, b"", 12, f"{request.path} is not emulated over gRPC: {error}")
        return
    response = dispatch.answer(cloud, call)
    if response.delay:
        await asyncio.sleep(response.delay)
    if response.reset:
        reset(send)
        return
    await _reply(response, _plain(rpc.response), send)


def reset(send: Any) -> None:
    """Drops the client's connection without an answer, as a broken network does.

    ASGI has no word for that, so this goes through Hypercorn's stream and protocol to the socket.
    """
    server = send.__self__.send.__self__.send.__self__
    server.writer.transport.abort()


def _headers(request: Request) -> dict[str, str]:
    wanted = ("authorization", "x-goog-user-project")
    return {name: request.headers[name] for name in wanted if name in request.headers}


def _gke(request: Request, method: str, message: Any) -> Request:
    """The REST call that a message to GKE means; old fields (project_id, zone, ...) make up a name too."""
    http, template = _GKE[method]
    fields = json_format.MessageToDict(message, preserving_proto_field_name=True)
    old = "".join(f"/{word}/{fields.pop(name)}" for name, word in _PARENTS.items() if name in fields)
    name = fields.pop("name", "") or fields.pop("parent", "") or old.strip("/")
    path = template.format(name=name, parent=name)
    body = json_format.MessageToDict(message)
    for used in ("name", "parent", "projectId", "zone", "clusterId", "nodePoolId", "operationId"):
        body.pop(used, None)
    content = json.dumps(body).encode() if http in ("POST", "PUT") else b""
    return Request(http, "container.googleapis.com", f"/v1/{path}", (), _headers(request), content, request.peer)


def _rest(request: Request, rpc: _Rpc, message: Any) -> Request:
    """The REST call that a message means, by the table of the library's REST transport."""
    if rpc.rest is None:
        raise KeyError("the library has no REST table")
    found = path_template.transcode(rpc.rest._get_http_options(), message=message)
    content = json_format.MessageToJson(found["body"]).encode() if found.get("body") is not None else b""
    query = rest_helpers.flatten_query_params(json_format.MessageToDict(found["query_params"]))
    pairs = tuple((name, _text(value)) for name, value in query)
    path = quote(found["uri"], safe="/:")
    return Request(found["method"].upper(), request.host, path, pairs, _headers(request), content, request.peer)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _operation(cloud: Cloud, request: Request, method: str, send: Any) -> None:
    from google.longrunning import operations_pb2

    if method not in ("GetOperation", "WaitOperation"):
        await finish(send, b"", 12, f"{method} is not emulated.")
        return
    message = operations_pb2.GetOperationRequest.FromString(request.content[5:])
    with cloud.store.transaction() as tx:
        record = tx.get("lro", message.name)
    if record is None:
        await finish(send, b"", 5, f"Operation not found: {message.name}")
        return
    await _reply(Response(record.body), operations_pb2.Operation, send)


async def _reply(response: Response, kind: Any, send: Any) -> None:
    value = response.body if isinstance(response.body, dict) else json.loads(response.content() or b"{}")
    if response.status >= 400:
        await _refuse(value["error"], send)
        return
    await finish(send, _message(kind, value).SerializeToString(), 0)


def _message(kind: Any, value: dict[str, Any]) -> Any:
    try:
        return json_format.ParseDict(value, kind(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        # An Any whose type no imported library knows: the operation is told without it.
        LOG.warning("gRPC answer without metadata: %s", error)
        kept = {key: item for key, item in value.items() if key not in ("metadata", "response")}
        return json_format.ParseDict(kept, kind(), ignore_unknown_fields=True)


async def _refuse(error: dict[str, Any], send: Any) -> None:
    from google.rpc import error_details_pb2, status_pb2

    code = GRPC_CODE.get(error.get("status", ""), 2)
    if "status" not in error:
        code = {400: 3, 403: 7, 404: 5, 409: 6, 501: 12}.get(error["code"], 2)
    status = status_pb2.Status(code=code, message=error["message"])
    for detail in error.get("details", []):
        kind = getattr(error_details_pb2, str(detail.get("@type", "")).rpartition(".")[2], None)
        if kind is not None:
            plain = {key: value for key, value in detail.items() if key != "@type"}
            status.details.add().Pack(json_format.ParseDict(plain, kind(), ignore_unknown_fields=True))
    await finish(send, b"", code, error["message"], status.SerializeToString())


async def finish(send: Any, message: bytes, status: int, text: str = "", details: bytes = b"") -> None:
    """Sends the message (if the status is 0) and the trailers."""
    head = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": head, "trailers": True})
    frame = b"\0" + len(message).to_bytes(4, "big") + message if status == 0 else b""
    await send({"type": "http.response.body", "body": frame, "more_body": False})
    trailers = [(b"grpc-status", str(status).encode()), (b"grpc-message", quote(text, safe=" ").encode())]
    if details:
        trailers.append((b"grpc-status-details-bin", base64.b64encode(details).rstrip(b"=")))
    await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})
