"""The ASGI application: the host's name chooses who answers; carries REST, unary gRPC and the relay's WebSocket."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from . import batch, control, dispatch, grpc_bridge, metadata, oauth, webhooks
from .core import LOG, Cloud, Request, Response
from .directory import CloudDirectory
from .substrate import SubstrateError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONTROL_HOST = "emulator.internal"
RELAY_HOST = "tunnel.cloudproxy.app"
METADATA_HOSTS = ("metadata.google.internal", "metadata", "169.254.169.254")
_OAUTH_HOSTS = ("oauth2.googleapis.com", "openidconnect.googleapis.com", "accounts.google.com")
_OAUTH_PATHS = (
    "/token",
    "/tokeninfo",
    "/revoke",
    "/o/oauth2/token",
    "/oauth2/v4/token",
    "/oauth2/v3/tokeninfo",
    "/oauth2/v1/tokeninfo",
    "/v1/userinfo",
)
_RELAY = "rehearsal.internet.iap_relay"
_WAIT_SECONDS = 120.0


def _relay(cloud: Cloud) -> Any:
    """The IAP relay's application, where that part of the world is installed."""
    try:
        found = importlib.util.find_spec(_RELAY)
    except ModuleNotFoundError:
        found = None
    if found is None:
        return None
    # Outside a world (in tests) nobody owns IAP's source addresses, so the relay connects from any.
    sources = {} if cloud.config.relay else {"sources": None}
    return importlib.import_module(_RELAY).IapRelay(CloudDirectory(cloud), **sources)


class Application:
    """The emulator as ASGI; `lifespan` resumes what a restart interrupted."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._relay = _relay(cloud)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._cloud.jobs.resume()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._cloud.jobs.stop()
                self._cloud.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._relay is None:
            LOG.error("a tunnel was asked for, but %s is not installed", _RELAY)
            await receive()
            await send({"type": "websocket.close", "code": 1011, "reason": "no relay in this world"})
            return
        await self._relay(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await _read(scope, receive)
        if request.headers.get("content-type", "").startswith("application/grpc"):
            await grpc_bridge.answer(self._cloud, request, send)
            return
        response = await self._answer(request)
        if response.delay:
            await asyncio.sleep(response.delay)
        if response.reset:
            grpc_bridge.reset(send)
        else:
            await _write(response, send, request.http)

    async def _answer(self, request: Request) -> Response:
        cloud, host = self._cloud, request.host.partition(":")[0]
        if host in METADATA_HOSTS or request.path.startswith("/computeMetadata/"):
            return await self._metadata(request)
        loopback = not host.endswith((".googleapis.com", ".google.com", ".internal"))
        if host == CONTROL_HOST or (loopback and request.path in control.PATHS):
            return control.answer(cloud, request)
        if (host in _OAUTH_HOSTS or loopback or host == "www.googleapis.com") and request.path in _OAUTH_PATHS:
            return oauth.answer(cloud, request)
        if request.path.startswith("/_webhooks/"):
            return webhooks.answer(cloud, request)
        if request.path.startswith("/batch"):
            return batch.answer(cloud, request)
        if request.path.endswith("/wait"):
            path = request.path.removesuffix("/wait")
            await cloud.jobs.settle(path[path.find("projects/") :], _WAIT_SECONDS)
        return dispatch.answer(cloud, request)

    async def _metadata(self, request: Request) -> Response:
        """Machines are known here; only for other addresses is the hypervisor asked for a pod, which takes a while."""
        if metadata.is_machine(self._cloud, request.peer):
            return metadata.answer(self._cloud, request, None)
        try:
            pod = await asyncio.to_thread(self._cloud.substrate.identify_pod, request.peer)
        except SubstrateError as error:
            return metadata.unavailable(error)
        return metadata.answer(self._cloud, request, pod)


async def _read(scope: Scope, receive: Receive) -> Request:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    raw = scope.get("raw_path") or scope["path"].encode()
    client = scope.get("client")
    return Request(
        http=scope["method"],
        host=(headers.get("host") or headers.get(":authority") or "").lower(),
        path=raw.decode("latin-1").partition("?")[0],
        query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=headers,
        content=b"".join(chunks),
        peer=client[0] if client else "",
    )


async def _write(response: Response, send: Send, http: str) -> None:
    content = response.content()
    headers = {"content-type": response.kind, "server": "ESF", **response.headers}
    if response.status not in (204, 304, 308) or content:
        headers.setdefault("content-length", str(len(content)))
    encoded = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if http == "HEAD" else content})
