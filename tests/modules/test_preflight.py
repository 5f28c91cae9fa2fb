"""What stops a run before anything is made: unknown project, no credentials, billing, permissions, APIs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.preflight import PERMISSIONS, examine

from .conftest import Google

SERVICES = ["compute.googleapis.com", "cloudresourcemanager.googleapis.com"]


def test_all_is_well_and_tells_which_apis_are_off(bare: Google) -> None:
    found = examine(bare.api, bare.project, SERVICES, PERMISSIONS)
    assert found.problems == []
    assert found.identity == "deployer@acme-mlops.iam.gserviceaccount.com"
    assert found.disabled_services == ["compute.googleapis.com"]


def test_unknown_project(bare: Google) -> None:
    with pytest.raises(PlatformError, match="read project no-such-project") as caught:
        examine(bare.api, "no-such-project", SERVICES, PERMISSIONS)
    assert "Check the project's id" in str(caught.value)


def test_in_a_project_without_apis_permissions_and_billing_become_notes(bare: Google) -> None:
    path = {"name": f"projects/{bare.project}/services/cloudresourcemanager.googleapis.com"}
    bare.api.call("serviceusage", "services.disable", path, {})
    found = examine(bare.api, bare.project, SERVICES, PERMISSIONS)
    assert found.problems == []
    assert "cloudresourcemanager.googleapis.com" in found.disabled_services
    assert len(found.notes) == 2


def test_missing_permissions_are_all_named_with_a_role(bare: Google) -> None:
    alice = bare.as_person("alice@acme.example")
    found = examine(alice.api, bare.project, SERVICES, PERMISSIONS)
    assert len(found.problems) > 20
    (line,) = [line for line in found.problems if "container.clusters.create" in line]
    assert "roles/container.admin" in line


def test_the_way_to_the_bastion_is_among_the_permissions(bare: Google) -> None:
    """Without them a run would fail after the network, and leave what costs money."""
    alice = bare.as_person("alice@acme.example")
    text = "\n".join(examine(alice.api, bare.project, SERVICES, PERMISSIONS).problems)
    assert "iap.tunnelInstances.accessViaIAP in project acme-mlops. Grant it roles/iap.tunnelResourceAccessor" in text
    assert "compute.instances.osAdminLogin in project acme-mlops. Grant it roles/compute.osAdminLogin" in text


def test_an_operator_need_not_have_the_tunnel_already(bare: Google) -> None:
    """The platform gives it, at the bastion alone."""
    alice = bare.as_person("alice@acme.example")
    text = "\n".join(examine(alice.api, bare.project, [], PERMISSIONS, ["user:alice@acme.example"]).problems)
    assert "accessViaIAP" not in text
    assert "osAdminLogin" in text


def test_a_person_is_known_by_the_login_of_gcloud(
    bare: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(bare.emulator.login("alice@acme.example", tmp_path)))
    assert examine(Api(), bare.project, SERVICES, []).identity == "alice@acme.example"


def test_credentials_that_do_not_tell_whose_they_are(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token whose scopes leave the e-mail address out: UserInfo answers 401, as to one that is wrong."""
    monkeypatch.setattr(Api, "_plain_request", lambda api: lambda url, **_: SimpleNamespace(status=401, data=b"{}"))
    api = Api(access_token=bare.emulator.token())
    (problem,) = examine(api, bare.project, SERVICES, []).problems
    assert "do not tell whose they are" in problem
    assert "userinfo.email" in problem


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(PlatformError, match="no usable Google credentials") as caught:
        examine(Api(), "p", [], [])
    assert "gcloud auth application-default login" in str(caught.value)


@pytest.mark.parametrize("content", [None, "not json", "{}"], ids=["missing", "no json", "no key"])
def test_an_unusable_key_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PlatformError, match=r"key\.json cannot be used") as caught:
        Api(service_account_file=str(path)).access_token()
    assert "readable JSON key file" in caught.value.hint


def test_billing_that_is_off(bare: Google) -> None:
    enable = {"name": f"projects/{bare.project}/services/cloudbilling.googleapis.com"}
    bare.api.call("serviceusage", "services.enable", enable, {})
    name = {"name": f"projects/{bare.project}"}
    assert examine(bare.api, bare.project, SERVICES, PERMISSIONS).problems == []
    bare.api.call("cloudbilling", "projects.updateBillingInfo", name, {"billingAccountName": ""})
    (problem,) = examine(bare.api, bare.project, SERVICES, PERMISSIONS).problems
    assert problem.startswith("Billing is off in project acme-mlops.")
    assert "gcloud billing projects link" in problem


def test_an_api_that_is_off_names_itself_and_what_to_do(bare: Google) -> None:
    with pytest.raises(PlatformError) as caught:
        bare.apply(network_graph, {"name": "mlops"})
    assert caught.value.reason == "SERVICE_DISABLED"
    assert "Enable compute.googleapis.com" in str(caught.value)
