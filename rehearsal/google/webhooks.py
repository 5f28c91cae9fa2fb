"""Webhooks of GKE's control planes: Google tokens become users, IAM roles become permissions in the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .core import Cloud, Request, Response, lineage

_VERBS = {
    "list": "list",
    "watch": "list",
    "get": "get",
    "create": "create",
    "update": "update",
    "patch": "update",
    "delete": "delete",
    "deletecollection": "delete",
}


def answer(cloud: Cloud, request: Request) -> Response:
    """POST /_webhooks/authenticate/<cluster key> and /_webhooks/authorize/<cluster key>.

    The key is in the path because the API server drops a query from a webhook's address.
    """
    review = request.json()
    kind, _, cluster = request.path.removeprefix("/_webhooks/").partition("/")
    if not isinstance(review, dict) or not cluster.startswith("projects/"):
        return Response({"error": "a review is wanted, at /_webhooks/<kind>/projects/P/locations/L/clusters/C"}, 400)
    if kind == "authenticate":
        status = _authenticate(cloud, review, cluster)
    elif kind == "authorize":
        status = _authorize(cloud, review, cluster.split("/")[1])
    else:
        return Response({"error": f"no webhook {kind}"}, 404)
    return Response({"apiVersion": review.get("apiVersion"), "kind": review.get("kind"), "status": status})


def _authenticate(cloud: Cloud, review: dict[str, Any], cluster: str) -> dict[str, Any]:
    principal = cloud.identities.identify(review.get("spec", {}).get("token", ""))
    if principal is None:
        return {"authenticated": False}
    groups = ["system:authenticated", *_told(cloud, cluster, principal.groups)]
    return {"authenticated": True, "user": {"username": principal.email, "uid": principal.email, "groups": groups}}


def _told(cloud: Cloud, cluster: str, groups: Iterable[str]) -> list[str]:
    """Those of somebody's groups that the API server hears of: the ones nested in the cluster's security group."""
    with cloud.store.transaction() as tx:
        found = tx.get("container.clusters", cluster)
        config = found.body.get("authenticatorGroupsConfig", {}) if found else {}
        security = tx.get("world.groups", str(config.get("securityGroup"))) if config.get("enabled") else None
    return [group for group in groups if security and group in security.body["members"]]


def _authorize(cloud: Cloud, review: dict[str, Any], project: str) -> dict[str, Any]:
    """IAM only ever allows; RBAC beside it may allow what IAM does not."""
    spec = review.get("spec", {})
    user = spec.get("user", "")
    if "@" not in user or user.startswith("system:"):
        return {"allowed": False}
    permission = _permission(spec)
    with cloud.store.transaction() as tx:
        allowed = cloud.access(tx).allowed(cloud.identities.principal(user), permission, lineage(project))
    return {"allowed": allowed, "reason": f"IAM permission {permission}" if allowed else ""}


def _permission(spec: dict[str, Any]) -> str:
    """The container.* permission that guards a request to the cluster's API."""
    attributes = spec.get("resourceAttributes")
    if not attributes:
        return (
            "container.clusters.connect"
            if spec.get("nonResourceAttributes", {}).get("verb") == "get"
            else "container.clusters.update"
        )
    resource = str(attributes.get("resource", "")) or "thirdPartyObjects"
    known = _NAMES.get(resource, "thirdPartyObjects" if "." in str(attributes.get("group", "")) else resource)
    verb = _VERBS.get(str(attributes.get("verb", "")), "update")
    if attributes.get("subresource") in ("exec", "attach", "portforward", "proxy"):
        verb = {"portforward": "portForward"}.get(attributes["subresource"], attributes["subresource"])
    return f"container.{known}.{verb}"


_NAMES = {
    "clusterrolebindings": "clusterRoleBindings", "clusterroles": "clusterRoles", "configmaps": "configMaps",
    "cronjobs": "cronJobs", "customresourcedefinitions": "customResourceDefinitions", "daemonsets": "daemonSets",
    "endpointslices": "endpointSlices", "limitranges": "limitRanges", "networkpolicies": "networkPolicies",
    "persistentvolumeclaims": "persistentVolumeClaims", "persistentvolumes": "persistentVolumes",
    "poddisruptionbudgets": "podDisruptionBudgets", "priorityclasses": "priorityClasses", "replicasets": "replicaSets",
    "resourcequotas": "resourceQuotas", "rolebindings": "roleBindings", "serviceaccounts": "serviceAccounts",
    "statefulsets": "statefulSets", "storageclasses": "storageClasses",
    "mutatingwebhookconfigurations": "mutatingWebhookConfigurations",
    "validatingwebhookconfigurations": "validatingWebhookConfigurations",
    "horizontalpodautoscalers": "horizontalPodAutoscalers",
}  # fmt: skip
