"""What the role gitops works out from the settings, and when it speaks up."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from .settings import ROOT, filled, rendered, role_variable

ROLE = ROOT / "roles" / "gitops"


def task(file: str, words: str) -> dict[str, Any]:
    """The one task of the role in whose name the words are."""
    tasks: list[dict[str, Any]] = yaml.safe_load((ROLE / "tasks" / file).read_text())
    (found,) = [item for item in tasks if words in item["name"]]
    return found


def project(*members: str) -> dict[str, Any]:
    return {"owner": {"team": "t", "contact": "a@acme.example"}, "access": {"viewers": list(members)}}


GROUP = "gke-security-groups@acme.example"


@pytest.mark.parametrize(
    ("projects", "security_group", "said"),
    [
        ({"a": project("group:g@acme.example", "user:u@acme.example")}, "", True),
        ({"a": project("group:g@acme.example")}, GROUP, False),
        ({"a": project("user:u@acme.example"), "b": {"owner": {}}}, "", False),
    ],
)
def test_groups_that_the_cluster_does_not_hear_of_are_named(
    projects: dict[str, Any], security_group: str, said: bool
) -> None:
    changes = {"gitops": {"projects": projects}, "cluster": {"security_group": security_group}}
    # laid over the defaults, there is the sandbox, too; here only these count
    changes["gitops_settings"] = {"projects": projects}
    groups = role_variable("gitops", "__gitops_groups", changes)
    conditions = task("repository.yml", "count for nothing")["when"]
    assert all(filled(f"{{{{ {one} }}}}", changes, __gitops_groups=groups) for one in conditions) is said


def test_what_git_says_of_mlflow_changes_with_its_databases_secret_and_holds_no_secret() -> None:
    """Argo CD rolls out what changes in Git; the Secret is not there."""
    pins = {"mlflow": {"image": "ghcr.io/mlflow/mlflow", "tag": "v3"}}

    def said(address: str, **secret: str) -> dict[str, Any]:
        more = {"__gitops_pins": pins, "__gitops_database": address, "__gitops_secret": secret}
        (values,) = rendered("values/mlflow.yaml.j2", {}, **more)
        return dict(values)

    told = [said("10.40.0.3", version="1"), said("10.40.0.3", version="2"), said("10.40.0.4", version="2"), said("")]
    assert len({str(values["databaseRevision"]) for values in told}) == len(told)
    assert told[0]["databaseRevision"] == "1, mlflow@10.40.0.3/mlflow"
    assert task("secrets.yml", "address of MLflow's database")["register"] == "__gitops_secret"
