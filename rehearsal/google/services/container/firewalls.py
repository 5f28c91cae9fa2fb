"""The firewall rules that GKE makes for a cluster, and those that stay behind when it goes.

Names as GKE's documentation has them: `gke-<cluster>-<hash>-all` (pods), `-vms` (nodes among themselves), `-master`
(control plane to nodes). They go with the cluster. What its controllers made for Services (`k8s-fw-...`) and network
endpoint groups stay where a cluster is deleted before its Services, and then block the network
(google-cloud-lessons, 14); `limits.leftovers` makes that happen.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ...core import Cloud, new_id
from ...store import Record, Transaction
from ..compute.kinds import KINDS, stamp
from ..compute.links import url

STORE = "compute.firewalls"
_PROTOCOLS = ("ah", "esp", "icmp", "sctp", "tcp", "udp")


def _prefix(cluster: Record) -> str:
    mark = hashlib.sha256(str(cluster.body["id"]).encode()).hexdigest()[:8]
    return f"gke-{cluster.body['name']}-{mark}"


def _put(cloud: Cloud, tx: Transaction, cluster: Record, name: str, rule: dict[str, Any]) -> None:
    project, network = cluster.key.split("/")[1], cluster.body["networkConfig"]["network"]
    key = f"projects/{project}/global/firewalls/{name}"
    body = {
        "kind": "compute#firewall",
        "id": new_id(tx),
        "creationTimestamp": cloud.clock.pacific(),
        "name": name,
        "description": "",
        "direction": "INGRESS",
        "disabled": False,
        "enableLogging": False,
        "logConfig": {"enable": False},
        "network": url(network),
        "priority": 1000,
        "selfLink": url(key),
        **rule,
    }
    stamp(KINDS["firewalls"], body)
    tx.put(Record(STORE, key, body, {"cluster": cluster.key}))
    tx.link(key, {"network": [network]})


def make(cloud: Cloud, tx: Transaction, cluster: Record, subnetwork_range: str) -> None:
    """Makes the rules of a new cluster."""
    prefix, body = _prefix(cluster), cluster.body
    tags = {"targetTags": [f"{prefix}-node"]}
    pods, everything = [body["clusterIpv4Cidr"]], [{"IPProtocol": name} for name in _PROTOCOLS]
    _put(cloud, tx, cluster, f"{prefix}-all", {"allowed": everything, "sourceRanges": pods, **tags})
    between = [{"IPProtocol": "icmp"}, *({"IPProtocol": name, "ports": ["1-65535"]} for name in ("tcp", "udp"))]
    _put(cloud, tx, cluster, f"{prefix}-vms", {"allowed": between, "sourceRanges": [subnetwork_range], **tags})
    if block := body.get("privateClusterConfig", {}).get("masterIpv4CidrBlock"):
        control = [{"IPProtocol": "tcp", "ports": ["443", "10250"]}]
        _put(cloud, tx, cluster, f"{prefix}-master", {"allowed": control, "sourceRanges": [block], **tags})


def remove(cloud: Cloud, tx: Transaction, cluster: Record) -> None:
    """Removes a cluster's rules; with `limits.leftovers`, one of its controllers' stays."""
    for record in tx.list(STORE, f"projects/{cluster.key.split('/')[1]}/"):
        if record.hidden.get("cluster") == cluster.key:
            tx.delete(STORE, record.key)
    if cloud.limits.leftovers:
        name = f"k8s-fw-{hashlib.sha256(cluster.key.encode()).hexdigest()[:16]}"
        ranges = ["130.211.0.0/22", "35.191.0.0/16"]
        allowed = [{"IPProtocol": "tcp", "ports": ["30000-32767"]}]
        _put(cloud, tx, cluster, name, {"allowed": allowed, "sourceRanges": ranges})
