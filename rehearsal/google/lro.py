"""Operations in the form of google.longrunning, each service with its names and metadata."""

from __future__ import annotations

import uuid
from typing import Any

from .core import Call, Cloud, hexes
from .errors import GRPC_CODE, STATUS, ApiError
from .jobs import STYLES, Failure
from .store import Record

KIND = "lro"


def begin(
    call: Call,
    name: str,
    metadata: dict[str, Any] | None,
    *,
    work: str | None = None,
    arguments: dict[str, Any] | None = None,
    shows_done: bool = False,
    end_time: bool = False,
) -> dict[str, Any]:
    """Starts an operation and returns the first, unfinished answer.

    Args:
        name: the operation's full name, which is also the key.
        metadata: its metadata with `@type`; None: there is none.
        work: what happens behind it; its result is the operation's `response`.
        shows_done: whether `done: false` is written out.
        end_time: whether the metadata gets an `endTime` when done.
    """
    body: dict[str, Any] = {"name": name}
    if metadata is not None:
        body["metadata"] = metadata
    if shows_done:
        body["done"] = False
    operation = Record(KIND, name, body, {"end_time": end_time})
    call.cloud.jobs.start(call.tx, operation, work, arguments or {}, call.clock.delay(call.method.id))
    return body


def _end(cloud: Cloud, operation: Record, failure: Failure | None, response: Any) -> None:
    operation.body["done"] = True
    if operation.hidden.get("end_time"):
        operation.body["metadata"]["endTime"] = cloud.clock.zulu(9)
    if failure:
        code = GRPC_CODE.get(STATUS.get(failure.code, "INTERNAL"), 13)
        operation.body["error"] = {"code": code, "message": failure.message}
    elif response is not None:
        operation.body["response"] = response


STYLES[KIND] = _end


def new_uuid() -> str:
    """A random UUID."""
    return str(uuid.uuid4())


def stamped(call: Call) -> str:
    """`operation-<ms>-<13 hex>-<8>-<8>`, as Certificate Manager and IAP name their operations."""
    return f"operation-{int(call.clock.now() * 1000)}-{hexes(13)}-{hexes(8)}-{hexes(8)}"


def get(call: Call) -> dict[str, Any]:
    """GET of an operation.

    Raises:
        ApiError: 404.
    """
    name = call.path.get("name") or "/".join(call.path.values())
    record = call.tx.get(KIND, name)
    if record is None:
        raise ApiError(404, f"Operation not found: {name}", "notFound")
    return record.body
