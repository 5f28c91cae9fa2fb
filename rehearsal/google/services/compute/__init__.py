"""Compute Engine."""

from __future__ import annotations

from ...core import AUTHORIZERS, HANDLERS, Call, lineage
from ...errors import ApiError
from . import (  # noqa: F401 - importing registers behaviour
    addresses,
    armor,
    attachments,
    backends,
    disks,
    endpoints,
    firewall_policies,
    frontend,
    generic,
    groups,
    instances,
    network,
    operations,
    places,
    policies,
    project,
    routing,
)
from .links import locate

for _scope in ("global", "region", "zone"):
    for _verb in ("get", "list", "wait", "delete"):
        HANDLERS[f"compute.{_scope}Operations.{_verb}"] = operations.read


def _authorize(call: Call, permission: str | None) -> None:
    """Compute names the permission and the resource in its own words."""
    if call.method.template.startswith("locations/"):
        _authorize_organization(call, permission)
        return
    place = locate(call)
    target = place.key or (f"projects/{call.project}")
    resource = f"//compute.googleapis.com/{target}"
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project, resource)):
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "compute.googleapis.com",
            "metadata": {"permission": permission, "resource": target},
        }
        raise ApiError(403, f"Required '{permission}' permission for '{target}'", "forbidden", details=[detail])


def _authorize_organization(call: Call, permission: str | None) -> None:
    """Hierarchical firewall policies belong to the organization: its owners are those of the company's project."""
    if permission and not call.access.allowed(call.principal, permission, lineage(call.cloud.config.project)):
        where = call.query.get("parentId") or call.cloud.config.organization
        raise ApiError(403, f"Required '{permission}' permission for '{where}'", "forbidden")


AUTHORIZERS["compute"] = _authorize
