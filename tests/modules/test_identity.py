"""gcp_project_services, gcp_service_accounts and gcp_iap_access against the emulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.identity import accounts_graph, iap_graph, services_graph
from plugins.module_utils.gcloud.model import MARK

from .conftest import Google

ALICE, BOB = "user:alice@acme.example", "user:bob@acme.example"


def services(options: Mapping[str, Any], api: Any) -> Any:
    return services_graph(options)


def accounts(options: Mapping[str, Any], api: Any) -> Any:
    return accounts_graph(options)


def iap(options: Mapping[str, Any], api: Any) -> Any:
    return iap_graph(options)


def test_services_are_enabled_once_and_never_disabled(bare: Google) -> None:
    wanted = {"services": ["compute.googleapis.com", "container.googleapis.com"]}
    (line,) = bare.lifecycle(services, wanted)
    assert "container.googleapis.com" in line
    assert bare.gone(services, wanted) == []


def account(**more: Any) -> dict[str, Any]:
    return {"accounts": [{"name": "mlops-nodes", "display_name": "Nodes", **more}]}


def test_accounts_with_roles_and_users(google: Google) -> None:
    wanted = account(
        roles=["roles/logging.logWriter"], users=[{"role": "roles/iam.serviceAccountUser", "members": [ALICE]}]
    )
    assert len(google.lifecycle(accounts, wanted)) == 3
    more = account(
        roles=["roles/logging.logWriter", "roles/monitoring.metricWriter"],
        users=[{"role": "roles/iam.serviceAccountUser", "members": [ALICE, BOB]}],
    )
    assert len(google.lifecycle(accounts, more)) == 2
    assert google.lifecycle(accounts, account(display_name="Other")) == [
        "update service account mlops-nodes: displayName: Nodes -> Other"
    ]
    assert len(google.gone(accounts, more)) == 3


def test_roles_of_others_are_left_alone(google: Google) -> None:
    mine = {"members": [{"role": "roles/compute.osLogin", "members": [ALICE]}]}
    theirs = {"members": [{"role": "roles/compute.osLogin", "members": [BOB]}]}
    google.apply(accounts, theirs)
    google.lifecycle(accounts, mine)
    google.gone(accounts, mine)
    assert google.apply(accounts, theirs) == []


def test_who_may_tunnel_to_a_machine_that_does_not_exist_yet(google: Google) -> None:
    wanted = {"tunnels": [{"instance": "mlops-bastion", "zone": "europe-west1-b", "members": [ALICE]}]}
    assert len(google.lifecycle(iap, wanted)) == 1
    assert len(google.gone(iap, wanted)) == 1


def test_an_account_that_somebody_else_made_is_neither_changed_nor_removed(google: Google) -> None:
    body = {"accountId": "mlops-nodes", "serviceAccount": {"displayName": "Nodes", "description": "of research"}}
    google.api.call("iam", "projects.serviceAccounts.create", {"name": f"projects/{google.project}"}, body)
    wanted = {"accounts": [{"name": "mlops-nodes", "display_name": "Nodes of the platform"}]}
    for absent in (False, True):
        with pytest.raises(PlatformError, match="does not look like the platform's: service account mlops-nodes"):
            google.apply(accounts, wanted, absent=absent)


def test_an_account_of_an_earlier_version_gets_its_mark(google: Google) -> None:
    body = {"accountId": "mlops-nodes", "serviceAccount": {"displayName": "Nodes"}}
    google.api.call("iam", "projects.serviceAccounts.create", {"name": f"projects/{google.project}"}, body)
    (done,) = google.lifecycle(accounts, {"accounts": [{"name": "mlops-nodes", "display_name": "Nodes"}]})
    assert MARK in done


def test_an_account_that_an_admin_described_is_still_ours(google: Google) -> None:
    body = {"accountId": "mlops-nodes", "serviceAccount": {"displayName": "Nodes", "description": "ask Bob"}}
    google.api.call("iam", "projects.serviceAccounts.create", {"name": f"projects/{google.project}"}, body)
    google.lifecycle(accounts, {"accounts": [{"name": "mlops-nodes", "display_name": "Nodes"}]})


def test_an_account_without_a_word_of_others_is_not_removed(google: Google) -> None:
    body = {"accountId": "mlops-nodes", "serviceAccount": {"displayName": "Research nodes"}}
    google.api.call("iam", "projects.serviceAccounts.create", {"name": f"projects/{google.project}"}, body)
    with pytest.raises(PlatformError, match="does not look like the platform's: service account mlops-nodes"):
        google.apply(accounts, {"accounts": [{"name": "mlops-nodes", "display_name": "Nodes"}]}, absent=True)
