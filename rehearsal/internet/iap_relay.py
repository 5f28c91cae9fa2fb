"""The IAP relay at tunnel.cloudproxy.app: an ASGI application for WebSockets that carries TCP to the world's machines.

It follows "SSH Relay v4" as known from gcloud's behaviour and from IAP Desktop's sources: who may use it and where a
machine is, it asks a `Directory`; a session survives the loss of its WebSocket for GRACE_SECONDS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from rehearsal.internet.iap_session import RelaySession, WebSocketEnd
from rehearsal.world import addresses

LOG = logging.getLogger(__name__)
SUBPROTOCOL = "relay.tunnel.cloudproxy.app"
GRACE_SECONDS = 60.0
BACKEND_SECONDS = 10.0
CLOSE_SECONDS = 5.0

NOT_AUTHORIZED = WebSocketEnd(4033, "not authorized")
LOOKUP_FAILED = WebSocketEnd(4047, "Failed to lookup instance")
NO_BACKEND = WebSocketEnd(4003, "failed to connect to backend")
SID_UNKNOWN = WebSocketEnd(4001, "sid unknown")

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Directory(Protocol):
    """What the relay must know about the cloud. All names are those of the request."""

    def principal_of_token(self, token: str) -> str | None:
        """E-mail address of the access token's owner; None if the token is unknown or expired."""

    def may_tunnel(self, principal: str, project: str, zone: str, instance: str, port: int) -> bool:
        """Whether IAM gives iap.tunnelInstances.accessViaIAP on the instance, its zone or the project."""

    def interface_address(self, project: str, zone: str, instance: str, interface: str) -> str | None:
        """Address of a RUNNING instance's interface; None if there is no such instance, or it does not run."""

    def admits(self, project: str, zone: str, instance: str, source: str, port: int) -> bool:
        """Whether the VPC's firewall rules let TCP from the range `source` reach the port of the instance."""


@dataclass(frozen=True)
class _Target:
    project: str
    zone: str
    instance: str
    interface: str
    port: int

    def __str__(self) -> str:
        return f"{self.project}/{self.zone}/{self.instance}:{self.port}"


class _Refused(Exception):
    """The handshake is answered with an HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class IapRelay:
    """The relay as an ASGI application (WebSocket scopes only)."""

    def __init__(
        self, directory: Directory, *, sources: str | None = addresses.IAP_SOURCES, grace: float = GRACE_SECONDS
    ) -> None:
        """Connections to machines come from the range `sources` (None: from any own address).

        `grace` is how many seconds a session waits for its client to come back.
        """
        self._directory = directory
        self._sources = ipaddress.ip_network(sources) if sources else None
        self._grace = grace
        self._sessions: dict[str, RelaySession] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to close."""
        await receive()  # websocket.connect
        query = {key: values[0] for key, values in parse_qs(scope["query_string"].decode()).items()}
        verb = scope["path"].rsplit("/", 1)[-1]
        try:
            principal = self._check_handshake(scope, verb)
            target = _target(query) if verb == "connect" else None
            ack = _number(query, "ack") if verb == "reconnect" else 0
        except _Refused as refused:
            await _deny(scope, send, refused)
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        try:
            if target is not None:
                await self._connect(principal, target, receive, send)
            else:
                await self._reconnect(principal, query.get("sid", ""), ack, receive, send)
        except WebSocketEnd as end:
            LOG.info("%s %s: closed with %d %s", principal, target or "reconnect", end.code, end.reason)
            await send({"type": "websocket.close", "code": end.code, "reason": end.reason})
            await _read_to_the_end(receive)

    def _check_handshake(self, scope: Scope, verb: str) -> str:
        """E-mail address of the caller; raises _Refused with the HTTP status."""
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        if verb not in ("connect", "reconnect"):
            raise _Refused(404, f"no such path: {scope['path']}")
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            raise _Refused(400, f"the sub-protocol must be {SUBPROTOCOL}")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        principal = self._directory.principal_of_token(token) if scheme == "Bearer" else None
        if principal is None:
            raise _Refused(401, "no valid access token")
        return principal

    async def _connect(self, principal: str, target: _Target, receive: Receive, send: Send) -> None:
        place = (target.project, target.zone, target.instance)
        if not self._directory.may_tunnel(principal, *place, target.port):
            raise NOT_AUTHORIZED
        address = self._directory.interface_address(*place, target.interface)
        if address is None:
            raise LOOKUP_FAILED
        if not self._directory.admits(*place, addresses.IAP_SOURCES, target.port):
            raise NO_BACKEND
        reader, writer = await self._open_backend(address, target.port)
        sid = secrets.token_urlsafe(24)
        session = RelaySession(sid, principal, reader, writer, ended=lambda: self._sessions.pop(sid, None))
        self._sessions[sid] = session
        LOG.info("%s %s: connected as %s", principal, target, writer.get_extra_info("sockname")[0])
        await session.attach(receive, send, resumed_at=None, grace=self._grace)

    async def _open_backend(self, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = (str(self._sources[1 + secrets.randbelow(4000)]), 0) if self._sources else None
        try:
            async with asyncio.timeout(BACKEND_SECONDS):
                return await asyncio.open_connection(address, port, local_addr=source)
        except (OSError, TimeoutError) as error:
            LOG.info("no connection to %s:%d: %s", address, port, error or "no answer")
            raise NO_BACKEND from error

    async def _reconnect(self, principal: str, sid: str, ack: int, receive: Receive, send: Send) -> None:
        session = self._sessions.get(sid)
        if session is None or session.principal != principal:
            raise SID_UNKNOWN
        LOG.info("%s: resumed a session at %d", principal, ack)
        await session.attach(receive, send, resumed_at=ack, grace=self._grace)


def _target(query: Mapping[str, str]) -> _Target:
    missing = [name for name in ("project", "zone", "instance", "interface", "port") if not query.get(name)]
    if missing:
        raise _Refused(400, f"missing parameters: {', '.join(missing)}")
    port = _number(query, "port")
    if not 1 <= port <= 65535:
        raise _Refused(400, f"no such port: {port}")
    return _Target(query["project"], query["zone"], query["instance"], query["interface"], port)


def _number(query: Mapping[str, str], name: str) -> int:
    value = query.get(name, "")
    if not value.isdecimal():
        raise _Refused(400, f"{name} must be a number, not {value!r}")
    return int(value)


async def _read_to_the_end(receive: Receive) -> None:
    """Take in what the client still sends until it answers the Close: unread messages would block the server."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            while (await receive())["type"] != "websocket.disconnect":
                pass
    except TimeoutError:
        LOG.info("a client did not answer the Close in %g s", CLOSE_SECONDS)


async def _deny(scope: Scope, send: Send, refused: _Refused) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": str(refused)})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": f"{refused}\n".encode()})
