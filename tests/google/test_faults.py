"""Faults on demand: which call they hit and what it does, that it is logged, and that nonsense is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from rehearsal.cli.cloud import call_lines, fault_lines, wanted_limits
from rehearsal.cli.main import main
from rehearsal.errors import RehearsalError
from rehearsal.google import control
from rehearsal.google.core import Request
from rehearsal.google.testing import PROJECT, Emulator, running
from tests.google.test_core import enable

NETWORKS = f"/compute/v1/projects/{PROJECT}/global/networks"
BODY = {"name": "n", "autoCreateSubnetworks": False}


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator with Compute on."""
    with running(tmp_path) as started:
        enable(started, "compute.googleapis.com")
        yield started


def add(cloud: Emulator, pattern: str, kind: str, **more: Any) -> dict[str, Any]:
    """Orders a fault."""
    status, answer = cloud.request("POST", "/faults", {"pattern": pattern, "kind": kind, **more})
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def hits(cloud: Emulator) -> list[tuple[str, int, str]]:
    """(method, status, fault) of the calls that a fault has hit."""
    calls = cloud.request("GET", "/calls")[1]["calls"]
    return [(call["method"], call["status"], call["fault"]) for call in calls if call["fault"]]


def test_http_error_on_the_nth_call(google: Emulator) -> None:
    add(google, "compute.networks.list", "http:403:rateLimitExceeded", nth=2, count=2)
    answers = [google.request("GET", NETWORKS) for _ in range(4)]
    assert [status for status, _ in answers] == [200, 403, 403, 200]
    assert answers[1][1]["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    assert hits(google) == 2 * [("compute.networks.list", 403, "1: http:403:rateLimitExceeded")]


def test_a_resource_and_a_status(google: Emulator) -> None:
    add(google, "*/networks/n", "http:503")
    assert google.request("GET", f"{NETWORKS}/other")[0] == 404
    status, answer = google.request("GET", f"{NETWORKS}/n")
    assert (status, answer["error"]["status"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(("kind", "made"), [("reset-before", 404), ("reset-after", 200)])
def test_connection_reset(google: Emulator, kind: str, made: int) -> None:
    add(google, "compute.networks.insert", kind)
    headers = {"Authorization": f"Bearer {google.token()}"}
    with pytest.raises(requests.ConnectionError):
        requests.post(google.url + NETWORKS, json=BODY, headers=headers, timeout=10)
    assert google.request("GET", f"{NETWORKS}/n")[0] == made
    assert hits(google)[0][2] == f"1: {kind}"


def test_slow(google: Emulator) -> None:
    add(google, "compute.networks.list", "slow:0.4")
    start = time.monotonic()
    assert google.request("GET", NETWORKS)[0] == 200
    assert time.monotonic() - start >= 0.4


def test_operation_error_undoes_the_effect(google: Emulator) -> None:
    add(google, "compute.*.insert", "operation-error:ZONE_RESOURCE_POOL_EXHAUSTED")
    status, operation = google.request("POST", NETWORKS, BODY)
    assert (status, operation["status"]) == (200, "RUNNING")
    path = operation["selfLink"].removeprefix("https://www.googleapis.com")
    _, ended = google.request("GET", path)
    assert (ended["status"], ended["error"]["errors"][0]["code"]) == ("DONE", "ZONE_RESOURCE_POOL_EXHAUSTED")
    assert google.request("GET", f"{NETWORKS}/n")[0] == 404
    assert google.request("POST", NETWORKS, BODY)[0] == 200
    add(google, "compute.networks.delete", "operation-error:INTERNAL_ERROR")
    google.request("DELETE", f"{NETWORKS}/n")
    assert google.request("GET", f"{NETWORKS}/n")[0] == 200


def test_stuck_until_cleared(google: Emulator) -> None:
    add(google, "compute.networks.insert", "stuck")
    _, operation = google.request("POST", NETWORKS, BODY)
    path = operation["selfLink"].removeprefix("https://www.googleapis.com")
    assert google.request("GET", path)[1]["status"] == "RUNNING"
    assert google.request("DELETE", "/faults") == (200, {"cleared": 1})
    assert google.request("POST", f"{path}/wait")[1]["status"] == "DONE"


def test_the_seed_decides_which_calls_are_hit(google: Emulator) -> None:
    runs = []
    for _ in range(2):
        add(google, "compute.networks.list", "http:500", seed=7)
        runs.append([google.request("GET", NETWORKS)[0] for _ in range(12)])
        google.request("DELETE", "/faults")
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


def test_faults_and_limits_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        add(first, "compute.networks.insert", "http:500", nth=3)
        first.request("PUT", "/limits", {"quotas": {"NETWORKS": 4}})
    with running(tmp_path) as second:
        (found,) = second.request("GET", "/faults")[1]["faults"]
        assert (found["pattern"], found["nth"]) == ("compute.networks.insert", 3)
        assert second.request("GET", "/limits")[1]["quotas"] == {"NETWORKS": 4}


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"pattern": "compute.network.insert", "kind": "stuck"}, "Near: compute.networks.insert"),
        ({"pattern": "*/networx/n", "kind": "stuck"}, "Near: networks"),
        ({"pattern": "compute.networks.insert", "kind": "explode"}, "is no kind of fault; there are http:STATUS"),
        ({"pattern": "compute.networks.insert", "kind": "http:200"}, "is no kind of fault"),
        ({"pattern": "compute.networks.insert", "kind": "stuck", "nth": 0}, "nth is a whole number from 1 on"),
        ({"kind": "stuck"}, "a fault has pattern and kind"),
    ],
)
def test_what_cannot_be_is_refused(google: Emulator, fault: dict[str, Any], text: str) -> None:
    status, answer = google.request("POST", "/faults", fault)
    assert status == 400
    assert text in answer["error"]


def test_lines_of_calls_and_faults(google: Emulator) -> None:
    fault = add(google, "compute.networks.list", "http:503")
    google.request("GET", NETWORKS)
    calls = google.request("GET", "/calls?last=1")[1]["calls"]
    lines = call_lines(calls)
    assert lines[1].split()[1:3] == ["compute.networks.list", "503"]
    assert lines[1].endswith(f"{NETWORKS}  [fault 1: http:503]")
    assert lines[2].startswith("1 calls, 1 refused")
    assert fault_lines([fault])[0].endswith("from call 1, 1; seen 0, hit 0")
    assert "rehearsal fault add" in fault_lines([])[0]


def test_limits_from_arguments() -> None:
    wanted = wanted_limits(["quota.NETWORKS=5", "accounts_seconds=30", "leftovers=true", "rate_status="], {"CPUS": 8})
    expected = {"quotas": {"CPUS": 8, "NETWORKS": 5}, "accounts_seconds": 30, "leftovers": True, "rate_status": None}
    assert wanted == expected
    with pytest.raises(RehearsalError, match="has no value"):
        wanted_limits(["quota"], {})


def test_a_world_that_is_down_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "--world", "no-such-world"]) == 1
    assert "no-such-world" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("peer", "status"), [("203.0.113.10", 403), ("10.32.0.7", 403), ("10.0.0.50", 200), ("127.0.0.1", 200)]
)
def test_only_the_world_itself_gets_tokens(google: Emulator, peer: str, status: int) -> None:
    asked = Request("POST", "emulator.internal", "/tokens", (), {}, b'{"email": "alice@acme.example"}', peer)
    answer = control.answer(google.cloud, asked)
    assert answer.status == status
    assert ("access_token" in answer.body) == (status == 200)
