"""Buckets (recordings/storage)."""

from __future__ import annotations

import base64
import re
from typing import Any

from ...clock import zulu
from ...core import AUTHORIZERS, Call, Response, handles, lineage
from ...errors import ApiError
from ...filters import page
from ...store import Record
from .. import policies
from ..compute.generic import clean, merge

BUCKETS = "storage.buckets"
OBJECTS = "storage.objects"
_NAME = re.compile(r"[a-z0-9][-a-z0-9_.]{1,220}[a-z0-9]")
_MULTI = {"US": "multi-region", "EU": "multi-region", "ASIA": "multi-region"}
_NINETY_DAYS = 90 * 86400
_SERVER = (
    "id",
    "kind",
    "selfLink",
    "projectNumber",
    "metageneration",
    "etag",
    "timeCreated",
    "updated",
    "locationType",
)


def resource_of(bucket: str) -> str:
    """The full resource name of a bucket."""
    return f"//storage.googleapis.com/projects/_/buckets/{bucket}"


def bucket_of(call: Call) -> str:
    """The bucket that a call is about; `""` for those about a project."""
    for name in ("bucket", "destinationBucket", "sourceBucket"):
        if name in call.path:
            return call.path[name]
    return ""


def _authorize(call: Call, permission: str | None) -> None:
    """Storage names the caller, the permission and the kind of resource."""
    bucket = bucket_of(call)
    record = call.tx.get(BUCKETS, bucket) if bucket else None
    if record is not None:
        call.project = record.hidden["project"]
    resources = lineage(call.project, resource_of(bucket)) if bucket else lineage(call.project)
    permission = _permission(call, permission)
    if permission and not call.access.allowed(call.principal, permission, resources):
        noun = "bucket" if ".buckets." in permission else "object"
        noun = noun if bucket else "project"
        text = (
            f"{call.principal.email} does not have {permission} access to the Google Cloud Storage {noun}. "
            f"Permission '{permission}' denied on resource (or it may not exist)."
        )
        raise ApiError(403, text, "forbidden")


def _permission(call: Call, permission: str | None) -> str | None:
    if call.method.id == "storage.objects.rewrite" and "sourceBucket" in call.path:
        return "storage.objects.create"
    return permission


AUTHORIZERS["storage"] = _authorize


def find(call: Call) -> Record:
    """The bucket of a call.

    Raises:
        ApiError: 404.
    """
    record = call.tx.get(BUCKETS, bucket_of(call))
    if record is None:
        raise ApiError(404, "The specified bucket does not exist.", "notFound")
    return record


def _etag(number: int) -> str:
    """`CAE=` for 1, `CAI=` for 2: a protobuf field in base64."""
    data = b"\x08"
    while number > 0x7F:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return base64.b64encode(data + bytes([number])).decode()


@handles("storage.buckets.insert")
def insert(call: Call) -> dict[str, Any]:
    """POST of a bucket; names are one space for all projects."""
    name = str(call.body.get("name", ""))
    if not _NAME.fullmatch(name) or name.startswith("goog"):
        raise ApiError(400, f"Invalid bucket name: '{name}'", "invalid")
    if existing := call.tx.get(BUCKETS, name):
        own = existing.hidden["project"] == call.project
        text = "Your previous request to create the named bucket succeeded and you already own it."
        other = (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        )
        raise ApiError(409, text if own else other, "conflict")
    given = clean(call.body)
    location = str(given.get("location", "US")).upper()
    now = call.clock.zulu(3)
    body = {
        "storageClass": "STANDARD",
        **given,
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}",
        "projectNumber": call.number,
        "metageneration": "1",
        "etag": "CAE=",
        "location": location,
        "locationType": _MULTI.get(location, "region"),
        "timeCreated": now,
        "updated": now,
        "generation": str(int(call.clock.now() * 1_000_000)),
        "satisfiesPZI": True,
    }
    if body["locationType"] == "multi-region":
        body.setdefault("rpo", "DEFAULT")
    body["softDeletePolicy"] = {
        "retentionDurationSeconds": "604800",
        "effectiveTime": now,
        **given.get("softDeletePolicy", {}),
    }
    _settle(call, body)
    call.tx.put(Record(BUCKETS, name, body, {"project": call.project}))
    _first_policy(call, name, uniform=body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"])
    return body


def _settle(call: Call, body: dict[str, Any]) -> None:
    """Twins and empty members."""
    config = body.setdefault("iamConfiguration", {})
    config.setdefault("publicAccessPrevention", "inherited")
    uniform = config.setdefault("uniformBucketLevelAccess", config.get("bucketPolicyOnly", {"enabled": False}))
    uniform.setdefault("enabled", False)
    if uniform["enabled"]:
        uniform.setdefault("lockedTime", zulu(call.clock.now() + _NINETY_DAYS, 3))
    else:
        uniform.pop("lockedTime", None)
    config["bucketPolicyOnly"] = dict(uniform)
    if not body.get("lifecycle", {}).get("rule", True):
        del body["lifecycle"]
    autoclass = body.get("autoclass")
    if autoclass and autoclass.get("enabled"):
        now = call.clock.zulu(3)
        autoclass.setdefault("toggleTime", now)
        autoclass.setdefault("terminalStorageClass", "NEARLINE")
        autoclass.setdefault("terminalStorageClassUpdateTime", now)
    soft = body.get("softDeletePolicy", {})
    if soft.get("retentionDurationSeconds") == "0":
        soft.pop("effectiveTime", None)


def _first_policy(call: Call, name: str, *, uniform: bool) -> None:
    owners = [f"projectEditor:{call.project}", f"projectOwner:{call.project}"]
    viewers = [f"projectViewer:{call.project}"]
    bindings = [
        {"role": "roles/storage.legacyBucketOwner", "members": owners},
        {"role": "roles/storage.legacyBucketReader", "members": viewers},
    ]
    if uniform:
        bindings.append({"role": "roles/storage.legacyObjectOwner", "members": owners})
        bindings.append({"role": "roles/storage.legacyObjectReader", "members": viewers})
    call.tx.put(Record("iam.policies", resource_of(name), {"version": 1, "bindings": bindings}, {"revision": 1}))


def _shown(call: Call, record: Record, *, full: bool) -> dict[str, Any]:
    """A bucket; with fine-grained access the full projection holds its access lists."""
    body = record.body
    if not full or body["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"]:
        return body
    entries = [
        _acl(record, team, role) for team, role in (("owners", "OWNER"), ("editors", "OWNER"), ("viewers", "READER"))
    ]
    defaults = [
        {
            "kind": "storage#objectAccessControl",
            "entity": entry["entity"],
            "role": entry["role"],
            "etag": body["etag"],
            "projectTeam": entry["projectTeam"],
        }
        for entry in entries
    ]
    del call
    return {**body, "acl": entries, "defaultObjectAcl": defaults, "owner": {"entity": entries[0]["entity"]}}


def _acl(record: Record, team: str, role: str) -> dict[str, Any]:
    number, name = record.body["projectNumber"], record.body["name"]
    entity = f"project-{team}-{number}"
    return {
        "kind": "storage#bucketAccessControl",
        "id": f"{name}/{entity}",
        "selfLink": f"{record.body['selfLink']}/acl/{entity}",
        "bucket": name,
        "entity": entity,
        "role": role,
        "etag": record.body["etag"],
        "projectTeam": {"projectNumber": number, "team": team},
    }


@handles("storage.buckets.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a bucket."""
    return _shown(call, find(call), full=call.query.get("projection") == "full")


@handles("storage.buckets.list")
def list_buckets(call: Call) -> dict[str, Any]:
    """The buckets of a project."""
    records = [item for item in call.tx.list(BUCKETS) if item.hidden["project"] == call.project]
    items = [item.body for item in records if item.key.startswith(call.query.get("prefix", ""))]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("maxResults") or 1000))
    answer: dict[str, Any] = {"kind": "storage#buckets"}
    return {**answer, **({"items": chosen} if chosen else {}), **({"nextPageToken": more} if more else {})}


def check_metageneration(call: Call, record: Record) -> None:
    """The preconditions on metageneration.

    Raises:
        ApiError: 412.
    """
    current = record.body["metageneration"]
    match, other = call.query.get("ifMetagenerationMatch"), call.query.get("ifMetagenerationNotMatch")
    if (match is not None and match != current) or (other is not None and other == current):
        raise ApiError(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")


@handles("storage.buckets.patch", "storage.buckets.update")
def patch(call: Call) -> dict[str, Any]:
    """PATCH or PUT of a bucket; the answer holds the access lists."""
    record = find(call)
    check_metageneration(call, record)
    given = {key: value for key, value in call.body.items() if key not in (*_SERVER, "acl", "defaultObjectAcl")}
    if str(given.get("location", record.body["location"])).upper() != record.body["location"]:
        raise ApiError(400, "The location of a bucket cannot be changed.", "invalid")
    given.pop("location", None)
    record.body = merge(record.body, given)
    number = int(record.body["metageneration"]) + 1
    record.body |= {"metageneration": str(number), "etag": _etag(number), "updated": call.clock.zulu(3)}
    _settle(call, record.body)
    call.tx.put(record)
    return _shown(call, record, full=True)


@handles("storage.buckets.delete")
def delete(call: Call) -> Response:
    """DELETE of an empty bucket."""
    record = find(call)
    check_metageneration(call, record)
    if call.tx.list(OBJECTS, f"{record.key}/"):
        raise ApiError(409, "The bucket you tried to delete is not empty.", "conflict")
    call.tx.delete(BUCKETS, record.key)
    call.tx.delete("iam.policies", resource_of(record.key))
    return Response(None, 204, {"server": "UploadServer"})


def _policy(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket_of(call)}", **answer}


@handles("storage.buckets.getIamPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """The policy of a bucket."""
    return _policy(call, policies.read(call, resource_of(find(call).key)))


@handles("storage.buckets.setIamPolicy")
def set_policy(call: Call) -> dict[str, Any]:
    """Replaces the policy of a bucket; a stale etag is 412 here."""
    record = find(call)
    try:
        return _policy(call, policies.write(call, resource_of(record.key), call.body))
    except ApiError as error:
        if error.code != 409:
            raise
        raise ApiError(412, "Precondition Failed", "conditionNotMet") from error


@handles("storage.buckets.testIamPermissions")
def test_permissions(call: Call) -> dict[str, Any]:
    """Which of the asked permissions the caller has on a bucket."""
    asked = call.query.get("permissions", [])
    answer = policies.test(call, (resource_of(find(call).key),), [asked] if isinstance(asked, str) else asked)
    return {"kind": "storage#testIamPermissionsResponse", **answer}


@handles("storage.projects.serviceAccount.get")
def service_account(call: Call) -> dict[str, Any]:
    """The agent of Cloud Storage in a project."""
    email = f"service-{call.number}@gs-project-accounts.iam.gserviceaccount.com"
    return {"kind": "storage#serviceAccount", "email_address": email}
