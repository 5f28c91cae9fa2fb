"""What of the platform exists now, read in parallel; nothing is planned or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from .model import Caller, Resource, Spec
from .operations import Patience

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
    parts = {key: _state(have) for key, have in seen.items()}
    outputs: dict[str, Any] = {"exists": parts}
    outputs.update(instance_outputs(_only(seen, "instance/")))
    outputs.update(cluster_outputs(seen))
    outputs.update(data_outputs(seen))
    outputs.update(edge_outputs(seen))
    return outputs


def _only(seen: Mapping[str, Spec | None], prefix: str) -> dict[str, Spec | None]:
    return {key: have for key, have in seen.items() if key.startswith(prefix)}


def _state(have: Spec | None) -> str:
    if have is None:
        return "missing"
    return str(have.get("status") or have.get("state") or "present")
