"""Changes of a cluster: UpdateCluster, one field a call, and the verbs that stand beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ...core import Call, Cloud, handles, hexes
from ...errors import ApiError
from ...jobs import WORKS, Arguments, Work
from ...store import Record, Transaction, canonical
from ..compute.generic import merge
from . import clusters, defaults, networking, nodepools
from .networking import bad
from .nodepools import CLUSTERS, find_cluster
from .operations import begin, refuse_if_busy

Change = Callable[[Call, Record, Any], None]


def _set(*path: str) -> Change:
    """Replaces the member at a path."""

    def change(call: Call, cluster: Record, value: Any) -> None:
        del call
        body = cluster.body
        for step in path[:-1]:
            body = body.setdefault(step, {})
        body[path[-1]] = value

    return change


def _merged(*path: str) -> Change:
    """Sets the given fields of the message at a path; a message in it replaces the one that is there.

    A field that has its zero value is not on the wire (proto3), so `{"httpLoadBalancing": {}}` says disabled: false.
    """

    def change(call: Call, cluster: Record, value: Any) -> None:
        del call
        body = cluster.body
        for step in path[:-1]:
            body = body.setdefault(step, {})
        body[path[-1]] = {**body.get(path[-1], {}), **value}

    return change


def _addons(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    _merged("addonsConfig")(call, cluster, value)
    clusters.addons_defaults(cluster.body)


def _control_plane(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    config = cluster.body["controlPlaneEndpointsConfig"]
    given = value.get("ipEndpointsConfig", {})
    if "authorizedNetworksConfig" in given:
        cluster.body["masterAuthorizedNetworksConfig"] = given["authorizedNetworksConfig"]
    subnetwork = given.get("privateEndpointSubnetwork")
    current = config["ipEndpointsConfig"].get("privateEndpointSubnetwork", "")
    if subnetwork and networking.short(subnetwork) != networking.short(current):
        raise bad("The private endpoint subnetwork of a cluster cannot be changed.")
    kept = {name: item for name, item in given.items() if item != ""}
    config["ipEndpointsConfig"] = merge(config["ipEndpointsConfig"], kept)
    config["dnsEndpointConfig"] = merge(config.get("dnsEndpointConfig", {}), value.get("dnsEndpointConfig", {}))
    del call
    networking.mirror(cluster.body)


def _authorized(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    del call
    cluster.body["masterAuthorizedNetworksConfig"] = value
    networking.mirror(cluster.body)


def _private_endpoint(call: Call, cluster: Record, value: bool) -> None:
    del call
    cluster.body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["enablePublicEndpoint"] = not value
    networking.mirror(cluster.body)


def _global_access(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    del call
    enabled = bool(value.get("masterGlobalAccessConfig", {}).get("enabled"))
    cluster.body["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["globalAccess"] = enabled
    cluster.body.setdefault("privateClusterConfig", {})["masterGlobalAccessConfig"] = {"enabled": enabled}


def _encryption(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    del call
    old = cluster.body["databaseEncryption"].get("keyName")
    encrypted = value.get("state") in ("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED")
    state = "ALL_OBJECTS_ENCRYPTION_ENABLED" if encrypted else "DECRYPTED"
    cluster.body["databaseEncryption"] = {**value, "state": state, "currentState": f"CURRENT_STATE_{state}"}
    if old and not encrypted:
        cluster.body["databaseEncryption"]["decryptionKeys"] = [old]


def _logging_service(call: Call, cluster: Record, value: str) -> None:
    del call
    cluster.body["loggingService"] = value
    components = {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]} if value != "none" else {}
    cluster.body["loggingConfig"] = {"componentConfig": components}


def _master_version(call: Call, cluster: Record, value: str) -> None:
    del call
    cluster.body["currentMasterVersion"] = defaults.version(value, cluster.body["releaseChannel"].get("channel", ""))


def _locations(call: Call, cluster: Record, value: list[str]) -> None:
    cluster.body["locations"] = value
    for pool in call.tx.list(nodepools.KIND, f"{cluster.key}/nodePools/"):
        pool.body["locations"] = value
        nodepools.fit_nodes(call, cluster, pool)
        nodepools.save(call, cluster, pool)


def _workload_identity(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    cluster.body["workloadIdentityConfig"] = value
    clusters._settle(call, cluster.key, cluster.body)


def _datapath(call: Call, cluster: Record, value: str) -> None:
    del call
    current = cluster.body["networkConfig"].get("datapathProvider", "LEGACY_DATAPATH")
    if value != current:
        raise bad(f"Changing the datapath provider from {current} to {value} is not supported.")


def _ranges(call: Call, cluster: Record, value: dict[str, Any]) -> None:
    """All ranges of further subnetworks at once; an empty list takes them away."""
    policy, found = cluster.body["ipAllocationPolicy"], []
    home = cluster.body["networkConfig"]["subnetwork"].rpartition("/")[0]
    for item in value.get("additionalIpRangesConfigs", []):
        key = f"{home}/{networking.short(item.get('subnetwork', ''))}"
        record = call.tx.get("compute.subnetworks", key)
        known = [part["rangeName"] for part in record.body.get("secondaryIpRanges", [])] if record else []
        for name in item.get("podIpv4RangeNames", []):
            if name not in known:
                raise bad(f'Secondary range "{name}" does not exist in subnetwork "{key}".')
        found.append({**item, "subnetwork": key})
    policy.pop("additionalIpRangesConfigs", None)
    if found:
        policy["additionalIpRangesConfigs"] = found


def _pod_ranges(call: Call, cluster: Record, value: dict[str, Any], *, gone: bool = False) -> None:
    """More secondary ranges of the cluster's own subnetwork for pods, or some fewer."""
    del call
    policy, given = cluster.body["ipAllocationPolicy"], value.get("podRangeNames", [])
    now = policy.pop("additionalPodRangesConfig", {}).get("podRangeNames", [])
    names = [name for name in now if name not in given] if gone else list(dict.fromkeys([*now, *given]))
    if names:
        policy["additionalPodRangesConfig"] = {"podRangeNames": names}


def _general(call: Call, name: str) -> Change | None:
    """What a field without a rule of its own sets: the member of the same name, of the cluster or of its network."""
    member = name.removeprefix("desired")
    member = member[:1].lower() + member[1:]
    schemas = call.document.schemas
    if member in schemas["Cluster"]["properties"]:
        return _set(member)
    return _set("networkConfig", member) if member in schemas["NetworkConfig"]["properties"] else None


_FIELDS: dict[str, Change] = {
    "additionalPodRangesConfig": _pod_ranges,
    "removedAdditionalPodRangesConfig": lambda call, cluster, value: _pod_ranges(call, cluster, value, gone=True),
    "desiredAdditionalIpRangesConfig": _ranges,
    "desiredAddonsConfig": _addons,
    "desiredAnonymousAuthenticationConfig": _set("anonymousAuthenticationConfig"),
    "desiredAuthenticatorGroupsConfig": _set("authenticatorGroupsConfig"),
    "desiredAutoIpamConfig": _set("ipAllocationPolicy", "autoIpamConfig"),
    "desiredBinaryAuthorization": _set("binaryAuthorization"),
    "desiredClusterAutoscaling": _merged("autoscaling"),
    "desiredCompliancePostureConfig": _set("compliancePostureConfig"),
    "desiredControlPlaneEndpointsConfig": _control_plane,
    "desiredCostManagementConfig": _set("costManagementConfig"),
    "desiredDatabaseEncryption": _encryption,
    "desiredDatapathProvider": _datapath,
    "desiredDefaultEnablePrivateNodes": _set("networkConfig", "defaultEnablePrivateNodes"),
    "desiredDefaultSnatStatus": _set("networkConfig", "defaultSnatStatus"),
    "desiredDnsConfig": _set("networkConfig", "dnsConfig"),
    "desiredEnableFqdnNetworkPolicy": _set("networkConfig", "enableFqdnNetworkPolicy"),
    "desiredEnablePrivateEndpoint": _private_endpoint,
    "desiredGatewayApiConfig": _set("networkConfig", "gatewayApiConfig"),
    "desiredIdentityServiceConfig": _set("identityServiceConfig"),
    "desiredInTransitEncryptionConfig": _set("networkConfig", "inTransitEncryptionConfig"),
    "desiredIntraNodeVisibilityConfig": lambda call, cluster, value: _set("networkConfig", "enableIntraNodeVisibility")(
        call, cluster, bool(value.get("enabled"))
    ),
    "desiredL4ilbSubsettingConfig": lambda call, cluster, value: _set("networkConfig", "enableL4ilbSubsetting")(
        call, cluster, bool(value.get("enabled"))
    ),
    "desiredLocations": _locations,
    "desiredLoggingConfig": _set("loggingConfig"),
    "desiredLoggingService": _logging_service,
    "desiredMasterAuthorizedNetworksConfig": _authorized,
    "desiredMasterVersion": _master_version,
    "desiredMeshCertificates": _set("meshCertificates"),
    "desiredMonitoringConfig": _merged("monitoringConfig"),
    "desiredMonitoringService": _set("monitoringService"),
    "desiredNetworkPerformanceConfig": _set("networkConfig", "networkPerformanceConfig"),
    "desiredNodePoolAutoConfigKubeletConfig": _merged("nodePoolAutoConfig", "nodeKubeletConfig"),
    "desiredNodePoolAutoConfigNetworkTags": _set("nodePoolAutoConfig", "networkTags"),
    "desiredNodeKubeletConfig": _merged("nodePoolDefaults", "nodeConfigDefaults", "nodeKubeletConfig"),
    "desiredNotificationConfig": _set("notificationConfig"),
    "desiredPrivateClusterConfig": _global_access,
    "desiredRbacBindingConfig": _merged("rbacBindingConfig"),
    "desiredReleaseChannel": _set("releaseChannel"),
    "desiredResourceUsageExportConfig": _set("resourceUsageExportConfig"),
    "desiredSecretManagerConfig": _set("secretManagerConfig"),
    "desiredSecurityPostureConfig": _set("securityPostureConfig"),
    "desiredServiceExternalIpsConfig": _set("networkConfig", "serviceExternalIpsConfig"),
    "desiredShieldedNodes": _set("shieldedNodes"),
    "desiredVerticalPodAutoscaling": _set("verticalPodAutoscaling"),
    "desiredWorkloadIdentityConfig": _workload_identity,
}
# Fields that go with a node pool and each other.
_POOL_FIELDS = {"desiredNodePoolId", "desiredNodePoolAutoscaling", "desiredNodeVersion", "desiredImageType"}


@handles("container.projects.locations.clusters.update")
def update(call: Call) -> dict[str, Any]:
    """PUT of a cluster: exactly one field group."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    wanted = {name: value for name, value in call.body.get("update", {}).items() if name != "etag"}
    if not wanted:
        raise bad("Must specify a field to update.")
    if set(wanted) <= _POOL_FIELDS:
        return _update_pool(call, cluster, wanted)
    if len(wanted) > 1:
        raise bad(f"Only one field can be updated at a time; got: {', '.join(sorted(wanted))}.")
    name, value = next(iter(wanted.items()))
    change = _FIELDS.get(name) or _general(call, name)
    if change is None:
        raise ApiError(501, f"UpdateCluster of {name} exists at Google but is not emulated in this world.")
    change(call, cluster, value)
    kind = "UPGRADE_MASTER" if name == "desiredMasterVersion" else "UPDATE_CLUSTER"
    return _changed(call, cluster, kind)


def _changed(call: Call, cluster: Record, kind: str = "UPDATE_CLUSTER") -> dict[str, Any]:
    cluster.body |= {"etag": hexes(32), "status": "RECONCILING"}
    call.tx.put(cluster)
    return begin(call, cluster.key, kind, work="container.clusters.update", arguments={"key": cluster.key})


def _update_pool(call: Call, cluster: Record, wanted: dict[str, Any]) -> dict[str, Any]:
    """The fields of UpdateCluster that are about a node pool; without a name they mean the only one."""
    pools = call.tx.list(nodepools.KIND, f"{cluster.key}/nodePools/")
    name = wanted.get("desiredNodePoolId") or (pools[0].body["name"] if len(pools) == 1 else "")
    pool = next((item for item in pools if item.body["name"] == name), None)
    if pool is None:
        raise ApiError(404, f'Not found: node pool "{name}" not found.', "notFound")
    if "desiredNodePoolAutoscaling" in wanted:
        nodepools.autoscale(pool, wanted["desiredNodePoolAutoscaling"])
        return nodepools.changed(call, cluster, pool, "UPDATE_CLUSTER")
    if version := wanted.get("desiredNodeVersion"):
        pool.body["version"] = cluster.body["currentMasterVersion"] if version == "-" else defaults.version(version, "")
    if image := wanted.get("desiredImageType"):
        pool.body["config"]["imageType"] = image
    return nodepools.changed(call, cluster, pool, "UPGRADE_NODES")


def _prepare(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any] | None:
    """The control plane learns of a change that it must know: its version."""
    cluster = tx.get(CLUSTERS, arguments["key"])
    pools = (
        [nodepools.spec(tx, cluster, pool) for pool in tx.list(nodepools.KIND, f"{arguments['key']}/nodePools/")]
        if cluster
        else []
    )
    wanted = clusters.cluster_spec(cluster) if cluster else None

    def ensure() -> Any:
        result = cloud.substrate.ensure_cluster(wanted) if wanted else None
        for pool in pools:
            cloud.substrate.ensure_node_pool(pool)
        return result

    return ensure


def _finish(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del cloud, result
    if cluster := tx.get(CLUSTERS, arguments["key"]):
        cluster.body["status"] = "RUNNING"
        tx.put(cluster)


WORKS["container.clusters.update"] = Work(prepare=_prepare, finish=_finish)


@handles("container.projects.locations.clusters.setResourceLabels")
def set_labels(call: Call) -> dict[str, Any]:
    """All labels of the cluster, by their fingerprint."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    given = call.body.get("labelFingerprint")
    if given and given != cluster.body["labelFingerprint"]:
        text = "Labels could not be set due to fingerprint mismatch."
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    cluster.body["resourceLabels"] = call.body.get("resourceLabels") or {}
    if not cluster.body["resourceLabels"]:
        del cluster.body["resourceLabels"]
    cluster.body["labelFingerprint"] = defaults.label_fingerprint(cluster.body)
    return _changed(call, cluster)


@handles("container.projects.locations.clusters.setMaintenancePolicy")
def set_maintenance(call: Call) -> dict[str, Any]:
    """The maintenance policy, by its resourceVersion."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    policy = dict(call.body.get("maintenancePolicy", {}))
    given, current = policy.pop("resourceVersion", None), cluster.body["maintenancePolicy"].get("resourceVersion")
    if given and given != current:
        text = f"Maintenance policy version mismatch: {given} is not the current {current}."
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    clusters.updates_window(policy)
    version = hashlib.sha256(canonical(policy).encode()).hexdigest()[:8] if policy else "e3b0c442"
    cluster.body["maintenancePolicy"] = {**policy, "resourceVersion": version}
    return _changed(call, cluster)


@handles("container.projects.locations.clusters.setAddons")
def set_addons(call: Call) -> dict[str, Any]:
    """The add-ons, by the older verb."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    _FIELDS["desiredAddonsConfig"](call, cluster, call.body.get("addonsConfig", {}))
    return _changed(call, cluster)


@handles(
    "container.projects.locations.clusters.setLegacyAbac", "container.projects.locations.clusters.setNetworkPolicy"
)
def set_simple(call: Call) -> dict[str, Any]:
    """Attribute-based access or network policy, by the older verbs."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    if call.method.verb == "setLegacyAbac":
        cluster.body["legacyAbac"] = {"enabled": bool(call.body.get("enabled"))}
    else:
        cluster.body["networkPolicy"] = call.body.get("networkPolicy", {})
    return _changed(call, cluster)


@handles("container.projects.locations.clusters.updateMaster")
def update_master(call: Call) -> dict[str, Any]:
    """Upgrades the control plane."""
    cluster = find_cluster(call, call.path["name"])
    refuse_if_busy(call, cluster)
    _master_version(call, cluster, call.body.get("masterVersion", "-"))
    return _changed(call, cluster, "UPGRADE_MASTER")
