"""From the options of gcp_cluster to resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kinds.cluster import CLUSTER, NODE_POOL
from ..model import MARK, Resource, Spec, without
from .network import given

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def cluster_graph(options: Mapping[str, Any]) -> list[Resource]:
    """A private cluster and its node pools.

    The pools are part of the request that makes the cluster, so that there is one operation and no default pool. When
    the task does not wait, only the cluster itself is planned: its pools cannot be changed before it runs.
    """
    params = {"project": options["project"], "location": options["location"]}
    pools = [_pool(options, pool) for pool in options.get("node_pools") or []]
    spec = _cluster(options)
    if pools:
        spec["nodePools"] = [{"name": pool.name, **pool.spec} for pool in pools]
    cluster = Resource(CLUSTER, options["name"], spec, params, wait=options.get("wait", True))
    if not cluster.wait:
        return [cluster]
    for pool in pools:
        pool.after = (cluster.key,)
    if options.get("state") == "absent":
        return [cluster]  # its pools go with it
    return [cluster, *pools]


def cluster_outputs(seen: Mapping[str, Spec | None]) -> dict[str, Any]:
    """What the module returns of the cluster; empty while there is none."""
    have = next((spec for key, spec in seen.items() if key.startswith("cluster/")), None)
    if not have:
        return {"cluster": {}}
    private = have.get("privateClusterConfig") or {}
    return {
        "cluster": {
            "name": have.get("name"),
            "status": have.get("status"),
            "version": have.get("currentMasterVersion"),
            "endpoint": private.get("privateEndpoint") or have.get("endpoint"),
            "ca_certificate": (have.get("masterAuth") or {}).get("clusterCaCertificate", ""),
        }
    }


def _cluster(options: Mapping[str, Any]) -> Spec:
    project = options["project"]
    region = options["location"] if options["location"].count("-") == 1 else options["location"].rsplit("-", 1)[0]
    return given(
        {
            "description": MARK,
            "network": f"projects/{project}/global/networks/{options['network']}",
            "subnetwork": f"projects/{project}/regions/{region}/subnetworks/{options['subnet']}",
            "initialClusterVersion": options.get("version"),
            "releaseChannel": given({"channel": options.get("release_channel")}) or None,
            "ipAllocationPolicy": {
                "useIpAliases": True,
                "clusterSecondaryRangeName": options["pods_range"],
                "servicesSecondaryRangeName": options["services_range"],
            },
            "privateClusterConfig": {
                "enablePrivateNodes": True,
                "enablePrivateEndpoint": not options.get("public_endpoint", False),
                "masterIpv4CidrBlock": options["control_plane_range"],
            },
            "masterAuthorizedNetworksConfig": _authorized(options.get("authorized_networks")),
            "workloadIdentityConfig": {"workloadPool": f"{project}.svc.id.goog"},
            "resourceLabels": options.get("labels"),
            "maintenancePolicy": _maintenance(options.get("maintenance")),
            "databaseEncryption": _encryption(options.get("secrets_key")),
            "authenticatorGroupsConfig": _groups(options.get("security_group")),
            "loggingConfig": _components(options.get("logging")),
            "monitoringConfig": _monitoring(options),
            "binaryAuthorization": given({"evaluationMode": options.get("binary_authorization")}) or None,
            **_hardening(),
        }
    )


def _hardening() -> Spec:
    """What no option changes: CIS GKE benchmark and Google's hardening guide."""
    return {
        "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "enableIntraNodeVisibility": True},
        "shieldedNodes": {"enabled": True},
        "masterAuth": {"clientCertificateConfig": {"issueClientCertificate": False}},
        "legacyAbac": {"enabled": False},
        "securityPostureConfig": {"mode": "BASIC"},
        "rbacBindingConfig": {
            "enableInsecureBindingSystemAuthenticated": False,
            "enableInsecureBindingSystemUnauthenticated": False,
        },
        "addonsConfig": {
            "httpLoadBalancing": {"disabled": False},
            "gcePersistentDiskCsiDriverConfig": {"enabled": True},
        },
    }


def _authorized(networks: list[Mapping[str, Any]] | None) -> Spec | None:
    if networks is None:
        return None
    blocks = [given({"cidrBlock": item["range"], "displayName": item.get("name")}) for item in networks]
    return {"enabled": True, "cidrBlocks": blocks, "gcpPublicCidrsAccessEnabled": False}


def _maintenance(wanted: Mapping[str, Any] | None) -> Spec | None:
    if wanted is None:
        return None
    window = {"startTime": wanted["start"], "endTime": wanted["end"]}
    return {"window": {"recurringWindow": {"window": window, "recurrence": wanted["recurrence"]}}}


def _encryption(key: str | None) -> Spec | None:
    return {"state": "ENCRYPTED", "keyName": key} if key else None


def _groups(group: str | None) -> Spec | None:
    return {"enabled": True, "securityGroup": group} if group else None


def _components(names: list[str] | None) -> Spec | None:
    return None if names is None else {"componentConfig": {"enableComponents": names}}


def _monitoring(options: Mapping[str, Any]) -> Spec | None:
    made = _components(options.get("monitoring")) or {}
    if options.get("managed_prometheus") is not None:
        made["managedPrometheusConfig"] = {"enabled": options["managed_prometheus"]}
    return made or None


def _pool(options: Mapping[str, Any], pool: Mapping[str, Any]) -> Resource:
    config = given(
        {
            "machineType": pool["machine_type"],
            "diskType": pool.get("disk_type"),
            "diskSizeGb": pool.get("disk_gb"),
            "imageType": "COS_CONTAINERD",
            "serviceAccount": options.get("node_service_account"),
            "oauthScopes": [SCOPE],
            "spot": pool.get("spot"),
            "labels": pool.get("labels"),
            "taints": _taints(pool.get("taints")),
            "tags": options.get("node_tags"),
            "metadata": {"disable-legacy-endpoints": "true"},
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
            "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
        }
    )
    spec = given(
        {
            "config": config,
            "initialNodeCount": pool.get("initial_nodes"),
            "locations": pool.get("zones"),
            "autoscaling": _autoscaling(pool),
            "management": {"autoRepair": True, "autoUpgrade": True},
            "maxPodsConstraint": given({"maxPodsPerNode": pool.get("max_pods_per_node")}) or None,
        }
    )
    params = {"project": options["project"], "location": options["location"], "cluster": options["name"]}
    return Resource(NODE_POOL, pool["name"], without(spec, ()), params)


def _autoscaling(pool: Mapping[str, Any]) -> Spec | None:
    if pool.get("max_nodes") is None:
        return None
    return {"enabled": True, "minNodeCount": pool.get("min_nodes") or 0, "maxNodeCount": pool["max_nodes"]}


def _taints(taints: list[Mapping[str, Any]] | None) -> list[Spec] | None:
    if taints is None:
        return None
    return [{"key": t["key"], "value": t.get("value") or "", "effect": t["effect"]} for t in taints]
