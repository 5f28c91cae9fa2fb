"""What is left after a removal: found, named, removed if it is ours, and shown by Google's own listings."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.leftovers import leftovers_graph
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.inventory import LISTINGS, inventory

from .conftest import Google
from .test_data import bucket, database
from .test_data import graph as data_graph
from .test_machines import NETWORK, cluster, gke
from .test_network import make_rule

LABELS = {"platform": "mlops"}
WHERE = {"network": "mlops", "cluster": "mlops"}


def left(google: Google) -> Mapping[str, bool]:
    """What Google still shows, with whether it costs money."""
    options = {"project": google.project, "region": "europe-west1", "network": "mlops", "labels": LABELS}
    return {row["resource"]: row["costs"] for row in inventory(google.api, options)}


def disk(google: Google, name: str, cluster_name: str) -> None:
    """A disk as GKE makes one for a volume."""
    body = {"name": name, "sizeGb": "10", "labels": {"goog-k8s-cluster-name": cluster_name}}
    google.api.call("compute", "disks.insert", {"project": google.project, "zone": "europe-west1-b"}, body)


@pytest.fixture
def emptied(google: Google) -> Google:
    """A network in which a cluster was, with what it left."""
    google.apply(network_graph, NETWORK)
    google.emulator.cloud.limits.change({"leftovers": True})
    google.apply(cluster, gke())
    google.apply(cluster, gke(), absent=True)
    disk(google, "pvc-ours", "mlops")
    disk(google, "pvc-others", "other")
    google.apply(network_graph, {"name": "others"})
    make_rule(google, "k8s-fw-somebodys", "others")
    return google


def test_what_a_cluster_left_blocks_the_network_until_it_is_removed(emptied: Google) -> None:
    with pytest.raises(PlatformError, match="k8s-fw-"):
        emptied.apply(network_graph, NETWORK, absent=True)
    (done,) = emptied.lifecycle(leftovers_graph, WHERE)
    assert done.startswith("delete firewall rule k8s-fw-")
    emptied.apply(network_graph, NETWORK, absent=True)


def test_volumes_go_only_when_asked_and_only_the_clusters_own(emptied: Google) -> None:
    emptied.apply(leftovers_graph, WHERE)
    assert emptied.lifecycle(leftovers_graph, {**WHERE, "volumes": True}) == ["delete disk pvc-ours in europe-west1-b"]
    where = {"project": emptied.project, "zone": "europe-west1-b", "disk": "pvc-others"}
    assert emptied.api.get("compute", "disks.get", where)


def test_nothing_is_touched_while_the_cluster_is_there(google: Google) -> None:
    google.apply(network_graph, NETWORK)
    google.apply(cluster, gke())
    with pytest.raises(PlatformError, match="still there"):
        google.apply(leftovers_graph, WHERE)


def test_nothing_is_touched_while_another_cluster_is_in_the_network(emptied: Google) -> None:
    """Its rules and groups look like ours."""
    emptied.emulator.cloud.limits.change({"leftovers": False})
    emptied.apply(cluster, gke(name="research"))
    make_rule(emptied, "gke-research-1a2b3c4d-all")
    with pytest.raises(PlatformError, match="cluster research in europe-west1 is in the network mlops"):
        emptied.plan(leftovers_graph, WHERE)
    emptied.apply(cluster, gke(name="research"), absent=True)
    assert not [line for line in emptied.plan(leftovers_graph, WHERE).lines() if "research" in line]


def test_rules_that_only_look_like_the_clusters_stay(emptied: Google) -> None:
    for name in ("gke-allow-office", "gke-mlops-dev-1a2b3c4d-all", "gke-mlops-1a2b3c4d-all"):
        make_rule(emptied, name)
    removed = [line for line in emptied.plan(leftovers_graph, WHERE).lines() if "gke-" in line]
    assert removed == ["delete firewall rule gke-mlops-1a2b3c4d-all"]


def test_a_group_goes_in_each_zone_that_it_is_in(emptied: Google) -> None:
    body = {
        "name": "mlops-gateway",
        "networkEndpointType": "GCE_VM_IP_PORT",
        "network": f"projects/{emptied.project}/global/networks/mlops",
        "description": '{"cluster-uid": "1"}',
    }
    zones = [f"europe-west1-{letter}" for letter in "bc"]
    for zone in zones:
        params = {"project": emptied.project, "zone": zone}
        emptied.api.call("compute", "networkEndpointGroups.insert", params, body)
    removed = [line for line in emptied.apply(leftovers_graph, WHERE) if "gateway" in line]
    assert sorted(removed) == [f"delete network endpoint group mlops-gateway in {zone}" for zone in zones]
    assert not any("gateway" in name for name in left(emptied))


def test_the_inventory_finds_what_the_settings_do_not_name(google: Google) -> None:
    assert left(google) == {}
    google.apply(network_graph, NETWORK)
    google.apply(data_graph, {**bucket(), "labels": LABELS})
    google.apply(data_graph, {**bucket(name="acme-mlops-others"), "labels": {"platform": "other"}})
    make_rule(google, "somebodys")
    found = left(google)
    assert found["bucket acme-mlops-artifacts"] is True
    assert found["firewall rule somebodys"] is False
    assert "network mlops" in found
    assert "bucket acme-mlops-others" not in found


def test_every_listing_is_one_that_google_has(google: Google) -> None:
    assert len({listing.title for listing in LISTINGS}) == len(LISTINGS)
    options = {"project": google.project, "region": "europe-west1", "network": "x", "labels": LABELS}
    assert inventory(google.api, options) == []  # an unknown method or parameter raises


def test_data_goes_with_its_stores_only_when_that_is_said(google: Google) -> None:
    google.apply(network_graph, {**NETWORK, "private_services": {"name": "ps", "range": "10.40.0.0/20"}})
    google.apply(data_graph, bucket())
    google.apply(data_graph, database(deletion_protection=True))
    google.upload("acme-mlops-artifacts", "model", b"weights")
    google.upload("acme-mlops-artifacts", "model", b"newer weights")
    for wanted in (bucket(), database(deletion_protection=True)):
        with pytest.raises(PlatformError, match="keep_data=no"):
            google.apply(data_graph, wanted, absent=True)
        assert google.gone(data_graph, {**wanted, "purge": True})
    assert not [name for name in left(google) if name.startswith(("bucket", "database"))]


def test_a_network_stays_for_a_database_that_is_kept(google: Google) -> None:
    options = {**NETWORK, "private_services": {"name": "ps", "range": "10.40.0.0/20"}, "keep_private_services": True}
    google.apply(network_graph, options)
    google.gone(network_graph, options)
    assert set(left(google)) == {"network mlops", "address ps"}
