"""IAM policies on resources, written once: read, replace with optimistic locking, test permissions."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from ..conditions import BadCondition, compiled, operators
from ..core import Call, lineage
from ..errors import ApiError
from ..limits import late
from ..permissions import roles
from ..store import Record

_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer|"
    r"deleted:\w+):.+|(principal|principalSet)://iam\.googleapis\.com/.+"
)
# IAM's limit on one condition.
_MOST_OPERATORS = 12
_CONFLICT = (
    "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff. "
    "The request's ETag '{given}' did not match the current policy's ETag '{current}'."
)


def _etag(record: Record | None, resource: str) -> str:
    revision = record.hidden.get("revision", 0) if record else 0
    if record is None:
        return "ACAB"
    return base64.b64encode(b"\x07" + hashlib.sha256(f"{resource} {revision}".encode()).digest()[:7]).decode()


def read(call: Call, resource: str) -> dict[str, Any]:
    """The policy of a resource as getIamPolicy answers; one never set has an etag only."""
    record = call.tx.get("iam.policies", resource)
    policy: dict[str, Any] = {"etag": _etag(record, resource)}
    if record is not None:
        policy["version"] = 3 if any("condition" in item for item in record.body.get("bindings", [])) else 1
        if record.body.get("bindings"):
            policy["bindings"] = record.body["bindings"]
        if record.body.get("auditConfigs"):
            policy["auditConfigs"] = record.body["auditConfigs"]
    return policy


def write(call: Call, resource: str, policy: dict[str, Any]) -> dict[str, Any]:
    """Replaces the policy of a resource.

    Raises:
        ApiError: 409 ABORTED for a stale etag, 400 for a member or role that cannot be.
    """
    record = call.tx.get("iam.policies", resource)
    current, given = _etag(record, resource), policy.get("etag")
    if given and given != current:
        text = _CONFLICT.format(given=given, current=current)
        raise ApiError(409, text, "aborted", status="ABORTED")
    bindings = _bindings(call, policy.get("bindings") or [])
    revision = record.hidden.get("revision", 0) + 1 if record else 1
    body: dict[str, Any] = {"version": 1, "bindings": bindings}
    if policy.get("auditConfigs"):
        body["auditConfigs"] = policy["auditConfigs"]
    now, hidden = call.clock.now(), record.hidden if record else {}
    lag = call.cloud.limits.seconds("policies")
    before: dict[str, Any] = record.body if record else {}
    if lag and now - float(hidden.get("changed", 0.0)) < lag:
        before = hidden.get("before") or {}  # what was in effect all the while
    more = {"changed": now, "before": before} if lag else {}
    call.tx.put(Record("iam.policies", resource, body, {"revision": revision, **more}))
    return read(call, resource)


def _bindings(call: Call, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for item in given:
        _check_role(call, item.get("role", ""))
        key = f"{item['role']} {item.get('condition')}"
        _check_condition(item.get("condition"))
        binding = merged.setdefault(key, {**item, "members": []})
        for member in item.get("members", []):
            _check_member(call, member)
            if member not in binding["members"]:
                binding["members"].append(member)
    return sorted((item for item in merged.values() if item["members"]), key=lambda item: str(item["role"]))


def _check_condition(condition: dict[str, Any] | None) -> None:
    if condition is None:
        return
    expression = str(condition.get("expression", ""))
    try:
        compiled(expression)
    except BadCondition as error:
        text = f"Condition expression compilation failed: {error}."
        raise ApiError(400, text, "badRequest") from error
    if (count := operators(expression)) > _MOST_OPERATORS:
        text = f"Condition expression has {count} logical operators; the maximum is {_MOST_OPERATORS}."
        raise ApiError(400, text, "badRequest")


def _check_role(call: Call, role: str) -> None:
    if role.startswith(("projects/", "organizations/")):
        if call.tx.get("iam.roles", role) is None:
            raise ApiError(400, f"Role {role} does not exist in the resource's hierarchy.", "badRequest")
    elif role not in roles() and not role.startswith("roles/"):
        raise ApiError(400, f"Role {role} is not supported for this resource.", "badRequest")


def _check_member(call: Call, member: str) -> None:
    if not _MEMBER.fullmatch(member):
        raise ApiError(400, f"Invalid principal type in member: {member}", "badRequest")
    kind, _, email = member.partition(":")
    project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    if kind == "serviceAccount" and call.tx.get("projects", project):
        key = f"projects/{project}/serviceAccounts/{email}"
        unseen = late(call.tx, "iam.serviceAccounts", key, call.cloud.limits.seconds("accounts"), call.clock.now())
        if unseen or call.tx.get("iam.serviceAccounts", key) is None:
            raise ApiError(400, f"Service account {email} does not exist.", "badRequest")


def test(call: Call, resources: tuple[str, ...], permissions: list[str]) -> dict[str, Any]:
    """Which of the permissions the caller has on a resource (its policy or that of an ancestor)."""
    held = [
        item for item in permissions if call.access.allowed(call.principal, item, lineage(call.project, *resources))
    ]
    return {"permissions": held} if held else {}
