"""Who a machine or pod is, and who may tunnel: metadata server, control plane webhooks, the relay's directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.google.directory import CloudDirectory
from rehearsal.google.store import Record
from rehearsal.google.substrate import NullSubstrate
from rehearsal.google.testing import NUMBER, PROJECT, Emulator, running
from tests.google.test_core import enable

ACCOUNT = f"mlops-mlflow@{PROJECT}.iam.gserviceaccount.com"
CLUSTER = f"projects/{PROJECT}/locations/europe-west1/clusters/mlops"
FLAVOR = {"Metadata-Flavor": "Google"}


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[tuple[Emulator, NullSubstrate]]:
    """An emulator to which this test's own address is that of a pod."""
    substrate = NullSubstrate()
    substrate.pods["127.0.0.1"] = {
        "cluster_key": CLUSTER,
        "namespace": "mlflow",
        "service_account": "mlflow",
        "annotations": {"iam.gke.io/gcp-service-account": ACCOUNT},
    }
    with running(tmp_path, substrate=substrate) as started:
        started.request("POST", f"/v1/projects/{PROJECT}/serviceAccounts", {"accountId": "mlops-mlflow"})
        yield started, substrate


def metadata(cloud: Emulator, path: str, headers: dict[str, str] | None = None) -> requests.Response:
    """One question to the metadata server."""
    return requests.get(
        f"{cloud.url}/computeMetadata/v1/{path}", headers=FLAVOR if headers is None else headers, timeout=10
    )


def test_the_flavor_header_is_wanted(pods: tuple[Emulator, NullSubstrate]) -> None:
    assert metadata(pods[0], "project/project-id", {}).status_code == 403


def test_workload_identity_needs_the_binding(pods: tuple[Emulator, NullSubstrate]) -> None:
    cloud, _ = pods
    assert metadata(cloud, "instance/service-accounts/default/token").status_code == 404
    member = f"serviceAccount:{PROJECT}.svc.id.goog[mlflow/mlflow]"
    policy = {"policy": {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]}}
    status, _ = cloud.request("POST", f"/v1/projects/{PROJECT}/serviceAccounts/{ACCOUNT}:setIamPolicy", policy)
    assert status == 200
    token = metadata(cloud, "instance/service-accounts/default/token").json()["access_token"]
    principal = cloud.cloud.identities.identify(token)
    assert principal is not None
    assert principal.email == ACCOUNT
    assert metadata(cloud, "instance/service-accounts/default/email").text == ACCOUNT
    assert metadata(cloud, "project/project-id").text == PROJECT
    assert metadata(cloud, "project/numeric-project-id").text == NUMBER
    assert metadata(cloud, "instance/attributes/cluster-name").text == "mlops"


def test_without_annotation_a_pod_is_its_own_principal(pods: tuple[Emulator, NullSubstrate]) -> None:
    cloud, substrate = pods
    substrate.pods["127.0.0.1"]["annotations"] = {}
    token = metadata(cloud, "instance/service-accounts/default/token").json()["access_token"]
    principal = cloud.cloud.identities.identify(token)
    assert principal is not None
    assert principal.email.endswith(f"/workloadIdentityPools/{PROJECT}.svc.id.goog/subject/ns/mlflow/sa/mlflow")


def told(cloud: Emulator, email: str) -> list[str]:
    """The groups that the API server of the cluster hears of."""
    review = {"spec": {"token": cloud.token(email)}}
    status, answer = cloud.request("POST", f"/_webhooks/authenticate/{CLUSTER}", review, email=None)
    assert status == 200
    assert answer["status"]["user"]["username"] == email
    return [group for group in answer["status"]["user"]["groups"] if group != "system:authenticated"]


def test_a_cluster_hears_of_the_groups_in_its_security_group_alone(tmp_path: Path) -> None:
    groups = {
        "ml-team-fraud@acme.example": ["bob@acme.example"],
        "lunch@acme.example": ["bob@acme.example"],
        "gke-security-groups@acme.example": ["ml-team-fraud@acme.example"],
    }
    config = {"enabled": True, "securityGroup": "gke-security-groups@acme.example"}
    with running(tmp_path, groups=groups) as cloud:
        for body, heard in (
            ({}, []),
            ({"authenticatorGroupsConfig": {"enabled": False}}, []),
            ({"authenticatorGroupsConfig": config}, ["ml-team-fraud@acme.example"]),
            ({"authenticatorGroupsConfig": {**config, "securityGroup": "gke-security-groups@other.example"}}, []),
        ):
            with cloud.cloud.store.transaction() as tx:
                tx.put(Record("container.clusters", CLUSTER, body))
            assert told(cloud, "bob@acme.example") == heard


def machine(cloud: Emulator, tags: list[str]) -> None:
    """A network, a firewall rule for tagged machines, and a machine."""
    enable(cloud, "compute.googleapis.com", "iap.googleapis.com")
    base = f"/compute/v1/projects/{PROJECT}"
    cloud.request("POST", f"{base}/global/networks", {"name": "n", "autoCreateSubnetworks": False})
    subnetwork = {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.10.0.0/20"}
    cloud.request("POST", f"{base}/regions/europe-west1/subnetworks", subnetwork)
    rule = {
        "name": "iap",
        "network": "global/networks/n",
        "sourceRanges": ["35.235.240.0/20"],
        "targetTags": ["bastion"],
    }
    cloud.request("POST", f"{base}/global/firewalls", {**rule, "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]})
    disk = {
        "boot": True,
        "autoDelete": True,
        "initializeParams": {"sourceImage": "projects/debian-cloud/global/images/family/debian-12"},
    }
    instance: dict[str, Any] = {
        "name": "bastion",
        "machineType": "zones/europe-west1-b/machineTypes/e2-micro",
        "disks": [disk],
    }
    instance |= {"networkInterfaces": [{"subnetwork": "regions/europe-west1/subnetworks/s"}], "tags": {"items": tags}}
    status, operation = cloud.request("POST", f"{base}/zones/europe-west1-b/instances", instance)
    assert status == 200, operation
    ended = cloud.request("POST", f"{base}/zones/europe-west1-b/operations/{operation['name']}/wait")[1]
    assert "error" not in ended, ended


def test_the_directory_of_the_relay(emulator: Emulator) -> None:
    machine(emulator, ["bastion"])
    directory, place = CloudDirectory(emulator.cloud), (PROJECT, "europe-west1-b", "bastion")
    assert directory.principal_of_token(emulator.token("bob@acme.example")) == "bob@acme.example"
    assert directory.principal_of_token("ya29.c.nonsense.x") is None
    assert directory.interface_address(*place, "nic0") == "10.10.0.2"
    assert directory.interface_address(*place, "nic1") is None
    assert directory.admits(*place, "35.235.240.0/20", 22)
    assert not directory.admits(*place, "35.235.240.0/20", 80)
    assert not directory.admits(*place, "198.51.100.0/24", 22)
    assert not directory.may_tunnel("bob@acme.example", *place, 22)
    path = f"/v1/projects/{NUMBER}/iap_tunnel/zones/europe-west1-b/instances/bastion:setIamPolicy"
    policy = {"bindings": [{"role": "roles/iap.tunnelResourceAccessor", "members": ["user:bob@acme.example"]}]}
    assert emulator.request("POST", path, {"policy": policy})[0] == 200
    assert directory.may_tunnel("bob@acme.example", *place, 22)
    assert directory.may_tunnel("bob@acme.example", NUMBER, "europe-west1-b", "bastion", 22)
    assert not directory.may_tunnel("eve@acme.example", *place, 22)


def test_untagged_machines_are_not_reached(emulator: Emulator) -> None:
    machine(emulator, [])
    assert not CloudDirectory(emulator.cloud).admits(PROJECT, "europe-west1-b", "bastion", "35.235.240.0/20", 22)


def test_a_stopped_machine_has_no_address_for_the_relay(emulator: Emulator) -> None:
    machine(emulator, ["bastion"])
    zone = f"/compute/v1/projects/{PROJECT}/zones/europe-west1-b"
    _, operation = emulator.request("POST", f"{zone}/instances/bastion/stop")
    emulator.request("POST", f"{zone}/operations/{operation['name']}/wait")
    assert emulator.request("GET", f"{zone}/instances/bastion")[1]["status"] == "TERMINATED"
    assert CloudDirectory(emulator.cloud).interface_address(PROJECT, "europe-west1-b", "bastion", "nic0") is None
