"""What a GKE cluster that is gone has left in its network: firewall rules, network endpoint groups, volumes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..compare import short
from ..errors import DISABLED, PlatformError
from ..kinds.leftovers import DISK, NETWORK_ENDPOINT_GROUP
from ..kinds.network import FIREWALL
from ..model import Caller, Kind, Resource, Spec, lookup

CONTROLLERS_RULES = ("k8s-", "k8s2-")
CLUSTER_LABEL = "goog-k8s-cluster-name"


def leftovers_graph(options: Mapping[str, Any], api: Caller) -> list[Resource]:
    """Everything that GKE left, as resources to be removed; volumes only if ``volumes`` says so.

    Raises PlatformError where the cluster, or another in its network, is there: what it made is then in use, and
    whose the rules and groups of controllers are, they do not tell.
    """
    project, cluster = options["project"], options["cluster"]
    _refuse_running(api, project, cluster, options["network"])
    found = [*_rules(api, project, options["network"], cluster), *_groups(api, project, options["network"])]
    return [*found, *_disks(api, project, cluster)] if options.get("volumes") else found


def volumes_left(api: Caller, project: str, cluster: str) -> list[str]:
    """The titles of the cluster's volumes that are still there."""
    return [resource.title for resource in _disks(api, project, cluster)]


def _refuse_running(api: Caller, project: str, cluster: str, network: str) -> None:
    parent, link = f"projects/{project}/locations/-", f"projects/{project}/global/networks/{network}"
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
        if short(str(lookup(entry, "networkConfig.network", ""))) == link or entry.get("network") == network:
            raise PlatformError(
                f"cluster {entry['name']} in {entry['location']} is in the network {network}, too, and firewall rules "
                "and network endpoint groups do not tell whose they are",
                action="remove",
                resource=f"what cluster {cluster} left",
                reason="inUse",
                hint=f"Remove cluster {entry['name']} or give it a network of its own; then run this again.",
            )


def _rules(api: Caller, project: str, network: str, cluster: str) -> Iterator[Resource]:
    """GKE's own rules bear the cluster's name and a hash, those of Kubernetes' controllers neither."""
    link = f"projects/{project}/global/networks/{network}"
    made = re.compile(rf"gke-{re.escape(cluster)}-[0-9a-f]{{8}}-.*")
    params = {"project": project}
    listed = _ask(lambda: api.pages("compute", "firewalls.list", params), "list", f"firewall rules of {project}")
    for rule in listed or []:
        ours = made.fullmatch(rule["name"]) or rule["name"].startswith(CONTROLLERS_RULES)
        if ours and short(rule["network"]) == link:
            yield Resource(FIREWALL, rule["name"], {}, params, unwanted=True)


def _groups(api: Caller, project: str, network: str) -> Iterator[Resource]:
    link = f"projects/{project}/global/networks/{network}"
    for group in _everywhere(api, project, "networkEndpointGroups"):
        # GKE writes {"cluster-uid": ..., "service-name": ...} into the description of those it makes
        if short(group.get("network", "")) == link and "cluster-uid" in group.get("description", ""):
            yield _in_zone(NETWORK_ENDPOINT_GROUP, group, project)


def _disks(api: Caller, project: str, cluster: str) -> Iterator[Resource]:
    for disk in _everywhere(api, project, "disks"):
        if (disk.get("labels") or {}).get(CLUSTER_LABEL) == cluster and disk.get("zone"):
            yield _in_zone(DISK, disk, project)


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


def _in_zone(kind: Kind, entry: Spec, project: str) -> Resource:
    zone = str(entry["zone"]).rsplit("/", 1)[-1]
    return Resource(kind, entry["name"], {}, {"project": project, "zone": zone}, unwanted=True, where=zone)
