"""One web site of a world as plain HTTP on a port of this machine: `http://127.0.0.1:8080` instead of its own name."""

from __future__ import annotations

import asyncio
import socket
import ssl
from urllib.parse import SplitResult, urlsplit

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"}


async def serve(listening: socket.socket, site: str, trust: ssl.SSLContext) -> None:
    """Serve until cancelled; `site` is a URL, `trust` says how its server's certificate is checked."""
    connector = TCPConnector(ssl=trust)
    async with ClientSession(connector=connector, auto_decompress=False, cookie_jar=DummyCookieJar()) as session:
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", _Site(session, urlsplit(site), here).handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await asyncio.Event().wait()


class _Site:
    def __init__(self, session: ClientSession, site: SplitResult, here: str) -> None:
        self._session = session
        self._origin = f"{site.scheme}://{site.netloc}"
        self._here = here

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        for name in ("Origin", "Referer"):
            if name in headers:
                headers[name] = headers[name].replace(self._here, self._origin, 1)
        async with self._session.request(
            request.method,
            f"{self._origin}{request.raw_path}",
            headers=headers,
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    response.headers.add(name, self._local(name, value))
            await response.prepare(request)
            async for block in answer.content.iter_chunked(1 << 16):
                await response.write(block)
            await response.write_eof()
            return response

    def _local(self, name: str, value: str) -> str:
        """Redirects and cookies must work under the local address: no other origin, no Secure, no Domain."""
        if name.lower() == "location":
            return value.replace(self._origin, self._here, 1)
        if name.lower() == "set-cookie":
            parts = [part for part in value.split(";") if not part.strip().lower().startswith(("secure", "domain="))]
            return ";".join(parts)
        return value
