"""GKE by Google's own gRPC client: clusters, node pools, operations, and what the hypervisor is asked for."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.auth.transport import grpc as auth_grpc
from google.auth.transport.requests import Request
from google.cloud import container_v1
from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerGrpcTransport
from google.oauth2 import service_account

from rehearsal.google.substrate import ClusterResult, ClusterSpec, NullSubstrate, SubstrateError
from rehearsal.google.testing import PROJECT, Emulator, running
from tests.google.test_core import enable

PARENT = f"projects/{PROJECT}/locations/europe-west1"
NODES = f"mlops-nodes@{PROJECT}.iam.gserviceaccount.com"


def prepare(emulator: Emulator) -> None:
    """APIs, network, subnetwork with ranges, node account."""
    enable(emulator, "compute.googleapis.com", "container.googleapis.com")
    base = f"/compute/v1/projects/{PROJECT}"
    emulator.request("POST", f"{base}/global/networks", {"name": "n", "autoCreateSubnetworks": False})
    ranges = [
        {"rangeName": "pods", "ipCidrRange": "10.32.0.0/14"},
        {"rangeName": "services", "ipCidrRange": "10.36.0.0/20"},
    ]
    body = {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.10.0.0/20", "secondaryIpRanges": ranges}
    status, answer = emulator.request("POST", f"{base}/regions/europe-west1/subnetworks", body)
    assert status == 200, answer
    status, answer = emulator.request("POST", f"/v1/projects/{PROJECT}/serviceAccounts", {"accountId": "mlops-nodes"})
    assert status == 200, answer


def client_of(emulator: Emulator) -> container_v1.ClusterManagerClient:
    """The official client over gRPC with the deployer's key."""
    assert emulator.ca is not None
    credentials = service_account.Credentials.from_service_account_file(
        str(emulator.credentials), default_scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    credentials = credentials.with_always_use_jwt_access(True)
    channel = auth_grpc.secure_authorized_channel(
        credentials,
        Request(),
        emulator.url.removeprefix("https://"),
        ssl_credentials=grpc.ssl_channel_credentials(emulator.ca.read_bytes()),
    )
    return container_v1.ClusterManagerClient(transport=ClusterManagerGrpcTransport(channel=channel))


def cluster(**more: Any) -> container_v1.Cluster:
    """A private cluster as the platform makes it."""
    return container_v1.Cluster(
        name="mlops",
        network="n",
        subnetwork="s",
        ip_allocation_policy={
            "use_ip_aliases": True,
            "cluster_secondary_range_name": "pods",
            "services_secondary_range_name": "services",
        },
        private_cluster_config={
            "enable_private_nodes": True,
            "enable_private_endpoint": True,
            "master_ipv4_cidr_block": "172.16.0.0/28",
        },
        workload_identity_config={"workload_pool": f"{PROJECT}.svc.id.goog"},
        node_pools=[
            container_v1.NodePool(
                name="general",
                initial_node_count=1,
                config={"machine_type": "e2-standard-4", "service_account": NODES},
            )
        ],
        **more,
    )


@pytest.fixture
def ready(secure_emulator: Emulator) -> Iterator[tuple[Emulator, container_v1.ClusterManagerClient]]:
    """A prepared project and a client."""
    prepare(secure_emulator)
    client = client_of(secure_emulator)
    yield secure_emulator, client
    client.transport.close()


def wait(client: container_v1.ClusterManagerClient, operation: container_v1.Operation) -> container_v1.Operation:
    """Polls until the operation is done."""
    name = f"{PARENT}/operations/{operation.name}"
    return until(
        lambda: client.get_operation(name=name), lambda found: found.status == container_v1.Operation.Status.DONE
    )


def until(read: Callable[[], Any], done: Callable[[Any], bool], seconds: float = 10.0) -> Any:
    """Reads until it is done, at most so long."""
    deadline = time.monotonic() + seconds
    while not done(found := read()):
        assert time.monotonic() < deadline, found
        threading.Event().wait(0.02)
    return found


def test_a_private_cluster_with_its_pool(ready: tuple[Emulator, container_v1.ClusterManagerClient]) -> None:
    emulator, client = ready
    wait(client, client.create_cluster(parent=PARENT, cluster=cluster()))
    found = client.get_cluster(name=f"{PARENT}/clusters/mlops")
    assert found.status == container_v1.Cluster.Status.RUNNING
    assert found.endpoint == "172.16.0.2"
    assert found.private_cluster_config.private_endpoint == "172.16.0.2"
    assert (found.cluster_ipv4_cidr, found.services_ipv4_cidr) == ("10.32.0.0/14", "10.36.0.0/20")
    assert b"BEGIN CERTIFICATE" in base64.b64decode(found.master_auth.cluster_ca_certificate)
    assert [pool.name for pool in found.node_pools] == ["general"]
    assert found.current_node_count == 3
    assert {item["kind"] for item in emulator.substrate.status()} == {"cluster", "node pool"}


def test_pools_grow_change_and_go(ready: tuple[Emulator, container_v1.ClusterManagerClient]) -> None:
    _, client = ready
    wait(client, client.create_cluster(parent=PARENT, cluster=cluster()))
    name = f"{PARENT}/clusters/mlops/nodePools/extra"
    pool = container_v1.NodePool(
        name="extra", initial_node_count=1, config={"service_account": NODES}, locations=["europe-west1-b"]
    )
    wait(client, client.create_node_pool(parent=f"{PARENT}/clusters/mlops", node_pool=pool))
    wait(client, client.set_node_pool_size(request={"name": name, "node_count": 2}))
    assert client.get_node_pool(name=name).initial_node_count == 2
    taint = container_v1.NodeTaint(key="gpu", value="true", effect=container_v1.NodeTaint.Effect.NO_SCHEDULE)
    wait(client, client.update_node_pool(request={"name": name, "taints": {"taints": [taint]}}))
    assert client.get_node_pool(name=name).config.taints == [taint]
    wait(client, client.delete_node_pool(name=name))
    with pytest.raises(exceptions.NotFound):
        client.get_node_pool(name=name)


def test_one_field_an_update(ready: tuple[Emulator, container_v1.ClusterManagerClient]) -> None:
    _, client = ready
    name = f"{PARENT}/clusters/mlops"
    wait(client, client.create_cluster(parent=PARENT, cluster=cluster()))
    wait(client, client.update_cluster(name=name, update={"desired_release_channel": {"channel": "STABLE"}}))
    assert client.get_cluster(name=name).release_channel.channel == container_v1.ReleaseChannel.Channel.STABLE
    with pytest.raises(exceptions.InvalidArgument, match="Must specify a field to update"):
        client.update_cluster(name=name, update={})
    update = {"desired_release_channel": {"channel": "RAPID"}, "desired_shielded_nodes": {"enabled": True}}
    with pytest.raises(exceptions.InvalidArgument, match="Only one field"):
        client.update_cluster(name=name, update=update)


def test_errors_over_grpc(ready: tuple[Emulator, container_v1.ClusterManagerClient]) -> None:
    _, client = ready
    with pytest.raises(
        exceptions.NotFound, match=r"Not found: projects/acme-mlops/locations/europe-west1/clusters/none\."
    ):
        client.get_cluster(name=f"{PARENT}/clusters/none")
    broken = cluster()
    broken.network = "missing"
    with pytest.raises(exceptions.InvalidArgument, match='Network "missing" does not exist'):
        client.create_cluster(parent=PARENT, cluster=broken)
    long = cluster()
    long.name = "c" * 41
    with pytest.raises(exceptions.InvalidArgument, match="at most 40"):
        client.create_cluster(parent=PARENT, cluster=long)


class _Slow(NullSubstrate):
    """A hypervisor that waits to be told, and may refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.refusal = ""

    def ensure_cluster(self, spec: ClusterSpec) -> ClusterResult:
        self.go.wait(10)
        if self.refusal:
            raise SubstrateError(self.refusal)
        return super().ensure_cluster(spec)


def test_a_busy_cluster_refuses_and_its_subnetwork_stays(tmp_path: Path) -> None:
    slow = _Slow()
    with running(tmp_path, tls=True, substrate=slow) as emulator:
        prepare(emulator)
        client = client_of(emulator)
        operation = client.create_cluster(parent=PARENT, cluster=cluster())
        assert client.get_cluster(name=f"{PARENT}/clusters/mlops").status == container_v1.Cluster.Status.PROVISIONING
        with pytest.raises(exceptions.FailedPrecondition, match="currently creating cluster"):
            client.delete_cluster(name=f"{PARENT}/clusters/mlops")
        slow.go.set()
        wait(client, operation)
        base = f"/compute/v1/projects/{PROJECT}/regions/europe-west1"
        _, deletion = emulator.request("DELETE", f"{base}/subnetworks/s")
        _, ended = emulator.request("GET", f"{base}/operations/{deletion['name']}")
        assert ended["error"]["errors"][0]["code"] == "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
        client.transport.close()


def test_what_the_hypervisor_refuses_ends_the_operation(tmp_path: Path) -> None:
    slow = _Slow()
    slow.refusal = "no control plane: the toolchain has no kube-apiserver; run `make toolchain`"
    slow.go.set()
    with running(tmp_path, tls=True, substrate=slow) as emulator:
        prepare(emulator)
        client = client_of(emulator)
        ended = wait(client, client.create_cluster(parent=PARENT, cluster=cluster()))
        assert slow.refusal in ended.error.message
        found = client.get_cluster(name=f"{PARENT}/clusters/mlops")
        assert found.status == container_v1.Cluster.Status.ERROR
        wait(client, client.delete_cluster(name=f"{PARENT}/clusters/mlops"))
        client.transport.close()


def test_a_restart_resumes_what_was_under_way(tmp_path: Path) -> None:
    with running(tmp_path, tls=True) as first:
        prepare(first)
        assert first.request("PUT", "/time", {"scale": 0.005})[0] == 200
        client = client_of(first)
        operation = client.create_cluster(parent=PARENT, cluster=cluster())
        client.transport.close()
        assert first.substrate.status() == []
    with running(tmp_path, tls=True) as second:
        client = client_of(second)
        wait(client, operation)
        assert client.get_cluster(name=f"{PARENT}/clusters/mlops").status == container_v1.Cluster.Status.RUNNING
        assert {item["kind"] for item in second.substrate.status()} == {"cluster", "node pool"}
        client.transport.close()
