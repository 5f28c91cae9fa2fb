"""IAM policies on Compute resources."""

from __future__ import annotations

from typing import Any

from ...core import HANDLERS, Call
from .. import policies
from .generic import fetch
from .links import locate

_COLLECTIONS = (
    "instances",
    "subnetworks",
    "disks",
    "backendServices",
    "backendBuckets",
    "firewallPolicies",
    "instanceTemplates",
)


def _resource(call: Call) -> str:
    return f"//compute.googleapis.com/{fetch(call, str(locate(call).key)).key}"


def _get(call: Call) -> dict[str, Any]:
    return policies.read(call, _resource(call))


def _set(call: Call) -> dict[str, Any]:
    given = call.body.get("policy") or {name: call.body[name] for name in ("bindings", "etag") if name in call.body}
    return policies.write(call, _resource(call), given)


def _test(call: Call) -> dict[str, Any]:
    return policies.test(call, (_resource(call),), call.body.get("permissions", []))


for _name in _COLLECTIONS:
    HANDLERS[f"compute.{_name}.getIamPolicy"] = _get
    HANDLERS[f"compute.{_name}.setIamPolicy"] = _set
    HANDLERS[f"compute.{_name}.testIamPermissions"] = _test
