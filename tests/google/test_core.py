"""What every request goes through: credentials, enabled APIs, schemas, permissions, and that reading writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from rehearsal.google.testing import DEPLOYER, PROJECT, Emulator, running

NETWORKS = f"/compute/v1/projects/{PROJECT}/global/networks"


@pytest.fixture
def ready(emulator: Emulator) -> Emulator:
    """With Compute turned on."""
    enable(emulator, "compute.googleapis.com")
    return emulator


def enable(emulator: Emulator, *services: str) -> None:
    """Turns APIs on."""
    status, operation = emulator.request(
        "POST", f"/v1/projects/{PROJECT}/services:batchEnable", {"serviceIds": list(services)}
    )
    assert status == 200
    status, done = emulator.request("GET", f"/v1/{operation['name']}")
    assert done["done"] is True


def test_an_api_that_is_off_says_how_to_turn_it_on(emulator: Emulator) -> None:
    status, body = emulator.request("GET", NETWORKS)
    assert status == 403
    assert body["error"]["details"][0]["reason"] == "SERVICE_DISABLED"
    assert body["error"]["details"][0]["metadata"]["service"] == "compute.googleapis.com"


@pytest.mark.parametrize(
    ("token", "reason"), [(None, "CREDENTIALS_MISSING"), ("ya29.c.wrong.wrong", "ACCESS_TOKEN_EXPIRED")]
)
def test_no_or_wrong_credentials(ready: Emulator, token: str | None, reason: str) -> None:
    import requests

    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = requests.get(ready.url + NETWORKS, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"]["details"][0]["reason"] == reason


def test_an_expired_token_is_refused(ready: Emulator) -> None:
    import requests

    token = ready.cloud.identities.issue(DEPLOYER, lifetime=-1)["access_token"]
    answer = requests.get(ready.url + NETWORKS, headers={"authorization": f"Bearer {token}"}, timeout=10)
    assert answer.status_code == 401


def test_token_endpoint_takes_the_key_of_a_service_account(ready: Emulator) -> None:
    credentials = service_account.Credentials.from_service_account_file(
        str(ready.credentials), scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    credentials.refresh(Request())
    principal = ready.cloud.identities.identify(credentials.token)
    assert principal is not None
    assert principal.email == DEPLOYER


def test_permission_is_named(ready: Emulator) -> None:
    status, body = ready.request("GET", NETWORKS, email="eve@acme.example")
    assert (status, body["error"]["message"]) == (
        403,
        f"Required 'compute.networks.list' permission for 'projects/{PROJECT}'",
    )


def test_a_viewer_reads_but_does_not_write(ready: Emulator) -> None:
    assert ready.request("GET", NETWORKS, email="alice@acme.example")[0] == 200
    assert ready.request("POST", NETWORKS, {"name": "n"}, email="alice@acme.example")[0] == 403


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "n", "subnets": []}, "Unknown name \"subnets\" at 'resource': Cannot find field."),
        ({"name": "n", "mtu": "big"}, "Invalid value at 'resource.mtu' (TYPE_INT32), \"big\""),
        (
            {"name": "n", "routingConfig": {"routingMode": "NEAR"}},
            "Invalid value at 'resource.routingConfig.routingMode'",
        ),
        ({"name": "Upper"}, "Invalid value for field 'resource.name': 'Upper'. Must be a match of regex"),
    ],
)
def test_bodies_are_held_to_the_schema(ready: Emulator, body: dict[str, object], text: str) -> None:
    status, answer = ready.request("POST", NETWORKS, body)
    assert status == 400
    assert text in answer["error"]["message"]


def test_test_iam_permissions_answers_what_is_held(emulator: Emulator) -> None:
    asked = {"permissions": ["compute.networks.create", "compute.networks.get"]}
    path = f"/v1/projects/{PROJECT}:testIamPermissions"
    assert emulator.request("POST", path, asked)[1] == asked
    assert emulator.request("POST", path, asked, email="alice@acme.example")[1] == {
        "permissions": ["compute.networks.get"]
    }
    assert emulator.request("POST", path, asked, email="eve@acme.example")[1] == {}


def test_project_policy_is_replaced_by_its_etag(emulator: Emulator) -> None:
    path = f"/v1/projects/{PROJECT}"
    _, policy = emulator.request("POST", f"{path}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}})
    policy["bindings"].append({"role": "roles/browser", "members": ["user:eve@acme.example"]})
    status, written = emulator.request("POST", f"{path}:setIamPolicy", {"policy": policy})
    assert status == 200
    assert written["etag"] != policy["etag"]
    status, conflict = emulator.request("POST", f"{path}:setIamPolicy", {"policy": policy})
    assert (status, conflict["error"]["status"]) == (409, "ABORTED")


def test_reading_leaves_the_state_as_it_was(ready: Emulator) -> None:
    ready.request("POST", NETWORKS, {"name": "n", "autoCreateSubnetworks": False})
    before = ready.request("GET", "/state/dump")[1]
    for path in (
        NETWORKS,
        f"{NETWORKS}/n",
        f"/v1/projects/{PROJECT}",
        f"/compute/v1/projects/{PROJECT}/aggregated/subnetworks",
    ):
        assert ready.request("GET", path)[0] == 200
    assert ready.request("GET", "/state/dump")[1] == before
    assert {call["method"] for call in ready.request("GET", "/calls")[1]["calls"]} >= {
        "compute.networks.insert",
        "compute.networks.get",
    }


def test_state_survives_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        enable(first, "compute.googleapis.com")
        assert first.request("POST", NETWORKS, {"name": "n", "autoCreateSubnetworks": False})[0] == 200
        dump = first.request("GET", "/state/dump")[1]
    with running(tmp_path) as second:
        assert second.request("GET", f"{NETWORKS}/n")[0] == 200
        keys = {item["key"] for item in second.request("GET", "/state/dump")[1]["resources"]}
        assert {item["key"] for item in dump["resources"]} <= keys


def test_a_partial_response_holds_what_was_asked_for(ready: Emulator) -> None:
    ready.request("POST", NETWORKS, {"name": "n", "autoCreateSubnetworks": False})
    wanted = {"items": [{"name": "n", "routingConfig": {"routingMode": "REGIONAL"}}]}
    assert ready.request("GET", f"{NETWORKS}?fields=items(name,routingConfig/routingMode)")[1] == wanted
    assert ready.request("GET", f"{NETWORKS}?fields=items(name")[0] == 400


def test_a_role_tells_its_permissions(emulator: Emulator) -> None:
    status, role = emulator.request("GET", "/v1/roles/iap.tunnelResourceAccessor", host="iam.googleapis.com")
    assert status == 200
    assert role["includedPermissions"] == ["iap.tunnelDestGroups.accessViaIAP", "iap.tunnelInstances.accessViaIAP"]
    assert emulator.request("GET", "/v1/roles/nothing", host="iam.googleapis.com")[0] == 404
