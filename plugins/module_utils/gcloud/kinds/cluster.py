"""GKE clusters and node pools. Defaults and update calls: recordings/FACTS.md, GKE.

UpdateCluster takes one change at a time and GKE runs one operation on a cluster at a time, so every field has an update
of its own and the engine sends them one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Drift, Field, Resource, RestKind, Spec, Update, lookup, merged, without

CLUSTER_NAME = "projects/{project}/locations/{location}/clusters/{name}"
NEW_CLUSTER = "Google fixes this when a cluster is made: make a second cluster beside it and move over."
NEW_POOL = "Google fixes this when a node pool is made: add a second pool, move the work, then remove this one."
PENDING = {"status": frozenset({"PROVISIONING", "RECONCILING", "STOPPING"})}
# What is set as the first is answered as the second: recording container/clusters/database_encryption.
ENCRYPTED = (("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"),)
BUSY = frozenset({"RECONCILING"})
FAILED = {"status": frozenset({"ERROR"})}


def _desired(name: str, path: str) -> Update:
    """UpdateCluster with one `desired...` field, the wanted value laid over the observed."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        return {"update": {name: merged(lookup(have, path, None), lookup(spec, path))}}

    return Update("updateCluster", body=body)


def _exactly(name: str, path: str) -> Update:
    """UpdateCluster with one `desired...` field, exactly the wanted value."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        return {"update": {name: lookup(spec, path)}}

    return Update("updateCluster", body=body)


def _labels(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    return {"resourceLabels": spec["resourceLabels"], "labelFingerprint": have.get("labelFingerprint", "")}


def _maintenance(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    """The whole policy: Google sets what it is given and clears the rest, exclusions that somebody added among it."""
    window = without(lookup(have, "maintenancePolicy.window", {}), ["dailyMaintenanceWindow", "recurringWindow"])
    wanted = {**window, **spec["maintenancePolicy"]["window"]}
    version = lookup(have, "maintenancePolicy.resourceVersion", "")
    return {"maintenancePolicy": {"window": wanted, "resourceVersion": version}}


CLUSTER = RestKind(
    name="cluster",
    service="container",
    collection="",
    own={"name": CLUSTER_NAME},
    parent={"parent": "projects/{project}/locations/{location}"},
    link=CLUSTER_NAME,
    operation="container",
    insert="createCluster",
    get="getCluster",
    remove="deleteCluster",
    wrap="cluster",
    pending=PENDING,
    failed=FAILED,
    busy=BUSY,
    fields=(
        Field("nodePools", compare="create"),
        Field("description", update=None),
        Field("networkConfig.network", update=None, compare="create"),
        Field("network", update=None, compare="create"),
        Field("subnetwork", update=None, compare="create"),
        Field(
            "networkConfig.datapathProvider",
            update=None,
            default="LEGACY_DATAPATH",
            way_out=NEW_CLUSTER,
            alike=(("LEGACY_DATAPATH", "DATAPATH_PROVIDER_UNSPECIFIED"),),
        ),
        Field("networkConfig.enableIntraNodeVisibility", update="intranode", default=False),
        Field("ipAllocationPolicy.useIpAliases", update=None, way_out=NEW_CLUSTER),
        Field("ipAllocationPolicy.clusterSecondaryRangeName", update=None, way_out=NEW_CLUSTER),
        Field("ipAllocationPolicy.servicesSecondaryRangeName", update=None, way_out=NEW_CLUSTER),
        Field("privateClusterConfig.enablePrivateNodes", update=None, default=False, way_out=NEW_CLUSTER),
        Field("privateClusterConfig.masterIpv4CidrBlock", update=None, way_out=NEW_CLUSTER),
        Field("privateClusterConfig.enablePrivateEndpoint", update="private_endpoint", default=False),
        Field("masterAuthorizedNetworksConfig.enabled", update="authorized", default=False),
        Field("masterAuthorizedNetworksConfig.cidrBlocks", update="authorized", compare="keyed", key="cidrBlock"),
        Field("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", update="authorized", default=False),
        Field("workloadIdentityConfig.workloadPool", update="workload_identity"),
        Field("releaseChannel.channel", update="channel"),
        Field("initialClusterVersion", compare="create"),
        Field("shieldedNodes.enabled", update="shielded"),
        Field("addonsConfig", update="addons"),
        Field("loggingConfig.componentConfig.enableComponents", update="logging", compare="set"),
        Field("monitoringConfig.componentConfig.enableComponents", update="monitoring", compare="set"),
        Field("monitoringConfig.managedPrometheusConfig.enabled", update="monitoring", default=False),
        Field("masterAuth.clientCertificateConfig.issueClientCertificate", update=None, default=False),
        Field("legacyAbac.enabled", update="abac", default=False),
        Field("binaryAuthorization.evaluationMode", update="binary_authorization", default="DISABLED"),
        Field("databaseEncryption.keyName", update="encryption", default=""),
        Field("databaseEncryption.state", update="encryption", default="DECRYPTED", alike=ENCRYPTED),
        Field("securityPostureConfig", update="posture"),
        Field("authenticatorGroupsConfig", update="groups"),
        Field("verticalPodAutoscaling.enabled", update="vpa", default=False),
        Field("rbacBindingConfig", update="rbac_bindings"),
        Field("resourceLabels", update="labels", compare="map"),
        Field("maintenancePolicy.window", update="maintenance"),
    ),
    updates={
        "intranode": Update(
            "updateCluster",
            body=lambda resource, spec, have, drifts: {
                "update": {
                    "desiredIntraNodeVisibilityConfig": {"enabled": spec["networkConfig"]["enableIntraNodeVisibility"]}
                }
            },
        ),
        "private_endpoint": _exactly("desiredEnablePrivateEndpoint", "privateClusterConfig.enablePrivateEndpoint"),
        "authorized": _exactly("desiredMasterAuthorizedNetworksConfig", "masterAuthorizedNetworksConfig"),
        "workload_identity": _exactly("desiredWorkloadIdentityConfig", "workloadIdentityConfig"),
        "channel": _exactly("desiredReleaseChannel", "releaseChannel"),
        "shielded": _exactly("desiredShieldedNodes", "shieldedNodes"),
        "addons": _desired("desiredAddonsConfig", "addonsConfig"),
        "logging": _exactly("desiredLoggingConfig", "loggingConfig"),
        "monitoring": _desired("desiredMonitoringConfig", "monitoringConfig"),
        "abac": Update("setLegacyAbac", body=lambda resource, spec, have, drifts: dict(spec["legacyAbac"])),
        "binary_authorization": _exactly("desiredBinaryAuthorization", "binaryAuthorization"),
        "encryption": _exactly("desiredDatabaseEncryption", "databaseEncryption"),
        "posture": _desired("desiredSecurityPostureConfig", "securityPostureConfig"),
        "groups": _exactly("desiredAuthenticatorGroupsConfig", "authenticatorGroupsConfig"),
        "vpa": _exactly("desiredVerticalPodAutoscaling", "verticalPodAutoscaling"),
        "rbac_bindings": _exactly("desiredRbacBindingConfig", "rbacBindingConfig"),
        "labels": Update("setLabels", body=_labels),
        "maintenance": Update("setMaintenancePolicy", body=_maintenance),
    },
)


def _pool(*names: str) -> Update:
    """UpdateNodePool with top-level fields taken from the pool, or from its config."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        wanted = {drift.path.rpartition(".")[2]: drift.path for drift in drifts}
        return {name: _wrapped(name, lookup(spec, path)) for name, path in wanted.items() if name in names}

    return Update("updateNodePool", body=body)


def _wrapped(name: str, value: object) -> object:
    """Labels, taints and tags are lists or maps in NodeConfig but objects of one field in UpdateNodePoolRequest."""
    inner = {"labels": "labels", "taints": "taints", "tags": "tags"}.get(name)
    return {inner: value} if inner else value


NODE_POOL = RestKind(
    name="node_pool",
    service="container",
    collection="",
    own={"name": "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"},
    parent={"parent": "projects/{project}/locations/{location}/clusters/{cluster}"},
    operation="container",
    insert="createNodePool",
    get="getNodePool",
    remove="deleteNodePool",
    wrap="nodePool",
    pending=PENDING,
    failed=FAILED,
    busy=BUSY,
    appears_with_parent=True,
    fields=(
        Field("config.machineType", update="nodes"),
        Field("config.diskType", update="nodes"),
        Field("config.diskSizeGb", update="nodes"),
        Field("config.imageType", update="image"),
        Field("config.serviceAccount", update=None, default="default", way_out=NEW_POOL),
        Field("config.oauthScopes", update=None, compare="create"),
        Field("config.spot", update=None, default=False, way_out=NEW_POOL),
        Field("config.shieldedInstanceConfig", update=None, way_out=NEW_POOL),
        Field("config.metadata", update=None, compare="create"),
        Field("config.workloadMetadataConfig", update="config"),
        Field("config.labels", update="config", compare="map"),
        Field("config.taints", update="config", compare="set"),
        Field("config.tags", update="tags", compare="set"),
        Field("maxPodsConstraint.maxPodsPerNode", update=None, default="110", way_out=NEW_POOL),
        Field("locations", update="locations", compare="set"),
        Field("initialNodeCount", compare="create"),
        Field("autoscaling.enabled", update="autoscaling", default=False),
        Field("autoscaling.minNodeCount", update="autoscaling", default=0),
        Field("autoscaling.maxNodeCount", update="autoscaling", default=0),
        Field("autoscaling.totalMinNodeCount", update="autoscaling", default=0),
        Field("autoscaling.totalMaxNodeCount", update="autoscaling", default=0),
        Field("management", update="management"),
        Field("upgradeSettings.maxSurge", update="upgrade", default=1),
        Field("upgradeSettings.maxUnavailable", update="upgrade", default=0),
    ),
    updates={
        "config": _pool("workloadMetadataConfig", "labels", "taints"),
        "tags": _pool("tags"),
        # These replace the nodes; machine and disk together, so that it is done once.
        "nodes": _pool("machineType", "diskType", "diskSizeGb"),
        "image": _pool("imageType"),
        "locations": _pool("locations"),
        "autoscaling": Update(
            "setNodePoolAutoscaling", body=lambda resource, spec, have, drifts: {"autoscaling": spec["autoscaling"]}
        ),
        "management": Update(
            "setNodePoolManagement", body=lambda resource, spec, have, drifts: {"management": spec["management"]}
        ),
        "upgrade": Update(
            "updateNodePool", body=lambda resource, spec, have, drifts: {"upgradeSettings": spec["upgradeSettings"]}
        ),
    },
)
