"""What the platform has in Google Cloud, by what Google's APIs answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

PROJECT, REGION = "acme-mlops", "europe-west1"
Clients = Callable[..., Any]


@pytest.fixture(scope="module")
def gke(google_api: Clients) -> dict[str, Any]:
    """The cluster as GKE describes it."""
    name = f"projects/{PROJECT}/locations/{REGION}/clusters/mlops"
    found: dict[str, Any] = google_api("container").projects().locations().clusters().get(name=name).execute()
    return found


def test_the_cluster_runs_privately(gke: dict[str, Any]) -> None:
    assert gke["status"] == "RUNNING"
    private = gke["privateClusterConfig"]
    assert private["enablePrivateNodes"] is True
    assert private["enablePrivateEndpoint"] is True
    assert private["privateEndpoint"] == "172.16.0.2"
    blocks = gke["masterAuthorizedNetworksConfig"]["cidrBlocks"]
    assert [block["cidrBlock"] for block in blocks] == ["10.10.0.0/20"]


def test_the_cluster_is_hardened(gke: dict[str, Any]) -> None:
    assert gke["workloadIdentityConfig"]["workloadPool"] == f"{PROJECT}.svc.id.goog"
    assert gke["shieldedNodes"]["enabled"] is True
    assert gke["networkConfig"]["datapathProvider"] == "ADVANCED_DATAPATH"
    assert not gke.get("legacyAbac", {}).get("enabled")
    (pool,) = gke["nodePools"]
    assert pool["config"]["serviceAccount"] == f"mlops-nodes@{PROJECT}.iam.gserviceaccount.com"
    assert pool["config"]["workloadMetadataConfig"]["mode"] == "GKE_METADATA"
    assert pool["config"]["shieldedInstanceConfig"]["enableSecureBoot"] is True
    assert pool["management"] == {"autoRepair": True, "autoUpgrade": True}


def test_the_database_has_a_private_address_only(google_api: Clients) -> None:
    found = google_api("sqladmin").instances().get(project=PROJECT, instance="mlops-mlflow").execute()
    assert found["state"] == "RUNNABLE"
    assert {address["type"] for address in found["ipAddresses"]} == {"PRIVATE"}
    assert found["settings"]["ipConfiguration"]["ipv4Enabled"] is False
    assert found["settings"]["ipConfiguration"]["sslMode"] == "ENCRYPTED_ONLY"
    assert found["settings"]["backupConfiguration"]["pointInTimeRecoveryEnabled"] is True


def test_the_bucket_cannot_be_made_public(google_api: Clients) -> None:
    bucket = google_api("storage").buckets().get(bucket=f"{PROJECT}-mlops-artifacts").execute()
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] is True
    assert bucket["versioning"]["enabled"] is True


def test_only_mlflow_reads_the_databases_password(google_api: Clients) -> None:
    name = f"projects/{PROJECT}/secrets/mlops-mlflow-database-password"
    policy = google_api("secretmanager").projects().secrets().getIamPolicy(resource=name).execute()
    readers = {
        member
        for binding in policy["bindings"]
        if binding["role"] == "roles/secretmanager.secretAccessor"
        for member in binding["members"]
    }
    assert readers == {f"serviceAccount:mlops-mlflow@{PROJECT}.iam.gserviceaccount.com"}


@pytest.mark.parametrize("account", ["mlops-nodes", "mlops-bastion"])
def test_accounts_of_machines_have_little_power(google_api: Clients, account: str) -> None:
    policy = google_api("cloudresourcemanager").projects().getIamPolicy(resource=PROJECT, body={}).execute()
    member = f"serviceAccount:{account}@{PROJECT}.iam.gserviceaccount.com"
    roles = {binding["role"] for binding in policy["bindings"] if member in binding["members"]}
    assert roles
    assert not roles & {"roles/owner", "roles/editor", "roles/container.admin", "roles/iam.serviceAccountTokenCreator"}


def test_images_have_a_repository(google_api: Clients) -> None:
    name = f"projects/{PROJECT}/locations/{REGION}/repositories/mlops"
    found = google_api("artifactregistry").projects().locations().repositories().get(name=name).execute()
    assert found["format"] == "DOCKER"


def test_the_platforms_names_lead_to_its_address(compute: Any, controller: Host) -> None:
    address = compute.globalAddresses().get(project=PROJECT, address="mlops").execute()["address"]
    for name in ("ml.acme.example", "mlflow.ml.acme.example"):
        assert controller.check_output(f"getent hosts {name}").split()[0] == address
    rules = compute.globalForwardingRules().list(project=PROJECT).execute()["items"]
    doors = {(rule["name"], rule["IPAddress"], rule["portRange"]) for rule in rules}
    assert doors == {("mlops", address, "443-443"), ("mlops-redirect", address, "80-80")}


def test_plain_http_is_redirected(compute: Any) -> None:
    maps = {found["name"]: found for found in compute.urlMaps().list(project=PROJECT).execute()["items"]}
    redirect = maps["mlops-redirect"]["defaultUrlRedirect"]
    assert redirect["httpsRedirect"] is True
    assert redirect["redirectResponseCode"] == "MOVED_PERMANENTLY_DEFAULT"


def test_people_must_sign_in_and_pass_cloud_armor(compute: Any) -> None:
    backend = compute.backendServices().get(project=PROJECT, backendService="mlops").execute()
    assert backend["iap"]["enabled"] is True
    assert backend["securityPolicy"].endswith("/securityPolicies/mlops")
    policy = compute.securityPolicies().get(project=PROJECT, securityPolicy="mlops").execute()
    assert "deny(403)" in {rule["action"] for rule in policy["rules"]}


def test_the_certificate_is_for_the_domain_and_all_under_it(google_api: Clients) -> None:
    place = f"projects/{PROJECT}/locations/global"
    found = google_api("certificatemanager").projects().locations().certificates().list(parent=place).execute()
    (certificate,) = found["certificates"]
    assert set(certificate["managed"]["domains"]) == {"ml.acme.example", "*.ml.acme.example"}


def test_status_finds_nothing_missing(play: Callable[..., str]) -> None:
    said = play("playbooks/status.yml")
    assert "cluster/mlops: RUNNING" in said
    assert "missing" not in said
