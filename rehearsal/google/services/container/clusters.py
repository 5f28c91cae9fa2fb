"""Clusters: create, read, delete, and the real control plane behind them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from ...core import Call, Cloud, handles, hexes, new_id
from ...errors import ApiError
from ...jobs import WORKS, Arguments, Failure, Work
from ...store import Record, Transaction
from ...substrate import ClusterSpec
from ..compute import places
from ..compute.generic import clean, with_defaults
from . import defaults, firewalls, networking, nodepools
from .networking import bad
from .nodepools import CLUSTERS, find_cluster
from .operations import begin, is_zone, link, refuse_if_busy

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


def _location(call: Call) -> str:
    location = call.path["parent"].split("/")[3]
    if not (places.is_zone(location) if is_zone(location) else places.is_region(location)):
        raise ApiError(400, f'Location "{location}" does not exist.', "badRequest")
    return location


@handles("container.projects.locations.clusters.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a cluster: DONE when its control plane and nodes run."""
    location = _location(call)
    given = clean(call.body.get("cluster", {}))
    name = str(given.get("name", ""))
    if not _NAME.fullmatch(name):
        raise bad(
            f'Invalid value for field "cluster.name": "{name}". Must match {_NAME.pattern} (at most 40 characters).'
        )
    key = f"projects/{call.project}/locations/{location}/clusters/{name}"
    if call.tx.get(CLUSTERS, key):
        shown = key.replace("/locations/", "/zones/") if is_zone(location) else key
        raise ApiError(409, f"Already exists: {shown}.", "alreadyExists")
    check_certificates(call, given)
    cluster = _fill(call, location, key, given)
    pools = _pools(call, cluster, given)
    call.tx.put(cluster)
    for pool in pools:
        nodepools.save(call, cluster, pool)
    return begin(call, key, "CREATE_CLUSTER", work="container.clusters.create", arguments={"key": key})


def check_certificates(call: Call, given: Any) -> None:
    """A client key for a registry needs a certificate that can be read (recordings create_400_invalid_argument)."""
    if isinstance(given, list):
        for value in given:
            check_certificates(call, value)
    if not isinstance(given, dict):
        return
    for item in given["client"] if isinstance(given.get("client"), list) else []:
        name = str(item.get("cert", {}).get("gcpSecretManagerSecretUri", ""))
        parts = name.split("/")
        numbered = "/".join(["projects", call.number, *parts[2:]])
        if call.tx.get("secretmanager.versions", numbered) is None:
            raise bad("The cert field in client is required.")
    for value in given.values():
        check_certificates(call, value)


def _fill(call: Call, location: str, key: str, given: dict[str, Any]) -> Record:
    """A new cluster with everything that GKE adds; its node pools apart."""
    body = with_defaults(defaults.CLUSTER, {name: value for name, value in given.items() if name != "nodePools"})
    prometheus = given.get("monitoringConfig", {}).get("managedPrometheusConfig")
    if prometheus is not None:  # a message that was sent speaks for itself: without `enabled` it says false
        body["monitoringConfig"]["managedPrometheusConfig"] = prometheus
    body["addonsConfig"]["gcePersistentDiskCsiDriverConfig"] = {"enabled": True}
    if not defaults.without_zeros(body.get("networkPolicy", {})):
        body.pop("networkPolicy", None)
    updates_window(body["maintenancePolicy"])
    channel = body["releaseChannel"].get("channel", "REGULAR")
    version = defaults.version(given.get("initialClusterVersion"), channel)
    zones = [location] if is_zone(location) else places.zones_of(location)[:3]
    body["locations"] = given.get("locations") or zones
    home = networking.subnetwork(call, location, body)
    used = networking.ranges(call, body, home)
    networking.endpoints(call, location, body, home)
    _settle(call, key, body)
    body |= {
        "id": hexes(64),
        "etag": hexes(32),
        "status": "PROVISIONING",
        "location": location,
        "zone": location,
        "createTime": call.clock.zulu(0).replace("Z", "+00:00"),
        "initialClusterVersion": version,
        "currentMasterVersion": version,
        "currentNodeVersion": version,
        "labelFingerprint": defaults.label_fingerprint(body),
        "selfLink": link("v1", key, call.project),
    }
    inner = body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["privateEndpoint"]
    record = Record(CLUSTERS, key, body, {"ranges": used, "addresses": [inner], "number": new_id(call.tx)})
    network, subnetwork = body["networkConfig"]["network"], body["networkConfig"]["subnetwork"]
    call.tx.link(key, {"network": [network], "ranges": [subnetwork]})
    firewalls.make(call.cloud, call.tx, record, home.body["ipCidrRange"])
    return record


def updates_window(policy: dict[str, Any]) -> None:
    """What GKE makes of a maintenance window: a duration for the daily one, nothing of an empty one."""
    window = policy.get("window", {})
    if "dailyMaintenanceWindow" in window:
        window["dailyMaintenanceWindow"].setdefault("duration", "PT4H0M0S")
    for exclusion in window.get("maintenanceExclusions", {}).values():
        options = exclusion.get("maintenanceExclusionOptions", {})
        if options.get("scope") == "NO_UPGRADES":
            del options["scope"]
    if not window:
        policy.pop("window", None)


def addons_defaults(body: dict[str, Any]) -> None:
    """What GKE fills into add-ons (recording container/clusters/workload_identity_addons_release_channel)."""
    if "cloudRunConfig" in body["addonsConfig"]:
        body["addonsConfig"]["cloudRunConfig"].setdefault("loadBalancerType", "LOAD_BALANCER_TYPE_EXTERNAL")


def _settle(call: Call, key: str, body: dict[str, Any]) -> None:
    """What follows from the rest, on create and on update."""
    identity = body.get("workloadIdentityConfig", {})
    if pool := identity.get("workloadPool"):
        if pool != f"{call.project}.svc.id.goog":
            raise bad(f'Workload pool "{pool}" must be of the form "{call.project}.svc.id.goog".')
        provider = f"https://container.googleapis.com/v1/{key}"
        body["workloadIdentityConfig"] = {
            "workloadPool": pool,
            "identityNamespace": pool,
            "identityProvider": provider,
        }
    addons_defaults(body)
    encryption = body["databaseEncryption"]
    if encryption["state"] == "ENCRYPTED":
        encryption |= {
            "state": "ALL_OBJECTS_ENCRYPTION_ENABLED",
            "currentState": "CURRENT_STATE_ALL_OBJECTS_ENCRYPTION_ENABLED",
        }
    if body.get("loggingService") == "none" and "desired" not in body:
        body["loggingConfig"] = {"componentConfig": {}}
    network = body["networkConfig"]
    if network.get("datapathProvider") == "ADVANCED_DATAPATH" and body.get("networkPolicy", {}).get("enabled"):
        raise bad("Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.")


def _pools(call: Call, cluster: Record, given: dict[str, Any]) -> list[Record]:
    private = bool(cluster.body["networkConfig"].get("defaultEnablePrivateNodes"))
    wanted = given.get("nodePools")
    if wanted and (given.get("nodeConfig") or given.get("initialNodeCount")):
        raise bad("Cluster.initial_node_count and Cluster.node_config must not be specified if Cluster.node_pools is.")
    if not wanted:
        count = int(given.get("initialNodeCount", 0))
        if count < 1 and not given.get("autopilot", {}).get("enabled"):
            raise bad("Cluster.initial_node_count must be greater than zero.")
        wanted = [{"name": "default-pool", "initialNodeCount": count or 1, "config": given.get("nodeConfig", {})}]
    pools = []
    for item in wanted:
        pool = nodepools.make(call, cluster, item, private)
        nodepools.save(call, cluster, pool)
        pools.append(pool)
    return pools


def cluster_spec(cluster: Record) -> ClusterSpec:
    """The control plane behind a cluster."""
    _, project, _, location, _, name = cluster.key.split("/")
    body = cluster.body
    return {
        "key": cluster.key,
        "project": project,
        "location": location,
        "name": name,
        "endpoint": body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["privateEndpoint"],
        "service_cidr": body["servicesIpv4Cidr"],
        "pod_cidr": body["clusterIpv4Cidr"],
        "version": body["currentMasterVersion"],
        "workload_pool": body.get("workloadIdentityConfig", {}).get("workloadPool", ""),
    }


def _prepare_create(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any] | None:
    cluster = tx.get(CLUSTERS, arguments["key"])
    if cluster is None:
        return None
    wanted = cluster_spec(cluster)
    pools = [nodepools.spec(tx, cluster, pool) for pool in tx.list(nodepools.KIND, f"{cluster.key}/nodePools/")]

    def ensure() -> Any:
        result = cloud.substrate.ensure_cluster(wanted)
        for pool in pools:
            cloud.substrate.ensure_node_pool(pool)
        return result

    return ensure


def _finish_create(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del cloud
    cluster = tx.get(CLUSTERS, arguments["key"])
    if cluster is None or result is None:
        return
    cluster.body["masterAuth"]["clusterCaCertificate"] = base64.b64encode(result["ca_certificate"].encode()).decode()
    _status(tx, cluster, "RUNNING", None)


def _fail_create(cloud: Cloud, tx: Transaction, arguments: Arguments, failure: Failure) -> None:
    del cloud
    if cluster := tx.get(CLUSTERS, arguments["key"]):
        _status(tx, cluster, "ERROR", failure.message)


def _status(tx: Transaction, cluster: Record, status: str, message: str | None) -> None:
    for record in (cluster, *tx.list(nodepools.KIND, f"{cluster.key}/nodePools/")):
        record.body["status"] = status
        record.body.pop("statusMessage", None)
        if message:
            record.body["statusMessage"] = message
        tx.put(record)


def _finish_delete(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del result
    for pool in tx.list(nodepools.KIND, f"{arguments['key']}/nodePools/"):
        tx.delete(nodepools.KIND, pool.key)
    if cluster := tx.get(CLUSTERS, arguments["key"]):
        firewalls.remove(cloud, tx, cluster)
    tx.delete(CLUSTERS, arguments["key"])


WORKS["container.clusters.create"] = Work(prepare=_prepare_create, finish=_finish_create, fail=_fail_create)
WORKS["container.clusters.delete"] = Work(
    prepare=lambda cloud, tx, arguments: lambda: cloud.substrate.remove_cluster(arguments["key"]), finish=_finish_delete
)


def show(call: Call, cluster: Record) -> dict[str, Any]:
    """A cluster as the API writes it, with its node pools."""
    pools = [nodepools.show(call, pool) for pool in call.tx.list(nodepools.KIND, f"{cluster.key}/nodePools/")]
    body = {**cluster.body, "selfLink": link(call, cluster.key, call.project)}
    if pools:
        body |= {
            "nodePools": pools,
            "nodeConfig": pools[0]["config"],
            "instanceGroupUrls": [item for pool in pools for item in pool.get("instanceGroupUrls", [])],
            "currentNodeCount": sum(len(item.hidden["nodes"]) for item in _pool_records(call, cluster)),
        }
    shown = dict(defaults.without_zeros(body))
    if cluster.body["status"] == "PROVISIONING":
        shown.pop("currentNodeCount", None)
    return shown


def _pool_records(call: Call, cluster: Record) -> list[Record]:
    return call.tx.list(nodepools.KIND, f"{cluster.key}/nodePools/")


@handles("container.projects.locations.clusters.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a cluster."""
    return show(call, find_cluster(call, call.path["name"]))


@handles("container.projects.locations.clusters.list")
def list_clusters(call: Call) -> dict[str, Any]:
    """The clusters at a location; `-` means everywhere."""
    location = call.path["parent"].split("/")[3]
    head = f"projects/{call.project}/locations/" + ("" if location == "-" else f"{location}/")
    found = [show(call, record) for record in call.tx.list(CLUSTERS, head)]
    return {"clusters": found} if found else {}


@handles("container.projects.locations.clusters.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE of a cluster with its node pools."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    if cluster.body.get("deletionProtection"):
        raise bad("Cluster deletion is not allowed while deletion protection is enabled.")
    _status(call.tx, cluster, "STOPPING", None)
    arguments = {"key": cluster.key}
    return begin(call, cluster.key, "DELETE_CLUSTER", work="container.clusters.delete", arguments=arguments)


@handles("container.projects.locations.getServerConfig")
def server_config(call: Call) -> dict[str, Any]:
    """The versions on offer."""
    return {
        "defaultClusterVersion": defaults.CHANNELS["REGULAR"],
        "validMasterVersions": list(defaults.VERSIONS),
        "validNodeVersions": list(defaults.VERSIONS),
        "defaultImageType": "COS_CONTAINERD",
        "validImageTypes": ["COS_CONTAINERD", "UBUNTU_CONTAINERD", "WINDOWS_LTSC_CONTAINERD"],
        "channels": [
            {"channel": name, "defaultVersion": version, "validVersions": list(defaults.VERSIONS)}
            for name, version in defaults.CHANNELS.items()
        ],
    }
