"""Networks, subnetworks, routers, firewalls and addresses, by Google's own client."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1
from google.oauth2 import service_account

from rehearsal.google.testing import PROJECT, Emulator, redirected
from tests.google.test_core import enable

REGION = "europe-west1"


@pytest.fixture
def cloud(secure_emulator: Emulator) -> Iterator[Emulator]:
    """With Compute turned on and a custom network `n`."""
    enable(secure_emulator, "compute.googleapis.com")
    with redirected(secure_emulator):
        networks = client(secure_emulator, compute_v1.NetworksClient)
        resource = compute_v1.Network(name="n", auto_create_subnetworks=False)
        networks.insert(project=PROJECT, network_resource=resource).result(timeout=10)
        yield secure_emulator


def client(emulator: Emulator, kind: type) -> Any:
    """A client of google-cloud-compute with the deployer's key: it signs its own JWTs."""
    credentials = service_account.Credentials.from_service_account_file(str(emulator.credentials))
    return kind(credentials=credentials)


def subnetwork(emulator: Emulator, name: str = "s", cidr: str = "10.10.0.0/20", **more: object) -> None:
    """Makes a subnetwork of `n`."""
    body = {"name": name, "network": "global/networks/n", "ipCidrRange": cidr, **more}
    status, answer = emulator.request("POST", f"/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks", body)
    assert status == 200, answer


def test_network_defaults(cloud: Emulator) -> None:
    network = client(cloud, compute_v1.NetworksClient).get(project=PROJECT, network="n")
    assert network.routing_config.routing_mode == "REGIONAL"
    assert network.auto_create_subnetworks is False
    assert network.self_link == f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/n"


def test_a_second_network_of_the_name_conflicts(cloud: Emulator) -> None:
    networks = client(cloud, compute_v1.NetworksClient)
    with pytest.raises(exceptions.Conflict, match="already exists"):
        networks.insert(project=PROJECT, network_resource=compute_v1.Network(name="n"))


def test_a_network_in_use_is_not_deleted_and_the_operation_says_so(cloud: Emulator) -> None:
    subnetwork(cloud)
    networks = client(cloud, compute_v1.NetworksClient)
    with pytest.raises(exceptions.GoogleAPICallError, match="already being used by"):
        networks.delete(project=PROJECT, network="n").result(timeout=10)
    assert networks.get(project=PROJECT, network="n").subnetworks


def test_overlapping_ranges_are_refused(cloud: Emulator) -> None:
    subnetwork(cloud)
    body = {"name": "t", "network": "global/networks/n", "ipCidrRange": "10.10.8.0/24"}
    status, answer = cloud.request("POST", f"/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks", body)
    assert status == 400
    assert "conflicts with existing subnetwork 's'" in answer["error"]["message"]


def test_subnetwork_patch_wants_the_fingerprint(cloud: Emulator) -> None:
    subnetwork(cloud)
    path = f"/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks/s"
    ranges = {"secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.32.0.0/14"}]}
    assert cloud.request("PATCH", path, ranges)[0] == 400
    assert cloud.request("PATCH", path, {**ranges, "fingerprint": "AAAAAAAAAAA="})[0] == 412
    fingerprint = cloud.request("GET", path)[1]["fingerprint"]
    assert cloud.request("PATCH", path, {**ranges, "fingerprint": fingerprint})[0] == 200
    assert cloud.request("GET", path)[1]["secondaryIpRanges"] == ranges["secondaryIpRanges"]


def test_router_patch_takes_the_whole_list_of_nats(cloud: Emulator) -> None:
    path = f"/compute/v1/projects/{PROJECT}/regions/{REGION}/routers"
    assert cloud.request("POST", path, {"name": "r", "network": "global/networks/n"})[0] == 200
    nat = {
        "name": "nat",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    assert cloud.request("PATCH", f"{path}/r", {"nats": [nat]})[0] == 200
    found = cloud.request("GET", f"{path}/r")[1]["nats"][0]
    assert found["type"] == "PUBLIC"
    assert cloud.request("PATCH", f"{path}/r", {"nats": []})[0] == 200
    assert "nats" not in cloud.request("GET", f"{path}/r")[1]


def test_firewall_defaults(cloud: Emulator) -> None:
    path = f"/compute/v1/projects/{PROJECT}/global/firewalls"
    body = {"name": "f", "network": "global/networks/n", "allowed": [{"IPProtocol": "tcp", "ports": ["22"]}]}
    assert cloud.request("POST", path, body)[0] == 200
    found = cloud.request("GET", f"{path}/f")[1]
    assert (found["priority"], found["direction"], found["sourceRanges"]) == (1000, "INGRESS", ["0.0.0.0/0"])


def test_addresses_come_from_the_public_and_the_reserved_range(cloud: Emulator) -> None:
    path = f"/compute/v1/projects/{PROJECT}/global/addresses"
    assert cloud.request("POST", path, {"name": "lb"})[0] == 200
    address = cloud.request("GET", f"{path}/lb")[1]["address"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network("34.120.0.0/16")
    body = {
        "name": "psa",
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 20,
        "network": "global/networks/n",
    }
    assert cloud.request("POST", path, {**body, "address": "10.40.0.0"})[0] == 200
    found = cloud.request("GET", f"{path}/psa")[1]
    assert (found["address"], found["prefixLength"], found["status"]) == ("10.40.0.0", 20, "RESERVED")


def test_lists_filter_and_page(cloud: Emulator) -> None:
    for number in range(3):
        subnetwork(cloud, f"s{number}", f"10.{number}.0.0/24")
    path = f"/compute/v1/projects/{PROJECT}/regions/{REGION}/subnetworks"
    first = cloud.request("GET", f"{path}?maxResults=2")[1]
    assert [item["name"] for item in first["items"]] == ["s0", "s1"]
    second = cloud.request("GET", f"{path}?maxResults=2&pageToken={first['nextPageToken']}")[1]
    assert [item["name"] for item in second["items"]] == ["s2"]
    found = cloud.request("GET", f"{path}?filter=name%3Ds1%20OR%20name%3Ds2")[1]
    assert [item["name"] for item in found["items"]] == ["s1", "s2"]


def test_operations_take_their_time_when_the_scale_says_so(cloud: Emulator) -> None:
    assert cloud.request("PUT", "/time", {"scale": 0.05})[0] == 200
    path = f"/compute/v1/projects/{PROJECT}/global"
    _, operation = cloud.request("DELETE", f"{path}/networks/n")
    assert cloud.request("GET", f"{path}/operations/{operation['name']}")[1]["status"] == "RUNNING"
    assert cloud.request("GET", f"{path}/networks/n")[0] == 200
    status, body = cloud.request("PATCH", f"{path}/networks/n", {"routingConfig": {"routingMode": "GLOBAL"}})
    assert (status, body["error"]["errors"][0]["reason"]) == (400, "resourceNotReady")
    ended = cloud.request("POST", f"{path}/operations/{operation['name']}/wait")[1]
    assert (ended["status"], ended["progress"]) == ("DONE", 100)
    assert cloud.request("GET", f"{path}/networks/n")[0] == 404


def test_a_repeated_request_id_is_one_request(cloud: Emulator) -> None:
    path = f"/compute/v1/projects/{PROJECT}/global/networks?requestId=6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    first = cloud.request("POST", path, {"name": "twice", "autoCreateSubnetworks": False})
    again = cloud.request("POST", path, {"name": "twice", "autoCreateSubnetworks": False})
    assert (first[0], again[0]) == (200, 200)
    assert first[1]["name"] == again[1]["name"]
