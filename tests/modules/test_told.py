"""What people read when Google refuses or takes too long: each message names what they need to go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.operations import Patience

from .conftest import Google
from .test_machines import NETWORK, bastion, machine


def said(act: Callable[[], object]) -> str:
    with pytest.raises(PlatformError) as caught:
        act()
    return str(caught.value)


def test_a_quota_of_the_project_is_told_with_metric_and_limit(google: Google) -> None:
    google.emulator.request("PUT", "/limits", {"quotas": {"NETWORKS": 0}}, host="emulator.internal", email=None)
    text = said(lambda: google.apply(network_graph, NETWORK))
    for part in ("'NETWORKS'", "Limit: 0", "globally", "Quotas"):
        assert part in text


def test_a_quota_of_a_region_is_told_with_the_region(google: Google) -> None:
    google.apply(network_graph, NETWORK)
    google.emulator.request("PUT", "/limits", {"quotas": {"CPUS": 1}}, host="emulator.internal", email=None)
    text = said(lambda: google.apply(machine, bastion()))
    for part in ("'CPUS'", "Limit: 1", "europe-west1", "Quotas"):
        assert part in text


def test_a_missing_permission_is_told_with_a_role_that_has_it(google: Google) -> None:
    eve = google.as_person("eve@acme.example")
    text = said(lambda: eve.apply(network_graph, NETWORK))
    assert "compute.networks." in text
    assert "roles/compute.networkAdmin" in text or "roles/compute.viewer" in text


def test_a_disabled_api_is_told_by_its_name(bare: Google) -> None:
    text = said(lambda: bare.api.call("compute", "networks.get", {"project": bare.project, "network": "mlops"}))
    assert "Enable compute.googleapis.com" in text


def test_a_wait_that_is_too_long_tells_state_and_operation_and_how_to_go_on(google: Google) -> None:
    order = {"pattern": "compute.networks.insert", "kind": "stuck"}
    google.emulator.request("POST", "/faults", order, host="emulator.internal", email=None)
    executor = Executor(google.api, Patience(2))
    wanted = network_graph({"project": google.project, "state": "present", **NETWORK}, google.api)
    text = said(lambda: executor.apply(executor.plan(wanted)))
    assert "its last state was insert RUNNING (operation operation-" in text
    assert "run it again" in text
