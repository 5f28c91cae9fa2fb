"""Batched requests, `multipart/mixed` of whole HTTP requests, as gcloud sends them for several resources at once."""

from __future__ import annotations

import email.parser
import email.policy
import re
from typing import Any
from urllib.parse import parse_qsl

from . import dispatch
from .core import Cloud, Request, Response
from .errors import ApiError, Family

_BOUNDARY = "batch_emulator"
_START = re.compile(r"(?P<http>[A-Z]+) (?P<path>[^ ?]+)(?:\?(?P<query>\S*))? HTTP/1\.1")


def answer(cloud: Cloud, request: Request) -> Response:
    """POST /batch/<api>/<version>: every part is answered by itself."""
    try:
        parts = _parts(request)
    except ApiError as error:
        return Response(error.body(Family.BOTH), error.code)
    pieces = []
    for number, inner in parts:
        response = dispatch.answer(cloud, inner)
        pieces.append(_piece(number, response))
    body = b"".join(pieces) + f"--{_BOUNDARY}--".encode()
    return Response(body, 200, {}, f"multipart/mixed; boundary={_BOUNDARY}")


def _parts(request: Request) -> list[tuple[str, Request]]:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.content)
    if not message.is_multipart():
        raise ApiError(400, "Failed to parse batch request, error: 0 items. Received batch body is not multipart.")
    found = []
    for part in message.iter_parts():
        number = str(part.get("Content-ID", "")).strip("<>")
        found.append((number, _inner(request, _payload(part))))
    return found


def _payload(part: Any) -> bytes:
    return bytes(part.get_payload(decode=True) or b"")


def _inner(outer: Request, raw: bytes) -> Request:
    text = raw.decode().replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    first, *lines = head.strip().split("\n")
    hit = _START.match(first)
    if hit is None:
        raise ApiError(400, f"Failed to parse batch request, error: {first!r} is no request line.")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    headers.setdefault("authorization", outer.headers.get("authorization", ""))
    query = tuple(parse_qsl(hit["query"] or "", keep_blank_values=True))
    return Request(hit["http"], outer.host, hit["path"], query, headers, body.strip().encode(), outer.peer)


def _piece(number: str, response: Response) -> bytes:
    content = response.content()
    head = (
        f"--{_BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <response-{number}>\r\n\r\n"
        f"HTTP/1.1 {response.status} OK\r\nContent-Type: {response.kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"
