"""Google's errors in words that say what to do. The bodies are those of the recorded traffic (FACTS.md)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth import exceptions as auth

from plugins.module_utils.gcloud.errors import PlatformError, from_body, from_exception, role_for
from plugins.module_utils.gcloud.retries import is_conflict, is_transient, pauses, retrying

COMPUTE_404 = {
    "error": {
        "code": 404,
        "errors": [
            {
                "domain": "global",
                "message": "The resource 'projects/P/global/networks/N' was not found",
                "reason": "notFound",
            }
        ],
        "message": "The resource 'projects/P/global/networks/N' was not found",
    }
}
COMPUTE_403 = {
    "error": {
        "code": 403,
        "errors": [{"domain": "global", "message": "m", "reason": "forbidden"}],
        "message": "Required 'compute.organizations.enableXpnHost' permission for 'projects/P'",
    }
}
SECRET_404 = {"error": {"code": 404, "message": "Secret [projects/1/secrets/S] not found.", "status": "NOT_FOUND"}}
DISABLED = {
    "error": {
        "code": 403,
        "message": "Cloud DNS API has not been used in project 1 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/dns.googleapis.com/overview?project=1 then retry.",
        "status": "PERMISSION_DENIED",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}],
    }
}
IMPERSONATION = {
    "error": {
        "code": 403,
        "message": "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        "status": "PERMISSION_DENIED",
    }
}
METADATA = auth.RefreshError("of the metadata server")
METADATA.__cause__ = auth.TransportError("reset")


@pytest.mark.parametrize(
    ("body", "reason", "advice"),
    [
        (COMPUTE_404, "notFound", "was not found"),
        (COMPUTE_403, "forbidden", "Grant the account compute.organizations.enableXpnHost"),
        (SECRET_404, "NOT_FOUND", "not found"),
        (DISABLED, "SERVICE_DISABLED", "Enable dns.googleapis.com"),
    ],
)
def test_bodies_of_every_shape(body: dict[str, Any], reason: str, advice: str) -> None:
    for form in (body, json.dumps(body), json.dumps(body).encode(), [body]):
        error = from_body(body["error"]["code"], form)
        assert (error.code, error.reason) == (body["error"]["code"], reason)
        assert advice in str(error)


@pytest.mark.parametrize("body", [b"<html>502 Bad Gateway</html>", b"", "plain text"])
def test_bodies_that_are_no_json(body: Any) -> None:
    assert str(from_body(502, body))


def test_a_message_tells_action_resource_reason_and_advice() -> None:
    error = from_body(403, COMPUTE_403).about("create", "network mlops")
    assert str(error).startswith("Failed to create network mlops: Required 'compute.organizations.enableXpnHost'")
    assert error.as_dict()["role"] == "roles/compute.admin"
    assert error.about("delete", "other").action == "create"


@pytest.mark.parametrize(
    ("permission", "role"),
    [
        ("compute.networks.create", "roles/compute.networkAdmin"),
        ("compute.instances.create", "roles/compute.instanceAdmin.v1"),
        ("compute.disks.create", "roles/compute.admin"),
        ("container.clusters.create", "roles/container.admin"),
        ("unheard.of.it", "roles/owner"),
        ("iap.tunnelInstances.getIamPolicy", "roles/iam.securityReviewer"),
        ("iap.tunnelInstances.setIamPolicy", "roles/iap.admin"),
        ("storage.buckets.getIamPolicy", "roles/iam.securityReviewer"),
        ("storage.buckets.get", "roles/storage.bucketViewer"),
        ("storage.buckets.update", "roles/storage.admin"),
        ("container.clusters.get", "roles/container.clusterViewer"),
        ("compute.instances.list", "roles/compute.viewer"),
        ("secretmanager.secrets.get", "roles/secretmanager.viewer"),
        ("unheard.of.get", "roles/owner"),
    ],
)
def test_the_least_powerful_known_role_is_named(permission: str, role: str) -> None:
    assert role_for(permission) == role


@pytest.mark.parametrize(
    ("raised", "code", "part"),
    [
        (exceptions.NotFound("gone"), 404, "gone"),
        (exceptions.Forbidden("no", errors=[{"reason": "rateLimitExceeded"}]), 403, "no"),
        (auth.DefaultCredentialsError("none"), 0, "gcloud auth application-default login"),
        (auth.TransportError("reset"), 0, "no answer from Google: reset"),
        (METADATA, 0, "no answer from Google"),
        (auth.RefreshError("internal_failure", retryable=True), 503, "run it again"),
        (auth.RefreshError("invalid_grant", {"error": "invalid_grant"}), 0, "no usable Google credentials"),
        (auth.RefreshError("Unable", json.dumps(IMPERSONATION)), 403, "by roles/iam.serviceAccountTokenCreator"),
        (requests.ConnectionError("refused"), 0, "HTTPS_PROXY"),
        (ConnectionResetError("reset"), 0, "no answer from Google"),
    ],
)
def test_exceptions_of_googles_libraries(raised: Exception, code: int, part: str) -> None:
    error = from_exception(raised)
    assert error.code == code
    assert part in str(error)


def test_an_unknown_exception_is_a_defect_and_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        from_exception(ZeroDivisionError("defect"))


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (PlatformError("", code=429), True),
        (PlatformError("", code=503), True),
        (PlatformError("", code=403, reason="rateLimitExceeded"), True),
        (PlatformError("", code=400, reason="resourceNotReady"), True),
        (PlatformError("", code=409, reason="operationInProgress"), True),
        (PlatformError("Cluster is running incompatible operation operation-1.", code=400), True),
        (PlatformError("", code=403, reason="forbidden"), False),
        (PlatformError("", code=400, reason="invalid"), False),
        (PlatformError("", code=404, reason="notFound"), False),
        (PlatformError("", code=409, reason="alreadyExists"), False),
    ],
)
def test_only_what_is_on_the_list_is_sent_again(error: PlatformError, transient: bool) -> None:
    assert is_transient(error) is transient


def test_conflicts() -> None:
    assert is_conflict(PlatformError("Invalid fingerprint.", code=412, reason="conditionNotMet"))
    assert is_conflict(PlatformError("There were concurrent policy changes.", code=409, reason="ABORTED"))
    assert not is_conflict(PlatformError("exists", code=409, reason="alreadyExists"))


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def failing(times: int, error: PlatformError) -> Any:
    left = [error] * times

    def call() -> str:
        if left:
            raise left.pop()
        return "answer"

    return call


def test_retries_until_it_works() -> None:
    clock = Clock()
    call = failing(4, PlatformError("", code=503))
    assert retrying(call, patience=60, clock=clock, sleep=clock.sleep) == "answer"
    assert clock.now > 2


def test_retries_end() -> None:
    clock = Clock()
    with pytest.raises(PlatformError):
        retrying(failing(10**6, PlatformError("", code=503)), patience=30, clock=clock, sleep=clock.sleep)
    assert clock.now <= 30


def test_where_nobody_answers_a_person_does_not_wait_long() -> None:
    clock = Clock()
    with pytest.raises(PlatformError):
        retrying(failing(10**6, PlatformError("", reason="connection")), patience=600, clock=clock, sleep=clock.sleep)
    assert clock.now <= 20


def test_an_api_enabled_just_now_is_given_time_and_a_disabled_one_is_not() -> None:
    clock = Clock()
    late = PlatformError("", code=403, reason="SERVICE_DISABLED")
    assert retrying(failing(3, late), enabling=60, clock=clock, sleep=clock.sleep) == "answer"
    began = clock.now
    with pytest.raises(PlatformError):
        retrying(failing(1, late), clock=clock, sleep=clock.sleep)
    assert clock.now == began


def test_pauses_grow_and_vary() -> None:
    quick = pauses(jitter=lambda: 0.0)
    assert [next(quick) for _ in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert next(pauses(jitter=lambda: 1.0)) == 0.25
