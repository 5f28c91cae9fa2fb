"""gcp_instance and gcp_cluster against the emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.cluster import cluster_graph
from plugins.module_utils.gcloud.graphs.instance import instance_graph
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.survey import survey

from .conftest import Google

NETWORK = {
    "name": "mlops",
    "subnets": [
        {
            "name": "mlops-europe-west1",
            "region": "europe-west1",
            "range": "10.10.0.0/20",
            "secondary_ranges": {"pods": "10.32.0.0/14", "services": "10.36.0.0/20"},
            "private_google_access": True,
        }
    ],
}


@pytest.fixture
def place(google: Google) -> Google:
    google.apply(network_graph, NETWORK)
    return google


def machine(options: Mapping[str, Any], api: Any) -> Any:
    return instance_graph(options)


def cluster(options: Mapping[str, Any], api: Any) -> Any:
    return cluster_graph(options)


def bastion(**more: Any) -> dict[str, Any]:
    return {
        "name": "mlops-bastion",
        "zone": "europe-west1-b",
        "machine_type": "e2-small",
        "image": "projects/debian-cloud/global/images/family/debian-12",
        "disk_gb": 20,
        "disk_type": "pd-balanced",
        "subnet": "mlops-europe-west1",
        "shielded": True,
        "tags": ["mlops-bastion"],
        "labels": {"platform": "mlops"},
        "metadata": {"enable-oslogin": "TRUE"},
        **more,
    }


def test_a_machine_from_nothing_to_nothing(place: Google) -> None:
    assert place.lifecycle(machine, bastion()) == ["create instance mlops-bastion"]
    where = {"project": place.project, "instance": {"name": "mlops-bastion", "zone": "europe-west1-b"}}
    seen = survey(place.api, where)
    assert seen["instance"]["internal_address"].startswith("10.10.")
    assert seen["exists"] == {"instance/mlops-bastion": "RUNNING"}
    assert place.gone(machine, bastion()) == ["delete instance mlops-bastion"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"labels": {"platform": "other"}}, "labels"),
        ({"labels": {}}, "labels"),
        ({"tags": []}, "tags.items: [mlops-bastion] -> []"),
        ({"tags": ["mlops-bastion", "more"]}, "tags.items"),
        ({"metadata": {"enable-oslogin": "TRUE", "more": "x"}}, "metadata.items"),
        ({"metadata": {}}, "metadata.items"),
    ],
)
def test_fields_of_a_machine_change(place: Google, changes: dict[str, Any], line: str) -> None:
    place.apply(machine, bastion())
    (done,) = place.lifecycle(machine, bastion(**changes))
    assert line in done


def test_a_machine_of_another_type_is_refused(place: Google) -> None:
    place.apply(machine, bastion())
    with pytest.raises(PlatformError, match=r"e2-small -> .*e2-medium"):
        place.apply(machine, bastion(machine_type="e2-medium"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"machine_type": "e2-medium"}, "machineType: "),
        ({"shielded": False}, "shieldedInstanceConfig.enableSecureBoot: true -> false"),
        ({"service_account": "deployer@acme-mlops.iam.gserviceaccount.com"}, "serviceAccounts: "),
    ],
)
def test_a_machine_that_may_be_stopped_is_for_a_change(place: Google, changes: dict[str, Any], line: str) -> None:
    place.apply(machine, bastion())
    (done,) = place.lifecycle(machine, bastion(allow_stop=True, **changes))
    assert line in done
    where = {"project": place.project, "zone": "europe-west1-b", "instance": "mlops-bastion"}
    assert place.api.call("compute", "instances.get", where)["status"] == "RUNNING"


def test_a_change_of_a_machine_that_was_broken_off_is_finished(place: Google) -> None:
    place.apply(machine, bastion())
    where = {"project": place.project, "zone": "europe-west1-b", "instance": "mlops-bastion"}
    place.api.call("compute", "instances.stop", where)
    place.apply(machine, bastion(machine_type="e2-medium", allow_stop=True))
    seen = place.api.call("compute", "instances.get", where)
    assert seen["status"] == "RUNNING"
    assert seen["machineType"].endswith("e2-medium")


def test_a_stopped_machine_is_started(place: Google) -> None:
    place.apply(machine, bastion())
    path = {"project": place.project, "zone": "europe-west1-b", "instance": "mlops-bastion"}
    place.api.call("compute", "instances.stop", path)
    for _ in range(100):
        if place.api.call("compute", "instances.get", path)["status"] == "TERMINATED":
            break
    assert place.lifecycle(machine, bastion()) == ["update instance mlops-bastion: status: TERMINATED -> RUNNING"]


def gke(**more: Any) -> dict[str, Any]:
    return {
        "name": "mlops",
        "location": "europe-west1",
        "network": "mlops",
        "subnet": "mlops-europe-west1",
        "pods_range": "pods",
        "services_range": "services",
        "control_plane_range": "172.16.0.0/28",
        "authorized_networks": [{"name": "bastion", "range": "10.10.0.0/20"}],
        "release_channel": "REGULAR",
        "node_tags": ["mlops-node"],
        "node_pools": [pool()],
        "logging": ["SYSTEM_COMPONENTS", "WORKLOADS"],
        "monitoring": ["SYSTEM_COMPONENTS"],
        "managed_prometheus": False,
        "maintenance": {
            "start": "2026-01-03T02:00:00Z",
            "end": "2026-01-03T08:00:00Z",
            "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
        },
        "labels": {"platform": "mlops"},
        **more,
    }


def pool(**more: Any) -> dict[str, Any]:
    return {
        "name": "general",
        "machine_type": "e2-standard-4",
        "disk_type": "pd-balanced",
        "disk_gb": 100,
        "initial_nodes": 1,
        "min_nodes": 1,
        "max_nodes": 3,
        **more,
    }


def test_a_cluster_from_nothing_to_nothing(place: Google) -> None:
    done = place.apply(cluster, gke())
    assert done == ["create cluster mlops"]
    assert place.apply(cluster, gke()) == []
    seen = survey(place.api, {"project": place.project, "cluster": {"name": "mlops", "location": "europe-west1"}})
    assert seen["cluster"]["endpoint"] == "172.16.0.2"
    assert place.gone(cluster, gke()) == ["delete cluster mlops"]


def test_a_cluster_is_started_and_adopted_by_the_task_that_waits(place: Google) -> None:
    assert place.apply(cluster, gke(wait=False)) == ["create cluster mlops"]
    assert place.apply(cluster, gke(wait=False)) == []
    assert place.apply(cluster, gke()) == []
    assert not place.plan(cluster, gke()).changed


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"labels": {"platform": "other"}}, "resourceLabels"),
        ({"release_channel": "STABLE"}, "releaseChannel.channel: REGULAR -> STABLE"),
        ({"authorized_networks": []}, "masterAuthorizedNetworksConfig.cidrBlocks"),
        ({"logging": ["SYSTEM_COMPONENTS"]}, "loggingConfig"),
        ({"managed_prometheus": True}, "managedPrometheusConfig"),
        ({"node_pools": [pool(max_nodes=5)]}, "autoscaling.maxNodeCount: 3 -> 5"),
        ({"node_pools": [pool(labels={"a": "b"})]}, "config.labels"),
        ({"node_pools": [pool(machine_type="e2-standard-8")]}, "config.machineType: e2-standard-4 -> e2-standard-8"),
        ({"node_pools": [pool(zones=["europe-west1-b"])]}, "locations: "),
        ({"node_pools": [pool(), pool(name="second")]}, "create node pool second"),
        (
            {
                "maintenance": {
                    "start": "2026-01-03T03:00:00Z",
                    "end": "2026-01-03T08:00:00Z",
                    "recurrence": "FREQ=DAILY",
                }
            },
            "maintenancePolicy.window",
        ),
    ],
)
def test_fields_of_a_cluster_change(place: Google, changes: dict[str, Any], line: str) -> None:
    place.apply(cluster, gke())
    (done,) = place.lifecycle(cluster, gke(**changes))
    assert line in done


@pytest.mark.parametrize(
    "changes",
    [{"control_plane_range": "172.16.1.0/28"}, {"pods_range": "services"}, {"node_pools": [pool(spot=True)]}],
)
def test_what_google_fixes_at_creation_is_refused(place: Google, changes: dict[str, Any]) -> None:
    place.apply(cluster, gke())
    with pytest.raises(PlatformError, match="cannot change"):
        place.apply(cluster, gke(**changes))


def nodes(google: Google) -> list[dict[str, Any]]:
    """The nodes of the only pool, as the hypervisor knows them."""
    with google.emulator.cloud.store.transaction() as tx:
        (record,) = tx.list("container.nodePools")
        return deepcopy(record.hidden["nodes"])


def test_another_machine_and_disk_are_one_call_that_replaces_the_nodes(place: Google) -> None:
    """What failed: the documentation said that Google fixes them when a pool is made."""
    place.apply(cluster, gke())
    before = nodes(place)
    (done,) = place.lifecycle(cluster, gke(node_pools=[pool(machine_type="e2-standard-8", disk_gb=200)]))
    assert "config.machineType: e2-standard-4 -> e2-standard-8; config.diskSizeGb: 100 -> 200" in done
    after = nodes(place)
    assert [node["zone"] for node in after] == [node["zone"] for node in before]
    assert not {node["name"] for node in after} & {node["name"] for node in before}
    with place.emulator.cloud.store.transaction() as tx:
        kinds = [record.body["operationType"] for record in tx.list("container.operations")]
    assert kinds.count("UPGRADE_NODES") == 1


def test_a_pool_that_the_settings_do_not_name_is_shown(place: Google) -> None:
    """What failed: it ran, cost, and no playbook spoke of it."""
    place.apply(cluster, gke(node_pools=[pool(), pool(name="second")]))
    assert place.apply(cluster, gke()) == []
    where = {"name": "mlops", "location": "europe-west1", "node_pools": ["general"]}
    rows = survey(place.api, {"project": place.project, "network": "mlops", "known": [], "cluster": where})[
        "neighbours"
    ]
    made_by = {row["resource"]: row["made_by"] for row in rows}
    assert made_by["node pool second of cluster mlops"] == "somebody else, or settings of before"
    assert "node pool general of cluster mlops" not in made_by


def test_secrets_of_a_cluster_are_encrypted_with_a_key(place: Google) -> None:
    key = "projects/acme-mlops/locations/europe-west1/keyRings/mlops/cryptoKeys/secrets"
    place.apply(cluster, gke())
    (done,) = place.lifecycle(cluster, gke(secrets_key=key))
    assert "databaseEncryption.state: DECRYPTED -> ENCRYPTED" in done


def test_a_change_of_the_window_keeps_an_upgrade_freeze_that_somebody_set(place: Google) -> None:
    """What failed: Google sets the policy that it is given, and the freeze was not in it."""
    place.apply(cluster, gke())
    where = {"name": f"projects/{place.project}/locations/europe-west1/clusters/mlops"}
    policy = place.api.call("container", "getCluster", where)["maintenancePolicy"]
    freeze = {"freeze": {"startTime": "2026-12-20T00:00:00Z", "endTime": "2027-01-05T00:00:00Z"}}
    policy["window"]["maintenanceExclusions"] = freeze
    place.api.call("container", "setMaintenancePolicy", where, {"maintenancePolicy": policy})
    daily = {"start": "2026-01-03T03:00:00Z", "end": "2026-01-03T08:00:00Z", "recurrence": "FREQ=DAILY"}
    place.lifecycle(cluster, gke(maintenance=daily))
    window = place.api.call("container", "getCluster", where)["maintenancePolicy"]["window"]
    assert window["maintenanceExclusions"] == freeze
    assert window["recurringWindow"]["recurrence"] == "FREQ=DAILY"


def by_hand(google: Google, kind: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Somebody changes what Google has, in a way that the emulator has no call for."""
    with google.emulator.cloud.store.transaction() as tx:
        (record,) = tx.list(kind)
        body = deepcopy(record.body)
        change(body)
        tx.put(replace(record, body=body))


def test_a_public_address_that_somebody_gave_a_machine_is_told(place: Google) -> None:
    place.apply(machine, bastion())
    address = {"name": "external-nat", "type": "ONE_TO_ONE_NAT", "natIP": "34.1.2.3"}
    by_hand(place, "compute.instances", lambda body: body["networkInterfaces"][0].update(accessConfigs=[address]))
    with pytest.raises(PlatformError, match="networkInterfaces"):
        place.plan(machine, bastion())


def test_a_cluster_that_somebody_else_made_is_not_removed(place: Google) -> None:
    """What failed: state absent went by the name alone."""
    place.apply(cluster, gke())
    where = {"name": f"projects/{place.project}/locations/europe-west1/clusters/mlops"}
    by_hand(place, "container.clusters", lambda body: body.update(description="of the research team"))
    for absent in (True, False):
        with pytest.raises(PlatformError, match="does not look like the platform's: cluster mlops") as caught:
            place.apply(cluster, gke(release_channel="STABLE"), absent=absent)
        assert "platform_name" in str(caught.value)
    assert place.api.get("container", "getCluster", where)
