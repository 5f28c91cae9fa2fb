"""gcp_https_load_balancer against the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from plugins.module_utils.gcloud.compare import undeclared
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.edge import edge_graph, edge_outputs
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.survey import survey
from plugins.module_utils.settings.cross import MOST_HOSTS

from .conftest import Google
from .test_machines import NETWORK

ALICE, BOB = "user:alice@acme.example", "user:bob@acme.example"


def graph(options: Mapping[str, Any], api: Any) -> Any:
    return edge_graph(options, api)


def edge(**more: Any) -> dict[str, Any]:
    return {
        "name": "mlops",
        "domain": "ml.acme.example",
        "hosts": ["", "*"],
        "dns_zone": "ml-acme-example",
        "requests_per_endpoint": 100,
        "timeout_seconds": 3600,
        "health": {"port": 15021, "path": "/healthz/ready"},
        "requests_per_minute": 1200,
        "protections": ["sqli-v33-stable", "xss-v33-stable"],
        "iap": {"enabled": True},
        "users": [ALICE],
        "labels": {"platform": "mlops"},
        **more,
    }


@pytest.fixture
def place(google: Google) -> Google:
    google.apply(network_graph, NETWORK)
    return google


def gateway(google: Google, zone: str, name: str = "mlops-gateway") -> None:
    """What GKE makes for the gateway's Service in a zone where its pods run."""
    body = {
        "name": name,
        "networkEndpointType": "GCE_VM_IP_PORT",
        "network": f"projects/{google.project}/global/networks/mlops",
        "subnetwork": f"projects/{google.project}/regions/europe-west1/subnetworks/mlops-europe-west1",
    }
    google.api.call("compute", "networkEndpointGroups.insert", {"project": google.project, "zone": zone}, body)


def test_from_nothing_to_nothing(place: Google) -> None:
    done = place.lifecycle(graph, edge())
    assert len(done) == 21
    seen = survey(
        place.api, {"project": place.project, "load_balancer": {"name": "mlops", "dns_zone": "ml-acme-example"}}
    )
    assert seen["load_balancer"]["address"].startswith("34.")
    assert len(seen["load_balancer"]["name_servers"]) == 4
    assert len(place.gone(graph, edge())) == 21


def test_backends_join_in_the_second_phase_and_stay_in_the_first(place: Google) -> None:
    place.apply(graph, edge())
    assert place.lifecycle(graph, edge(endpoint_group="mlops-gateway")) == []
    gateway(place, "europe-west1-b")
    gateway(place, "europe-west1-c")
    gateway(place, "europe-west1-c", "another")
    (done,) = place.lifecycle(graph, edge(endpoint_group="mlops-gateway"))
    assert done.startswith("update backend service mlops: backends")
    assert "another" not in done
    assert place.lifecycle(graph, edge()) == []
    gateway(place, "europe-west1-d")
    (done,) = place.lifecycle(graph, edge(endpoint_group="mlops-gateway"))
    assert "europe-west1-d" in done


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"hosts": ["", "*", "mlflow"]}, ["create dns record A mlflow.ml.acme.example."]),
        ({"requests_per_minute": 600}, ["rules"]),
        ({"protections": ["sqli-v33-stable"]}, ["rules"]),
        ({"protections": []}, ["rules"]),
        ({"preview": ["xss-v33-stable"]}, ["rules"]),
        ({"protections": ["sqli-v33-stable", "xss-v33-stable", "lfi-v33-stable"]}, ["rules"]),
        ({"health": {"port": 8080, "path": "/ready"}}, ["httpHealthCheck"]),
        ({"timeout_seconds": 60}, ["timeoutSec"]),
        ({"iap": {"enabled": False}}, ["iap.enabled: true -> false"]),
        ({"users": [ALICE, BOB]}, ["sign in"]),
    ],
)
def test_what_can_change_changes(place: Google, changes: dict[str, Any], lines: list[str]) -> None:
    place.apply(graph, edge())
    done = place.lifecycle(graph, edge(**changes))
    assert len(done) == len(lines)
    for part, line in zip(lines, done, strict=True):
        assert part in line


def test_json_is_read_as_json(place: Google) -> None:
    """As plain text, the quotes and braces of each request to MLflow look like an attack to the preconfigured rules."""
    place.apply(graph, edge())
    where = {"project": place.project, "securityPolicy": "mlops"}
    have = place.api.call("compute", "securityPolicies.get", where)
    assert have["advancedOptionsConfig"] == {"jsonParsing": "STANDARD"}
    body = {"advancedOptionsConfig": {"jsonParsing": "DISABLED"}, "fingerprint": have["fingerprint"]}
    place.api.call("compute", "securityPolicies.patch", where, body)
    (done,) = place.lifecycle(graph, edge())
    assert "advancedOptionsConfig.jsonParsing: DISABLED -> STANDARD" in done


def test_what_was_watched_is_enforced_again(place: Google) -> None:
    def watched() -> list[str]:
        rules = place.api.call("compute", "securityPolicies.get", where)["rules"]
        return [rule["description"] for rule in rules if rule.get("preview")]

    where = {"project": place.project, "securityPolicy": "mlops"}
    place.apply(graph, edge(preview=["xss-v33-stable"]))
    assert watched() == ["Preconfigured rule xss-v33-stable"]
    (done,) = place.lifecycle(graph, edge())
    assert "rules" in done
    assert watched() == []


def test_labels_change_wherever_there_are_some(place: Google) -> None:
    place.apply(graph, edge())
    done = place.lifecycle(graph, edge(labels={"platform": "other"}))
    assert len(done) == 9
    assert all("labels" in line for line in done)


def test_another_domain_gets_another_certificate_beside_the_one_in_use(google: Google) -> None:
    names = []
    for domain in ("ml.acme.example", "ai.acme.example"):
        wanted = graph(edge(domain=domain, project=google.project), google.api)
        names += [resource.name for resource in wanted if resource.kind.name == "certificate"]
    assert len(set(names)) == 2


def test_another_platform_whose_name_begins_alike_keeps_its_certificate(place: Google) -> None:
    place.apply(graph, edge(name="mlops-dev", domain="dev.acme.example", dns_zone="dev"))
    plan = place.plan(graph, edge())
    assert not [line for line in plan.lines() if line.startswith("delete")]


def test_every_wanted_field_is_declared(google: Google) -> None:
    wanted = graph(
        edge(project=google.project, iap={"enabled": True, "client_id": "a", "client_secret": "b"}), google.api
    )
    assert {resource.key: undeclared(resource) for resource in wanted if undeclared(resource)} == {}


def test_a_client_secret_is_never_shown(google: Google) -> None:
    plan = google.plan(graph, edge(iap={"enabled": True, "client_id": "id", "client_secret": "very-secret"}))
    assert "very-secret" not in str(plan.differences()) + str(plan.lines())


def test_a_client_secret_that_was_renewed_is_noticed_and_not_shown(google: Google) -> None:
    """Google answers the secret's SHA-256 only (recordings/FACTS.md, backendServices)."""

    def wanted(secret: str) -> dict[str, Any]:
        return edge(iap={"enabled": True, "client_id": "id", "client_secret": secret})

    google.apply(graph, wanted("first-secret"))
    assert not google.plan(graph, wanted("first-secret")).changed
    plan = google.plan(graph, wanted("second-secret"))
    assert plan.changed
    assert "secret" not in str(plan.differences()).replace("oauth2ClientSecret", "")
    google.apply(graph, wanted("second-secret"))
    assert not google.plan(graph, wanted("second-secret")).changed


def test_outputs_of_nothing_are_empty() -> None:
    assert edge_outputs({})["load_balancer"]["address"] == ""


ROLE = "roles/iap.httpsResourceAccessor"
NUMBER = "417385926104"


def admitted(google: Google) -> set[tuple[str, str]]:
    """(member, condition) of everybody who has the role that lets people in."""
    name = f"projects/{NUMBER}/iap_web/compute/services/mlops"
    policy = google.api.call("iap", "v1.getIamPolicy", {"resource": name}, {"options": {"requestedPolicyVersion": 3}})
    return {
        (member, binding.get("condition", {}).get("expression", ""))
        for binding in policy.get("bindings", [])
        if binding["role"] == ROLE
        for member in binding["members"]
    }


def test_who_passes_the_sign_in_is_exactly_the_settings(place: Google) -> None:
    place.apply(graph, edge(users=[ALICE, BOB]))
    assert admitted(place) == {(ALICE, ""), (BOB, "")}
    (line,) = place.plan(graph, edge(users=[ALICE])).lines()
    assert line.startswith("update sign in mlops: members:")
    place.apply(graph, edge(users=[ALICE]))
    assert admitted(place) == {(ALICE, "")}
    assert place.apply(graph, edge(users=[ALICE])) == []


def test_nobody_may_be_let_in_any_more(place: Google) -> None:
    """An empty list is no missing one: in an emergency it has to lock everybody out."""
    place.apply(graph, edge(users=[ALICE], access={"argocd": [BOB]}))
    assert place.apply(graph, edge(users=None)) == []
    assert len(admitted(place)) == 2
    nobody = edge(users=[], access={"argocd": []})
    assert place.plan(graph, nobody).lines() == ["delete sign in mlops"]
    place.apply(graph, nobody)
    assert admitted(place) == set()
    assert place.apply(graph, nobody) == []


def test_hosts_with_people_of_their_own_are_theirs_alone(place: Google) -> None:
    place.apply(graph, edge(users=[ALICE, BOB]))
    place.apply(graph, edge(users=[BOB], access={"argocd": [ALICE]}))
    assert admitted(place) == {
        (BOB, '!request.host.startsWith("argocd.ml.acme.example")'),
        (ALICE, 'request.host == "argocd.ml.acme.example"'),
    }
    assert place.apply(graph, edge(users=[BOB], access={"argocd": [ALICE]})) == []
    (line,) = place.apply(graph, edge(users=[BOB]))
    assert line.startswith("update sign in mlops: members:")
    assert admitted(place) == {(BOB, "")}


def test_as_many_hosts_have_people_of_their_own_as_a_condition_tells_apart(place: Google) -> None:
    hosts = [f"h{number}" for number in range(MOST_HOSTS)]
    options = edge(users=[BOB], access={host: [ALICE] for host in hosts})
    place.apply(graph, options)
    assert place.apply(graph, options) == []
    assert len(admitted(place)) == 1 + MOST_HOSTS
    assert not lets_in(place, "h11.ml.acme.example:443", "bob@acme.example")
    assert lets_in(place, "h11.ml.acme.example", "alice@acme.example")
    assert lets_in(place, "mlflow.ml.acme.example", "bob@acme.example")
    with pytest.raises(PlatformError, match="13 logical operators"):
        place.apply(graph, edge(users=[BOB], access={host: [ALICE] for host in [*hosts, "more"]}))


def test_the_data_path_sees_what_is_configured(place: Google) -> None:
    """What rehearsal/frontdoor is told: two listeners, the certificate once it is active, and the backend's rules."""
    place.apply(graph, edge())
    status, answer = place.emulator.request("GET", "/edge", host="emulator.internal", email=None)
    assert status == 200
    by_port = {front["port"]: front for front in answer["fronts"]}
    assert by_port[80]["certificates"] is None
    assert by_port[443]["certificates"] == [["ml.acme.example"], ["*.ml.acme.example"]]
    (service,) = answer["services"].values()
    assert service["iap"]["enabled"] is True
    assert service["healthCheck"]["httpHealthCheck"]["port"] == 15021
    assert [rule["action"] for rule in service["rules"]][-2:] == ["throttle", "allow"]
    assert service["readsJson"] is True


@pytest.mark.parametrize(
    ("host", "email", "allowed"),
    [
        ("mlflow.ml.acme.example", "bob@acme.example", True),
        ("argocd.ml.acme.example", "bob@acme.example", False),
        ("argocd.ml.acme.example:443", "bob@acme.example", False),
        ("argocd.ml.acme.example.", "bob@acme.example", False),
        ("argocd.ml.acme.example", "alice@acme.example", True),
        ("mlflow.ml.acme.example", "alice@acme.example", False),
    ],
)
def test_conditions_on_the_host_are_judged(place: Google, host: str, email: str, allowed: bool) -> None:
    place.apply(graph, edge(users=[BOB], access={"argocd": [ALICE]}))
    assert lets_in(place, host, email) is allowed


def lets_in(place: Google, host: str, email: str) -> bool:
    """Whether IAP does."""
    asked = {"service": f"projects/{place.project}/global/backendServices/mlops", "host": host, "path": "/"}
    _, answer = place.emulator.request(
        "POST", "/edge/access", {**asked, "email": email}, host="emulator.internal", email=None
    )
    return bool(answer["allowed"])


def records(google: Google, zone: str = "ml-acme-example") -> set[str]:
    """What a zone holds beside Google's own."""
    where = {"project": google.project, "managedZone": zone}
    listed = google.api.pages("dns", "resourceRecordSets.list", where, "rrsets")
    return {f"{entry['type']} {entry['name']}" for entry in listed if entry["type"] not in ("NS", "SOA")}


def add_record(google: Google, name: str, zone: str = "ml-acme-example") -> None:
    """Somebody adds a record of their own."""
    addition = {"name": name, "type": "A", "ttl": 300, "rrdatas": ["192.0.2.7"]}
    google.api.call(
        "dns", "changes.create", {"project": google.project, "managedZone": zone}, {"additions": [addition]}
    )


def test_a_host_that_is_not_wanted_any_more_does_not_resolve(place: Google) -> None:
    """What failed: its record stayed, nothing told so, and the zone could never be removed."""
    place.apply(graph, edge(hosts=["", "*", "api"]))
    add_record(place, "office.ml.acme.example.")
    assert place.lifecycle(graph, edge()) == ["delete dns record A api.ml.acme.example."]
    assert "A office.ml.acme.example." in records(place)


def test_a_zone_with_records_of_others_stops_a_removal_before_it_begins(place: Google) -> None:
    place.apply(graph, edge(hosts=["", "*", "api"]))
    add_record(place, "office.ml.acme.example.")
    before = records(place)
    with pytest.raises(PlatformError, match=r"others added: A office\.ml\.acme\.example") as caught:
        place.apply(graph, edge(), absent=True)
    assert "Move them to another zone" in str(caught.value)
    assert records(place) == before


def test_a_delegation_inside_the_zone_is_a_record_of_others(place: Google) -> None:
    place.apply(graph, edge())
    addition = {"name": "team.ml.acme.example.", "type": "NS", "ttl": 300, "rrdatas": ["ns.example.com."]}
    where = {"project": place.project, "managedZone": "ml-acme-example"}
    place.api.call("dns", "changes.create", where, {"additions": [addition]})
    with pytest.raises(PlatformError, match=r"others added: NS team\.ml\.acme\.example"):
        place.plan(graph, edge(), absent=True)


def test_a_zone_of_the_company_is_not_taken_over(place: Google) -> None:
    """What failed: it differed in nothing but description and labels, was relabelled, and went with the platform."""
    zone = {"name": "ml-acme-example", "dnsName": "ml.acme.example.", "description": "of the network team"}
    place.api.call("dns", "managedZones.create", {"project": place.project}, {**zone, "labels": {"team": "net"}})
    for absent in (False, True):
        with pytest.raises(PlatformError, match="does not look like the platform's: dns zone ml-acme-example"):
            place.apply(graph, edge(), absent=absent)


def test_a_forwarding_rule_of_another_site_is_neither_moved_nor_removed(place: Google) -> None:
    place.apply(graph, edge(name="shop", dns_zone="shop", domain="shop.example", labels={"team": "shop"}))
    with place.emulator.cloud.store.transaction() as tx:
        record = next(item for item in tx.list("compute.forwardingRules") if item.body["name"] == "shop")
        tx.delete(record.kind, record.key)
        body = {**record.body, "name": "mlops", "description": "of the shop"}
        tx.put(replace(record, key=record.key.replace("shop", "mlops"), body=body))
    for absent in (False, True):
        with pytest.raises(PlatformError, match="does not look like the platform's: forwarding rule mlops"):
            place.apply(graph, edge(), absent=absent)


def test_a_zone_that_is_kept_is_taken_up_again(place: Google) -> None:
    """What failed: the zone went while the domain was still delegated to it, for anybody to make it anew."""
    place.apply(graph, edge(hosts=["", "*", "api"]))
    where = {"project": place.project, "managedZone": "ml-acme-example"}
    before = place.api.call("dns", "managedZones.get", where)
    add_record(place, "office.ml.acme.example.")
    gone = place.gone(graph, edge(keep_zone=True))
    assert "delete dns record A api.ml.acme.example." in gone
    assert not [line for line in gone if "dns zone" in line]
    assert records(place) == {"A office.ml.acme.example."}
    done = place.lifecycle(graph, edge())
    assert not [line for line in done if "dns zone" in line]
    assert place.api.call("dns", "managedZones.get", where)["nameServers"] == before["nameServers"]


def test_records_in_a_zone_of_somebody_else_are_not_removed(place: Google) -> None:
    place.apply(graph, edge())
    where = {"project": place.project, "managedZone": "ml-acme-example"}
    theirs = {"description": "of the web team", "labels": {"team": "web"}}
    place.api.call("dns", "managedZones.patch", where, theirs)
    before = records(place)
    with pytest.raises(PlatformError, match="does not look like the platform's: dns zone ml-acme-example"):
        place.apply(graph, edge(keep_zone=True), absent=True)
    assert records(place) == before


def test_after_a_change_of_the_domain_all_of_both_goes(place: Google) -> None:
    """What failed: certificates were removed in the wrong order, and the old zone was nobody's."""
    place.apply(graph, edge())
    new = edge(domain="ai.acme.example", dns_zone="ai-acme-example")
    gone = place.gone(graph, new)  # the change itself was not run: certificate, proof and entries are of the old one
    assert "delete certificate map mlops" in gone
    assert "delete dns zone ml-acme-example" in gone
    place.apply(graph, edge())
    place.apply(graph, new)
    assert records(place), "the old zone stays while the platform does"
    assert "delete dns zone ml-acme-example" in place.gone(graph, new)
    assert google_zones(place) == set()


def google_zones(google: Google) -> set[str]:
    return {
        zone["name"]
        for zone in google.api.pages("dns", "managedZones.list", {"project": google.project}, "managedZones")
    }


def test_a_zone_of_another_platform_stays(place: Google) -> None:
    place.apply(graph, edge(name="dev", domain="dev.acme.example", dns_zone="dev", labels={"platform": "dev"}))
    place.apply(graph, edge())
    place.gone(graph, edge())
    assert google_zones(place) == {"dev"}
