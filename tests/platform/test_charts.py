"""The platform's own charts, rendered by the Helm that Argo CD has, and the bad values that their schemas refuse."""

from __future__ import annotations

import subprocess
from pathlib import Path
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


def helm(chart: str, values: dict[str, Any], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [program_path("helm"), "template", "release", PLATFORM / "charts" / chart, "--namespace=project-fraud"]
    return subprocess.run([*command, f"--values={file}"], capture_output=True, text=True, check=False)


def render(chart: str, values: dict[str, Any], tmp_path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    outcome = helm(chart, values, tmp_path)
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
    roles = {name: item["rules"] for (_, name), item in render("policies", {}, tmp_path).items()}
    write = {"create", "update", "patch", "delete", "deletecollection", "*"}
    for name, rules in roles.items():
        for rule in rules:
            touched = set(rule["resources"]) & {"networkpolicies", "resourcequotas", "limitranges", "rolebindings"}
            assert not (touched and write & set(rule["verbs"])), (name, rule)
            assert "impersonate" not in rule["verbs"], (name, rule)
            assert "serviceaccounts/token" not in rule["resources"], (name, rule)
    secrets = [rule["verbs"] for rule in roles["tenant-editor"] if "secrets" in rule["resources"]]
    assert secrets == [["create", "update", "patch", "delete"]]


def test_the_database_password_is_no_argument(tmp_path: Path) -> None:
    container = render("mlflow", MLFLOW, tmp_path)["Deployment", "mlflow"]["spec"]["template"]["spec"]["containers"][0]
    assert not any("postgres" in argument for argument in container["args"])
    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "mlflow-database", "key": "uri"}}


def test_mlflow_answers_to_its_own_names_only(tmp_path: Path) -> None:
    """MLflow 3 answers 403 to hosts it doesn't know; probes come with the pod's address."""
    container = render("mlflow", MLFLOW, tmp_path)["Deployment", "mlflow"]["spec"]["template"]["spec"]["containers"][0]
    hosts = next(a for a in container["args"] if a.startswith("--allowed-hosts=")).partition("=")[2].split(",")
    assert "mlflow.ml.example.com" in hosts
    assert "10.*" in hosts
    assert "*" not in hosts


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
