"""The whole platform exists and can be reached, seen from the outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Resources = dict[str, dict[str, Any]]


@pytest.mark.parametrize(
    "key",
    [
        "compute.networks/mlops",
        "compute.instances/mlops-bastion",
        "compute.addresses/mlops",
        "compute.backendServices/mlops",
        "compute.securityPolicies/mlops",
        "compute.forwardingRules/mlops",
        "compute.forwardingRules/mlops-redirect",
    ],
)
def test_what_was_planned_exists(resources: Resources, key: str) -> None:
    assert key in resources


def test_the_bastion_has_no_public_address_and_no_project_keys(resources: Resources) -> None:
    bastion = resources["compute.instances/mlops-bastion"]
    assert not bastion["networkInterfaces"][0].get("accessConfigs")
    assert bastion["shieldedInstanceConfig"]["enableSecureBoot"] is True
    metadata = {item["key"]: item["value"] for item in bastion["metadata"]["items"]}
    assert metadata["enable-oslogin"] == "TRUE"
    assert metadata["block-project-ssh-keys"] == "TRUE"


def test_people_must_sign_in(resources: Resources) -> None:
    assert resources["compute.backendServices/mlops"]["iap"]["enabled"] is True


def test_status_finds_nothing_missing(run_inside: Callable[..., str]) -> None:
    said = run_inside("ansible-playbook", "-i", "inventories/rehearsal", "playbooks/status.yml")
    assert "cluster/mlops: RUNNING" in said
    assert "missing" not in said


def test_the_platforms_name_resolves_to_its_address(resources: Resources, run_inside: Callable[..., str]) -> None:
    address = resources["compute.addresses/mlops"]["address"]
    assert address in run_inside("getent", "hosts", "ml.acme.example")
