"""The platform's own charts, rendered by the Helm that Argo CD has, and the bad values that their schemas refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from rehearsal.toolchain.catalog import program_path

PLATFORM = Path(__file__).resolve().parents[2] / "platform"
PROJECT: dict[str, Any] = {
    "owner": {"team": "fraud", "contact": "bob@acme.example"},
    "access": {"admins": ["group:ml-team-fraud@acme.example"], "viewers": ["user:alice@acme.example"]},
    "namePrefix": "project-",
    "fileName": "fraud",
}
MLFLOW: dict[str, Any] = {
    "image": {"repository": "ghcr.io/mlflow/mlflow", "tag": "v3"},
    "databaseSecret": "mlflow-database",
    "artifactsDestination": "gs://bucket/mlflow",
    "googleServiceAccount": "mlflow@acme-ml.iam.gserviceaccount.com",
    "hosts": ["mlflow.ml.example.com"],
}


def helm(chart: str, values: dict[str, Any], tmp_path: Path, *more: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [program_path("helm"), "template", "release", PLATFORM / "charts" / chart, "--namespace=project-fraud"]
    for number, content in enumerate((values, *more)):
        file = tmp_path / f"values-{number}.yaml"
        file.write_text(json.dumps(content))  # which leaves no doubt about what is a text
        command.append(f"--values={file}")
    return subprocess.run(command, capture_output=True, text=True, check=False)


def render(
    chart: str, values: dict[str, Any], tmp_path: Path, *more: dict[str, Any]
) -> dict[tuple[str, str], dict[str, Any]]:
    outcome = helm(chart, values, tmp_path, *more)
    assert outcome.returncode == 0, outcome.stderr
    objects = [item for item in yaml.safe_load_all(outcome.stdout) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def test_a_namespace_outlives_its_file(tmp_path: Path) -> None:
    """Lesson 15: namespaces deleted -> Prune=false, Delete=false."""
    namespace = render("project", PROJECT, tmp_path)["Namespace", "project-fraud"]
    assert namespace["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_everything_is_denied_first(tmp_path: Path) -> None:
    policy = render("project", PROJECT, tmp_path)["NetworkPolicy", "default-deny"]
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_names_and_metadata_stay_reachable_on_gke(tmp_path: Path) -> None:
    """Cloud DNS, NodeLocal DNSCache and Dataplane V2's metadata server are at addresses, not at pods."""
    objects = render("project", PROJECT, tmp_path)
    dns = str(objects["NetworkPolicy", "to-dns"])
    assert "169.254.20.10/32" in dns
    assert "169.254.169.254/32" in dns
    ports = [port["port"] for port in objects["NetworkPolicy", "to-the-platform"]["spec"]["egress"][1]["ports"]]
    assert ports == [80, 8080, 988]


def test_what_is_exposed_admits_the_gateway_to_these_pods_and_this_port_alone(tmp_path: Path) -> None:
    doors = [{"pods": {"app": "shop"}, "port": 8080}, {"pods": {"app": "on", "tier": "1"}, "port": 9000}]
    objects = render("project", {**PROJECT, "network": {"exposed": doors}}, tmp_path)
    gateway = render("ingress", INGRESS, tmp_path)["NetworkPolicy", "only-load-balancers"]["spec"]["podSelector"]
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": "istio-ingress"}}
    for place, door in enumerate(doors):
        assert objects["NetworkPolicy", f"from-the-gateway-{place}"]["spec"] == {
            "podSelector": {"matchLabels": door["pods"]},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": namespace, "podSelector": gateway}],
                    "ports": [{"protocol": "TCP", "port": door["port"]}],
                }
            ],
        }


def test_nothing_of_a_project_is_exposed_unless_its_file_says_so(tmp_path: Path) -> None:
    assert not [name for _, name in render("project", PROJECT, tmp_path) if "gateway" in name]


def test_what_a_project_grants_goes_with_its_line_in_git() -> None:
    """Unpruned, whoever was taken out of a file would still get in; the namespace is kept by its own annotation."""
    assert "automated: {prune: true, selfHeal: true}" in (PLATFORM / "apps" / "projects.yaml.j2").read_text()


def test_a_project_may_be_called_anything_that_its_file_may(tmp_path: Path) -> None:
    """Plain `on` would be true to YAML, and a label that is no string."""
    namespace = render("project", {**PROJECT, "fileName": "on"}, tmp_path)["Namespace", "project-on"]
    assert namespace["metadata"]["labels"]["mlops.platform/project-name"] == "on"


def test_people_get_the_platforms_own_roles(tmp_path: Path) -> None:
    objects = render("project", PROJECT, tmp_path)
    bindings = {name: item for (kind, name), item in objects.items() if kind == "RoleBinding"}
    assert set(bindings) == {
        "admins-tenant-viewer",
        "admins-tenant-editor",
        "admins-tenant-admin",
        "viewers-tenant-viewer",
    }
    assert bindings["viewers-tenant-viewer"]["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice@acme.example"}
    ]
    assert bindings["admins-tenant-admin"]["subjects"][0]["kind"] == "Group"


def test_no_tenant_role_may_widen_itself(tmp_path: Path) -> None:
    """Kubernetes' own edit role can write NetworkPolicies, read Secrets and impersonate service accounts."""
    objects = render("policies", {}, tmp_path)
    roles = {name: item["rules"] for (kind, name), item in objects.items() if kind == "ClusterRole"}
    write = {"create", "update", "patch", "delete", "deletecollection", "*"}
    for name, rules in roles.items():
        for rule in rules:
            touched = set(rule["resources"]) & {"networkpolicies", "resourcequotas", "limitranges", "rolebindings"}
            assert not (touched and write & set(rule["verbs"])), (name, rule)
            assert "impersonate" not in rule["verbs"], (name, rule)
            assert "serviceaccounts/token" not in rule["resources"], (name, rule)
    secrets = [rule["verbs"] for rule in roles["tenant-editor"] if "secrets" in rule["resources"]]
    assert secrets == [["create", "update", "patch", "delete"]]


def test_services_of_projects_lead_to_their_own_pods(tmp_path: Path) -> None:
    """An alias of another namespace's Service passes every rule about names, and the gateway follows it."""
    objects = render("policies", {}, tmp_path)
    policy = objects["ValidatingAdmissionPolicy", "services-of-projects"]["spec"]
    binding = objects["ValidatingAdmissionPolicyBinding", "services-of-projects"]["spec"]
    assert binding == {"policyName": "services-of-projects", "validationActions": ["Deny"]}
    assert policy["failurePolicy"] == "Fail"
    namespace = render("project", PROJECT, tmp_path)["Namespace", "project-fraud"]["metadata"]["labels"]
    assert policy["matchConstraints"]["namespaceSelector"]["matchLabels"].items() <= namespace.items()
    (rule,) = policy["matchConstraints"]["resourceRules"]
    assert (rule["resources"], rule["operations"]) == (["services"], ["CREATE", "UPDATE"])
    assert [
        ("ExternalName" in item["expression"], "externalIPs" in item["expression"]) for item in policy["validations"]
    ] == [
        (True, False),
        (False, True),
    ]


def test_the_database_password_is_no_argument(tmp_path: Path) -> None:
    container = render("mlflow", MLFLOW, tmp_path)["Deployment", "mlflow"]["spec"]["template"]["spec"]["containers"][0]
    assert not any("postgres" in argument for argument in container["args"])
    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "mlflow-database", "key": "uri"}}


def mlflow_arguments(name: str, values: dict[str, Any], tmp_path: Path) -> list[list[str]]:
    """The values of that argument, each split at its commas."""
    container = render("mlflow", values, tmp_path)["Deployment", "mlflow"]["spec"]["template"]["spec"]["containers"][0]
    return [a.partition("=")[2].split(",") for a in container["args"] if a.startswith(f"--{name}=")]


def test_mlflow_answers_to_its_own_names_only(tmp_path: Path) -> None:
    """MLflow 3 answers 403 to hosts it doesn't know; probes come with the pod's address."""
    (hosts,) = mlflow_arguments("allowed-hosts", MLFLOW, tmp_path)
    assert "mlflow.ml.example.com" in hosts
    assert "10.*" in hosts
    assert "*" not in hosts


def test_mlflow_takes_changes_from_its_own_pages_only(tmp_path: Path) -> None:
    """MLflow 3 answers 403 to a POST whose Origin it doesn't know, and browsers send one with each."""
    hosts = ["mlflow.ml.example.com", "mlflow.ml.example.com:443", "models.example.com"]
    (origins,) = mlflow_arguments("cors-allowed-origins", {**MLFLOW, "hosts": hosts}, tmp_path)
    assert origins == ["https://mlflow.ml.example.com", "https://models.example.com"]
    assert mlflow_arguments("cors-allowed-origins", {**MLFLOW, "hosts": []}, tmp_path) == []


def test_mlflow_starts_anew_when_its_secret_changes(tmp_path: Path) -> None:
    """It reads the Secret when it starts, and Argo CD starts nothing of which Git says the same as before."""
    pods = [
        render("mlflow", {**MLFLOW, "databaseRevision": f"{version}@10.40.0.3"}, tmp_path)["Deployment", "mlflow"][
            "spec"
        ]["template"]
        for version in (1, 1, 2)
    ]
    assert pods[0] == pods[1]
    assert pods[1]["metadata"] != pods[2]["metadata"]


def test_the_database_is_upgraded_before_anything_of_a_new_version_is_rolled_out(tmp_path: Path) -> None:
    """A server crash-loops on a schema of another version, and upgrades none that has tables."""
    objects = render("mlflow", MLFLOW, tmp_path)
    job, server = objects["Job", "mlflow-upgrade"], objects["Deployment", "mlflow"]["spec"]["template"]
    notes = {
        "argocd.argoproj.io/hook": "PreSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    assert job["metadata"]["annotations"] == notes
    pod = job["spec"]["template"]
    (container,), (other,) = pod["spec"]["containers"], server["spec"]["containers"]
    for key in ("image", "env", "securityContext"):
        assert container[key] == other[key]
    assert pod["spec"]["securityContext"] == server["spec"]["securityContext"]
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_the_upgrade_needs_nothing_that_comes_with_the_same_sync(tmp_path: Path) -> None:
    objects = render("mlflow", MLFLOW, tmp_path)
    pod = objects["Job", "mlflow-upgrade"]["spec"]["template"]
    assert "serviceAccountName" not in pod["spec"]
    service = objects["Service", "mlflow"]["spec"]["selector"]
    assert not service.items() <= pod["metadata"]["labels"].items(), "it would get the server's requests"
    policies = [item["spec"]["policyTypes"] for (kind, _), item in objects.items() if kind == "NetworkPolicy"]
    assert policies == [["Ingress"]], "the upgrade must reach the database"


def test_the_upgrade_calls_mlflows_own_command_with_the_address_in_no_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    db = ModuleType("mlflow.db")
    db.commands = called.append  # type: ignore[attr-defined]  # a double
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.db", db)
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://u:secret@h/d")
    (container,) = render("mlflow", MLFLOW, tmp_path)["Job", "mlflow-upgrade"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python3", "-c"]
    (program,) = container["args"]
    assert "$" not in program, "Kubernetes would put a variable's value among the arguments"
    exec(program, {})  # noqa: S102  # the chart's own
    assert called == [["upgrade", "postgresql://u:secret@h/d"]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"owner": {"team": "fraud"}}, "contact"),
        ({"owner": {"team": "", "contact": "a@b"}}, "/owner/team"),
        ({"size": "huge"}, "/size"),
        ({"sise": "small"}, "sise"),
        ({"access": {"admins": ["ml-team@acme.example"]}}, "/access/admins/0"),
        ({"access": {"owners": []}}, "owners"),
        ({"network": {"egress": [{"cidr": "10.0.0.0", "ports": [443]}]}}, "/network/egress/0/cidr"),
        ({"network": {"egress": [{"cidr": "10.0.0.0/8", "ports": [70000]}]}}, "/network/egress/0/ports/0"),
        ({"network": {"egress": [{"cidr": "10.0.0.0/33", "ports": [443]}]}}, "/network/egress/0/cidr"),
        ({"network": {"egress": [{"cidr": "10.0.0.08/32", "ports": [443]}]}}, "/network/egress/0/cidr"),
        ({"network": {"egress": [{"cidr": "10.0.256.0/24", "ports": [443]}]}}, "/network/egress/0/cidr"),
        ({"network": {"exposed": [{"pods": {"app": "shop"}}]}}, "/network/exposed/0"),
        ({"network": {"exposed": [{"port": 8080}]}}, "/network/exposed/0"),
        ({"network": {"exposed": [{"pods": {}, "port": 8080}]}}, "/network/exposed/0/pods"),
        ({"network": {"exposed": [{"pods": {"app": True}, "port": 8080}]}}, "/network/exposed/0/pods/app"),
        ({"network": {"exposed": [{"pods": {"app": "a b"}, "port": 8080}]}}, "/network/exposed/0/pods/app"),
        ({"network": {"exposed": [{"pods": {"app!": "a"}, "port": 8080}]}}, "app!"),
        ({"network": {"exposed": [{"pods": {"app": "shop"}, "port": 0}]}}, "/network/exposed/0/port"),
        ({"network": {"exposed": [{"pods": {"app": "shop"}, "port": "http"}]}}, "/network/exposed/0/port"),
        ({"network": {"exposed": [{"pods": {"app": "shop"}, "port": 80, "from": "all"}]}}, "from"),
        ({"network": {"allowFrom": ["Fraud!"]}}, "/network/allowFrom/0"),
        ({"podSecurity": "privileged"}, "/podSecurity"),
        ({"fileName": "Fraud"}, "/fileName"),
    ],
)
def test_a_bad_project_file_is_refused_by_its_path(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    outcome = helm("project", {**PROJECT, **change}, tmp_path)
    assert outcome.returncode != 0
    assert said in outcome.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": {"repository": "x", "tag": ""}}, "/image/tag"),
        ({"artifactsDestination": "s3://bucket"}, "/artifactsDestination"),
        ({"googleServiceAccount": "mlflow"}, "/googleServiceAccount"),
        ({"databaseSecret": ""}, "/databaseSecret"),
        ({"replica": 2}, "replica"),
    ],
)
def test_bad_mlflow_values_are_refused_by_their_path(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    outcome = helm("mlflow", {**MLFLOW, **change}, tmp_path)
    assert outcome.returncode != 0
    assert said in outcome.stderr


INGRESS: dict[str, Any] = {
    "domain": "ml.example.com",
    "audience": "/projects/417/global/backendServices/12",
    "applications": {"mlflow": {"to": [{"service": "mlflow.mlflow", "port": 80}]}},
}


def exposing(**application: Any) -> dict[str, Any]:
    return {**INGRESS, "applications": {"mlflow": {**INGRESS["applications"]["mlflow"], **application}}}


def test_nothing_is_allowed_without_applications(tmp_path: Path) -> None:
    """An ALLOW policy without rules matches nothing, and being there at all it denies the rest."""
    objects = render("ingress", {**INGRESS, "applications": {}}, tmp_path)
    assert objects["AuthorizationPolicy", "applications"]["spec"]["action"] == "ALLOW"
    assert "rules" not in objects["AuthorizationPolicy", "applications"]["spec"]


def test_a_host_is_allowed_as_written_and_with_googles_port_only(tmp_path: Path) -> None:
    """A rule about `hosts` ignores case, and conditions of IAM do not: what IAP judged must be what is served."""
    (rule,) = render("ingress", INGRESS, tmp_path)["AuthorizationPolicy", "applications"]["spec"]["rules"]
    assert rule["when"] == [
        {"key": "request.headers[:authority]", "values": ["mlflow.ml.example.com", "mlflow.ml.example.com:443"]}
    ]
    assert rule["from"][0]["source"]["requestPrincipals"] == ["https://cloud.google.com/iap/*"]


def test_rules_of_an_application_hold_together(tmp_path: Path) -> None:
    values = exposing(
        clients={"only": ["203.0.113.0/24"], "except": ["203.0.113.9"]},
        paths={"only": ["/api/*"], "except": ["/api/admin*"]},
        who={"emails": ["ann@example.com"], "domains": ["example.com"]},
    )
    rules = render("ingress", values, tmp_path)["AuthorizationPolicy", "applications"]["spec"]["rules"]
    assert [rule["when"][1] for rule in rules] == [
        {"key": "request.auth.claims[email]", "values": ["ann@example.com", "*@example.com"]},
        {"key": "request.auth.claims[hd]", "values": ["example.com"]},
    ]
    for rule in rules:
        assert rule["from"][0]["source"]["remoteIpBlocks"] == ["203.0.113.0/24"]
        assert rule["from"][0]["source"]["notRemoteIpBlocks"] == ["203.0.113.9"]
        operation = rule["to"][0]["operation"]
        assert (operation["paths"], operation["notPaths"]) == (["/api/*"], ["/api/admin*"])


def test_a_domain_is_that_of_the_address_or_of_the_account(tmp_path: Path) -> None:
    """Google says `hd` only of accounts that it hosts a domain's for: a partner's people may have none."""
    rules = render("ingress", exposing(who={"domains": ["partner.example"]}), tmp_path)[
        "AuthorizationPolicy", "applications"
    ]["spec"]["rules"]
    assert [rule["when"][1] for rule in rules] == [
        {"key": "request.auth.claims[email]", "values": ["*@partner.example"]},
        {"key": "request.auth.claims[hd]", "values": ["partner.example"]},
    ]


def test_groups_are_told_by_the_gateway_alone(tmp_path: Path) -> None:
    plain = render("ingress", INGRESS, tmp_path)["VirtualService", "mlflow"]["spec"]["http"][0]
    assert plain["headers"]["request"]["remove"] == ["x-auth-request-groups"]
    told = render("ingress", exposing(groups=["operators"]), tmp_path)["VirtualService", "mlflow"]["spec"]["http"][0]
    assert told["headers"]["request"]["set"] == {"x-auth-request-groups": "operators"}


@pytest.mark.parametrize(
    "application",
    [
        {"to": []},
        {"to": [{"service": "mlflow.mlflow", "port": 0}]},
        {"to": [{"service": "mlflow.mlflow", "port": 80, "weight": -5}]},
        {"to": [{"service": "a.b", "port": 80, "weight": 60}, {"service": "c.d", "port": 80, "weight": 60}]},
        {"to": [{"service": "mlflow.mlflow", "port": 80, "weight": 50}]},
        {"to": [{"service": "mlflow.mlflow", "port": 80, "weight": 0}]},
        {"routes": [{"paths": ["/x"], "to": [{"service": "a.b", "port": 80, "weight": 10}]}]},
        {"to": [{"service": f"{'a' * 64}.mlflow", "port": 80}]},
        {"clients": {"only": ["10.0.0.0/99"]}},
        {"clients": {"only": ["10.0.0.0/33"]}},
        {"clients": {"only": ["192.0.2.06"]}},
        {"clients": {"except": ["192.0.02.6/32"]}},
        {"clients": {"except": ["192.0.2.256"]}},
        {"drop": ["host"]},
        {"drop": ["Host"]},
        {"drop": ["HOST"]},
        {"drop": [":authority"]},
        {"host": "reports\n"},
        {"paths": {"only": ["/a*b"]}},
        {"paths": {}},
        {"clients": {}},
        {"paths": {"only": ["//admin*"]}},
        {"paths": {"only": ["/a/../admin"]}},
        {"paths": {"only": ["/a/."]}},
        {"paths": {"only": ["/%61dmin*"]}},
        {"paths": {"only": ["/gr\u00f6\u00dfe*"]}},
        {"paths": {"except": ["/admin"]}},
        {"paths": {"except": ["/v1/churn:predict*"]}},
        {"paths": {"except": ["//admin*"]}},
        {"routes": [{"headers": {"x-goog-iap-jwt-assertion": "x"}, "to": [{"service": "a.b", "port": 80}]}]},
        {"who": {}},
        {"host": "a.b"},
        {"unknown": True},
    ],
)
def test_bad_routes_are_refused(application: dict[str, Any], tmp_path: Path) -> None:
    assert helm("ingress", exposing(**application), tmp_path).returncode != 0


@pytest.mark.parametrize("name", ["on", "yes", "no", "off", "true", "false", "null", "y", "n"])
def test_names_stay_what_they_are(name: str, tmp_path: Path) -> None:
    """Plain, these would be truths and nothings to YAML."""
    target = [{"service": "a.b", "port": 80}]
    application = {"to": target, "routes": [{"headers": {name: name}, "to": target}], "groups": [name], "drop": [name]}
    service = render("ingress", {**INGRESS, "applications": {name: application}}, tmp_path)["VirtualService", name]
    assert service["spec"]["hosts"] == [f"{name}.ml.example.com"]
    first = service["spec"]["http"][0]
    assert first["match"][0]["headers"] == {name: {"exact": name}}
    assert first["headers"]["request"] == {"set": {"x-auth-request-groups": name}, "remove": [name]}


@pytest.mark.parametrize("clients", [["0.0.0.0/0"], ["192.0.2.6"], ["10.0.0.0/8"], ["255.255.255.255/32"]])
def test_addresses_as_they_are_written_are_possible(clients: list[str], tmp_path: Path) -> None:
    (rule,) = render("ingress", exposing(clients={"only": clients}), tmp_path)["AuthorizationPolicy", "applications"][
        "spec"
    ]["rules"]
    assert rule["from"][0]["source"]["remoteIpBlocks"] == clients


SETTINGS: dict[str, Any] = {
    "domain": "ml.example.com",
    "audience": "/projects/417/global/backendServices/12",
    "loadBalancers": ["35.191.0.0/16"],
    "platform": [
        {
            "namespaces": ["argocd"],
            "applications": {
                "argocd": {"to": [{"service": "argocd-server.argocd", "port": 80}], "groups": ["operators"]},
                "lab": {"to": [{"service": "lab.science", "port": 80}]},
            },
        }
    ],
}
REPORTS: dict[str, Any] = {"to": [{"service": "reports.analysis", "port": 80}]}


def test_people_s_routes_stand_beside_the_platforms(tmp_path: Path) -> None:
    objects = render("ingress", {"applications": {"reports": REPORTS}}, tmp_path, SETTINGS)
    assert {name for kind, name in objects if kind == "VirtualService"} == {"argocd", "lab", "reports"}
    assert len(objects["AuthorizationPolicy", "applications"]["spec"]["rules"]) == 3


def test_people_s_routes_may_lead_into_projects(tmp_path: Path) -> None:
    theirs = {"applications": {"shop": {"to": [{"service": "shop.project-sales", "port": 80}]}}}
    route = render("ingress", theirs, tmp_path, SETTINGS)["VirtualService", "shop"]["spec"]["http"][0]["route"][0]
    assert route["destination"]["host"] == "shop.project-sales.svc.cluster.local"


def test_people_s_routes_change_nothing_of_the_platforms(tmp_path: Path) -> None:
    """What the playbooks write is read last, and holds no mapping that could be added to."""
    theirs = {
        "domain": "evil.example",
        "audience": "/projects/1/global/backendServices/1",
        "loadBalancers": ["0.0.0.0/0"],
        "platform": [{"namespaces": [], "applications": {"cd": SETTINGS["platform"][0]["applications"]["argocd"]}}],
    }
    assert render("ingress", theirs, tmp_path, SETTINGS) == render("ingress", SETTINGS, tmp_path)


@pytest.mark.parametrize(
    ("name", "application", "said"),
    [
        ("argocd", {"host": "cd", **REPORTS}, "applications.argocd: an application of the platform"),
        ("cd", {"to": [{"service": "argocd-server.argocd", "port": 80}]}, "argocd-server.argocd is the platform's"),
        ("cd", {"to": [{"service": "dex.argocd", "port": 80}]}, "dex.argocd is the platform's"),
        ("cd", {"to": [{"service": "lab.science", "port": 80}]}, "lab.science is the platform's"),
        ("cd", {**REPORTS, "routes": [{"paths": ["/x"], "to": [{"service": "a.argocd", "port": 80}]}]}, "a.argocd"),
        ("zoo", {"host": "argocd", **REPORTS}, "applications.zoo: its host argocd.ml.example.com is that of argocd"),
        (
            "cd",
            {**REPORTS, "groups": ["analysts", "operators"]},
            "applications.cd: the group operators is the platform's",
        ),
    ],
)
def test_people_s_routes_do_not_lead_to_the_platforms(
    name: str, application: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """Another host would go round the people, and the sign-in's conditions, that the platform's own has."""
    outcome = helm("ingress", {"applications": {name: application}}, tmp_path, SETTINGS)
    assert outcome.returncode != 0
    assert said in outcome.stderr
