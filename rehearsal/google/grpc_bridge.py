"""Unary gRPC over the same behaviour as REST: a request message becomes the JSON call that means the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .core import Cloud, Request


async def answer(cloud: Cloud, request: Request, send: Any) -> None:
    """Answers one unary call."""
    await finish(send, b"", 12, f"{request.path} is not emulated.")


async def finish(send: Any, message: bytes, status: int, text: str = "") -> None:
    """Sends the message (if the status is 0) and the trailers."""
    head = [(b"content-type", b"application/grpc")]
    await send({"type": "http.response.start", "status": 200, "headers": head, "trailers": True})
    frame = b"\0" + len(message).to_bytes(4, "big") + message if status == 0 else b""
    await send({"type": "http.response.body", "body": frame, "more_body": False})
    trailers = [(b"grpc-status", str(status).encode()), (b"grpc-message", quote(text).encode())]
    await send({"type": "http.response.trailers", "headers": trailers, "more_trailers": False})
