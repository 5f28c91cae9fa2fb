"""The network is as its settings say, by what Compute Engine answers."""

from __future__ import annotations

from typing import Any

PROJECT, REGION = "acme-mlops", "europe-west1"


def test_the_network_is_in_custom_mode(compute: Any) -> None:
    network = compute.networks().get(project=PROJECT, network="mlops").execute()
    assert network["autoCreateSubnetworks"] is False
    assert network["mtu"] == 1460


def test_the_subnetwork_has_ranges_for_pods_and_services_and_logs_flows(compute: Any) -> None:
    subnet = compute.subnetworks().get(project=PROJECT, region=REGION, subnetwork=f"mlops-{REGION}").execute()
    ranges = {item["rangeName"]: item["ipCidrRange"] for item in subnet["secondaryIpRanges"]}
    assert subnet["ipCidrRange"] == "10.10.0.0/20"
    assert ranges == {"pods": "10.32.0.0/14", "services": "10.36.0.0/20"}
    assert subnet["privateIpGoogleAccess"] is True
    assert subnet["logConfig"]["enable"] is True


def test_nat_is_the_only_way_out(compute: Any) -> None:
    (nat,) = compute.routers().get(project=PROJECT, region=REGION, router="mlops-router").execute()["nats"]
    assert nat["name"] == "mlops-nat"
    assert nat["natIpAllocateOption"] == "AUTO_ONLY"


def test_ssh_is_open_to_iap_only_and_to_the_bastion_only(compute: Any) -> None:
    rules = {rule["name"]: rule for rule in compute.firewalls().list(project=PROJECT).execute()["items"]}
    assert rules["mlops-iap-ssh"]["sourceRanges"] == ["35.235.240.0/20"]
    assert rules["mlops-iap-ssh"]["targetTags"] == ["mlops-bastion"]
    assert not [name for name, rule in rules.items() if "0.0.0.0/0" in rule.get("sourceRanges", [])]
    ssh = [name for name, rule in rules.items() for allowed in rule["allowed"] if "22" in allowed.get("ports", ["22"])]
    assert ssh == ["mlops-iap-ssh"]


def test_google_services_have_a_range_and_a_peering(compute: Any) -> None:
    reserved = compute.globalAddresses().get(project=PROJECT, address="mlops-private-services").execute()
    assert (reserved["address"], reserved["prefixLength"]) == ("10.40.0.0", 20)
    peers = [peer["name"] for peer in compute.networks().get(project=PROJECT, network="mlops").execute()["peerings"]]
    assert peers == ["servicenetworking-googleapis-com"]
