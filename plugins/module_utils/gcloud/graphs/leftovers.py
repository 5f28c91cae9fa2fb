"""What a GKE cluster that is gone has left in its network: firewall rules, network endpoint groups, volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..compare import short
from ..errors import DISABLED, PlatformError
from ..kinds.leftovers import DISK, NETWORK_ENDPOINT_GROUP
from ..kinds.network import FIREWALL
from ..model import Caller, Kind, Resource, Spec

GKE_RULES = ("gke-", "k8s-", "k8s2-")
CLUSTER_LABEL = "goog-k8s-cluster-name"


def leftovers_graph(options: Mapping[str, Any], api: Caller) -> list[Resource]:
    """Everything that GKE left, as resources to be removed; volumes only if ``volumes`` says so.

    Raises PlatformError where the cluster is still there: what it made is then in use.
    """
    project, cluster = options["project"], options["cluster"]
    _refuse_running(api, project, cluster)
    found = [*_rules(api, project, options["network"]), *_groups(api, project, options["network"])]
    return [*found, *_disks(api, project, cluster)] if options.get("volumes") else found


def volumes_left(api: Caller, project: str, cluster: str) -> list[str]:
    """The titles of the cluster's volumes that are still there."""
    return [resource.title for resource in _disks(api, project, cluster)]


def _refuse_running(api: Caller, project: str, cluster: str) -> None:
    parent = f"projects/{project}/locations/-"
    found = _ask(lambda: api.call("container", "listClusters", {"parent": parent}), "list", f"clusters of {project}")
    for entry in (found or {}).get("clusters") or []:
        if entry["name"] == cluster:
            raise PlatformError(
                f"it is still there ({entry.get('status', 'in an unknown state')})",
                action="remove",
                resource=f"what cluster {cluster} left",
                reason="inUse",
                hint="Remove the cluster first (role cluster with cluster_state: absent).",
            )


def _rules(api: Caller, project: str, network: str) -> Iterator[Resource]:
    link = f"projects/{project}/global/networks/{network}"
    params = {"project": project}
    listed = _ask(lambda: api.pages("compute", "firewalls.list", params), "list", f"firewall rules of {project}")
    for rule in listed or []:
        if short(rule["network"]) == link and rule["name"].startswith(GKE_RULES):
            yield _gone(FIREWALL, rule, params)


def _groups(api: Caller, project: str, network: str) -> Iterator[Resource]:
    link = f"projects/{project}/global/networks/{network}"
    for group in _everywhere(api, project, "networkEndpointGroups"):
        # GKE writes {"cluster-uid": ..., "service-name": ...} into the description of those it makes
        if short(group.get("network", "")) == link and "cluster-uid" in group.get("description", ""):
            yield _gone(NETWORK_ENDPOINT_GROUP, group, {"project": project, "zone": _last(group["zone"])})


def _disks(api: Caller, project: str, cluster: str) -> Iterator[Resource]:
    for disk in _everywhere(api, project, "disks"):
        if (disk.get("labels") or {}).get(CLUSTER_LABEL) == cluster and disk.get("zone"):
            yield _gone(DISK, disk, {"project": project, "zone": _last(disk["zone"])})


def _everywhere(api: Caller, project: str, collection: str) -> list[Spec]:
    def read() -> list[Spec]:
        return api.pages("compute", f"{collection}.aggregatedList", {"project": project})

    scopes = _ask(read, "list", f"{collection} of {project}") or []
    return [entry for scope in scopes for entry in scope.get(collection) or []]


def _ask(read: Callable[[], Any], action: str, what: str) -> Any:
    """What *read* finds; None while its API is off."""
    try:
        return read()
    except PlatformError as error:
        if error.reason in DISABLED:
            return None
        raise error.about(action, what) from error


def _gone(kind: Kind, entry: Spec, params: dict[str, str]) -> Resource:
    return Resource(kind, entry["name"], {}, params, unwanted=True)


def _last(url: str) -> str:
    return url.rsplit("/", 1)[-1]
