"""Secret Manager (recordings/secretmanager); everything is synchronous, names show the project's number."""

from __future__ import annotations

import base64
import re
from typing import Any

import google_crc32c

from ..clock import zulu
from ..core import Call, handles, hexes
from ..errors import ApiError
from ..filters import matches, page
from ..store import Record
from .collections import Collection, authorize_by_resource
from .masks import apply_mask

_HOST = "secretmanager.googleapis.com"
SECRETS = Collection(
    "secretmanager.secrets",
    "secrets",
    "secretId",
    "secrets",
    lambda name: f"Secret [{name}] not found.",
    _HOST,
    True,
    "Secret [{name}] already exists.",
)
VERSIONS = "secretmanager.versions"
authorize_by_resource("secretmanager", _HOST, numbered=True)
_MAXIMUM = 65536


def _etag() -> str:
    return f'"{hexes(14)}"'


def _expire(call: Call, body: dict[str, Any]) -> None:
    """`ttl` is never returned, the time it leads to is."""
    if ttl := body.pop("ttl", None):
        body["expireTime"] = zulu(call.clock.now() + float(str(ttl).rstrip("s")))


@handles("secretmanager.projects.secrets.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a secret, which holds no value yet."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", str(call.query.get("secretId", ""))):
        text = "The provided Secret ID does not match the expected format [[a-zA-Z_0-9]+]."
        raise ApiError(400, text, "badRequest")
    if not call.body.get("replication"):
        raise ApiError(400, "Field [secret.replication] is required.", "badRequest")
    name = SECRETS.new(call)
    body = {**call.body, "name": name, "createTime": call.clock.zulu(), "etag": _etag()}
    _expire(call, body)
    call.tx.put(Record(SECRETS.kind, name, body))
    return body


@handles("secretmanager.projects.secrets.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a secret (not of its value)."""
    return SECRETS.find(call, call.path["name"]).body


@handles("secretmanager.projects.secrets.list")
def list_secrets(call: Call) -> dict[str, Any]:
    """The secrets of a project."""
    answer = SECRETS.list(call, lambda record: record.body)
    return {**answer, "totalSize": len(answer.get("secrets", []))}


@handles("secretmanager.projects.secrets.patch")
def patch(call: Call) -> dict[str, Any]:
    """PATCH by mask."""
    record = SECRETS.find(call, call.path["name"])
    _check_etag(record, call.body.get("etag"))
    given = dict(call.body)
    mask = str(call.query.get("updateMask", ""))
    _expire(call, given)
    apply_mask(record.body, given, mask.replace("ttl", "expireTime"))
    record.body["etag"] = _etag()
    call.tx.put(record)
    return record.body


def _check_etag(record: Record, given: Any) -> None:
    if given and given != record.body["etag"]:
        text = "The etag provided in the request does not match the resource's current etag."
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")


@handles("secretmanager.projects.secrets.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE with all versions."""
    record = SECRETS.find(call, call.path["name"])
    _check_etag(record, call.query.get("etag"))
    for version in call.tx.list(VERSIONS, f"{record.key}/versions/"):
        call.tx.delete(VERSIONS, version.key)
    call.tx.delete(SECRETS.kind, record.key)
    call.tx.delete("iam.policies", f"//{_HOST}/{record.key}")
    return {}


@handles(*(f"secretmanager.projects.secrets.{verb}" for verb in ("getIamPolicy", "setIamPolicy", "testIamPermissions")))
def policy(call: Call) -> dict[str, Any]:
    """Who may do what with a secret."""
    return SECRETS.policy(call)


@handles("secretmanager.projects.secrets.addVersion")
def add_version(call: Call) -> dict[str, Any]:
    """A new value."""
    record = SECRETS.find(call, call.path["parent"])
    payload = call.body.get("payload", {})
    data = base64.b64decode(payload.get("data", ""))
    if not data or len(data) > _MAXIMUM:
        raise ApiError(400, f"The payload must be 1 to {_MAXIMUM} bytes; it has {len(data)}.", "badRequest")
    checksum = str(google_crc32c.value(data))
    if payload.get("dataCrc32c", checksum) != checksum:
        raise ApiError(400, "The checksum provided does not match the payload.", "badRequest")
    number = record.hidden.get("versions", 0) + 1
    record.hidden["versions"] = number
    call.tx.put(record)
    name = f"{record.key}/versions/{number}"
    replication = {"automatic": {}} if "automatic" in record.body["replication"] else record.body["replication"]
    body = {
        "name": name,
        "createTime": call.clock.zulu(),
        "state": "ENABLED",
        "replicationStatus": _status(replication),
        "etag": _etag(),
        **({"clientSpecifiedPayloadChecksum": True} if "dataCrc32c" in payload else {}),
    }
    call.tx.put(Record(VERSIONS, name, body, {"data": payload["data"], "checksum": checksum}))
    return body


def _status(replication: dict[str, Any]) -> dict[str, Any]:
    if "automatic" in replication:
        return {"automatic": {}}
    replicas = replication.get("userManaged", {}).get("replicas", [])
    return {"userManaged": {"replicas": [{"location": item["location"]} for item in replicas]}}


def _version(call: Call) -> Record:
    parts = call.path["name"].split("/")
    secret = SECRETS.find(call, "/".join(parts[:4]))
    number = parts[5]
    if number == "latest":
        versions = sorted(
            call.tx.list(VERSIONS, f"{secret.key}/versions/"), key=lambda item: int(item.key.rpartition("/")[2])
        )
        alive = [item for item in versions if item.body["state"] != "DESTROYED"]
        number = (alive or versions)[-1].key.rpartition("/")[2] if versions else "latest"
    record = call.tx.get(VERSIONS, f"{secret.key}/versions/{number}")
    if record is None:
        text = f"Secret Version [{secret.key}/versions/{number}] not found."
        if parts[5] == "latest":
            text = f"Secret [{secret.key}] not found or has no versions."
        raise ApiError(404, text, "notFound")
    return record


@handles("secretmanager.projects.secrets.versions.get")
def get_version(call: Call) -> dict[str, Any]:
    """GET of a version (not of its value)."""
    return _version(call).body


@handles("secretmanager.projects.secrets.versions.list")
def list_versions(call: Call) -> dict[str, Any]:
    """The versions of a secret, the newest first."""
    secret = SECRETS.find(call, call.path["parent"])
    found = call.tx.list(VERSIONS, f"{secret.key}/versions/")
    found.sort(key=lambda item: -int(item.key.rpartition("/")[2]))
    items = [item.body for item in found if matches(item.body, call.query.get("filter"))]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("pageSize") or 100))
    answer = {**({"versions": chosen} if chosen else {}), "totalSize": len(items)}
    return {**answer, **({"nextPageToken": more} if more else {})}


@handles("secretmanager.projects.secrets.versions.access")
def access(call: Call) -> dict[str, Any]:
    """The value."""
    record = _version(call)
    if record.body["state"] != "ENABLED":
        text = f"Secret Version [{record.key}] is in {record.body['state']} state."
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    return {"name": record.key, "payload": {"data": record.hidden["data"], "dataCrc32c": record.hidden["checksum"]}}


@handles(*(f"secretmanager.projects.secrets.versions.{verb}" for verb in ("enable", "disable", "destroy")))
def set_state(call: Call) -> dict[str, Any]:
    """Turns a version on or off, or destroys its value for good."""
    record = _version(call)
    if record.body["state"] == "DESTROYED":
        text = f"Secret Version [{record.key}] is in DESTROYED state."
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    record.body["state"] = {"enable": "ENABLED", "disable": "DISABLED", "destroy": "DESTROYED"}[call.method.verb]
    if call.method.verb == "destroy":
        record.body["destroyTime"] = call.clock.zulu()
        record.hidden = {}
    record.body["etag"] = _etag()
    call.tx.put(record)
    return record.body
