"""Looking into a world from this machine: a port of 127.0.0.1 that leads to a place inside.

The listening socket belongs to the machine; the process that serves it is inside the world and ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

LOG = logging.getLogger(__name__)
HEAD_LIMIT = 64 << 10
CONNECT_SECONDS = 20.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def listen(port: int) -> socket.socket:
    """A listening socket on the machine's loopback; `port` 0 takes a free one. Raises OSError."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(128)
    return server


async def serve(listening: socket.socket, handler: Handler) -> None:
    """Serve until cancelled."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            LOG.info("a connection ended: %s", error)
        finally:
            writer.close()

    server = await asyncio.start_server(one, sock=listening, limit=HEAD_LIMIT)
    await server.serve_forever()


def relay(host: str, port: int) -> Handler:
    """Every connection is one to `host`:`port`, byte for byte."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await _open(host, port)
        await _both_ways(reader, writer, far_reader, far_writer)

    return handler


async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An HTTP proxy: CONNECT for https, absolute addresses for http (one request a connection)."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    method, target, version = first.decode("latin-1").split(" ")
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        opening = b""
    else:
        parts = urlsplit(target)
        host, port = parts.hostname or "", str(parts.port or 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        opening = f"{method} {path} {version}\r\n".encode("latin-1") + _without_keep_alive(rest)
    try:
        far_reader, far_writer = await _open(host, int(port))
    except (OSError, TimeoutError) as error:
        text = f"{target} cannot be reached in the world: {error or 'no answer'}\n"
        writer.write(f"HTTP/1.1 502 Bad Gateway\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        return
    if method == "CONNECT":
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    far_writer.write(opening)
    await _both_ways(reader, writer, far_reader, far_writer)


def _without_keep_alive(headers: bytes) -> bytes:
    """Header lines with `Connection: close`: the next request on the connection may be for another host."""
    kept = [line for line in headers.split(b"\r\n") if not line.lower().startswith((b"connection:", b"proxy-"))]
    return b"Connection: close\r\n" + b"\r\n".join(kept)


async def _open(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_SECONDS):
        return await asyncio.open_connection(host, port)


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    finally:
        far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
