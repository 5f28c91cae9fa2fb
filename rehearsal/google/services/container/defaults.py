"""What GKE fills in (recordings/FACTS.md, "GKE"; recordings/container/clusters/minimal_regional and others)."""

from __future__ import annotations

import hashlib
from typing import Any

from rehearsal.toolchain.catalog import GKE_VERSION

from ...errors import ApiError
from ...store import canonical

# The first is what the clusters of a world really run.
VERSIONS = (
    GKE_VERSION,
    "1.36.2-gke.1190000",
    "1.35.6-gke.1130000",
    "1.34.8-gke.1096000",
    "1.33.12-gke.1015000",
)
CHANNELS = {"RAPID": VERSIONS[0], "REGULAR": VERSIONS[0], "STABLE": VERSIONS[2], "EXTENDED": VERSIONS[2]}
SCOPES = ["https://www.googleapis.com/auth/devstorage.read_only", "https://www.googleapis.com/auth/logging.write",
          "https://www.googleapis.com/auth/monitoring", "https://www.googleapis.com/auth/service.management.readonly",
          "https://www.googleapis.com/auth/servicecontrol", "https://www.googleapis.com/auth/trace.append"]  # fmt: skip
MANAGED_SERVICES_RANGE = "34.118.224.0/20"

# Booleans with presence in the protocol: false is written out; everywhere else it vanishes.
_PRESENT = {
    "allowExternalTraffic", "defaultEnablePrivateNodes", "enableInsecureBindingSystemAuthenticated",
    "enableInsecureBindingSystemUnauthenticated", "enableK8sCertsViaDns", "enableK8sTokensViaDns",
    "enableMultiNetworking_", "insecureKubeletReadonlyPortEnabled", "gcpPublicCidrsAccessEnabled",
    "enablePublicEndpoint", "enablePrivateNodes", "privateEndpointEnforcementEnabled", "enableRelay",
    "enableFqdnNetworkPolicy", "enableCiliumClusterwideNetworkPolicy", "disableL4LbFirewallReconciliation",
}  # fmt: skip

CLUSTER: dict[str, Any] = {
    "addonsConfig": {
        "dnsCacheConfig": {"enabled": True},
        "gcePersistentDiskCsiDriverConfig": {"enabled": True},
        "nodeReadinessConfig": {},
        "kubernetesDashboard": {"disabled": True},
        "networkPolicyConfig": {"disabled": True},
    },
    "anonymousAuthenticationConfig": {"mode": "LIMITED"},
    "autopilot": {},
    "autoscaling": {
        "autoprovisioningNodePoolDefaults": {
            "imageType": "COS_CONTAINERD",
            "management": {"autoRepair": True, "autoUpgrade": True},
            "oauthScopes": SCOPES,
            "serviceAccount": "default",
        },
        "autoscalingProfile": "BALANCED",
    },
    "binaryAuthorization": {},
    "clusterTelemetry": {"type": "ENABLED"},
    "controlPlaneEgress": {"mode": "VIA_CONTROL_PLANE"},
    "databaseEncryption": {"state": "DECRYPTED", "currentState": "CURRENT_STATE_DECRYPTED"},
    "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"},
    "enterpriseConfig": {"clusterTier": "STANDARD"},
    "ipAllocationPolicy": {
        "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
        "podCidrOverprovisionConfig": {},
        "stackType": "IPV4",
    },
    "legacyAbac": {},
    "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}},
    "loggingService": "logging.googleapis.com/kubernetes",
    "maintenancePolicy": {"resourceVersion": "e3b0c442"},
    "master": {},
    "masterAuth": {"clientCertificateConfig": {}},
    "masterAuthorizedNetworksConfig": {},
    "monitoringConfig": {
        "advancedDatapathObservabilityConfig": {},
        "componentConfig": {
            "enableComponents": ["SYSTEM_COMPONENTS", "DAEMONSET", "DEPLOYMENT", "STATEFULSET", "JOBSET", "STORAGE",
                                 "HPA", "POD", "CADVISOR", "KUBELET", "DCGM"]
        },
        "managedPrometheusConfig": {"enabled": True},
    },
    "monitoringService": "monitoring.googleapis.com/kubernetes",
    "networkConfig": {"defaultSnatStatus": {}, "serviceExternalIpsConfig": {}},
    "nodeCreationConfig": {"nodeCreationMode": "VIA_KUBELET"},
    "nodePoolAutoConfig": {"nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": False}},
    "nodePoolDefaults": {
        "nodeConfigDefaults": {
            "loggingConfig": {"variantConfig": {"variant": "DEFAULT"}},
            "nodeKubeletConfig": {"insecureKubeletReadonlyPortEnabled": False},
        }
    },
    "notificationConfig": {"pubsub": {}},
    "podAutoscaling": {"hpaProfile": "PERFORMANCE"},
    "protectConfig": {
        "workloadConfig": {"auditMode": "BASIC"},
        "workloadVulnerabilityMode": "WORKLOAD_VULNERABILITY_MODE_UNSPECIFIED",
    },
    "rbacBindingConfig": {
        "enableInsecureBindingSystemAuthenticated": True,
        "enableInsecureBindingSystemUnauthenticated": True,
    },
    "releaseChannel": {"channel": "REGULAR"},
    "securityPostureConfig": {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_MODE_UNSPECIFIED"},
    "shieldedNodes": {"enabled": True},
    "userManagedKeysConfig": {},
}  # fmt: skip

NODE_CONFIG: dict[str, Any] = {
    "diskSizeGb": 100,
    "diskType": "pd-balanced",
    "effectiveCgroupMode": "EFFECTIVE_CGROUP_MODE_V2",
    "imageType": "COS_CONTAINERD",
    "kubeletConfig": {"insecureKubeletReadonlyPortEnabled": False, "maxParallelImagePulls": 2},
    "machineType": "e2-medium",
    "metadata": {"disable-legacy-endpoints": "true"},
    "oauthScopes": SCOPES,
    "resourceLabels": {"goog-gke-node-pool-provisioning-model": "on-demand"},
    "serviceAccount": "default",
    "shieldedInstanceConfig": {"enableIntegrityMonitoring": True},
    "windowsNodeConfig": {},
}
NODE_POOL: dict[str, Any] = {
    "management": {"autoRepair": True, "autoUpgrade": True},
    "maxPodsConstraint": {"maxPodsPerNode": "110"},
    "podIpv4CidrSize": 24,
    "upgradeSettings": {"maxSurge": 1, "strategy": "SURGE"},
}


def without_zeros(value: Any, name: str = "") -> Any:
    """As protobuf's JSON shows a message: zero values vanish, empty messages stay."""
    if isinstance(value, dict):
        shown = {key: without_zeros(item, key) for key, item in value.items()}
        zeros: tuple[Any, ...] = (None, "", [], 0, "0", "AUTH_NONE")
        return {key: item for key, item in shown.items() if item not in zeros or _kept(key, item)}
    if isinstance(value, list):
        return [without_zeros(item, name) for item in value]
    return value


def _kept(name: str, value: Any) -> bool:
    return value is False and name in _PRESENT


def version(wanted: str | None, channel: str) -> str:
    """The version that a request means: none, `-`, `latest`, `1.36`, `1.36.3` or a whole one.

    Raises:
        ApiError: 400, there is no such version.
    """
    if not wanted or wanted in ("-", "default"):
        return CHANNELS.get(channel, VERSIONS[0])
    if wanted == "latest":
        return VERSIONS[0]
    found = next((item for item in VERSIONS if item == wanted or item.startswith((f"{wanted}.", f"{wanted}-"))), None)
    if found is None:
        text = f'Master version "{wanted}" is unsupported. Supported versions: {", ".join(VERSIONS)}.'
        raise ApiError(400, text, "badRequest")
    return found


def label_fingerprint(cluster: dict[str, Any]) -> str:
    """The fingerprint of a cluster's labels: 8 hexadecimal digits (recordings/container/nodePools/raw_cassette...)."""
    return hashlib.sha256(canonical(cluster.get("resourceLabels") or {}).encode()).hexdigest()[:8]
