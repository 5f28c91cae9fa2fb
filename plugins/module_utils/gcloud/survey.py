"""What of the platform exists now, read in parallel; nothing is planned or changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .arguments import state_of
from .compare import short
from .errors import DISABLED, PlatformError
from .execute import Executor
from .graphs.cluster import cluster_outputs
from .graphs.data import data_outputs
from .graphs.edge import edge_outputs
from .graphs.instance import instance_outputs
from .kinds import edge
from .kinds.cluster import CLUSTER, NODE_POOL
from .kinds.data import BUCKET, REPOSITORY, SQL_INSTANCE
from .kinds.instance import INSTANCE
from .kinds.network import NETWORK
from .model import Caller, Resource, Spec, lookup
from .operations import Patience

# Title, method, and the key within a scope of an aggregated listing.
NEIGHBOURS = (
    ("firewall rule", "firewalls.list", ""),
    ("subnetwork", "subnetworks.aggregatedList", "subnetworks"),
    ("router", "routers.aggregatedList", "routers"),
    ("VM", "instances.aggregatedList", "instances"),
)
POOL_MAKER = "somebody else, or settings of before"
GKE_PREFIXES = ("gke-", "k8s-", "k8s1-", "k8s2-")
EDGE_KINDS = (edge.ADDRESS, edge.BACKEND_SERVICE, edge.FORWARDING_RULE, edge.SECURITY_POLICY)


def wanted(options: Mapping[str, Any]) -> list[Resource]:
    """The resources to look for."""
    params = {"project": options["project"]}
    found: list[Resource] = []
    if options.get("network"):
        found.append(Resource(NETWORK, options["network"], {}, params))
    if place := options.get("instance"):
        found.append(Resource(INSTANCE, place["name"], {}, {**params, "zone": place["zone"]}))
    if place := options.get("cluster"):
        where = {**params, "location": place["location"]}
        found.append(Resource(CLUSTER, place["name"], {}, where))
        for pool in place.get("node_pools") or []:
            found.append(Resource(NODE_POOL, pool, {}, {**where, "cluster": place["name"]}))
    if options.get("database"):
        found.append(Resource(SQL_INSTANCE, options["database"], {}, params))
    if options.get("bucket"):
        found.append(Resource(BUCKET, options["bucket"], {}, params))
    if place := options.get("repository"):
        found.append(Resource(REPOSITORY, place["name"], {}, {**params, "location": place["location"]}))
    if place := options.get("load_balancer"):
        found += [Resource(kind, place["name"], {}, params) for kind in EDGE_KINDS]
        found.append(Resource(edge.ZONE, place["dns_zone"], {}, params))
    return found


def survey(api: Caller, options: Mapping[str, Any]) -> dict[str, Any]:
    """State and addresses of what was looked for; ``exists`` lists every part with its state or "missing"."""
    seen = Executor(api, Patience(60), look_only=True).observe(wanted(options))
    parts = {key: state_of(have) for key, have in seen.items()}
    outputs: dict[str, Any] = {"exists": parts}
    outputs.update(instance_outputs(_only(seen, "instance/")))
    outputs.update(cluster_outputs(seen))
    outputs.update(data_outputs(seen))
    outputs.update(edge_outputs(seen))
    if options.get("load_balancer"):
        outputs["load_balancer"]["iap_audience"] = _audience(api, options["project"], outputs["load_balancer"])
    if options.get("network") and options.get("known") is not None:
        beside = neighbours(api, options["project"], options["network"], options["known"])
        outputs["neighbours"] = sorted([*beside, *other_pools(options, seen)], key=lambda row: row["resource"])
    return outputs


def _audience(api: Caller, project: str, balancer: Mapping[str, Any]) -> str:
    """What Identity-Aware Proxy's assertions for a global backend service are for; empty while there is none."""
    if not balancer["backend_service_id"]:
        return ""
    return f"/projects/{api.project_number(project)}/global/backendServices/{balancer['backend_service_id']}"


def neighbours(api: Caller, project: str, network: str, known: Collection[str]) -> list[dict[str, str]]:
    """What is in *network* besides the *known* names: rows with ``resource`` and ``made_by``.

    Firewall rules, subnetworks, routers and VMs are looked at. GKE's own are told by the prefixes of their names.
    """
    link = f"projects/{project}/global/networks/{network}"
    found = []
    for title, method, per_scope in NEIGHBOURS:
        try:
            listed = api.pages("compute", method, {"project": project})
        except PlatformError as error:
            if error.reason in DISABLED:
                return []
            raise error.about("list", f"{title}s of network {network}") from error
        entries = [item for scope in listed for item in scope.get(per_scope) or []] if per_scope else listed
        for entry in entries:
            places = [entry.get("network")] + [card.get("network") for card in entry.get("networkInterfaces") or []]
            if entry["name"] not in known and link in map(short, places):
                maker = "GKE" if entry["name"].startswith(GKE_PREFIXES) else "somebody else"
                found.append({"resource": f"{title} {entry['name']}", "made_by": maker})
    return sorted(found, key=lambda row: row["resource"])


def other_pools(options: Mapping[str, Any], seen: Mapping[str, Spec | None]) -> list[dict[str, str]]:
    """Node pools of the cluster that the options do not name, as rows like :func:`neighbours`'; they run, and cost."""
    place = options.get("cluster") or {}
    have = seen.get(f"{CLUSTER.name}/{place.get('name')}") or {}
    return [
        {
            "resource": f"node pool {pool['name']} of cluster {place['name']}",
            "made_by": "GKE" if lookup(pool, "autoscaling.autoprovisioned", False) else POOL_MAKER,
        }
        for pool in have.get("nodePools") or []
        if place.get("node_pools") is not None and pool["name"] not in place["node_pools"]
    ]


def _only(seen: Mapping[str, Spec | None], prefix: str) -> dict[str, Spec | None]:
    return {key: have for key, have in seen.items() if key.startswith(prefix)}
