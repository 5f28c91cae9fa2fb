"""Which permission a method needs, and whether a principal has it."""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from .auth import Principal
from .conditions import holds
from .store import Transaction

_VERBS = {
    "insert": "create",
    "patch": "update",
    "aggregatedList": "list",
    "batchGet": "get",
    "wait": "get",
    "batchEnable": "enable",
    "search": "get",
}

# Where Google's permission does not follow from the method's name.
_EXCEPTIONS: dict[str, str | None] = {
    "compute.securityPolicies.addRule": "compute.securityPolicies.update",
    "compute.securityPolicies.patchRule": "compute.securityPolicies.update",
    "compute.securityPolicies.removeRule": "compute.securityPolicies.update",
    "compute.securityPolicies.getRule": "compute.securityPolicies.get",
    "compute.networkEndpointGroups.listNetworkEndpoints": "compute.networkEndpointGroups.get",
    "compute.backendServices.getHealth": "compute.backendServices.get",
    "compute.regionBackendServices.getHealth": "compute.regionBackendServices.get",
    "compute.backendServices.addSignedUrlKey": "compute.backendServices.addSignedUrlKey",
    "compute.instanceGroups.listInstances": "compute.instanceGroups.get",
    "compute.instanceGroups.addInstances": "compute.instanceGroups.update",
    "compute.instanceGroups.removeInstances": "compute.instanceGroups.update",
    "compute.instanceGroups.setNamedPorts": "compute.instanceGroups.update",
    "compute.projects.enableXpnHost": "compute.organizations.enableXpnHost",
    "compute.projects.disableXpnHost": "compute.organizations.disableXpnHost",
    "compute.targetHttpsProxies.setCertificateMap": "compute.targetHttpsProxies.update",
    "compute.routers.getNatMappingInfo": "compute.routers.get",
    "compute.routers.getRouterStatus": "compute.routers.get",
    "compute.addresses.testIamPermissions": None,
    **{
        f"compute.{kind}.{verb}": f"compute.firewallPolicies.{'get' if verb.startswith('get') else 'update'}"
        for kind in ("firewallPolicies", "networkFirewallPolicies")
        for verb in (
            "getRule",
            "addRule",
            "patchRule",
            "removeRule",
            "getAssociation",
            "addAssociation",
            "removeAssociation",
        )
    },
    "container.projects.locations.getServerConfig": "container.clusters.list",
    "container.projects.zones.getServerconfig": "container.clusters.list",
    "iam.projects.serviceAccounts.keys.create": "iam.serviceAccountKeys.create",
    "iam.projects.serviceAccounts.keys.upload": "iam.serviceAccountKeys.create",
    "iam.projects.serviceAccounts.keys.delete": "iam.serviceAccountKeys.delete",
    "iam.projects.serviceAccounts.keys.get": "iam.serviceAccountKeys.get",
    "iam.projects.serviceAccounts.keys.list": "iam.serviceAccountKeys.list",
    "iam.projects.serviceAccounts.signJwt": "iam.serviceAccounts.signJwt",
    "iam.projects.locations.workloadIdentityPools.operations.get": "iam.workloadIdentityPools.get",
    "iamcredentials.projects.serviceAccounts.generateAccessToken": "iam.serviceAccounts.getAccessToken",
    "iamcredentials.projects.serviceAccounts.generateIdToken": "iam.serviceAccounts.getOpenIdToken",
    "iam.roles.get": None,
    "iam.roles.list": None,
    "iam.permissions.queryTestablePermissions": None,
    "cloudbilling.projects.getBillingInfo": "resourcemanager.projects.get",
    "cloudbilling.projects.updateBillingInfo": "resourcemanager.projects.createBillingAssignment",
    "secretmanager.projects.secrets.addVersion": "secretmanager.versions.add",
    "servicenetworking.services.connections.create": "servicenetworking.services.addPeering",
    "servicenetworking.services.connections.patch": "servicenetworking.services.addPeering",
    "servicenetworking.services.connections.deleteConnection": "servicenetworking.services.deleteConnection",
    "servicenetworking.services.connections.list": "servicenetworking.services.get",
    "serviceusage.services.generateServiceIdentity": "serviceusage.services.enable",
    "storage.objects.compose": "storage.objects.create",
    "storage.objects.rewrite": "storage.objects.create",
    "storage.objects.copy": "storage.objects.create",
    "storage.projects.serviceAccount.get": "resourcemanager.projects.get",
    "storage.bucketAccessControls.list": "storage.buckets.getIamPolicy",
    "sql.operations.get": "cloudsql.instances.get",
    "sql.operations.list": "cloudsql.instances.list",
    "sql.flags.list": None,
    "sql.tiers.list": None,
}
_COLLECTIONS = {
    "certificatemanager.certificates": "certificatemanager.certs",
    "certificatemanager.certificateMaps": "certificatemanager.certmaps",
    "certificatemanager.certificateMapEntries": "certificatemanager.certmapentries",
    "certificatemanager.dnsAuthorizations": "certificatemanager.dnsauthorizations",
    "container.nodePools": "container.clusters",
    "iam.providers": "iam.workloadIdentityPoolProviders",
    "iap.destGroups": "iap.tunnelDestGroups",
}
# Operations of these services are read without a permission of their own.
_FREE = {"serviceusage", "servicenetworking", "cloudresourcemanager", "oslogin", "oauth2", "iap"}


def needed(method: str, prefix: str) -> str | None:
    """The permission that `method` (its id) of a service with this permission prefix needs; None: none, or the
    behaviour checks for itself."""
    if method in _EXCEPTIONS:
        return _EXCEPTIONS[method]
    service, *middle, verb = method.split(".")
    if verb == "testIamPermissions" or (service in _FREE and (not middle or middle[-1] == "operations")):
        return None
    collection = middle[-1] if middle else service
    if service == "container" and collection == "nodePools" and verb not in ("get", "list"):
        verb = "update"
    base = f"{prefix}.{collection}"
    if (service == "container" and middle == ["projects", "locations", "clusters"]) or base == "container.clusters":
        verb = verb if verb in ("get", "list", "create", "delete", "update", "patch") else "update"
    return f"{_COLLECTIONS.get(base, base)}.{_VERBS.get(verb, verb)}"


@cache
def roles() -> dict[str, dict[str, Any]]:
    """The predefined roles that are known here, by name (data/roles.json; contents as Google documents them)."""
    loaded: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "roles.json").read_text())
    return loaded


@cache
def grants(role: str, permission: str) -> bool:
    """Whether the predefined role contains the permission."""
    definition = roles().get(role)
    if definition is None:
        return False
    return any(fnmatch.fnmatchcase(permission, item) for item in definition["permissions"]) and not any(
        fnmatch.fnmatchcase(permission, item) for item in definition.get("without", [])
    )


@cache
def _services() -> frozenset[str]:
    """The first words of all permissions in the predefined roles."""
    names = {item.partition(".")[0] for role in roles().values() for item in role["permissions"]}
    return frozenset(names - {"*"})


def known(permission: str) -> bool:
    """Whether a permission can be: of a service that is known here, and in the form service.resource.verb."""
    parts = permission.split(".")
    return len(parts) == 3 and all(parts) and parts[0] in _services()


def granted_roles(
    policy: dict[str, Any],
    members: Iterable[str],
    resource: str,
    now: float,
    request: Mapping[str, str] | None = None,
) -> set[str]:
    """The roles that a policy gives to any of the members, for `resource`, `request` and `now` where conditions ask."""
    wanted = set(members)
    return {
        item["role"]
        for item in policy.get("bindings", [])
        if wanted & set(item.get("members", []))
        and ("condition" not in item or holds(str(item["condition"].get("expression", "")), resource, now, request))
    }


class Access:
    """Answers whether somebody may do something, from the policies in the state.

    Args:
        now: seconds since the epoch, for conditions.
        lag: how many seconds after its change a policy takes effect.
        request: host and path of the web request that it is about, for conditions.
    """

    def __init__(
        self, tx: Transaction, now: float | None = None, lag: float = 0.0, request: Mapping[str, str] | None = None
    ) -> None:
        self._tx = tx
        self._request = request
        self._now = time.time() if now is None else now
        self._lag = lag

    def _policy(self, resource: str) -> dict[str, Any]:
        """The policy in effect: that before the change while the change is younger than the lag."""
        record = self._tx.get("iam.policies", resource)
        if record is None:
            return {}
        young = self._lag and self._now - float(record.hidden.get("changed", 0.0)) < self._lag
        return dict(record.hidden.get("before") or {}) if young else record.body

    def allowed(self, principal: Principal, permission: str, resources: Iterable[str]) -> bool:
        """Whether any policy on `resources` (a resource and its ancestors) grants the permission."""
        members = self._members(principal, resources := tuple(resources))
        target = resources[0] if resources else ""
        for resource in resources:
            held = granted_roles(self._policy(resource), members, target, self._now, self._request)
            if any(self._grants(role, permission) for role in held):
                return True
        return False

    def _members(self, principal: Principal, resources: tuple[str, ...]) -> frozenset[str]:
        """All ways in which policies may mean the principal, `projectViewer:` and its like among them."""
        members = _with_convenience(principal)
        marker = "//cloudresourcemanager.googleapis.com/projects/"
        if not resources or not resources[-1].startswith(marker):
            return members
        policy, project = self._policy(resources[-1]), resources[-1].removeprefix(marker)
        held = granted_roles(policy, members, resources[-1], self._now)
        words = {"roles/owner": "projectOwner", "roles/editor": "projectEditor", "roles/viewer": "projectViewer"}
        return members | {f"{word}:{project}" for role, word in words.items() if role in held}

    def _grants(self, role: str, permission: str) -> bool:
        if not role.startswith("projects/") and not role.startswith("organizations/"):
            return grants(role, permission)
        custom = self._tx.get("iam.roles", role)
        return custom is not None and permission in custom.body.get("includedPermissions", [])


def _with_convenience(principal: Principal) -> frozenset[str]:
    """Both ways of writing a pod's identity in policies."""
    members = set(principal.members)
    marker = ".svc.id.goog/subject/ns/"
    if principal.email.startswith("principal://") and marker in principal.email:
        head, _, tail = principal.email.partition(marker)
        namespace, _, account = tail.partition("/sa/")
        members.add(f"serviceAccount:{head.rpartition('/')[2]}.svc.id.goog[{namespace}/{account}]")
    return frozenset(members)
