"""Google Kubernetes Engine."""

from __future__ import annotations

from ...core import AUTHORIZERS, HANDLERS, Call, lineage
from ...errors import ApiError
from . import clusters, nodepools, operations, updates  # noqa: F401 - importing registers behaviour

for _verb in ("get", "list", "cancel"):
    HANDLERS[f"container.projects.locations.operations.{_verb}"] = operations.read


def _authorize(call: Call, permission: str | None) -> None:
    """GKE names the permission in its own words."""
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project)):
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "container.googleapis.com",
            "metadata": {"permission": permission},
        }
        text = f'Required "{permission}" permission(s) for "projects/{call.project}".'
        raise ApiError(403, text, "forbidden", details=[detail])


AUTHORIZERS["container"] = _authorize
