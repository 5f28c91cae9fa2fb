"""TCP connections to a VM's port through Google's Identity-Aware Proxy, without gcloud.

    tunnel = Tunnel(Target("acme-ml", "europe-west1-b", "mlops-bastion", 22), token)
    await tunnel.run(read, write)

A connection survives the loss of its WebSocket: the session is resumed with no byte lost or repeated. What ends it for
good raises TunnelError, which says what to do.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Origin, Subprotocol

from .errors import PlatformError
from .tunnel_codes import CLOSE_CODES, Outcome, close_code
from .tunnel_protocol import MAX_PAYLOAD, Opened, ProtocolError, Received, Resumed, Session

RELAY = "wss://tunnel.cloudproxy.app"
SUBPROTOCOL = Subprotocol("relay.tunnel.cloudproxy.app")
ORIGIN = Origin("bot:iap-tunneler")
USER_AGENT = f"mlops-platform websockets/{websockets.__version__}"
OPEN_SECONDS = 30.0
GREETING_SECONDS = 60.0
"""How long gcloud waits for the relay's first message."""
CONNECT_SECONDS = 10.0
"""How long a relay that cannot be reached is tried for a first connection."""
RESUME_SECONDS = 60.0
QUIET_SECONDS = 1.0
"""An acknowledgement is sent at the latest after this time; gcloud's own is 2 s."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0

Read = Callable[[int], Awaitable[bytes]]
Write = Callable[[bytes], Awaitable[None]]


class TunnelError(PlatformError):
    """The tunnel could not be opened, or ended before its time."""


@dataclass(frozen=True)
class Target:
    """A port of a VM's network interface."""

    project: str
    zone: str
    instance: str
    port: int
    interface: str = "nic0"

    def __str__(self) -> str:
        return f"{self.instance} port {self.port} (project {self.project}, zone {self.zone})"


class _Lost(Exception):
    """The WebSocket is gone and the session may go on."""


class Tunnel:
    """One TCP connection through the relay."""

    def __init__(
        self,
        target: Target,
        token: Callable[[], str],
        *,
        principal: Callable[[], str] = lambda: "the caller",
        relay: str = RELAY,
        resume_seconds: float = RESUME_SECONDS,
    ) -> None:
        """*token* gives a fresh OAuth access token each time; *principal* tells its owner, for errors.

        *resume_seconds* is how long a lost WebSocket is tried to be replaced before giving up.
        """
        self._target = target
        self._token = token
        self._principal = principal
        self._relay = relay
        self._resume_seconds = resume_seconds
        self._session = Session()
        self._room = asyncio.Event()
        self._input_ended = False
        self._attaches = 0
        self._lost_since = 0.0

    async def run(self, read: Read, write: Write, opened: Callable[[], None] = lambda: None) -> None:
        """Carry bytes until either side ends: from *read* (b"" is the end) to the VM, from the VM to *write*.

        *read* may be cancelled while it waits. *opened* is called once when the session exists. Raises TunnelError.
        """
        pause = FIRST_PAUSE
        self._lost_since = time.monotonic()
        while True:
            try:
                await self._attached(read, write, opened)
                return
            except _Lost as lost:
                if self._attaches:  # it had worked: try again at once
                    self._attaches, self._lost_since, pause = 0, time.monotonic(), FIRST_PAUSE
                    continue
                self._give_up_if_late(lost)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads attempts, no secret
                pause = min(pause * 2, LONGEST_PAUSE)

    def _give_up_if_late(self, lost: _Lost) -> None:
        known = self._session.sid is not None
        limit = self._resume_seconds if known else CONNECT_SECONDS
        if time.monotonic() - self._lost_since < limit:
            return
        what = "the connection to the relay was lost and did not come back" if known else "the relay cannot be reached"
        raise self._error(
            f"{what} in {limit:g} s: {lost}",
            hint="Check the network path to tunnel.cloudproxy.app:443 and any proxy, then run it again.",
        ) from lost

    async def _attached(self, read: Read, write: Write, opened: Callable[[], None]) -> None:
        """Open a WebSocket, start the session or take it up again, carry bytes until the end of either."""
        fresh = self._session.sid is None
        token = await asyncio.to_thread(self._token)
        socket = await self._open(token)
        try:
            self._session.attach()
            event = await self._greeting(socket)
            self._attaches += 1
            if fresh:
                opened()
            if isinstance(event, Resumed):
                for message in event.messages:
                    await socket.send(message)
            await self._exchange(socket, read, write)
        except ConnectionClosed as closed:
            self._closed(closed)
        except ProtocolError as error:
            raise self._error(f"the relay broke the protocol: {error}", hint="Run it again.") from error
        finally:
            await socket.close()

    async def _open(self, token: str) -> ClientConnection:
        try:
            return await connect(
                self._url(),
                origin=ORIGIN,
                subprotocols=[SUBPROTOCOL],
                additional_headers={"Authorization": f"Bearer {token}"},
                user_agent_header=USER_AGENT,
                compression=None,
                ping_interval=None,  # the relay takes a ping for a defect
                open_timeout=OPEN_SECONDS,
                close_timeout=2,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if status >= 500:
                raise _Lost(f"HTTP {status}") from error
            raise self._refused(status) from error
        except (OSError, TimeoutError) as error:
            raise _Lost(str(error) or type(error).__name__) from error
        except InvalidHandshake as error:
            raise self._error(
                f"the relay's answer is no WebSocket: {error}",
                hint="A proxy between here and tunnel.cloudproxy.app seems to refuse WebSockets; let it pass them.",
            ) from error

    def _url(self) -> str:
        target, session = self._target, self._session
        if session.sid is None:
            return f"{self._relay}/v4/connect?" + urlencode(
                {
                    "project": target.project,
                    "port": target.port,
                    "newWebsocket": "True",
                    "zone": target.zone,
                    "instance": target.instance,
                    "interface": target.interface,
                }
            )
        query = {"sid": session.sid, "ack": session.received, "newWebsocket": "True", "zone": target.zone}
        return f"{self._relay}/v4/reconnect?{urlencode(query)}"

    async def _greeting(self, socket: ClientConnection) -> Opened | Resumed:
        try:
            async with asyncio.timeout(GREETING_SECONDS):
                while True:
                    event = self._session.receive(_binary(await socket.recv()))
                    if isinstance(event, Opened | Resumed):
                        return event
        except TimeoutError as error:
            raise _Lost(f"no word from the relay for {GREETING_SECONDS:g} s") from error

    async def _exchange(self, socket: ClientConnection, read: Read, write: Write) -> None:
        """Carry bytes until the input ends or the WebSocket does (raises ConnectionClosed)."""
        receiving = asyncio.create_task(self._receive(socket, write))
        sending = asyncio.create_task(self._send(socket, read))
        acknowledging = asyncio.create_task(self._acknowledge(socket))
        tasks = (receiving, sending, acknowledging)
        try:
            await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
            if not self._input_ended:
                # The receiver is never interrupted: what it has counted as received it must also deliver. A lost
                # WebSocket ends it by itself, after everything that had arrived.
                await receiving
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, socket: ClientConnection, read: Read) -> None:
        while not self._input_ended:
            if self._session.full:
                self._room.clear()
                await self._room.wait()
            payload = await read(MAX_PAYLOAD)
            if not payload:
                self._input_ended = True
                return
            for message in self._session.send(payload):
                await socket.send(message)

    async def _receive(self, socket: ClientConnection, write: Write) -> None:
        while True:
            event = self._session.receive(_binary(await socket.recv()))
            if not self._session.full:
                self._room.set()
            if isinstance(event, Received):
                await write(event.payload)
                if ack := self._session.due_ack(quiet=False):
                    await socket.send(ack)

    async def _acknowledge(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            if ack := self._session.due_ack(quiet=True):
                await socket.send(ack)

    def _closed(self, closed: ConnectionClosed) -> None:
        """Decide what the end of a WebSocket means: return for an orderly end, else raise _Lost or TunnelError."""
        frame = closed.rcvd
        if frame is None:
            raise _Lost("the connection was cut") from closed
        meaning = close_code(frame.code)
        if meaning.outcome is Outcome.END:
            return
        said = f"{meaning.meaning} (code {frame.code}{f', {frame.reason!r}' if frame.reason else ''})"
        if meaning.outcome is Outcome.RESUME:
            raise _Lost(said) from closed
        raise self._error(
            said, reason=str(frame.code), hint=meaning.hint.format(principal=self._principal())
        ) from closed

    def _refused(self, status: int) -> TunnelError:
        hints = {
            401: "The credentials were refused: log in again, or renew the key file.",
            403: CLOSE_CODES[4033].hint.format(principal=self._principal()),
        }
        hint = hints.get(status, "Check the names of project, zone and instance.")
        return self._error("the relay refused the connection", code=status, hint=hint)

    def _error(self, message: str, *, code: int = 0, reason: str = "", hint: str = "") -> TunnelError:
        resource = f"to {self._target}"
        return TunnelError(message, action="open a tunnel", resource=resource, code=code, reason=reason, hint=hint)


def _binary(message: str | bytes) -> bytes:
    if isinstance(message, str):
        raise ProtocolError("a text message")
    return message
