"""A relay on a loopback port, a machine that answers, and a line between client and relay that can be cut."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hypercorn.asyncio import serve
from hypercorn.config import Config

from plugins.module_utils.gcloud.tunnel import Target, Tunnel
from rehearsal.internet.iap_relay import IapRelay

TOKEN = "ya29.valid"


@dataclass
class Cloud:
    """A directory whose answers a test sets."""

    address: str | None = "127.0.0.1"
    authorized: bool = True
    admitted: bool = True
    tokens: dict[str, str] = field(default_factory=lambda: {TOKEN: "alice@acme.example"})

    def principal_of_token(self, token: str) -> str | None:
        return self.tokens.get(token)

    def may_tunnel(self, principal: str, project: str, zone: str, instance: str, port: int) -> bool:
        return self.authorized

    def interface_address(self, project: str, zone: str, instance: str, interface: str) -> str | None:
        return self.address if instance == "bastion" else None

    def admits(self, project: str, zone: str, instance: str, source: str, port: int) -> bool:
        return self.admitted


class Line:
    """Forwards TCP to the relay; `cut_after` bytes towards the relay it drops the connection, again and again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cut_after: int | None = None
        self.cuts = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carried = 0
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            carried += len(data)
            if self.cut_after is not None and carried > self.cut_after:
                self.cuts += 1
                return


@dataclass
class Lab:
    """`machine_port` answers every connection with `machine`; `relay` is the address for clients."""

    cloud: Cloud
    line: Line
    relay: str
    machine_port: int

    def tunnel(self, *, instance: str = "bastion", token: str = TOKEN, port: int | None = None) -> Tunnel:
        target = Target("acme-mlops", "europe-west1-b", instance, port or self.machine_port)
        return Tunnel(target, lambda: token, principal=lambda: "alice@acme.example", relay=self.relay, resume_seconds=5)


async def echo_digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads a length line and so many bytes, answers with their SHA-256, then sends the same bytes back."""
    length = int(await reader.readline())
    data = await reader.readexactly(length)
    writer.write(hashlib.sha256(data).hexdigest().encode() + data)
    await writer.drain()
    writer.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def lab(machine: Handler = echo_digest) -> AsyncIterator[Lab]:
    """The whole set-up, on free loopback ports."""
    cloud = Cloud()
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.loglevel = "WARNING"
    sockets = config.create_sockets()
    relay_port = sockets.insecure_sockets[0].getsockname()[1]
    config.bind = [f"fd://{sockets.insecure_sockets[0].fileno()}"]
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(_web_sockets_only(IapRelay(cloud, sources=None)), config, shutdown_trigger=stop.wait)
    )
    line = Line(relay_port)
    machine_server = await asyncio.start_server(machine, "127.0.0.1", 0)
    line_server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    port = line_server.sockets[0].getsockname()[1]
    try:
        yield Lab(cloud, line, f"ws://127.0.0.1:{port}", machine_server.sockets[0].getsockname()[1])
    finally:
        machine_server.close()
        line_server.close()
        stop.set()
        await serving


def _web_sockets_only(relay: IapRelay):  # type: ignore[no-untyped-def]  # the shapes of ASGI
    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # the shapes of ASGI
        if scope["type"] == "lifespan":
            while (event := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{event['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await relay(scope, receive, send)

    return app
