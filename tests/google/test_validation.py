"""Requests are held to the discovery documents, and refused in the words of each service's family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.google.testing import PROJECT, Emulator, running
from tests.google.test_core import enable

SERVICES = (
    "compute", "container", "iam", "dns", "secretmanager", "storage", "artifactregistry", "certificatemanager",
    "cloudkms", "sqladmin", "iap", "servicenetworking",
)  # fmt: skip
NETWORKS = f"/compute/v1/projects/{PROJECT}/global/networks"
FIREWALLS = f"/compute/v1/projects/{PROJECT}/global/firewalls"
SUBNETWORKS = f"/compute/v1/projects/{PROJECT}/regions/europe-west1/subnetworks"
CLUSTERS = f"/v1/projects/{PROJECT}/locations/europe-west1/clusters"
ZONES = f"/dns/v1/projects/{PROJECT}/managedZones"
SECRETS = f"/v1/projects/{PROJECT}/secrets"
REPOSITORIES = f"/v1/projects/{PROJECT}/locations/europe-west1/repositories"
RINGS = f"/v1/projects/{PROJECT}/locations/europe-west1/keyRings"
SQL = f"/sql/v1beta4/projects/{PROJECT}/instances"
ACCOUNTS = f"/v1/projects/{PROJECT}/serviceAccounts"
BUCKETS = f"/storage/v1/b?project={PROJECT}"


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all, since nothing is made."""
    folder: Path = tmp_path_factory.mktemp("emulator")
    with running(folder) as started:
        enable(started, *(f"{name}.googleapis.com" for name in SERVICES))
        yield started


def unknown(name: str, where: str = "") -> str:
    """The text for a field that there is not."""
    at = f" at '{where}'" if where else ""
    return f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.'


UNKNOWN_FIELD: list[tuple[str, dict[str, Any], str, str]] = [
    (NETWORKS, {"name": "n", "autoSubnets": True}, "", unknown("autoSubnets", "resource")),
    (NETWORKS, {"name": "n", "routingConfig": {"mode": "X"}}, "", unknown("mode", "resource.routingConfig")),
    (CLUSTERS, {"cluster": {"nam": "c"}}, "", unknown("nam", "cluster")),
    (
        CLUSTERS,
        {"cluster": {"ipAllocationPolicy": {"useIpAlias": True}}},
        "",
        unknown("useIpAlias", "cluster.ip_allocation_policy"),
    ),
    (ZONES, {"name": "z", "dns": "x."}, "dns.googleapis.com", unknown("dns")),
    (f"{SECRETS}?secretId=s", {"replicas": {}}, "secretmanager.googleapis.com", unknown("replicas")),
    (f"{REPOSITORIES}?repositoryId=r", {"fmt": 1}, "artifactregistry.googleapis.com", unknown("fmt")),
    (f"{RINGS}?keyRingId=k", {"ring": 1}, "cloudkms.googleapis.com", unknown("ring")),
    (SQL, {"name": "i", "setting": {}}, "", unknown("setting")),
    (ACCOUNTS, {"accountid": "x"}, "iam.googleapis.com", unknown("accountid")),
    (BUCKETS, {"name": "b", "loc": "EU"}, "", unknown("loc")),
]


@pytest.mark.parametrize(("path", "body", "host", "text"), UNKNOWN_FIELD)
def test_unknown_field(google: Emulator, path: str, body: dict[str, Any], host: str, text: str) -> None:
    status, answer = google.request("POST", path, body, host=host or None)
    assert (status, answer["error"]["message"]) == (400, text)
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
    assert answer["error"]["details"][0]["fieldViolations"][0]["description"] == text


WRONG_VALUE: list[tuple[str, dict[str, Any], str, str]] = [
    (NETWORKS, {"name": "n", "mtu": "big"}, "", "Invalid value at 'resource.mtu' (TYPE_INT32), \"big\""),
    (NETWORKS, {"autoCreateSubnetworks": "yes"}, "", "Invalid value at 'resource.autoCreateSubnetworks' (TYPE_BOOL"),
    (FIREWALLS, {"name": "f", "direction": "IN"}, "", "Invalid value at 'resource.direction' (type.googleapis.com/"),
    (
        CLUSTERS,
        {"cluster": {"initialNodeCount": "x"}},
        "",
        "Invalid value at 'cluster.initial_node_count' (TYPE_INT32)",
    ),
    (
        CLUSTERS,
        {"cluster": {"releaseChannel": {"channel": "FAST"}}},
        "",
        "Invalid value at 'cluster.release_channel.channel' (type.googleapis.com/",
    ),
    (ZONES, {"name": "z", "visibility": "hidden"}, "dns.googleapis.com", "Invalid value at 'visibility' (type."),
    (f"{SECRETS}?secretId=s", {"replication": "automatic"}, "secretmanager.googleapis.com", "Invalid value at 'repl"),
    (f"{REPOSITORIES}?repositoryId=r", {"format": "TAR"}, "artifactregistry.googleapis.com", "Invalid value at 'fo"),
    (SQL, {"databaseVersion": "POSTGRES_1"}, "", "Invalid value at 'databaseVersion' (type.googleapis.com/"),
    (ACCOUNTS, {"accountId": 7}, "iam.googleapis.com", "Invalid value at 'account_id' (TYPE_STRING), 7"),
    (
        BUCKETS,
        {"name": "b", "versioning": {"enabled": "maybe"}},
        "",
        "Invalid value at 'versioning.enabled' (TYPE_BOOL",
    ),
]


@pytest.mark.parametrize(("path", "body", "host", "text"), WRONG_VALUE)
def test_wrong_type_or_enum(google: Emulator, path: str, body: dict[str, Any], host: str, text: str) -> None:
    status, answer = google.request("POST", path, body, host=host or None)
    assert status == 400
    assert answer["error"]["message"].startswith(text)


MISSING: list[tuple[str, dict[str, Any], str, str]] = [
    (NETWORKS, {}, "", "Invalid value for field 'resource.name': ''. Must be a match of regex"),
    (SUBNETWORKS, {"name": "s"}, "", "Required field 'resource.ipCidrRange' not specified"),
    (FIREWALLS, {"name": "f"}, "", "Required field 'resource"),
    (CLUSTERS, {"cluster": {"name": "c", "network": "none"}}, "", 'Network "none" does not exist.'),
    (ZONES, {"name": "z"}, "dns.googleapis.com", "The 'entity.managedZone.dnsName' parameter is required"),
    (f"{SECRETS}?secretId=s", {}, "secretmanager.googleapis.com", "Field [secret.replication] is required."),
    (SECRETS, {"replication": {"automatic": {}}}, "secretmanager.googleapis.com", "The provided Secret ID does not"),
    (f"{REPOSITORIES}?repositoryId=r", {}, "artifactregistry.googleapis.com", ""),
    (ACCOUNTS, {}, "iam.googleapis.com", "Invalid service account ID"),
    (BUCKETS, {}, "", ""),
]


@pytest.mark.parametrize(("path", "body", "host", "text"), MISSING)
def test_missing(google: Emulator, path: str, body: dict[str, Any], host: str, text: str) -> None:
    status, answer = google.request("POST", path, body, host=host or None)
    assert status == 400
    assert text in answer["error"]["message"]


@pytest.mark.parametrize(
    ("path", "host", "text"),
    [
        (f"{NETWORKS}?size=3", "", 'Unknown name "size": Cannot bind query parameter.'),
        (f"{NETWORKS}?maxResults=many", "", "Invalid value at 'max_results' (TYPE_UINT32), \"many\""),
        (f"{SECRETS}?pageSize=x", "secretmanager.googleapis.com", "Invalid value at 'page_size' (TYPE_INT32), \"x\""),
    ],
)
def test_query(google: Emulator, path: str, host: str, text: str) -> None:
    status, answer = google.request("GET", path, host=host or None)
    assert status == 400
    assert text in answer["error"]["message"]


def test_all_violations_at_once(google: Emulator) -> None:
    status, answer = google.request("POST", NETWORKS, {"one": 1, "mtu": "x"})
    assert status == 400
    assert len(answer["error"]["message"].splitlines()) == 2
