"""What the gate is shown of bodies, by Envoy itself; and that all of them arrives."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from rehearsal.frontdoor import envoy
from rehearsal.google.testing import free_port
from rehearsal.hypervisor.processes import end_with_parent
from rehearsal.internet.hosts import web_host
from rehearsal.toolchain.envoy import program
from tests.waiting import listens, until

HOST, HERE = "x.example.com", "127.0.0.1"
SERVICE: dict[str, Any] = {
    "id": "1", "timeoutSec": 30, "healthCheck": None, "responseHeaders": [], "endpoints": [],
}  # fmt: skip
KEY = "projects/p/global/backendServices/main"
LARGE = 3 << 20
SECONDS = 10.0


class Here(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        """As of DNS."""
        return [ResolveResult(hostname=host, host=HERE, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


class Street:
    """A load balancer that asks, a gate that notes what it is shown, and a backend that tells how much arrives."""

    def __init__(self, tls: ssl.SSLContext, port: int, session: aiohttp.ClientSession) -> None:
        self.shown: list[bytes] = []
        self._tls, self._session, self._url = tls, session, f"https://{HOST}:{port}/x"

    async def send(self, body: Any = None, **headers: str) -> tuple[int, int]:
        """The status, and how many bytes the backend got."""
        async with self._session.post(self._url, data=body, headers=headers, ssl=self._tls) as answer:
            text = await answer.text()
            return answer.status, int(text) if answer.status == 200 else 0

    async def talk(self, text: str) -> str:
        """What a WebSocket answers."""
        async with self._session.ws_connect(self._url, ssl=self._tls) as socket_:
            await socket_.send_str(text)
            return await socket_.receive_str(timeout=5)


@pytest.fixture
async def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    if not program().exists():
        pytest.skip("the toolchain has not been built: python -m rehearsal.toolchain")
    door, backend = free_port(), free_port()
    monkeypatch.setattr(envoy, "GATE", (HERE, free_port()))
    monkeypatch.setattr(envoy, "ADMIN", (HERE, free_port()))
    authority = trustme.CA()
    pem, config = tmp_path / "c.pem", tmp_path / "all.json"
    authority.issue_cert("*.example.com").private_key_and_cert_chain_pem.write_to_path(str(pem))
    config.write_text(json.dumps(whole(tmp_path, door, backend, pem)))
    tls = ssl.create_default_context()
    authority.configure_trust(tls)

    async def count(request: web.Request) -> web.StreamResponse:
        if "upgrade" in request.headers:
            return await echo(request)
        return web.Response(text=str(len(await request.read())))

    async def judge(request: web.Request) -> web.Response:
        made.shown.append(await request.read())
        return web.Response(status=403 if b"attack" in made.shown[-1] else 200)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Here())) as session:
        made = Street(tls, door, session)
        async with web_host(app(judge), (*envoy.GATE, None)), web_host(app(count), (HERE, backend, None)):
            command = [str(program()), "--config-path", str(config), "--concurrency", "1", "--disable-hot-restart"]
            process = await asyncio.create_subprocess_exec(*command, "--log-level", "error", preexec_fn=end_with_parent)
            await asyncio.to_thread(until, lambda: listens(door), f"Envoy to listen at {door}", SECONDS)
            yield made
            process.terminate()
            await process.wait()


async def echo(request: web.Request) -> web.WebSocketResponse:
    made = web.WebSocketResponse()
    await made.prepare(request)
    await made.send_str(f"heard {await made.receive_str(timeout=5)}")
    return made


def app(handler: Any) -> web.Application:
    made = web.Application(client_max_size=2 * LARGE)
    made.router.add_route("*", "/{path:.*}", handler)
    return made


def whole(folder: Path, door: int, backend: int, pem: Path) -> dict[str, Any]:
    """Envoy's configuration as in a world, but of one file, and from and to this machine."""
    services = {KEY: {**SERVICE, "endpoints": [[HERE, backend]]}}
    front = {"name": "web", "address": HERE, "port": door, "certificates": [["*.example.com"]]}
    front["urlMap"] = {"defaultService": f"https://www.googleapis.com/compute/v1/{KEY}"}
    (cluster,) = envoy.clusters(services)
    cluster["upstream_bind_config"]["source_address"]["address"] = HERE
    config = envoy.bootstrap(folder)
    del config["dynamic_resources"]
    static = config["static_resources"]
    static["listeners"] = envoy.listeners([front], services, {"*.example.com": str(pem)})
    static["clusters"].append(cluster)
    for resource in (*static["listeners"], *static["clusters"]):
        resource.pop("@type", None)
    return dict(config)


async def slowly() -> AsyncIterator[bytes]:
    for part in (b"be", b"gun ", b"and ended"):
        yield part
        await asyncio.sleep(0.3)


async def test_the_beginning_is_shown_and_all_arrives(street: Street) -> None:
    assert await street.send() == (200, 0)
    assert await street.send(b"small") == (200, 5)
    assert await street.send(b"x" * LARGE) == (200, LARGE)
    assert await street.send(slowly()) == (200, 15)
    packed = gzip.compress(b"packed")
    assert await street.send(packed, **{"content-encoding": "gzip"}) == (200, len(packed))
    assert street.shown == [b"", b"small", b"x" * envoy.JUDGED_BYTES, b"begun and ended", packed]


async def test_what_the_gate_refuses_does_not_arrive(street: Street) -> None:
    assert await street.send(b"an attack") == (403, 0)
    assert await street.send(b"an attack" + b"x" * LARGE) == (403, 0)


async def test_a_websocket_waits_for_no_body(street: Street) -> None:
    assert await street.talk("hello") == "heard hello"
