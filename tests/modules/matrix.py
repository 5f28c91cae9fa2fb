"""For every kind of resource and every field it declares: a first value, another, and what clears it.

The bases are what the modules' own graphs make; the tables here hold only what is tried in their place. A declared
field that has no entry is an error of tests/modules/test_matrix.py.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from plugins.module_utils.gcloud import kinds
from plugins.module_utils.gcloud.graphs.cluster import cluster_graph
from plugins.module_utils.gcloud.graphs.data import data_graph
from plugins.module_utils.gcloud.graphs.edge import edge_graph
from plugins.module_utils.gcloud.graphs.identity import accounts_graph
from plugins.module_utils.gcloud.graphs.instance import instance_graph
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.model import MARK, MISSING, Kind, Resource

from .test_data import bucket, database
from .test_edge import edge
from .test_machines import bastion, gke, pool
from .test_network import options as network

PROJECT = "acme-mlops"
ALICE = "user:alice@acme.example"


@dataclass(frozen=True)
class Case:
    """What is tried with a field. ``first`` where the base has none; ``clear`` where it can be cleared.

    ``entails``: other fields that Google changes along with it.
    """

    other: Any
    first: Any = MISSING
    clear: Any = MISSING
    entails: tuple[str, ...] = ()


def all_kinds() -> dict[str, Kind]:
    """Every kind that is declared, by name; those that exist to be removed only have no fields."""
    found: dict[str, Kind] = {}
    for module in pkgutil.iter_modules(kinds.__path__):
        loaded = importlib.import_module(f"{kinds.__name__}.{module.name}")
        for value in vars(loaded).values():
            if isinstance(value, Kind) and value.fields and not found.get(value.name):
                found[value.name] = value
    return found


ACCOUNTS = f"{PROJECT}.iam.gserviceaccount.com"
LINK = f"projects/{PROJECT}/global"
CERTIFICATES = f"projects/{PROJECT}/locations/global"
ENDPOINTS = ("masterAuthorizedNetworksConfig", "controlPlaneEndpointsConfig", "endpoint")
SECOND = {**edge(name="second", domain="second.example", dns_zone="second"), "project": PROJECT}
SECOND_CERTIFICATE = f"{CERTIFICATES}/certificates/second-{hashlib.sha256(b'second.example').hexdigest()[:8]}"
KEYS = f"projects/{PROJECT}/locations/europe-west1/keyRings/mlops/cryptoKeys"
LABELS = Case({"a": "1", "b": "2"}, {"a": "1"}, {})
TEXT = Case(f"another text ({MARK})", f"a text ({MARK})", "")
FIXED = Case(f"another text ({MARK})", f"a text ({MARK})")

CASES: dict[str, dict[str, Case]] = {
    "network": {
        "autoCreateSubnetworks": Case(True),
        "routingConfig.routingMode": Case("GLOBAL"),
        "mtu": Case(1500),
        "description": FIXED,
    },
    "subnetwork": {
        "network": Case(f"{LINK}/networks/other"),
        "ipCidrRange": Case("10.11.0.0/20"),
        "privateIpGoogleAccess": Case(False),
        "logConfig.enable": Case(False, entails=("logConfig", "enableFlowLogs")),
        "logConfig.aggregationInterval": Case("INTERVAL_10_MIN"),
        "logConfig.flowSampling": Case(1.0),
        "logConfig.metadata": Case("EXCLUDE_ALL_METADATA"),
        "description": FIXED,
    },
    "router": {
        "network": Case(f"{LINK}/networks/other"),
        "nats": Case(
            [
                {
                    "name": "mlops-nat",
                    "natIpAllocateOption": "AUTO_ONLY",
                    "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
                    "minPortsPerVm": 128,
                }
            ],
            clear=[],
        ),
        "description": FIXED,
    },
    "firewall_rule": {
        "network": Case(f"{LINK}/networks/other"),
        "direction": Case("EGRESS", "INGRESS"),
        "action": Case("deny"),
        "priority": Case(900, 1000),
        "sourceRanges": Case(["10.0.0.0/8"]),
        "destinationRanges": Case(["10.2.0.0/16"], ["10.1.0.0/16"], []),
        "sourceTags": Case(["b"], ["a"], []),
        "targetTags": Case(["x", "y"], clear=[]),
        "targetServiceAccounts": Case([f"b@{ACCOUNTS}"], [f"a@{ACCOUNTS}"]),
        "allowed": Case([{"IPProtocol": "udp", "ports": ["53"]}]),
        "disabled": Case(True, False),
        "logConfig.enable": Case(False, entails=("logConfig", "enableLogging")),
        "description": TEXT,
    },
    "private_services_range": {
        "network": Case(f"{LINK}/networks/other"),
        "purpose": Case("PRIVATE_SERVICE_CONNECT"),
        "addressType": Case("EXTERNAL"),
        "address": Case("10.41.0.0"),
        "prefixLength": Case(21),
        "description": FIXED,
    },
    "private_services_connection": {"reservedPeeringRanges": Case(["mlops-private-services", "second-range"])},
    "instance": {
        "machineType": Case(f"projects/{PROJECT}/zones/europe-west1-b/machineTypes/e2-medium"),
        "disks": Case([]),
        "networkInterfaces": Case([{"subnetwork": f"projects/{PROJECT}/regions/europe-west1/subnetworks/other"}]),
        "serviceAccounts": Case([{"email": "b@acme-mlops.iam.gserviceaccount.com", "scopes": []}]),
        "shieldedInstanceConfig.enableSecureBoot": Case(False),
        "shieldedInstanceConfig.enableVtpm": Case(False),
        "shieldedInstanceConfig.enableIntegrityMonitoring": Case(False),
        "confidentialInstanceConfig.enableConfidentialCompute": Case(True, False),
        "canIpForward": Case(True, False),
        "scheduling": Case({"preemptible": True}, {"preemptible": False}),
        "description": FIXED,
        "labels": LABELS,
        "tags.items": Case(["x", "y"], clear=[]),
        "metadata.items": Case([{"key": "a", "value": "2"}], [{"key": "a", "value": "1"}], []),
        "status": Case("RUNNING"),
    },
    "bucket": {
        "location": Case("US"),
        "storageClass": Case("NEARLINE"),
        "iamConfiguration.uniformBucketLevelAccess.enabled": Case(False, entails=("iamConfiguration",)),
        "iamConfiguration.publicAccessPrevention": Case("inherited"),
        "versioning.enabled": Case(False),
        "lifecycle.rule": Case([{"action": {"type": "Delete"}, "condition": {"age": 9}}], clear=[]),
        "labels": LABELS,
    },
    "repository": {"format": Case("MAVEN"), "description": TEXT, "labels": LABELS},
    "secret": {
        "replication.automatic": Case({}, {}),
        "replication.userManaged.replicas": Case([{"location": "europe-west4"}]),
        "labels": LABELS,
    },
    "secret_value": {"length": Case(40)},
    "database_instance": {
        "databaseVersion": Case("POSTGRES_16"),
        "region": Case("europe-west4"),
        "settings.tier": Case("db-custom-2-7680"),
        "settings.activationPolicy": Case("NEVER", "ALWAYS"),
        "settings.edition": Case("ENTERPRISE_PLUS"),
        "settings.availabilityType": Case("REGIONAL"),
        "settings.dataDiskSizeGb": Case("30"),
        "settings.dataDiskType": Case("PD_HDD", "PD_SSD"),
        "settings.storageAutoResize": Case(False),
        "settings.deletionProtectionEnabled": Case(True),
        "settings.ipConfiguration.ipv4Enabled": Case(True),
        "settings.ipConfiguration.privateNetwork": Case(f"{LINK}/networks/other"),
        "settings.ipConfiguration.sslMode": Case("TRUSTED_CLIENT_CERTIFICATE_REQUIRED"),
        "settings.backupConfiguration.enabled": Case(False),
        "settings.backupConfiguration.startTime": Case("04:00"),
        "settings.backupConfiguration.pointInTimeRecoveryEnabled": Case(False),
        "settings.databaseFlags": Case([{"name": "log_connections", "value": "off"}], clear=[]),
        "settings.userLabels": LABELS,
    },
    "database": {"charset": Case("LATIN1"), "collation": Case("C", "en_US.UTF8")},
    "address": {
        "addressType": Case("INTERNAL"),
        "ipVersion": Case("IPV6"),
        "description": FIXED,
        "labels": LABELS,
    },
    "health_check": {
        "type": Case("TCP"),
        "checkIntervalSec": Case(20),
        "timeoutSec": Case(3),
        "healthyThreshold": Case(4),
        "unhealthyThreshold": Case(5),
        "httpHealthCheck": Case({"port": 8080, "requestPath": "/other"}),
        "logConfig.enable": Case(False),
        "description": TEXT,
    },
    "security_policy": {
        "type": Case("CLOUD_ARMOR_EDGE"),
        "description": TEXT,
        "advancedOptionsConfig.jsonParsing": Case("STANDARD_WITH_GRAPHQL"),
        "rules": Case(
            [
                {
                    "priority": 10,
                    "action": "deny(403)",
                    "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["198.51.100.0/24"]}},
                },
                {
                    "priority": 2147483647,
                    "action": "allow",
                    "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}},
                },
            ]
        ),
    },
    "backend_service": {
        "protocol": Case("HTTPS"),
        "loadBalancingScheme": Case("EXTERNAL"),
        "timeoutSec": Case(60),
        "healthChecks": Case([f"{LINK}/healthChecks/second"]),
        "securityPolicy": Case(f"{LINK}/securityPolicies/second"),
        "backends": Case(
            [
                {
                    "group": f"projects/{PROJECT}/zones/europe-west1-b/networkEndpointGroups/g",
                    "balancingMode": "RATE",
                    "maxRatePerEndpoint": 5,
                }
            ],
            [],
            [],
        ),
        "iap.enabled": Case(False),
        "iap.oauth2ClientId": Case("other", "client"),
        "iap.oauth2ClientSecret": Case("other", "secret", entails=("iap.oauth2ClientSecretSha256",)),
        "logConfig.enable": Case(False, entails=("logConfig",)),
        "logConfig.sampleRate": Case(0.5),
        "connectionDraining.drainingTimeoutSec": Case(30),
        "customResponseHeaders": Case(["X-A: b"], clear=[]),
        "description": TEXT,
    },
    "url_map": {
        "defaultService": Case(f"{LINK}/backendServices/second"),
        "defaultUrlRedirect": Case(
            {"httpsRedirect": True, "hostRedirect": "b.example", "stripQuery": False},
            {"httpsRedirect": True, "hostRedirect": "a.example", "stripQuery": False},
        ),
        "description": TEXT,
    },
    "http_proxy": {"urlMap": Case(f"{LINK}/urlMaps/second"), "description": FIXED},
    "https_proxy": {
        "urlMap": Case(f"{LINK}/urlMaps/second"),
        "certificateMap": Case(f"//certificatemanager.googleapis.com/{CERTIFICATES}/certificateMaps/second"),
        "sslPolicy": Case(f"{LINK}/sslPolicies/second"),
        "description": FIXED,
    },
    "ssl_policy": {
        "profile": Case("COMPATIBLE", entails=("enabledFeatures",)),
        "minTlsVersion": Case("TLS_1_1"),
        "description": FIXED,
    },
    "forwarding_rule": {
        "target": Case(f"{LINK}/targetHttpsProxies/second"),
        "IPAddress": Case("other"),
        "IPProtocol": Case("UDP"),
        "portRange": Case("8080-8080"),
        "description": FIXED,
        "loadBalancingScheme": Case("EXTERNAL"),
        "labels": LABELS,
    },
    "dns_zone": {
        "dnsName": Case("other.example."),
        "description": FIXED,
        "visibility": Case("private"),
        "labels": LABELS,
    },
    "dns_record": {"ttl": Case(60), "rrdatas": Case(["192.0.2.7"])},
    "dns_authorization": {"domain": Case("other.example"), "description": TEXT, "labels": LABELS},
    "certificate": {
        "managed.domains": Case(["other.example"]),
        "managed.dnsAuthorizations": Case([f"{CERTIFICATES}/dnsAuthorizations/other"]),
        "scope": Case("EDGE_CACHE", "DEFAULT"),
        "description": TEXT,
        "labels": LABELS,
    },
    "certificate_map": {"description": TEXT, "labels": LABELS},
    "certificate_map_entry": {
        "hostname": Case("other.example"),
        "matcher": Case("PRIMARY"),
        "certificates": Case([SECOND_CERTIFICATE]),
        "description": TEXT,
        "labels": LABELS,
    },
    "service_account": {"displayName": TEXT, "description": TEXT},
    "cluster": {
        "nodePools": Case([]),
        "description": FIXED,
        "networkConfig.network": Case(f"{LINK}/networks/other"),
        "network": Case(f"{LINK}/networks/other"),
        "subnetwork": Case(f"projects/{PROJECT}/regions/europe-west1/subnetworks/other"),
        "networkConfig.datapathProvider": Case("LEGACY_DATAPATH"),
        "networkConfig.enableIntraNodeVisibility": Case(False),
        "ipAllocationPolicy.useIpAliases": Case(False),
        "ipAllocationPolicy.clusterSecondaryRangeName": Case("other"),
        "ipAllocationPolicy.servicesSecondaryRangeName": Case("other"),
        "privateClusterConfig.enablePrivateNodes": Case(False),
        "privateClusterConfig.masterIpv4CidrBlock": Case("172.16.1.0/28"),
        "privateClusterConfig.enablePrivateEndpoint": Case(False, entails=("privateClusterConfig", *ENDPOINTS)),
        "masterAuthorizedNetworksConfig.enabled": Case(False, entails=ENDPOINTS),
        "masterAuthorizedNetworksConfig.cidrBlocks": Case(
            [{"cidrBlock": "10.1.0.0/16", "displayName": "x"}], clear=[], entails=ENDPOINTS
        ),
        "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled": Case(True, entails=ENDPOINTS),
        "workloadIdentityConfig.workloadPool": Case("", clear=MISSING),
        "releaseChannel.channel": Case("STABLE"),
        "initialClusterVersion": Case("1.30"),
        "shieldedNodes.enabled": Case(False),
        "addonsConfig": Case({"httpLoadBalancing": {"disabled": True}}),
        "loggingConfig.componentConfig.enableComponents": Case(["SYSTEM_COMPONENTS"], clear=[]),
        "monitoringConfig.componentConfig.enableComponents": Case(["SYSTEM_COMPONENTS", "POD"], clear=[]),
        "monitoringConfig.managedPrometheusConfig.enabled": Case(True),
        "masterAuth.clientCertificateConfig.issueClientCertificate": Case(True),
        "legacyAbac.enabled": Case(True),
        "binaryAuthorization.evaluationMode": Case("PROJECT_SINGLETON_POLICY_ENFORCE", "DISABLED"),
        "databaseEncryption.keyName": Case(f"{KEYS}/second", f"{KEYS}/first", entails=("databaseEncryption",)),
        "securityPostureConfig": Case({"mode": "DISABLED"}),
        "authenticatorGroupsConfig": Case(
            {"enabled": False}, {"enabled": True, "securityGroup": "gke-security-groups@acme.example"}
        ),
        "verticalPodAutoscaling.enabled": Case(True, False),
        "rbacBindingConfig": Case(
            {"enableInsecureBindingSystemAuthenticated": True, "enableInsecureBindingSystemUnauthenticated": False}
        ),
        "resourceLabels": LABELS,
        "maintenancePolicy.window": Case({"dailyMaintenanceWindow": {"startTime": "03:00"}}),
    },
    "node_pool": {
        "config.machineType": Case("e2-standard-8"),
        "config.diskType": Case("pd-ssd", entails=("config.bootDisk",)),
        "config.diskSizeGb": Case(200, entails=("config.bootDisk",)),
        "config.imageType": Case("UBUNTU_CONTAINERD"),
        "config.serviceAccount": Case("b@acme-mlops.iam.gserviceaccount.com", "default"),
        "config.oauthScopes": Case([]),
        "config.spot": Case(True, False),
        "config.shieldedInstanceConfig": Case({"enableSecureBoot": False}),
        "config.metadata": Case({"a": "b"}),
        "config.workloadMetadataConfig": Case({"mode": "GCE_METADATA"}),
        "config.labels": Case({"a": "1", "b": "2"}, {"a": "1"}, {}),
        "config.taints": Case(
            [{"key": "k", "value": "w", "effect": "NO_EXECUTE"}],
            [{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}],
            [],
        ),
        "config.tags": Case(["x", "y"], clear=[]),
        "maxPodsConstraint.maxPodsPerNode": Case("32", "110"),
        "locations": Case(["europe-west1-c"], entails=("instanceGroupUrls",)),
        "initialNodeCount": Case(3),
        "autoscaling.minNodeCount": Case(2),
        "autoscaling.maxNodeCount": Case(9),
        "autoscaling.totalMinNodeCount": Case(1, 0, entails=("autoscaling",)),
        "autoscaling.totalMaxNodeCount": Case(9, 0, entails=("autoscaling",)),
        "management": Case({"autoRepair": False, "autoUpgrade": True}),
        "upgradeSettings.maxSurge": Case(2, 1, entails=("upgradeSettings",)),
        "upgradeSettings.maxUnavailable": Case(1, 0, entails=("upgradeSettings",)),
    },
}


# Fields that cannot be tried one by one, with the test that tries them.
ELSEWHERE = {
    ("cluster", "databaseEncryption.state"): "test_machines.py::test_secrets_of_a_cluster_are_encrypted_with_a_key",
    ("subnetwork", "secondaryIpRanges"): "test_network.py::test_every_field_that_can_change_changes",
    ("database_user", "passwordVersion"): "test_data.py::test_a_new_version_of_the_secret_becomes_the_password",
    ("firewall_rule", "denied"): "test_network.py::test_what_a_deny_rule_denies_changes",
    ("node_pool", "autoscaling.enabled"): "test_machines.py::test_fields_of_a_cluster_change",
}
# Fields of which nothing is changed or cleared, only added to: tests/modules/test_identity.py tries them.
ONLY_ADDED = {"members", "enabled"}


def wanted(api: Any) -> list[list[Resource]]:
    """Graphs that together hold one of each kind, in an order in which they can be made."""
    project = {"project": PROJECT}
    data = {
        **project,
        **database(deletion_protection=False),
        "secrets": [{"name": "second"}],
        "secret_locations": ["europe-west1"],
    }
    data |= bucket(members=[{"role": "roles/storage.objectUser", "members": [ALICE]}])
    data |= {"repositories": [{"name": "mlops", "location": "europe-west1"}], "labels": {"platform": "mlops"}}
    return [
        network_graph({**project, **network()}, api),
        instance_graph({**project, **bastion(service_account=f"deployer@{PROJECT}.iam.gserviceaccount.com")}),
        cluster_graph({**project, **gke(node_pools=[pool(zones=["europe-west1-b"])])}),
        data_graph(data),
        edge_graph({**project, **edge()}, api),
        edge_graph(SECOND, api),
        accounts_graph({**project, "accounts": [{"name": "mlops-matrix", "display_name": "a", "description": "b"}]}),
    ]


def one_of_each(graphs: list[list[Resource]]) -> dict[str, Resource]:
    """The first resource of each kind, by the kind's name."""
    found: dict[str, Resource] = {}
    for graph in graphs:
        for resource in graph:
            found.setdefault(resource.kind.name, resource)
    return found
