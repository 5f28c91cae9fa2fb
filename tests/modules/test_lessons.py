"""What users of other tools ran into on Google Cloud, each as a test of the right behaviour."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.module_utils.gcloud.compare import drifts
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.edge import LAST_PRIORITY
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.kinds.cluster import CLUSTER
from plugins.module_utils.gcloud.model import Resource
from tests.unit.settings import found

from .conftest import Google
from .test_edge import edge, gateway
from .test_edge import graph as edge_graph
from .test_identity import ALICE, BOB, account, accounts, iap
from .test_machines import NETWORK, cluster, gke, pool
from .test_network import graph, options

CLUSTER_NAME = "projects/acme-mlops/locations/europe-west1/clusters/mlops"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(google: Google) -> Google:
    google.apply(network_graph, NETWORK)
    return google


def fault(google: Google, pattern: str, kind: str, **more: Any) -> None:
    """Let calls go wrong."""
    status, answer = google.emulator.request("POST", "/faults", {"pattern": pattern, "kind": kind, **more})
    assert status == 200, answer


def pace(google: Google, scale: float) -> None:
    """How long operations take, as a part of Google's own time."""
    google.emulator.cloud.clock.scale = scale


def calls(google: Google, method: str) -> list[dict[str, Any]]:
    """The calls of a method so far."""
    _, answer = google.emulator.request("GET", "/calls?since=0")
    return [call for call in answer["calls"] if call["method"].endswith(method)]


def test_lesson_01_changes_of_a_cluster_and_its_pools_are_made(place: Google) -> None:
    place.apply(cluster, gke())
    changed = gke(labels={"platform": "other"}, node_pools=[pool(max_nodes=7)])
    assert len(place.lifecycle(cluster, changed)) == 2


def test_lesson_02_removals_are_seen(google: Google) -> None:
    two = [{**options()["firewall_rules"][0], "source_ranges": ["10.0.0.0/8", "192.168.0.0/16"]}]
    google.apply(graph, options(firewall_rules=two))
    one = [{**two[0], "source_ranges": ["10.0.0.0/8"]}]
    (line,) = google.lifecycle(graph, options(firewall_rules=one))
    assert "sourceRanges: [10.0.0.0/8, 192.168.0.0/16] -> [10.0.0.0/8]" in line


def test_lesson_03_left_out_is_left_alone_and_empty_clears(google: Google) -> None:
    google.apply(graph, options())
    rule = options()["firewall_rules"][0]
    left_out = {key: value for key, value in rule.items() if key != "target_tags"}
    assert google.apply(graph, options(firewall_rules=[left_out])) == []
    (line,) = google.lifecycle(graph, options(firewall_rules=[{**rule, "target_tags": []}]))
    assert "targetTags: [mlops-bastion] -> []" in line


def test_lesson_04_a_reference_is_the_same_however_it_is_written(place: Google) -> None:
    place.apply(cluster, gke())
    seen = place.api.call("container", "getCluster", {"name": CLUSTER_NAME})
    resource = Resource(CLUSTER, "mlops", {}, {"project": place.project, "location": "europe-west1"})
    full = f"https://www.googleapis.com/compute/v1/{seen['networkConfig']['network']}"
    again = {**seen, "networkConfig": {**seen["networkConfig"], "network": full}}
    spec = {"networkConfig": {"network": seen["networkConfig"]["network"]}}
    assert drifts(resource, spec, again) == []
    assert place.apply(cluster, gke()) == []


def test_lesson_05_an_operation_that_ends_with_an_error_is_no_success(google: Google) -> None:
    fault(google, "compute.routers.insert", "operation-error:RESOURCE_NOT_READY")
    with pytest.raises(PlatformError, match="RESOURCE_NOT_READY") as caught:
        google.apply(graph, options())
    assert caught.value.resource == "router mlops-router"
    assert "create router mlops-router" not in caught.value.done
    google.apply(graph, options())
    assert not google.plan(graph, options()).changed


def test_lesson_06_a_stale_fingerprint_is_read_again_once(google: Google) -> None:
    google.apply(graph, options())
    changed = options(subnets=[{**options()["subnets"][0], "flow_logs": {"enabled": False}}])
    fault(google, "compute.subnetworks.patch", "http:412:conditionNotMet")
    (line,) = google.apply(graph, changed)
    assert "logConfig.enable" in line
    fault(google, "compute.subnetworks.patch", "http:412:conditionNotMet", count=2)
    with pytest.raises(PlatformError, match="412"):
        google.apply(graph, options())


def test_lesson_07_a_cluster_is_changed_one_field_a_call(place: Google) -> None:
    place.apply(cluster, gke())
    before = len(calls(place, "clusters.update"))
    place.lifecycle(cluster, gke(release_channel="STABLE", logging=["SYSTEM_COMPONENTS"]))
    assert len(calls(place, "clusters.update")) - before == 2
    assert place.apply(cluster, gke(release_channel="STABLE", logging=["SYSTEM_COMPONENTS"])) == []
    assert all(call["status"] == 200 for call in calls(place, "clusters.update"))


def test_lesson_08_a_busy_cluster_is_waited_for(place: Google) -> None:
    place.apply(cluster, gke())
    pace(place, 0.02)
    update = {"update": {"desiredVerticalPodAutoscaling": {"enabled": True}}}
    place.api.call("container", "updateCluster", {"name": CLUSTER_NAME}, update)
    assert len(place.apply(cluster, gke(release_channel="STABLE"))) == 1
    pace(place, 0)
    assert not place.plan(cluster, gke(release_channel="STABLE")).changed


def test_lesson_09_private_and_address_settings_never_remake_a_cluster(place: Google) -> None:
    place.apply(cluster, gke())
    with pytest.raises(PlatformError, match="cannot change"):
        place.apply(cluster, gke(control_plane_range="172.16.9.0/28"))
    assert calls(place, "clusters.delete") == []


def test_lesson_10_the_data_path_is_fixed_and_unspecified_is_the_legacy_one(place: Google) -> None:
    place.apply(cluster, gke())
    resource = Resource(CLUSTER, "mlops", {}, {"project": place.project, "location": "europe-west1"})
    have = {"networkConfig": {"datapathProvider": "DATAPATH_PROVIDER_UNSPECIFIED"}}
    assert drifts(resource, {"networkConfig": {"datapathProvider": "LEGACY_DATAPATH"}}, have) == []
    (one,) = drifts(resource, {"networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}}, have)
    assert one.field.update is None


def test_lesson_11_a_control_plane_range_that_overlaps_is_refused_before_any_call() -> None:
    problems = found({"cluster": {"control_plane_range": "10.10.0.0/28"}})
    assert any("cluster.control_plane_range" in line for line in problems)


def test_lesson_12_ranges_are_not_added_and_removed_in_one_request(google: Google) -> None:
    google.apply(graph, options())
    swapped = {"pods": "10.32.0.0/14", "more": "10.37.0.0/20"}
    before = len(calls(google, "subnetworks.patch"))
    google.lifecycle(graph, options(subnets=[{**options()["subnets"][0], "secondary_ranges": swapped}]))
    assert [call["status"] for call in calls(google, "subnetworks.patch")[before:]] == [200, 200]
    same = {"network": {"subnets": [{**options()["subnets"][0], "secondary_ranges": {"pods": "10.32.0.0/14"}}]}}
    assert any("services_range" in line for line in found(same))


def test_lesson_13_dynamic_ports_are_used_without_fixed_mapping_and_the_rest_of_a_nat_stays(google: Google) -> None:
    google.apply(graph, options())
    where = {"project": google.project, "region": "europe-west1", "router": "mlops-router"}
    (nat,) = google.api.call("compute", "routers.get", where)["nats"]
    assert nat["enableEndpointIndependentMapping"] is False
    google.api.call("compute", "routers.patch", where, {"nats": [{**nat, "tcpTimeWaitTimeoutSec": 60}]})
    router = options()["routers"][0]
    google.lifecycle(graph, options(routers=[{**router, "nats": [{**router["nats"][0], "min_ports_per_vm": 128}]}]))
    (nat,) = google.api.call("compute", "routers.get", where)["nats"]
    assert (nat["minPortsPerVm"], nat["tcpTimeWaitTimeoutSec"]) == (128, 60)


def test_lesson_14_what_blocks_a_network_is_named(place: Google) -> None:
    place.emulator.cloud.limits.change({"leftovers": True})
    place.apply(cluster, gke())
    place.apply(cluster, gke(), absent=True)
    with pytest.raises(PlatformError, match="k8s-fw-") as caught:
        place.apply(network_graph, NETWORK, absent=True)
    assert "Remove or detach" in caught.value.hint


def test_lesson_15_a_certificate_in_use_is_swapped_and_not_replaced(place: Google) -> None:
    place.apply(edge_graph, edge())
    where = {"parent": f"projects/{place.project}/locations/global"}
    method = "projects.locations.certificates.list"
    (before,) = place.api.pages("certificatemanager", method, where, "certificates")
    done = place.lifecycle(edge_graph, edge(domain="ai.acme.example", dns_zone="ai-acme-example"))
    (after,) = place.api.pages("certificatemanager", method, where, "certificates")
    assert after["name"] != before["name"]
    old, new = (one["name"].rsplit("/", 1)[-1] for one in (before, after))
    assert done.index(f"delete certificate {old}") > done.index(f"create certificate {new}")


def test_lesson_16_only_endpoint_groups_that_exist_are_joined(place: Google) -> None:
    place.apply(edge_graph, edge(endpoint_group="mlops-gateway"))
    gateway(place, "europe-west1-c")
    (line,) = place.lifecycle(edge_graph, edge(endpoint_group="mlops-gateway"))
    assert "europe-west1-c" in line


def role_vars(role: str) -> Any:
    return yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())


def test_lesson_17_health_checks_reach_the_gateway_from_both_ranges() -> None:
    ranges = role_vars("network")["network_load_balancer_ranges"]
    assert set(ranges) == {"130.211.0.0/22", "35.191.0.0/16"}
    network = yaml.safe_load((ROOT / "group_vars/all/network.yml").read_text())["network_defaults"]
    health = yaml.safe_load((ROOT / "group_vars/all/edge.yml").read_text())["edge_defaults"]["health"]
    assert health["port"] in network["gateway_ports"]


def test_lesson_18_the_control_plane_reaches_the_webhooks() -> None:
    network = yaml.safe_load((ROOT / "group_vars/all/network.yml").read_text())["network_defaults"]
    assert {8443, 9443, 15017} <= set(network["webhook_ports"])
    (rule,) = [rule for rule in role_vars("network")["network_platform_rules"] if rule["name"].endswith("-webhooks")]
    assert rule["source_ranges"] == ["{{ cluster_settings.control_plane_range }}"]


def test_lesson_19_the_last_rule_of_cloud_armor_is_there_already(place: Google) -> None:
    place.lifecycle(edge_graph, edge())
    where = {"project": place.project, "securityPolicy": "mlops"}
    rules = place.api.call("compute", "securityPolicies.get", where)["rules"]
    assert [rule["action"] for rule in rules if rule["priority"] == LAST_PRIORITY] == ["allow"]


def test_lesson_20_a_policy_changed_by_two_keeps_both(google: Google) -> None:
    fault(google, "cloudresourcemanager.projects.setIamPolicy", "http:409:ABORTED")
    google.apply(accounts, {"members": [{"role": "roles/compute.osLogin", "members": [BOB]}]})
    google.lifecycle(accounts, {"members": [{"role": "roles/compute.osLogin", "members": [ALICE]}]})
    where = {"resource": f"projects/{google.project}"}
    policy = google.api.call("cloudresourcemanager", "projects.getIamPolicy", where, {})
    (binding,) = [item for item in policy["bindings"] if item["role"] == "roles/compute.osLogin"]
    assert {ALICE, BOB} <= set(binding["members"])


def test_lesson_21_what_google_knows_late_is_waited_for(google: Google) -> None:
    google.emulator.cloud.limits.change({"accounts_seconds": 2})
    google.lifecycle(accounts, account(roles=["roles/logging.logWriter"]))


def test_lesson_22_a_rate_limit_that_comes_as_403_is_waited_out(google: Google) -> None:
    fault(google, "compute.networks.insert", "http:403:rateLimitExceeded", count=2)
    assert "create network mlops" in google.apply(graph, options())


def test_lesson_22_no_default_pool_takes_ssd_quota(place: Google) -> None:
    place.apply(cluster, gke(node_pools=[pool(disk_type="pd-standard")]))
    pools = place.api.call("container", "getCluster", {"name": CLUSTER_NAME})["nodePools"]
    assert [(item["name"], item["config"]["diskType"]) for item in pools] == [("general", "pd-standard")]


def test_lesson_23_who_signs_in_is_kept_with_iap_and_not_with_the_backend_service(place: Google) -> None:
    place.apply(edge_graph, edge())
    assert calls(place, "backendServices.setIamPolicy") == []
    assert calls(place, "iap.setIamPolicy")


def test_lesson_24_the_right_to_set_iap_policies_is_asked_for_first() -> None:
    from plugins.module_utils.gcloud.errors import role_for
    from plugins.module_utils.gcloud.preflight import PERMISSIONS

    assert {"iap.tunnelInstances.setIamPolicy", "iap.webServices.setIamPolicy"} <= set(PERMISSIONS)
    assert role_for("iap.tunnelInstances.setIamPolicy") == "roles/iap.admin"


def test_lesson_25_names_are_measured_and_kubectl_uses_no_removed_plugin() -> None:
    assert any("cluster.name" in line for line in found({"cluster": {"name": "c" * 41}}))
    assert any("service_account" in line for line in found({"bastion": {"service_account": "x" * 31}}))
    template = (ROOT / "roles/cluster_access/templates/kubeconfig.yml.j2").read_text()
    assert "auth-provider" not in template
    assert re.search(r"^\s+exec:$", template, re.MULTILINE)


def test_every_lesson_has_a_test() -> None:
    names = " ".join(name for name in globals() if name.startswith("test_lesson_"))
    assert [number for number in range(1, 26) if f"test_lesson_{number:02}_" not in names] == []


def test_iap_access_is_additive(google: Google) -> None:
    tunnels = [{"instance": "mlops-bastion", "zone": "europe-west1-b", "members": [ALICE]}]
    google.apply(iap, {"tunnels": [{**tunnels[0], "members": [BOB]}]})
    google.lifecycle(iap, {"tunnels": tunnels})
    google.gone(iap, {"tunnels": tunnels})
    assert google.apply(iap, {"tunnels": [{**tunnels[0], "members": [BOB]}]}) == []
