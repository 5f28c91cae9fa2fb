"""GKE's operations: one at a time for each cluster (recordings/container)."""

from __future__ import annotations

import uuid
from typing import Any

from ...core import Call, Cloud
from ...errors import ApiError
from ...jobs import STYLES, Failure
from ...store import Record

KIND = "container.operations"
_METRICS = (
    "CLUSTER_CONFIGURING",
    "CLUSTER_CONFIGURING_TOTAL",
    "CLUSTER_DEPLOYING",
    "CLUSTER_DEPLOYING_TOTAL",
    "CLUSTER_HEALTHCHECKING",
    "CLUSTER_HEALTHCHECKING_TOTAL",
)


def is_zone(location: str) -> bool:
    """`europe-west1-b` is one, `europe-west1` is not."""
    return location.count("-") == 2


def link(call_or_version: Call | str, key: str, project: str) -> str:
    """A container link: zonal ones use /zones/, regional ones /locations/; `project` is the id or number to show."""
    version = call_or_version if isinstance(call_or_version, str) else call_or_version.document.version
    _, _, _, location, *rest = key.split("/")
    word = "zones" if is_zone(location) else "locations"
    return f"https://container.googleapis.com/{version}/projects/{project}/{word}/{location}/{'/'.join(rest)}"


def begin(
    call: Call,
    target: str,
    kind: str,
    *,
    work: str,
    arguments: dict[str, Any],
    status: str = "RUNNING",
) -> dict[str, Any]:
    """Starts an operation on `target` (a cluster's or node pool's key) and returns the first answer."""
    _, project, _, location, *_ = target.split("/")
    name = f"operation-{int(call.clock.now() * 1000)}-{uuid.uuid4()}"
    key = f"projects/{project}/locations/{location}/operations/{name}"
    body = {
        "name": name,
        "zone": location,
        "operationType": kind,
        "status": status,
        "selfLink": link(call, key, call.number),
        "targetLink": link(call, target, call.number),
        "startTime": call.clock.zulu(9),
    }
    operation = Record(KIND, key, body, {"cluster": "/".join(target.split("/")[:6])})
    call.cloud.jobs.start(call.tx, operation, work, arguments, call.clock.delay(call.method.id))
    return body


def _end(cloud: Cloud, operation: Record, failure: Failure | None, response: Any) -> None:
    del response
    body = operation.body
    body |= {"status": "DONE", "endTime": cloud.clock.zulu(9)}
    if body["operationType"] == "CREATE_CLUSTER":
        body["progress"] = {"metrics": [{"name": name, "intValue": "12"} for name in _METRICS]}
    if failure:
        body["statusMessage"] = failure.message
        body["error"] = {"code": 13 if failure.code >= 500 else 9, "message": failure.message}
    if operation.hidden.get("cancelled"):
        body["status"] = "ABORTING"


STYLES[KIND] = _end


def refuse_if_busy(call: Call, cluster: Record) -> None:
    """400 failedPrecondition while another operation runs on the cluster.

    Raises:
        ApiError: naming that operation.
    """
    busy = [record for record in call.tx.list("world.jobs") if record.hidden["kind"] == KIND]
    for job in busy:
        operation = call.tx.get(KIND, job.key)
        if operation and operation.hidden["cluster"] == cluster.key:
            name = operation.body["name"]
            text = f"Cluster is running incompatible operation {name}."
            if operation.body["operationType"] == "CREATE_CLUSTER":
                what = f"Operation {name} is currently creating cluster {cluster.key.rpartition('/')[2]}."
                text = f"{what} Please wait and try again once it is done."
            raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")


def _shown(call: Call, record: Record) -> dict[str, Any]:
    links = {
        name: record.body[name].replace("/v1/", f"/{call.document.version}/", 1) for name in ("selfLink", "targetLink")
    }
    return {**record.body, **links}


def read(call: Call) -> dict[str, Any]:
    """GET of one operation or of all at a location (`-`: everywhere)."""
    name = call.path.get("name") or call.path.get("parent", "")
    parts = name.replace("/zones/", "/locations/").split("/")
    location = parts[3]
    if call.method.verb == "list":
        head = f"projects/{call.project}/locations/" + ("" if location == "-" else f"{location}/")
        found = sorted(call.tx.list(KIND, head), key=lambda item: str(item.body["startTime"]), reverse=True)
        return {"operations": [_shown(call, record) for record in found]}
    key = f"projects/{call.project}/locations/{location}/operations/{parts[-1]}"
    record = call.tx.get(KIND, key)
    if record is None:
        raise ApiError(404, f"Not found: {key}.", "notFound")
    if call.method.verb == "cancel":
        return _cancel(record)
    return _shown(call, record)


def _cancel(record: Record) -> dict[str, Any]:
    if record.body["operationType"] not in ("UPGRADE_NODES", "UPGRADE_MASTER"):
        text = f"Operation type {record.body['operationType']} cannot be cancelled."
        raise ApiError(400, text, "badRequest")
    return {}
