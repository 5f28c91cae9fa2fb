"""Bad input is refused before any call, by a message that names the setting by its path and the way to mend it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from plugins.module_utils.settings import rules
from plugins.module_utils.settings.cross import parse_range
from plugins.module_utils.settings.exposed import check_exposed
from plugins.module_utils.settings.maintenance import fewest_windows

from .settings import found, settings

Case = tuple[dict[str, Any], str, str]
SUBNET = {
    "name": "mlops-europe-west1",
    "region": "europe-west1",
    "range": "10.10.0.0/20",
    "secondary_ranges": {"pods": "10.32.0.0/14", "services": "10.36.0.0/20"},
}
ROUTER = {"name": "r", "region": "europe-west1"}
KNOWN = {"managed-by": "mlops-platform"}
POOL = {"name": "general", "machine_type": "e2-standard-4"}
RULE = {"name": "r", "protocols": [{"protocol": "tcp", "ports": ["22"]}]}


def subnet(**more: Any) -> dict[str, Any]:
    return {"network": {"subnets": [{**SUBNET, **more}]}}


def nat(**more: Any) -> dict[str, Any]:
    return {"network": {"routers": [{**ROUTER, "nats": [{"name": "n", **more}]}]}}


def pool(**more: Any) -> dict[str, Any]:
    return {"cluster": {"node_pools": [{**POOL, **more}]}}


def rule(**more: Any) -> dict[str, Any]:
    return {"network": {"firewall_rules": [{**RULE, **more}]}}


def project(**more: Any) -> dict[str, Any]:
    return {"gitops": {"projects": {"a": {"owner": {"team": "t", "contact": "a@b.c"}, **more}}}}


def window(**more: Any) -> dict[str, Any]:
    return {"cluster": {"maintenance": more}}


# what is set, the path the message must begin with, and a part of it that tells what to do
CASES: list[Case] = [
    # misspelt
    ({"cluster": {"nodepools": []}}, "cluster.nodepools", "did you mean `node_pools`?"),
    (subnet(private_google_acess=True), "network.subnets[0].private_google_acess", "`private_google_access`"),
    ({"data": {"database": {"teir": "x"}}}, "data.database.teir", "did you mean `tier`?"),
    ({"edge": {"helth": {}}}, "edge.helth", "did you mean `health`?"),
    ({"netwrok": {}}, "netwrok", "did you mean `network`?"),
    ({"platform_domian": "x"}, "platform_domian", "did you mean `platform_domain`?"),
    (pool(taints=[{"key": "a", "efect": "NO_SCHEDULE"}]), "cluster.node_pools[0].taints[0].efect", "`effect`"),
    ({"cluster": {"release_channel": "REGULER"}}, "cluster.release_channel", "did you mean `REGULAR`?"),
    # types
    ({"network": {"mtu": "big"}}, "network.mtu", "a whole number"),
    ({"cluster": {"node_pools": "general"}}, "cluster.node_pools", "a list"),
    ({"edge": {"hosts": {}}}, "edge.hosts", "a list"),
    ({"data": {"database": {"deletion_protection": "yes"}}}, "data.database.deletion_protection", "true or false"),
    (pool(labels=["a"]), "cluster.node_pools[0].labels", "a mapping"),
    ({"bastion": {"machine_type": 4}}, "bastion.machine_type", "a text"),
    # required
    ({"platform_project": None}, "platform_project", "is required"),
    ({"cluster": {"node_pools": [{"name": "x"}]}}, "cluster.node_pools[0].machine_type", "is required"),
    ({"network": {"routers": [{"name": "r"}]}}, "network.routers[0].region", "is required"),
    # names
    ({"platform_project": "Acme_ML"}, "platform_project", "lower-case"),
    ({"platform_project": "your-project-id"}, "platform_project", "set the id of your project"),
    ({"platform_name": "a-name-of-17-char"}, "platform_name", "at most 16"),
    ({"platform_name": "1platform"}, "platform_name", "a letter first"),
    ({"cluster": {"name": "c" * 41}}, "cluster.name", "41 characters; at most 40"),
    ({"cluster": {"name": "Cluster"}}, "cluster.name", "lower-case"),
    ({"cluster": {"service_account": "short"}}, "cluster.service_account", "6 to 30"),
    ({"bastion": {"service_account": "s" * 31}}, "bastion.service_account", "6 to 30"),
    ({"data": {"bucket": {"name": "Bucket"}}}, "data.bucket.name", "3 to 63"),
    ({"data": {"bucket": {"name": "google-models"}}}, "data.bucket.name", "bucket name"),
    ({"data": {"mlflow_kubernetes_account": "mlflow"}}, "data.mlflow_kubernetes_account", "NAMESPACE/NAME"),
    ({"data": {"database": {"name": "ml-flow"}}}, "data.database.name", "PostgreSQL"),
    ({"data": {"database": {"user": "postgres"}}}, "data.database.user", "choose another"),
    ({"data": {"database": {"instance": "i" * 90}}}, "data.database.instance", "shorten"),
    ({"platform_labels": {**KNOWN, "Team": "a"}}, "platform_labels.Team", "label key"),
    ({"platform_labels": {**KNOWN, "team": "A B"}}, "platform_labels.team", "label value"),
    ({"platform_labels": {"team": "a"}}, "platform_labels", "must have managed-by: mlops-platform"),
    ({"platform_secret_locations": ["europe"]}, "platform_secret_locations[0]", "a region such as"),
    ({"platform_secret_locations": "europe-west1"}, "platform_secret_locations", "must be a list"),
    ({"platform_services": ["compute"]}, "platform_services[0]", "compute.googleapis.com"),
    # domains
    ({"platform_domain": "https://ml.acme.example"}, "platform_domain", "write ml.acme.example"),
    ({"platform_domain": "ml.acme.example/mlflow"}, "platform_domain", "without path: write ml.acme.example"),
    ({"platform_domain": "ML.acme.example"}, "platform_domain", "write ml.acme.example"),
    ({"platform_domain": "ml.acme.example."}, "platform_domain", "no dot at the end"),
    ({"platform_domain": "*.acme.example"}, "platform_domain", "write acme.example"),
    ({"platform_domain": "localhost"}, "platform_domain", "such as ml.example.com"),
    ({"platform_domain": f"{'a' * 60}.example"}, "platform_domain", "at most 62"),
    ({"edge": {"hosts": ["a.b"]}}, "edge.hosts[0]", "one label"),
    # ranges
    (subnet(range="10.10.0.0"), "network.subnets[0].range", "write for example 10.10.0.0/24"),
    (subnet(range="10.10.1.0/20"), "network.subnets[0].range", "write 10.10.0.0/20"),
    (subnet(range="10.10.0.0/33"), "network.subnets[0].range", "no IPv4 range"),
    (subnet(range="8.8.0.0/20"), "network.subnets[0].range", "not private"),
    (subnet(range="172.17.0.0/20"), "network.subnets[0].range", "Cloud SQL"),
    (subnet(range="10.32.0.0/20"), "network.subnets[0].secondary_ranges.pods", "overlaps network.subnets[0].range"),
    (
        subnet(secondary_ranges={"pods": "10.32.0.0/14", "services": "10.33.0.0/20"}),
        "network.subnets[0].secondary_ranges.services",
        "overlaps network.subnets[0].secondary_ranges.pods",
    ),
    ({"network": {"private_services": {"range": "10.10.0.0/20"}}}, "network.private_services.range", "overlaps"),
    ({"network": {"private_services": {"range": "10.40.0.0/28"}}}, "network.private_services.range", "from /8 to /24"),
    ({"cluster": {"control_plane_range": "10.32.0.0/28"}}, "cluster.control_plane_range", "overlaps"),
    ({"cluster": {"control_plane_range": "172.16.0.0/24"}}, "cluster.control_plane_range", "exactly /28"),
    ({"cluster": {"authorized_networks": [{"range": "0.0.0.0/0"}]}}, "cluster.authorized_networks[0].range", "every"),
    ({"cluster": {"authorized_networks": [{"range": "x"}]}}, "cluster.authorized_networks[0].range", "prefix"),
    (rule(source_ranges=["10.0.0.1/8"]), "network.firewall_rules[0].source_ranges[0]", "write 10.0.0.0/8"),
    # places
    ({"platform_region": "europe-west1-b"}, "platform_region", "a region such as"),
    ({"platform_zone": "us-central1-a"}, "platform_zone", "not in platform_region europe-west1"),
    ({"bastion": {"zone": "us-central1-a"}}, "bastion.zone", "not in platform_region"),
    ({"cluster": {"location": "us-central1"}}, "cluster.location", "neither platform_region"),
    (subnet(region="us-central1"), "network.subnets[0].region", "one must be"),
    (pool(zones=["us-central1-a"]), "cluster.node_pools[0].zones[0]", "not in platform_region"),
    # the hand-off
    ({"gitops": {"branhc": "main"}}, "gitops.branhc", "did you mean `branch`?"),
    ({"gitops": {"repository": "git@git.acme.example:a.git"}}, "gitops.repository", "https://git.example.com"),
    ({"gitops": {"repository": "https://a:b@git.acme.example/a.git"}}, "gitops.repository", "without it"),
    ({"gitops": {"poll_seconds": 1}}, "gitops.poll_seconds", "from 10"),
    ({"gitops": {"project_prefix": "Project-"}}, "gitops.project_prefix", "lower-case"),
    ({"gitops": {"projects": {"My_Project": {}}}}, "gitops.projects.My_Project", "lower-case"),
    ({"gitops": {"projects": {"a": {}}}}, "gitops.projects.a", "'owner' is a required property"),
    (project(size="huge"), "gitops.projects.a.size", "'huge' is not one of"),
    (project(acess={}), "gitops.projects.a", "unknown key acess; possible are access, network, owner"),
    (
        project(access={"admins": ["domain:acme.example"]}),
        "gitops.projects.a.access.admins[0]",
        "charts/project/values",
    ),
    (project(owner={"team": "t", "contact": "nobody"}), "gitops.projects.a.owner.contact", "'nobody' is not possible"),
    ({"gitops": {"projects": {"a": "x"}}}, "gitops.projects.a", "is not of type 'object'"),
    ({"gitops_token": ""}, "gitops_token", "set the environment variable PLATFORM_GIT_TOKEN"),
    ({"gitops_token": "token\n"}, "gitops_token", "line ends"),
    ({"gitops_read_token": " token"}, "gitops_read_token", "line ends"),
    # references
    ({"cluster": {"subnet": "other"}}, "cluster.subnet", "no subnetwork other"),
    ({"cluster": {"pods_range": "pod"}}, "cluster.pods_range", "it has pods, services"),
    ({"cluster": {"services_range": "pods"}}, "cluster.services_range", "another range"),
    # people
    ({"platform_users": ["alice@acme.example"]}, "platform_users[0]", "user:alice@acme.example"),
    ({"platform_users": ["allUsers"]}, "platform_users[0]", "name people or groups"),
    ({"platform_users": ["group:ML@acme.example"]}, "platform_users[0]", "lower case"),
    ({"platform_users": ["team:ml@acme.example"]}, "platform_users[0]", "group:name@example.com"),
    ({"platform_users": ["group:ml"]}, "platform_users[0]", "no e-mail address"),
    ({"platform_users": ["group:a@b.c", "group:a@b.c"]}, "platform_users[1]", "more than once"),
    ({"platform_operators": []}, "platform_operators", "at least one group"),
    # numbers
    ({"network": {"mtu": 9000}}, "network.mtu", "1300 to 8896"),
    (rule(priority=70000), "network.firewall_rules[0].priority", "0 to 65535"),
    (rule(protocols=[{"protocol": "tcp", "ports": ["ssh"]}]), "network.firewall_rules[0].protocols[0].ports[0]", "443"),
    (subnet(flow_logs={"enabled": True, "sampling": 2.0}), "network.subnets[0].flow_logs.sampling", "0 to 1"),
    (pool(min_nodes=4, max_nodes=2), "cluster.node_pools[0].min_nodes", "more than max_nodes"),
    (pool(min_nodes=4), "cluster.node_pools[0].max_nodes", "must be set"),
    (pool(initial_nodes=9, max_nodes=2), "cluster.node_pools[0].initial_nodes", "more than max_nodes"),
    ({"cluster": {"node_pools": []}}, "cluster.node_pools", "at least one"),
    ({"cluster": {"node_pools": [POOL, POOL]}}, "cluster.node_pools[1].name", "more than once"),
    (nat(dynamic_ports=True, min_ports_per_vm=100), "network.routers[0].nats[0].min_ports_per_vm", "power of two"),
    (nat(max_ports_per_vm=64), "network.routers[0].nats[0].max_ports_per_vm", "remove it"),
    ({"edge": {"health": {"port": 9999}}}, "edge.health.port", "network.gateway_ports"),
    ({"edge": {"requests_per_minute": 0}}, "edge.requests_per_minute", "from 1"),
    ({"edge": {"preview": ["java-v33-stable"]}}, "edge.preview[0]", "not in edge.protections"),
    ({"edge": {"preview": ["xss-v33-stable", "xss-v33-stable"]}}, "edge.preview[1]", "more than once"),
    ({"edge": {"preview": "xss-v33-stable"}}, "edge.preview", "a list"),
    # versions and times
    ({"cluster": {"security_group": "admins@acme.example"}}, "cluster.security_group", "gke-security-groups@"),
    ({"cluster": {"version": "v1.33"}}, "cluster.version", "1.33"),
    ({"data": {"database": {"version": "15"}}}, "data.database.version", "POSTGRES_15"),
    ({"data": {"database": {"backup_start": "2am"}}}, "data.database.backup_start", "02:00"),
    ({"cluster": {"maintenance": {"start": "tomorrow"}}}, "cluster.maintenance.start", "2026-01-03T02:00:00Z"),
    ({"cluster": {"maintenance": {"recurrence": "weekly"}}}, "cluster.maintenance.recurrence", "FREQ=WEEKLY"),
    # maintenance, as GKE takes it
    (window(end="2026-01-03T02:00:00Z"), "cluster.maintenance.end", "must be after cluster.maintenance.start"),
    (window(end="2026-01-02T08:00:00Z"), "cluster.maintenance.end", "write for example 2026-01-03T08:00:00Z"),
    (window(end="2026-01-03T05:30:00Z"), "cluster.maintenance.end", "this is 3.5; write for example 2026-01-03T06"),
    (window(end="2026-01-03T10:00:00+05:00"), "cluster.maintenance.end", "this is 3;"),
    (window(end="2026-01-03T07:59:00Z"), "cluster.maintenance.recurrence", "8 windows of 5.98 hours"),
    (window(recurrence="FREQ=WEEKLY;BYDAY=SA"), "cluster.maintenance.recurrence", "4 windows of 6 hours"),
    (window(recurrence="FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU"), "cluster.maintenance.recurrence", "name more days"),
    (window(recurrence="FREQ=DAILY;INTERVAL=5"), "cluster.maintenance.recurrence", "6 windows of 6 hours"),
    # sign-in
    ({"edge": {"access": {f"h{n}": ["user:a@b.c"] for n in range(12)}}}, "edge.access", "has 13 hosts"),
    ({"edge": {"client_id": "x"}}, "edge.client_secret", "leave out both"),
    ({"edge": {"health": {"path": "ready"}}}, "edge.health.path", "begins with /"),
]


@pytest.mark.parametrize(
    ("changes", "path", "advice"), CASES, ids=[f"{path}-{n}" for n, (_, path, _) in enumerate(CASES)]
)
def test_bad_input_is_named_by_its_path_with_the_way_to_mend_it(
    changes: dict[str, Any], path: str, advice: str
) -> None:
    lines = found(changes)
    assert [line for line in lines if line.startswith(f"{path}:") and advice in line], lines


@pytest.mark.parametrize(
    "changes",
    [
        window(),
        window(end="2026-01-03T06:00:00Z", recurrence="FREQ=DAILY"),
        window(end="2026-01-03T14:00:00Z", recurrence="FREQ=WEEKLY;BYDAY=SA"),
        window(start="2026-01-03T22:00:00Z", end="2026-01-04T04:00:00Z", recurrence="FREQ=WEEKLY;BYDAY=FR,SA,SU"),
        window(recurrence="FREQ=DAILY;INTERVAL=4"),
        # nothing is claimed of other rules
        window(recurrence="FREQ=WEEKLY"),
        window(recurrence="FREQ=WEEKLY;BYDAY=SA;BYMONTH=1"),
        window(recurrence="FREQ=WEEKLY;BYDAY=1SA"),
        window(recurrence="FREQ=DAILY;INTERVAL=0"),
    ],
)
def test_good_maintenance_passes(changes: dict[str, Any]) -> None:
    assert found(changes) == []


@pytest.mark.parametrize(
    ("rule", "fewest"),
    [
        ("FREQ=DAILY", 32),
        ("FREQ=DAILY;INTERVAL=3", 10),
        ("FREQ=WEEKLY;BYDAY=SA,SU", 8),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR,SU", 18),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", 32),
        ("FREQ=WEEKLY;INTERVAL=6;BYDAY=MO", 0),
        ("FREQ=DAILY;INTERVAL=32", 1),
        ("FREQ=DAILY;INTERVAL=99999999999", 0),
        ("FREQ=MONTHLY;BYDAY=MO", None),
        ("weekly", None),
    ],
)
def test_windows_are_counted_in_the_poorest_32_days(rule: str, fewest: int | None) -> None:
    assert fewest_windows(rule) == fewest


def test_the_settings_of_the_sealed_world_are_sound() -> None:
    assert found() == []


def test_the_example_needs_nothing_but_what_is_marked_required() -> None:
    assert [line.split(":")[0] for line in found(inventory="example")] == ["platform_project"]


@pytest.mark.parametrize(
    ("operators", "admins", "contact"),
    [
        (["group:a@acme.example", "user:b@acme.example"], 2, "a@acme.example"),
        (["serviceAccount:robot@p.iam.gserviceaccount.com", "user:b@acme.example"], 1, "b@acme.example"),
        (
            ["domain:acme.example", "principalSet://iam.googleapis.com/locations/global/x"],
            0,
            "platform@ml.acme.example",
        ),
    ],
)
def test_the_sandbox_has_of_the_platforms_members_those_that_a_project_may_have(
    operators: list[str], admins: int, contact: str
) -> None:
    changes = {"platform_operators": operators, "platform_users": [*operators, "domain:acme.example"]}
    if operators[0].startswith("domain"):
        changes["platform_users"] = operators
    assert found(changes) == []
    sandbox = settings(changes)["gitops_settings"]["projects"]["sandbox"]
    assert sandbox["owner"]["contact"] == contact
    assert len(sandbox["access"]["admins"]) == len(sandbox["access"]["editors"]) == admins


def test_all_problems_are_told_at_once_and_each_once() -> None:
    lines = found({"platform_domain": "X", "cluster": {"name": "c" * 41, "typo": 1}, "network": {"mtu": 1}})
    assert len(lines) == len(set(lines)) == 4, lines


def test_a_secret_is_not_shown_even_where_it_is_wrong() -> None:
    lines = found({"edge": {"client_id": "x", "client_secret": 4711}})
    assert any(line.startswith("edge.client_secret: must be a text") for line in lines)
    assert "4711" not in str(lines)


def test_a_broken_cause_is_told_once_and_not_for_every_name_made_from_it() -> None:
    assert [line.split(":")[0] for line in found({"platform_domain": "https://ml.acme.example"})] == ["platform_domain"]
    assert [line.split(":")[0] for line in found({"platform_name": "Mlops"})] == ["platform_name"]


def test_settings_are_laid_over_the_defaults_key_by_key() -> None:
    changed = settings({"network": {"private_services": {"range": "10.99.0.0/20"}}})["network_settings"]
    assert changed["private_services"] == {"name": "mlops-private-services", "range": "10.99.0.0/20"}
    assert changed["mtu"] == 1460


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_good_names_pass(text: str) -> None:
    assert rules.name(40)(text) == ""


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_text_breaks_the_checks(text: str) -> None:
    for check in (rules.domain, rules.member, rules.name(40), rules.moment, rules.project):
        assert isinstance(check(text), str)
    network, problem = parse_range(text)
    assert (network is None) == bool(problem)


GOOD = {"to": [{"service": "mlflow.mlflow", "port": 80}]}


@pytest.mark.parametrize(
    ("applications", "path", "words"),
    [
        ({"a": {}}, "ingress.applications.a", "'to' is a required property"),
        ({"a": {"to": [{"service": "mlflow", "port": 80}]}}, "ingress.applications.a.to[0].service", "'mlflow'"),
        ({"a": {**GOOD, "hots": "x"}}, "ingress.applications.a", "unknown key hots; possible are clients"),
        (
            {"a": {**GOOD, "clients": {"only": ["10.0.0.0/99"]}}},
            "ingress.applications.a.clients.only[0]",
            "10.0.0.0/99",
        ),
        ({"a": {**GOOD, "paths": {"only": ["admin"]}}}, "ingress.applications.a.paths.only[0]", "'admin'"),
        (
            {"a": {**GOOD, "paths": {"only": ["//x*"]}}},
            "ingress.applications.a.paths.only[0]",
            "'//x*' is not possible",
        ),
        ({"a": {**GOOD, "paths": {"except": ["/a:b*"]}}}, "ingress.applications.a.paths.except[0]", "'/a:b*'"),
        ({"a": {**GOOD, "routes": [{"to": GOOD["to"]}]}}, "ingress.applications.a.routes[0]", "paths or headers"),
        ({"a": {"to": [{**GOOD["to"][0], "weight": 50}, GOOD["to"][0]]}}, "ingress.applications.a.to", "add up to 50"),
        ({"a": {"to": [{**GOOD["to"][0], "weight": 50}]}}, "ingress.applications.a.to", "a single target takes all"),
        (
            {"a": {**GOOD, "routes": [{"paths": ["/x"], "to": [{**GOOD["to"][0], "weight": 10}]}]}},
            "ingress.applications.a.routes[0].to",
            "a single target takes all",
        ),
        ({"a": {**GOOD, "clients": {"only": ["192.0.2.06"]}}}, "ingress.applications.a.clients.only[0]", "192.0.2.06"),
        ({"a": {**GOOD, "clients": {"except": ["10.0.0.0/33"]}}}, "ingress.applications.a.clients.except[0]", "/33"),
        ({"a": {**GOOD, "drop": ["host"]}}, "ingress.applications.a.drop[0]", "'host' is not possible"),
        ({"a": {**GOOD, "drop": ["Host"]}}, "ingress.applications.a.drop[0]", "'Host' is not possible"),
        ({"a": {**GOOD, "drop": [":path"]}}, "ingress.applications.a.drop[0]", "':path' is not possible"),
        ({"a": {**GOOD, "host": "reports\n"}}, "ingress.applications.a.host", "is not possible"),
        ({"a": GOOD, "b": {**GOOD, "host": "a"}}, "ingress.applications.b", "that of a already"),
        ({"a": {**GOOD, "who": {"emails": ["*@x.org"]}}}, "ingress.applications.a.who.emails[0]", "*@x.org"),
    ],
)
def test_a_bad_application_is_named_by_its_path(applications: dict[str, Any], path: str, words: str) -> None:
    found = [line for line in check_exposed({"ingress": {"applications": applications}}) if line.startswith(f"{path}:")]
    assert len(found) == 1
    assert words in found[0]


def test_people_of_their_own_are_for_hosts_that_are_exposed() -> None:
    settings = {"ingress": {"applications": {"a": GOOD}}, "edge": {"access": {"b": []}}}
    assert list(check_exposed(settings)) == [
        "edge.access.b: nothing is exposed at this host; ingress.applications has a."
    ]
