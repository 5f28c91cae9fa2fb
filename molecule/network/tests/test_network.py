"""The network is as its settings say."""

from __future__ import annotations

from typing import Any

Resources = dict[str, dict[str, Any]]


def test_the_network_is_in_custom_mode(resources: Resources) -> None:
    network = resources["compute.networks/mlops"]
    assert network["autoCreateSubnetworks"] is False
    assert network["mtu"] == 1460


def test_the_subnetwork_has_ranges_for_pods_and_services_and_logs_flows(resources: Resources) -> None:
    subnet = resources["compute.subnetworks/mlops-europe-west1"]
    ranges = {item["rangeName"]: item["ipCidrRange"] for item in subnet["secondaryIpRanges"]}
    assert subnet["ipCidrRange"] == "10.10.0.0/20"
    assert ranges == {"pods": "10.32.0.0/14", "services": "10.36.0.0/20"}
    assert subnet["privateIpGoogleAccess"] is True
    assert subnet["logConfig"]["enable"] is True


def test_nat_is_the_only_way_out(resources: Resources) -> None:
    (nat,) = resources["compute.routers/mlops-router"]["nats"]
    assert nat["name"] == "mlops-nat"
    assert nat["natIpAllocateOption"] == "AUTO_ONLY"


def test_ssh_is_open_to_iap_only_and_to_the_bastion_only(resources: Resources) -> None:
    rule = resources["compute.firewalls/mlops-iap-ssh"]
    assert rule["sourceRanges"] == ["35.235.240.0/20"]
    assert rule["targetTags"] == ["mlops-bastion"]
    rules = [body for key, body in resources.items() if key.startswith("compute.firewalls/")]
    assert not [body for body in rules if "0.0.0.0/0" in body.get("sourceRanges", [])]


def test_google_services_have_a_range_and_a_peering(resources: Resources) -> None:
    reserved = resources["compute.addresses/mlops-private-services"]
    assert (reserved["address"], reserved["prefixLength"]) == ("10.40.0.0", 20)
    peers = [peer["name"] for peer in resources["compute.networks/mlops"]["peerings"]]
    assert peers == ["servicenetworking-googleapis-com"]
