"""The host and the domain of an application are settings, and all who must know them follow."""

from __future__ import annotations

from typing import Any

import pytest

from .settings import found, rendered, settings

OPERATORS = ["group:platform-admins@acme.example"]
MADE: dict[str, Any] = {
    "__gitops_pins": {"mlflow": {"image": "ghcr.io/mlflow/mlflow", "tag": "v3"}},
    "__gitops_database": "10.40.0.3",
    "__gitops_secret": {"version": "1"},
}


def exposed(**hosts: str) -> dict[str, Any]:
    return {"ingress": {"applications": {name: {"host": host} for name, host in hosts.items()}}}


def mlflow_hosts(changes: dict[str, Any]) -> list[str]:
    (values,) = rendered("values/mlflow.yaml.j2", changes, **MADE)
    return list(values["hosts"])


def argocd_url(changes: dict[str, Any]) -> str:
    objects = rendered("argocd/settings.yaml.j2", changes)
    return str(next(item for item in objects if item["metadata"]["name"] == "argocd-cm")["data"]["url"])


@pytest.mark.parametrize(
    ("changes", "mlflow", "argocd"),
    [
        ({}, "mlflow.ml.acme.example", "argocd.ml.acme.example"),
        ({"edge": {"domain": "ml.other.example"}}, "mlflow.ml.other.example", "argocd.ml.other.example"),
        (exposed(mlflow="tracking", argocd="cd"), "tracking.ml.acme.example", "cd.ml.acme.example"),
    ],
)
def test_applications_answer_where_they_are_served(changes: dict[str, Any], mlflow: str, argocd: str) -> None:
    assert mlflow_hosts(changes) == [mlflow, f"{mlflow}:443"]
    assert argocd_url(changes) == f"https://{argocd}"
    assert found(changes) == []


def test_mlflow_answers_at_every_host_that_leads_to_it() -> None:
    to = [{"service": "mlflow.mlflow", "port": 80}]
    hosts = mlflow_hosts({"ingress": {"applications": {"models": {"to": to}}}})
    assert hosts[::2] == ["mlflow.ml.acme.example", "models.ml.acme.example"]


def test_mlflow_needs_no_host() -> None:
    elsewhere = {"to": [{"service": "other.analysis", "port": 80}]}
    assert mlflow_hosts({"ingress": {"applications": {"mlflow": elsewhere}}}) == []


def test_argo_cd_stays_the_operators_under_another_host() -> None:
    assert settings()["edge_settings"]["access"] == {"argocd": OPERATORS}
    assert settings(exposed(argocd="cd"))["edge_settings"]["access"] == {"cd": OPERATORS}


def test_people_of_a_host_that_is_not_argo_cds_any_more_are_told() -> None:
    changes = exposed(argocd="cd") | {"edge": {"access": {"argocd": OPERATORS}}}
    assert found(changes) == [
        "edge.access.argocd: nothing is exposed at this host; ingress.applications has cd, mlflow."
    ]


def test_the_dns_zone_is_called_by_its_domain() -> None:
    assert settings()["edge_settings"]["dns_zone"] == "ml-acme-example"
    assert settings({"edge": {"domain": "ml.other.example"}})["edge_settings"]["dns_zone"] == "ml-other-example"
