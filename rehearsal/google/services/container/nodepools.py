"""Node pools: their configuration, and the list of nodes that the hypervisor is to run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ...core import Call, Cloud, handles, hexes, lineage
from ...errors import ApiError
from ...jobs import WORKS, Arguments, Failure, Work
from ...store import Record, Transaction
from ...substrate import NodePoolSpec
from ..compute import places
from ..compute.addresses import internal_address
from ..compute.generic import with_defaults
from . import defaults
from .networking import bad, short
from .operations import begin, is_zone, link, refuse_if_busy

KIND = "container.nodePools"
CLUSTERS = "container.clusters"


def cluster_key(call: Call, name: str) -> str:
    """`projects/P/(locations|zones)/L/clusters/C[/...]` -> the key of the cluster, with the project's id."""
    parts = name.split("/")
    return f"projects/{call.project}/locations/{parts[3]}/clusters/{parts[5]}"


def find_cluster(call: Call, name: str) -> Record:
    """The cluster of a resource name.

    Raises:
        ApiError: 404; zonal clusters are named with /zones/.
    """
    key = cluster_key(call, name)
    record = call.tx.get(CLUSTERS, key)
    if record is None:
        location = key.split("/")[3]
        shown = key.replace("/locations/", "/zones/") if is_zone(location) else key
        raise ApiError(404, f"Not found: {shown}.", "notFound")
    return record


def find_pool(call: Call, name: str) -> tuple[Record, Record]:
    """(cluster, node pool) of a node pool's name.

    Raises:
        ApiError: 404.
    """
    cluster = find_cluster(call, name)
    pool = call.tx.get(KIND, f"{cluster.key}/nodePools/{short(name)}")
    if pool is None:
        raise ApiError(404, f'Not found: node pool "{short(name)}" not found.', "notFound")
    return cluster, pool


def make(call: Call, cluster: Record, given: dict[str, Any], private: bool) -> Record:
    """A new node pool, filled in and with its nodes; it is not yet written.

    Raises:
        ApiError: 400 for a machine type or service account that does not exist, 409 for a name that is taken.
    """
    name = str(given.get("name", ""))
    if not name or len(name) > 40:
        raise bad(f'Invalid value for field "node_pool.name": "{name}". Must be 1 to 40 characters.')
    key = f"{cluster.key}/nodePools/{name}"
    if call.tx.get(KIND, key):
        raise ApiError(409, f"Already exists: {key}.", "alreadyExists")
    body = with_defaults(defaults.NODE_POOL, given)
    body["config"] = with_defaults(defaults.NODE_CONFIG, given.get("config", {}))
    if cluster.body.get("workloadIdentityConfig", {}).get("workloadPool"):
        twin = {"mode": "GKE_METADATA", "nodeMetadata": "GKE_METADATA_SERVER"}
        body["config"].setdefault("workloadMetadataConfig", twin)
    _check_config(call, cluster, body["config"])
    if given.get("autoscaling", {}).get("enabled"):
        body["autoscaling"] = {"locationPolicy": "BALANCED", **given["autoscaling"]}
    body.setdefault("initialNodeCount", 0 if given.get("autoscaling", {}).get("enabled") else 1)
    body["locations"] = given.get("locations") or list(cluster.body["locations"])
    body["version"] = (
        defaults.version(given.get("version"), "") if given.get("version") else cluster.body["currentMasterVersion"]
    )
    policy = cluster.body["ipAllocationPolicy"]
    body["networkConfig"] = {
        "podRange": policy["clusterSecondaryRangeName"],
        "podIpv4CidrBlock": policy["clusterIpv4Cidr"],
        "subnetwork": cluster.body["networkConfig"]["subnetwork"],
        "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
        "enablePrivateNodes": private,
        **given.get("networkConfig", {}),
    }
    body |= {"name": name, "status": "PROVISIONING", "etag": hexes(32), "selfLink": link("v1", key, call.project)}
    record = Record(KIND, key, body, {"nodes": [], "addresses": []})
    fit_nodes(call, cluster, record)
    return record


def _check_config(call: Call, cluster: Record, config: dict[str, Any]) -> None:
    zone = cluster.body["locations"][0]
    if places.machine_type("", call.project, zone, config["machineType"]) is None:
        raise bad(f'Machine type "{config["machineType"]}" does not exist in zone "{zone}".')
    config["bootDisk"] = {
        "diskType": config["diskType"],
        "sizeGb": str(config["diskSizeGb"]),
        **config.get("bootDisk", {}),
    }
    email = config["serviceAccount"]
    if email == "default":
        return
    owner = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    key = f"projects/{owner}/serviceAccounts/{email}"
    if call.tx.get("iam.serviceAccounts", key) is None:
        raise bad(f'Service account "{email}" does not exist.')
    if not call.access.allowed(
        call.principal, "iam.serviceAccounts.actAs", lineage(owner, f"//iam.googleapis.com/{key}")
    ):
        text = (
            f'The user does not have access to service account "{email}". Ask a project owner to grant you the '
            "iam.serviceAccountUser role on the service account."
        )
        raise ApiError(403, text, "forbidden")


def wanted_count(body: dict[str, Any]) -> int:
    """Nodes in each zone: what was asked for, within the limits of the autoscaler."""
    count = int(body.get("initialNodeCount", 0))
    scaling = body.get("autoscaling", {})
    if scaling.get("enabled"):
        count = max(
            count,
            int(scaling.get("minNodeCount", 0)),
            -(-int(scaling.get("totalMinNodeCount", 0)) // len(body["locations"])),
        )
        count = min(count, int(scaling.get("maxNodeCount") or scaling.get("totalMaxNodeCount") or count))
    return count


def fit_nodes(call: Call, cluster: Record, pool: Record) -> None:
    """Brings the list of nodes to the wanted number in each zone; addresses come from the subnetwork."""
    home = call.tx.get("compute.subnetworks", cluster.body["networkConfig"]["subnetwork"])
    nodes: list[dict[str, Any]] = []
    for zone in pool.body["locations"]:
        kept = [node for node in pool.hidden["nodes"] if node["zone"] == zone][: wanted_count(pool.body)]
        group = kept[0]["name"].rpartition("-")[0] if kept else _group(cluster, pool)
        while len(kept) < wanted_count(pool.body):
            pool.hidden["addresses"] = [node["address"] for node in nodes + kept]
            call.tx.put(pool)
            call.tx.link(pool.key, {"nodes": [home.key] if home else [], "cluster": [cluster.key]})
            address = internal_address(call, home) if home else "10.128.0.10"
            kept.append({"name": f"{group}-{hexes(4)}", "zone": zone, "address": address})
        nodes += kept
    pool.hidden |= {"nodes": nodes, "addresses": [node["address"] for node in nodes]}
    groups = sorted({(node["zone"], node["name"].rpartition("-")[0]) for node in nodes})
    base = f"https://www.googleapis.com/compute/v1/projects/{call.project}/zones"
    pool.body["instanceGroupUrls"] = [f"{base}/{zone}/instanceGroupManagers/{name}-grp" for zone, name in groups]


def _group(cluster: Record, pool: Record) -> str:
    """`gke-<cluster>-<pool>-<8 hex>`, both names cut as GKE cuts them."""
    return f"gke-{cluster.body['name'][:23]}-{pool.body['name'][:20]}-{hexes(8)}"


def spec(tx: Transaction, cluster: Record, pool: Record) -> NodePoolSpec:
    """What the hypervisor is to run."""
    del tx
    config = pool.body["config"]
    labels = {
        **config.get("labels", {}),
        "cloud.google.com/gke-nodepool": pool.body["name"],
        "cloud.google.com/machine-family": config["machineType"].partition("-")[0],
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-boot-disk": config["diskType"],
        "node.kubernetes.io/instance-type": config["machineType"],
    }
    if config.get("workloadMetadataConfig", {}).get("mode") == "GKE_METADATA":
        labels["iam.gke.io/gke-metadata-server-enabled"] = "true"
    effects = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
    taints = [{**item, "effect": effects.get(item["effect"], item["effect"])} for item in config.get("taints", [])]
    return {
        "key": cluster.key,
        "name": pool.body["name"],
        "nodes": [
            {
                "name": node["name"],
                "zone": node["zone"],
                "address": node["address"],
                "machine_type": config["machineType"],
                "labels": {
                    **labels,
                    "topology.kubernetes.io/zone": node["zone"],
                    "topology.kubernetes.io/region": places.region_of(node["zone"]),
                },
                "taints": taints,
            }
            for node in pool.hidden["nodes"]
        ],
        "pod_cidr": cluster.body["clusterIpv4Cidr"],
        "service_cidr": cluster.body["servicesIpv4Cidr"],
    }


def _prepare(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any] | None:
    pool = tx.get(KIND, arguments["key"])
    cluster = tx.get(CLUSTERS, arguments["key"].rpartition("/nodePools/")[0])
    if pool is None or cluster is None:
        return None
    wanted = spec(tx, cluster, pool)
    return lambda: cloud.substrate.ensure_node_pool(wanted)


def _finish(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del cloud, result
    if pool := tx.get(KIND, arguments["key"]):
        pool.body["status"] = "RUNNING"
        pool.body.pop("statusMessage", None)
        tx.put(pool)


def _fail(cloud: Cloud, tx: Transaction, arguments: Arguments, failure: Failure) -> None:
    del cloud
    if pool := tx.get(KIND, arguments["key"]):
        pool.body |= {"status": "ERROR", "statusMessage": failure.message}
        tx.put(pool)


def _remove(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del cloud, result
    tx.delete(KIND, arguments["key"])


def _prepare_removal(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any]:
    del tx
    cluster, _, name = arguments["key"].rpartition("/nodePools/")
    return lambda: cloud.substrate.remove_node_pool(cluster, name)


WORKS["container.nodePools.ensure"] = Work(prepare=_prepare, finish=_finish, fail=_fail)
WORKS["container.nodePools.remove"] = Work(prepare=_prepare_removal, finish=_remove)


def save(call: Call, cluster: Record, pool: Record) -> None:
    """Writes a pool with its links."""
    call.tx.put(pool)
    call.tx.link(pool.key, {"nodes": [cluster.body["networkConfig"]["subnetwork"]], "cluster": [cluster.key]})


@handles("container.projects.locations.clusters.nodePools.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a node pool."""
    cluster = find_cluster(call, call.path["parent"])
    refuse_if_busy(call, cluster)
    private = bool(cluster.body["networkConfig"].get("defaultEnablePrivateNodes"))
    pool = make(call, cluster, call.body.get("nodePool", {}), private)
    save(call, cluster, pool)
    arguments = {"key": pool.key}
    return begin(
        call, pool.key, "CREATE_NODE_POOL", work="container.nodePools.ensure", arguments=arguments, status="PENDING"
    )


def show(call: Call, pool: Record) -> dict[str, Any]:
    """A node pool as the API writes it."""
    body = {**pool.body, "selfLink": link(call, pool.key, call.project)}
    return dict(defaults.without_zeros(body))


@handles("container.projects.locations.clusters.nodePools.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a node pool."""
    return show(call, find_pool(call, call.path["name"])[1])


@handles("container.projects.locations.clusters.nodePools.list")
def list_pools(call: Call) -> dict[str, Any]:
    """All node pools of a cluster."""
    cluster = find_cluster(call, call.path["parent"])
    return {"nodePools": [show(call, pool) for pool in call.tx.list(KIND, f"{cluster.key}/nodePools/")]}


@handles("container.projects.locations.clusters.nodePools.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE of a node pool."""
    cluster, pool = find_pool(call, call.path["name"])
    refuse_if_busy(call, cluster)
    arguments = {"key": pool.key}  # its status stays RUNNING meanwhile (container/nodePools/raw_cassette...)
    return begin(
        call, pool.key, "DELETE_NODE_POOL", work="container.nodePools.remove", arguments=arguments, status="PENDING"
    )


def changed(call: Call, cluster: Record, pool: Record, kind: str) -> dict[str, Any]:
    """Writes a changed pool and starts the operation that brings the nodes to it."""
    fit_nodes(call, cluster, pool)
    pool.body["etag"] = hexes(32)
    save(call, cluster, pool)
    arguments = {"key": pool.key}
    return begin(call, pool.key, kind, work="container.nodePools.ensure", arguments=arguments, status="PENDING")


@handles("container.projects.locations.clusters.nodePools.setSize")
def set_size(call: Call) -> dict[str, Any]:
    """The number of nodes in each zone; it also changes `initialNodeCount`."""
    cluster, pool = find_pool(call, call.path["name"])
    refuse_if_busy(call, cluster)
    pool.body["initialNodeCount"] = int(call.body.get("nodeCount", 0))
    return changed(call, cluster, pool, "SET_NODE_POOL_SIZE")


@handles("container.projects.locations.clusters.nodePools.setAutoscaling")
def set_autoscaling(call: Call) -> dict[str, Any]:
    """The autoscaler's limits."""
    cluster, pool = find_pool(call, call.path["name"])
    refuse_if_busy(call, cluster)
    autoscale(pool, call.body.get("autoscaling", {}))
    return changed(call, cluster, pool, "UPDATE_CLUSTER")


def autoscale(pool: Record, wanted: dict[str, Any]) -> None:
    """Takes over the autoscaler's limits; off means none."""
    pool.body.pop("autoscaling", None)
    if wanted.get("enabled"):
        pool.body["autoscaling"] = {"locationPolicy": "BALANCED", **wanted}


@handles("container.projects.locations.clusters.nodePools.setManagement")
def set_management(call: Call) -> dict[str, Any]:
    """Auto-repair and auto-upgrade."""
    cluster, pool = find_pool(call, call.path["name"])
    refuse_if_busy(call, cluster)
    pool.body["management"] = call.body.get("management", {})
    return changed(call, cluster, pool, "SET_NODE_POOL_MANAGEMENT")


# member of the request -> member of the node's configuration that it replaces
_CONFIG = {
    "machineType": "machineType", "diskType": "diskType", "diskSizeGb": "diskSizeGb", "imageType": "imageType",
    "workloadMetadataConfig": "workloadMetadataConfig", "kubeletConfig": "kubeletConfig",
    "linuxNodeConfig": "linuxNodeConfig", "gcfsConfig": "gcfsConfig", "gvnic": "gvnic",
    "loggingConfig": "loggingConfig",
    "containerdConfig": "containerdConfig", "resourceManagerTags": "resourceManagerTags",
}  # fmt: skip


# Members that no VM changes in its life: its successor has them.
_OF_A_VM = ("machineType", "diskType", "diskSizeGb", "imageType")


@handles("container.projects.locations.clusters.nodePools.update")
def update(call: Call) -> dict[str, Any]:
    """PUT of a node pool: what the body holds is changed. Another machine, disk or image comes with new nodes."""
    cluster, pool = find_pool(call, call.path["name"])
    refuse_if_busy(call, cluster)
    given, before = call.body, copy.deepcopy(pool.body)
    config = pool.body["config"]
    swap = given.get("linuxNodeConfig", {}).get("swapConfig", {})
    if not swap.get("enabled") and set(swap) - {"enabled"}:
        raise bad("Swap is disabled, no other swapConfig fields can be set.")
    for name, target in _CONFIG.items():
        if name in given:
            config[target] = given[name]
    _wrapped(config, given)
    for name in ("locations", "upgradeSettings"):
        if given.get(name):
            pool.body[name] = given[name]
    if given.get("nodeVersion"):
        pool.body["version"] = defaults.version(given["nodeVersion"], "")
    if "nodeNetworkConfig" in given:
        pool.body["networkConfig"] |= given["nodeNetworkConfig"]
    for name, twin in (("diskType", "diskType"), ("diskSizeGb", "sizeGb")):
        if name in given:
            config["bootDisk"][twin] = str(given[name])
    _check_config(call, cluster, config)
    if any(config[name] != before["config"][name] for name in _OF_A_VM):
        _replace_nodes(pool)
    if pool.body == before and not set(given) - {"name", "nodePoolId", "etag"}:
        raise bad("Must specify a field to update.")
    return changed(call, cluster, pool, "UPGRADE_NODES")


def _replace_nodes(pool: Record) -> None:
    """A surge upgrade: nodes of new names in the same instance groups. All at once here, one after the other there."""
    pool.body["status"] = "RECONCILING"
    pool.hidden["nodes"] = [
        {**node, "name": f"{node['name'].rpartition('-')[0]}-{hexes(4)}"} for node in pool.hidden["nodes"]
    ]


def _wrapped(config: dict[str, Any], given: dict[str, Any]) -> None:
    """Members that the request wraps in a message of their own."""
    for name, inner, target in (
        ("taints", "taints", "taints"),
        ("labels", "labels", "labels"),
        ("tags", "tags", "tags"),
        ("resourceLabels", "labels", "resourceLabels"),
    ):
        if name in given:
            config[target] = given[name].get(inner) or ({} if target.endswith("abels") else [])
            if not config[target]:
                del config[target]
