"""gcp_network against the emulator: create, run again, check, change, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.data import data_graph
from plugins.module_utils.gcloud.graphs.identity import services_graph
from plugins.module_utils.gcloud.graphs.network import PRIVATE_SERVICES, network_graph
from plugins.module_utils.gcloud.kinds.network import CONNECTION
from plugins.module_utils.gcloud.model import MARK, Resource

from .conftest import Google


def graph(options: Mapping[str, Any], api: Api) -> Any:
    return network_graph(options, api)


def options(**more: Any) -> dict[str, Any]:
    return {
        "name": "mlops",
        "mtu": 1460,
        "routing_mode": "REGIONAL",
        "subnets": [
            {
                "name": "mlops-europe-west1",
                "region": "europe-west1",
                "range": "10.10.0.0/20",
                "secondary_ranges": {"pods": "10.32.0.0/14", "services": "10.36.0.0/20"},
                "private_google_access": True,
                "flow_logs": {
                    "enabled": True,
                    "interval": "INTERVAL_5_SEC",
                    "sampling": 0.5,
                    "metadata": "INCLUDE_ALL_METADATA",
                },
            }
        ],
        "routers": [
            {
                "name": "mlops-router",
                "region": "europe-west1",
                "nats": [
                    {
                        "name": "mlops-nat",
                        "dynamic_ports": True,
                        "min_ports_per_vm": 64,
                        "max_ports_per_vm": 4096,
                        "log": "ERRORS_ONLY",
                    }
                ],
            }
        ],
        "firewall_rules": [
            {
                "name": "mlops-iap-ssh",
                "description": "SSH from IAP",
                "source_ranges": ["35.235.240.0/20"],
                "target_tags": ["mlops-bastion"],
                "protocols": [{"protocol": "tcp", "ports": ["22"]}],
                "log": True,
            }
        ],
        "private_services": {"name": "mlops-private-services", "range": "10.40.0.0/20"},
        **more,
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    made = options()
    inner: Any = made
    *way, last = path.split(".")
    for part in way:
        inner = inner[int(part)] if part.isdigit() else inner[part]
    inner[last] = value
    return made


def test_from_nothing_to_nothing(google: Google) -> None:
    assert len(google.lifecycle(graph, options())) == 6
    assert len(google.gone(graph, options())) == 6


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("mtu", 1500, "update network mlops: mtu: 1460 -> 1500"),
        ("routing_mode", "GLOBAL", "update network mlops: routingConfig.routingMode: REGIONAL -> GLOBAL"),
        ("subnets.0.private_google_access", False, "privateIpGoogleAccess: true -> false"),
        ("subnets.0.flow_logs", {"enabled": False}, "logConfig.enable: true -> false"),
        ("subnets.0.flow_logs.sampling", 1.0, "logConfig.flowSampling: 0.5 -> 1.0"),
        (
            "subnets.0.secondary_ranges",
            {"pods": "10.32.0.0/14", "services": "10.36.0.0/20", "more": "10.37.0.0/20"},
            "secondaryIpRanges",
        ),
        ("subnets.0.secondary_ranges", {"pods": "10.32.0.0/14"}, "secondaryIpRanges"),
        ("routers.0.nats.0.min_ports_per_vm", 128, "nats"),
        ("routers.0.nats", [], "nats"),
        ("firewall_rules.0.source_ranges", ["10.0.0.0/8", "35.235.240.0/20"], "sourceRanges"),
        ("firewall_rules.0.target_tags", [], "targetTags: [mlops-bastion] -> []"),
        ("firewall_rules.0.priority", 900, "priority: 1000 -> 900"),
        ("firewall_rules.0.log", False, "logConfig.enable: true -> false"),
        ("firewall_rules.0.protocols", [{"protocol": "udp", "ports": ["53"]}], "allowed"),
        ("firewall_rules.0.description", "other", "description: SSH from IAP (Managed by"),
    ],
)
def test_every_field_that_can_change_changes(google: Google, path: str, value: Any, line: str) -> None:
    google.apply(graph, options())
    (done,) = google.lifecycle(graph, changed(path, value))
    assert line in done


@pytest.mark.parametrize(
    ("path", "value"), [("subnets.0.range", "10.11.0.0/20"), ("private_services.range", "10.41.0.0/20")]
)
def test_what_cannot_change_is_refused_with_both_values(google: Google, path: str, value: str) -> None:
    google.apply(graph, options())
    with pytest.raises(PlatformError, match="cannot change") as caught:
        google.apply(graph, changed(path, value))
    assert value.split("/")[0] in str(caught.value)
    assert "range" in caught.value.hint


def test_what_is_unset_and_what_is_not_listed_is_left_alone(google: Google) -> None:
    google.apply(graph, options())
    assert google.apply(graph, {"name": "mlops", "subnets": []}) == []


def make_rule(google: Google, name: str, network: str = "mlops", description: str = "") -> None:
    """A firewall rule that somebody else makes."""
    body = {
        "name": name,
        "network": f"projects/{google.project}/global/networks/{network}",
        "description": description,
        "allowed": [{"IPProtocol": "tcp"}],
    }
    google.api.call("compute", "firewalls.insert", {"project": google.project}, body)


def test_a_firewall_rule_taken_out_of_the_settings_goes_and_those_of_others_stay(google: Google) -> None:
    google.apply(graph, options())
    make_rule(google, "somebodys")
    assert google.lifecycle(graph, options(firewall_rules=[])) == ["delete firewall rule mlops-iap-ssh"]
    names = {rule["name"] for rule in google.api.pages("compute", "firewalls.list", {"project": google.project})}
    assert "somebodys" in names
    assert "mlops-iap-ssh" not in names


def test_a_marked_rule_of_another_network_stays(google: Google) -> None:
    google.apply(graph, options())
    google.apply(graph, {"name": "second"})
    make_rule(google, "second-rule", "second", MARK)
    assert google.apply(graph, options()) == []


def test_the_action_of_a_firewall_rule_cannot_change(google: Google) -> None:
    google.apply(graph, options())
    with pytest.raises(PlatformError, match="action: allow -> deny") as caught:
        google.apply(graph, changed("firewall_rules.0.action", "deny"))
    assert "another name" in caught.value.hint


def test_a_missing_permission_is_named_with_a_role(google: Google) -> None:
    with pytest.raises(PlatformError) as caught:
        google.as_person("eve@acme.example").plan(graph, options())
    assert caught.value.code == 403
    assert caught.value.permission.startswith("compute.")
    assert "roles/" in caught.value.hint
    assert "Failed to list firewall rules of network mlops" in str(caught.value)


def test_a_refused_token_says_so(google: Google) -> None:
    with pytest.raises(PlatformError, match="refused the access token"):
        Google(Api(access_token="nonsense"), google.emulator).plan(graph, options())


def test_what_a_deny_rule_denies_changes(google: Google) -> None:
    deny = {"name": "mlops-deny", "action": "deny", "protocols": [{"protocol": "tcp", "ports": ["22"]}]}
    google.lifecycle(graph, options(firewall_rules=[deny]))
    more = {**deny, "protocols": [{"protocol": "tcp", "ports": ["22", "3389"]}]}
    (done,) = google.lifecycle(graph, options(firewall_rules=[more]))
    assert "denied: " in done


class Denying:
    """Google, where Service Networking says that this account may not look."""

    project_number = staticmethod(lambda project: "1")

    def __init__(self, network: dict[str, Any] | None) -> None:
        self.network = network

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        said = "Permission 'servicenetworking.services.get' denied on the network's project"
        raise PlatformError(said, code=403, reason="forbidden")

    def get(self, *_: Any) -> dict[str, Any] | None:
        return self.network


def test_a_permission_that_is_missing_is_not_taken_for_a_missing_connection() -> None:
    asked = Resource(CONNECTION, PRIVATE_SERVICES, {}, {"project": "acme-mlops", "network": "mlops"})
    assert CONNECTION.read(Denying(None), asked) is None  # type: ignore[arg-type]  # a double
    with pytest.raises(PlatformError, match=r"servicenetworking\.services\.get"):
        CONNECTION.read(Denying({"name": "mlops"}), asked)  # type: ignore[arg-type]  # a double


def test_a_rule_that_is_to_be_for_all_ports_is_widened(google: Google) -> None:
    """What failed: a protocol without ports was taken for one whose ports are left alone."""
    rule = {"name": "mlops-deny", "action": "deny", "protocols": [{"protocol": "tcp", "ports": ["22"]}]}
    google.apply(network_graph, {"name": "mlops", "firewall_rules": [rule]})
    (done,) = google.lifecycle(
        network_graph, {"name": "mlops", "firewall_rules": [{**rule, "protocols": [{"protocol": "tcp"}]}]}
    )
    assert "denied" in done


def test_a_policy_that_somebody_else_made_is_not_taken_over(google: Google) -> None:
    where = {"project": google.project}
    body = {"name": "mlops-iap-ssh", "network": "global/networks/mlops", "allowed": [{"IPProtocol": "all"}]}
    google.apply(network_graph, {"name": "mlops"})
    google.api.call("compute", "firewalls.insert", where, {**body, "description": "of the office"})
    rule = {"name": "mlops-iap-ssh", "protocols": [{"protocol": "tcp", "ports": ["22"]}]}
    with pytest.raises(PlatformError, match="does not look like the platform's: firewall rule mlops-iap-ssh"):
        google.apply(network_graph, {"name": "mlops", "firewall_rules": [rule]})


@pytest.fixture
def used(google: Google) -> Google:
    """A network whose connection a database had, which is gone since a moment ago."""
    google.apply(network_graph, options())

    def databases(wanted: Mapping[str, Any], api: Any) -> Any:
        return data_graph(wanted)

    instance = {"name": "mlops-mlflow", "region": "europe-west1", "network": "mlops", "version": "POSTGRES_15"}
    wanted = {"databases": [{**instance, "tier": "db-custom-1-3840", "disk_gb": 20}]}
    google.apply(databases, wanted)
    google.apply(databases, {**wanted, "purge": True}, absent=True)
    return google


def test_a_connection_that_google_still_holds_goes_with_its_peering(used: Google) -> None:
    """What failed: for days after the database was gone no removal could end."""
    assert "delete private services connection servicenetworking.googleapis.com" in used.gone(network_graph, options())


def test_a_connection_that_another_service_may_use_is_left(used: Google) -> None:
    used.apply(lambda options, api: services_graph(options), {"services": ["redis.googleapis.com"]})
    with pytest.raises(PlatformError, match="still using this connection") as caught:
        used.apply(network_graph, options(), absent=True)
    assert "redis.googleapis.com" in caught.value.hint
    where = {"project": used.project, "network": "mlops"}
    assert used.api.call("compute", "networks.get", where)["peerings"]
