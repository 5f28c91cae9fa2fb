"""Compute's operations (recordings/FACTS.md, "Compute Engine: operations")."""

from __future__ import annotations

from typing import Any

from ...clock import Clock
from ...core import Call, Cloud, hexes, new_id
from ...errors import ApiError
from ...jobs import STYLES, Failure
from ...store import Record
from .links import locate, url, was_not_found

KIND = "compute.operations"
_MESSAGES = {
    400: "BAD REQUEST",
    404: "NOT FOUND",
    409: "CONFLICT",
    500: "INTERNAL SERVER ERROR",
    503: "SERVICE UNAVAILABLE",
}
# reason of a request error -> code in an operation's error
_CODES = {
    "resourceInUseByAnotherResource": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
    "resourceNotReady": "RESOURCE_NOT_READY",
    "notFound": "RESOURCE_NOT_FOUND",
    "invalid": "INVALID_FIELD_VALUE",
}


def _name(clock: Clock) -> str:
    return f"operation-{int(clock.now() * 1000)}-{hexes(13)}-{hexes(8)}-{hexes(8)}"


def begin(
    call: Call,
    target: Record,
    kind: str,
    *,
    scope: str,
    work: str | None = None,
    arguments: dict[str, Any] | None = None,
    done: bool = False,
) -> dict[str, Any]:
    """Starts an operation on `target` and returns the first answer: RUNNING, or DONE where Google's first answer is.

    Args:
        kind: the operationType.
        scope: `projects/P/global`, `projects/P/regions/R` or `projects/P/zones/Z`.
        work: the name of what happens behind it (jobs.WORKS).
        done: the first answer already says DONE.
    """
    name, now = _name(call.clock), call.clock.pacific()
    key = f"{scope}/operations/{name}"
    body = {
        "kind": "compute#operation",
        "id": new_id(call.tx),
        "name": name,
        "operationType": kind,
        "targetLink": url(target.key),
        "targetId": target.body.get("id", "0"),
        "status": "RUNNING",
        "user": call.principal.email,
        "progress": 0,
        "insertTime": now,
        "startTime": now,
        "selfLink": url(key),
    }
    parts = scope.split("/")
    if len(parts) > 3 and parts[2] in ("regions", "zones"):
        body[parts[2].removesuffix("s")] = url(scope)
    operation = Record(KIND, key, body, {"target": target.key})
    delay = 0.0 if done else call.clock.delay(call.method.id)
    call.cloud.jobs.start(call.tx, operation, work, arguments or {}, delay)
    if request_id := call.query.get("requestId"):
        call.tx.put(Record("compute.requests", f"{call.method.id} {request_id}", {}, {"operation": key}))
    if done:
        stored = call.tx.get(KIND, key)
        return stored.body if stored else body
    return body


def repeated(call: Call) -> dict[str, Any] | None:
    """The operation of an earlier call with the same request id, if there was one."""
    request_id = call.query.get("requestId")
    if not request_id:
        return None
    earlier = call.tx.get("compute.requests", f"{call.method.id} {request_id}")
    operation = call.tx.get(KIND, earlier.hidden["operation"]) if earlier else None
    return operation.body if operation else None


def _end(cloud: Cloud, operation: Record, failure: Failure | None, response: Any) -> None:
    del response
    operation.body.update(status="DONE", progress=100, endTime=cloud.clock.pacific())
    if failure:
        code = _CODES.get(failure.reason, failure.reason)
        error: dict[str, Any] = {"code": code, "message": failure.message}
        if failure.details:
            error["errorDetails"] = list(failure.details)
        operation.body["error"] = {"errors": [error]}
        operation.body["httpErrorStatusCode"] = failure.code
        operation.body["httpErrorMessage"] = _MESSAGES.get(failure.code, "BAD REQUEST")


STYLES[KIND] = _end


def pending_on(call: Call, key: str) -> Record | None:
    """The operation under way on a resource, if any."""
    if call.clock.scale == 0 and not call.tx.list("world.jobs"):
        return None
    project = "/".join(key.split("/")[:2])
    waiting = [job for job in call.tx.list("world.jobs", project) if job.hidden["kind"] == KIND]
    operations = [call.tx.get(KIND, job.key) for job in waiting]
    return next((item for item in operations if item and item.hidden["target"] == key), None)


def read(call: Call) -> dict[str, Any]:
    """get, wait, list, delete, aggregatedList of operations."""
    place = locate(call)
    if call.method.verb == "list":
        items = [record.body for record in call.tx.list(KIND, f"{place.scope}/operations/")]
        items.sort(key=lambda item: str(item["insertTime"]), reverse=True)
        result = {
            "kind": "compute#operationList",
            "id": f"{place.scope}/operations",
            "selfLink": url(f"{place.scope}/operations"),
        }
        return {**result, "items": items} if items else result
    values = {**call.path, "project": call.project}
    key = f"{place.scope}/operations/{values['operation']}"
    record = call.tx.get(KIND, key)
    if record is None:
        raise was_not_found(key)
    if call.method.verb == "delete":
        if record.hidden.get("pending"):
            raise ApiError(400, f"The resource '{key}' is not ready", "resourceNotReady")
        call.tx.delete(KIND, key)
        return {}
    return record.body
