"""Storage, secrets, databases, registries, DNS and certificates, by Google's own clients where they reach a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import Credentials
from google.cloud import secretmanager_v1, storage
from google.oauth2 import credentials as oauth_credentials

from rehearsal.google.testing import NUMBER, PROJECT, Emulator, redirected
from tests.google.test_core import enable

SERVICES = (
    "compute",
    "sqladmin",
    "secretmanager",
    "artifactregistry",
    "dns",
    "certificatemanager",
    "servicenetworking",
)


@pytest.fixture
def cloud(secure_emulator: Emulator) -> Iterator[Emulator]:
    """With the APIs of the data layer on, reached under Google's names."""
    enable(secure_emulator, *(f"{name}.googleapis.com" for name in SERVICES))
    with redirected(secure_emulator):
        yield secure_emulator


def credentials(cloud: Emulator) -> Credentials:
    """The deployer's access token."""
    return oauth_credentials.Credentials(cloud.token())


def settled(cloud: Emulator, path: str, host: str | None = None, seconds: float = 10.0) -> Any:
    """Polls an operation until it is done."""
    deadline = time.monotonic() + seconds
    while True:
        status, body = cloud.request("GET", path, host=host)
        assert status == 200, body
        if body.get("done") or body.get("status") == "DONE":
            return body
        assert time.monotonic() < deadline, body
        threading.Event().wait(0.02)


def test_objects_round_trip(cloud: Emulator) -> None:
    client = storage.Client(project=PROJECT, credentials=credentials(cloud))
    bucket = client.create_bucket("acme-mlops-artifacts", location="europe-west1")
    assert bucket.location == "EUROPE-WEST1"
    small, large = bucket.blob("runs/1/model.txt"), bucket.blob("runs/2/weights.bin", chunk_size=256 * 1024)
    small.upload_from_string("weights", content_type="text/plain", if_generation_match=0)
    data = bytes(range(256)) * 4096
    with large.open("wb") as file:
        file.write(data)
    assert small.download_as_text() == "weights"
    assert large.download_as_bytes() == data
    assert large.download_as_bytes(start=10, end=19) == data[10:20]
    assert [blob.name for blob in client.list_blobs(bucket, prefix="runs/")] == [
        "runs/1/model.txt",
        "runs/2/weights.bin",
    ]
    folders = client.list_blobs(bucket, prefix="runs/", delimiter="/")
    assert list(folders) == []
    assert folders.prefixes == {"runs/1/", "runs/2/"}
    with pytest.raises(exceptions.PreconditionFailed):
        small.upload_from_string("again", if_generation_match=0)
    bucket.copy_blob(small, bucket, "copy.txt")
    bucket.blob("both.txt").compose([small, bucket.blob("copy.txt")])
    assert bucket.blob("both.txt").download_as_text() == "weightsweights"
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    bucket.delete(force=True)
    assert client.lookup_bucket("acme-mlops-artifacts") is None


def test_bucket_policy_decides_who_reads(cloud: Emulator) -> None:
    client = storage.Client(project=PROJECT, credentials=credentials(cloud))
    bucket = client.create_bucket("acme-mlops-shared", location="europe-west1")
    bucket.blob("a").upload_from_string("a")
    path = "/storage/v1/b/acme-mlops-shared/o/a"
    assert cloud.request("GET", path, email="bob@acme.example")[0] == 403
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"group:ml-team-fraud@acme.example"}})
    bucket.set_iam_policy(policy)
    assert cloud.request("GET", path, email="bob@acme.example")[0] == 200
    assert cloud.request("GET", path, email="eve@acme.example")[0] == 403


def test_secrets_by_rest(cloud: Emulator) -> None:
    client = secretmanager_v1.SecretManagerServiceClient(credentials=credentials(cloud), transport="rest")
    secret = {"replication": {"automatic": {}}, "labels": {"managed-by": "mlops"}}
    made = client.create_secret(parent=f"projects/{PROJECT}", secret_id="password", secret=secret)
    assert made.name == f"projects/{NUMBER}/secrets/password"
    version = client.add_secret_version(parent=made.name, payload={"data": b"s3cret"})
    assert version.name.endswith("/versions/1")
    assert client.access_secret_version(name=f"{made.name}/versions/latest").payload.data == b"s3cret"
    with pytest.raises(exceptions.Conflict):
        client.create_secret(parent=f"projects/{PROJECT}", secret_id="password", secret=secret)
    client.disable_secret_version(name=version.name)
    with pytest.raises(exceptions.GoogleAPICallError, match="DISABLED state"):
        client.access_secret_version(name=version.name)
    client.delete_secret(name=made.name)
    with pytest.raises(exceptions.NotFound, match=r"Secret \[projects/417385926104/secrets/password\] not found"):
        client.get_secret(name=made.name)


def test_secrets_by_grpc(cloud: Emulator) -> None:
    import grpc
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    assert cloud.ca is not None
    call = grpc.access_token_call_credentials(cloud.token())
    secure = grpc.composite_channel_credentials(grpc.ssl_channel_credentials(cloud.ca.read_bytes()), call)
    with grpc.secure_channel(cloud.url.removeprefix("https://"), secure) as channel:
        client = secretmanager_v1.SecretManagerServiceClient(
            transport=SecretManagerServiceGrpcTransport(channel=channel)
        )
        secret = {"replication": {"automatic": {}}}
        made = client.create_secret(parent=f"projects/{PROJECT}", secret_id="grpc", secret=secret)
        client.add_secret_version(parent=made.name, payload={"data": b"value"})
        assert client.access_secret_version(name=f"{made.name}/versions/1").payload.data == b"value"
        assert [item.name for item in client.list_secrets(parent=f"projects/{PROJECT}")] == [made.name]
        with pytest.raises(exceptions.NotFound):
            client.get_secret(name=f"projects/{PROJECT}/secrets/none")


def connect(cloud: Emulator) -> None:
    """A network with private services access."""
    base = f"/compute/v1/projects/{PROJECT}/global"
    cloud.request("POST", f"{base}/networks", {"name": "n", "autoCreateSubnetworks": False})
    range_ = {
        "name": "psa",
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "address": "10.40.0.0",
        "prefixLength": 20,
    }
    assert cloud.request("POST", f"{base}/addresses", {**range_, "network": "global/networks/n"})[0] == 200
    body = {"network": f"projects/{NUMBER}/global/networks/n", "reservedPeeringRanges": ["psa"]}
    path = "/v1/services/servicenetworking.googleapis.com/connections"
    status, operation = cloud.request("PATCH", f"{path}/-?updateMask=reservedPeeringRanges&force=true", body)
    assert status == 200, operation
    assert settled(cloud, f"/v1/{operation['name']}")["response"]["peering"] == "servicenetworking-googleapis-com"


def instance(**settings: Any) -> dict[str, Any]:
    """A private PostgreSQL instance."""
    network = f"projects/{PROJECT}/global/networks/n"
    configuration = {"ipv4Enabled": False, "privateNetwork": network}
    return {
        "name": "mlops-mlflow",
        "databaseVersion": "POSTGRES_15",
        "region": "europe-west1",
        "settings": {"tier": "db-custom-1-3840", "ipConfiguration": configuration, **settings},
    }


def test_a_database_instance_has_an_address_of_the_range(cloud: Emulator) -> None:
    connect(cloud)
    base = f"/sql/v1beta4/projects/{PROJECT}"
    status, operation = cloud.request("POST", f"{base}/instances", instance())
    assert status == 200, operation
    assert "error" not in settled(cloud, f"{base}/operations/{operation['name']}")
    found = cloud.request("GET", f"{base}/instances/mlops-mlflow")[1]
    assert (found["state"], found["ipAddresses"]) == ("RUNNABLE", [{"ipAddress": "10.40.0.3", "type": "PRIVATE"}])
    for path, body in (("databases", {"name": "mlflow"}), ("users", {"name": "mlflow", "password": "pw"})):
        status, operation = cloud.request("POST", f"{base}/instances/mlops-mlflow/{path}", body)
        assert status == 200, operation
        settled(cloud, f"{base}/operations/{operation['name']}")
    users = cloud.request("GET", f"{base}/instances/mlops-mlflow/users")[1]["items"]
    assert {user["name"] for user in users} == {"mlflow", "postgres"}
    assert all("password" not in user for user in users)
    path = "/v1/services/servicenetworking.googleapis.com/connections/servicenetworking-googleapis-com"
    consumer = {"consumerNetwork": f"projects/{NUMBER}/global/networks/n"}

    def disconnect() -> dict[str, Any]:
        status, begun = cloud.request("POST", path, consumer)
        assert status == 200, begun
        return settled(cloud, f"/v1/{begun['name']}")

    assert "still using this connection" in disconnect()["error"]["message"]
    status, operation = cloud.request("DELETE", f"{base}/instances/mlops-mlflow")
    settled(cloud, f"{base}/operations/{operation['name']}")
    assert cloud.request("GET", f"{base}/instances/mlops-mlflow")[0] == 404
    assert "still using this connection" in disconnect()["error"]["message"], "it is held for days"
    cloud.cloud.limits.change({"connection_seconds": 0.0})
    assert "error" not in disconnect()


def test_without_private_services_access_the_operation_fails(cloud: Emulator) -> None:
    cloud.request(
        "POST", f"/compute/v1/projects/{PROJECT}/global/networks", {"name": "n", "autoCreateSubnetworks": False}
    )
    base = f"/sql/v1beta4/projects/{PROJECT}"
    _, operation = cloud.request("POST", f"{base}/instances", instance())
    ended = settled(cloud, f"{base}/operations/{operation['name']}")
    assert ended["error"]["errors"][0]["code"] == "NETWORK_NOT_PEERED"


def test_repositories(cloud: Emulator) -> None:
    base = f"/v1/projects/{PROJECT}/locations/europe-west1"
    status, operation = cloud.request("POST", f"{base}/repositories?repositoryId=mlops", {"format": "DOCKER"})
    assert status == 200, operation
    assert "done" not in operation
    assert (
        settled(cloud, f"/v1/{operation['name']}", "artifactregistry.googleapis.com")["response"]["format"] == "DOCKER"
    )
    policy = {"policy": {"bindings": [{"role": "roles/artifactregistry.reader", "members": ["user:bob@acme.example"]}]}}
    assert cloud.request("GET", f"{base}/repositories/mlops", email="bob@acme.example")[0] == 403
    assert cloud.request("POST", f"{base}/repositories/mlops:setIamPolicy", policy)[0] == 200
    assert cloud.request("GET", f"{base}/repositories/mlops", email="bob@acme.example")[0] == 200


def test_a_managed_certificate_follows_dns(cloud: Emulator) -> None:
    base = f"/v1/projects/{PROJECT}/locations/global"
    domain = {"domain": "ml.acme.example"}
    _, operation = cloud.request("POST", f"{base}/dnsAuthorizations?dnsAuthorizationId=a", domain)
    host = "certificatemanager.googleapis.com"
    record = settled(cloud, f"/v1/{operation['name']}", host)["response"]["dnsResourceRecord"]
    managed = {
        "domains": ["ml.acme.example"],
        "dnsAuthorizations": [f"projects/{PROJECT}/locations/global/dnsAuthorizations/a"],
    }
    _, operation = cloud.request("POST", f"{base}/certificates?certificateId=c", {"managed": managed})
    settled(cloud, f"/v1/{operation['name']}", host)
    assert cloud.request("GET", f"{base}/certificates/c")[1]["managed"]["state"] == "PROVISIONING"
    zones = f"/dns/v1/projects/{PROJECT}/managedZones"
    zone = {"name": "ml-acme-example", "dnsName": "ml.acme.example.", "description": "platform"}
    assert cloud.request("POST", zones, zone)[0] == 200
    addition = {"name": record["name"], "type": "CNAME", "ttl": 300, "rrdatas": [record["data"]]}
    status, change = cloud.request("POST", f"{zones}/ml-acme-example/changes", {"additions": [addition]})
    assert (status, change["status"]) == (200, "pending")
    assert cloud.request("GET", f"{base}/certificates/c")[1]["managed"]["state"] == "ACTIVE"
    served = cloud.request("GET", "/dns/zones")[1]["zones"][0]
    assert {item["type"] for item in served["records"]} == {"NS", "SOA", "CNAME"}
    assert cloud.request("DELETE", f"{zones}/ml-acme-example")[0] == 400
    assert cloud.request("DELETE", f"{base}/dnsAuthorizations/a")[0] == 400
