"""The examples of docs/emulator.md do what they say: a service and a Compute collection, each in under 60 lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.google import catalog
from rehearsal.google.core import AUTHORIZERS, HANDLERS
from rehearsal.google.jobs import WORKS
from rehearsal.google.services import load
from rehearsal.google.services.compute.kinds import KINDS
from rehearsal.google.testing import PROJECT, Emulator, running
from tests.google.shared import ROOT
from tests.google.test_core import enable

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "emulator.md").read_text(), re.DOTALL)
REDIS = f"/v1/projects/{PROJECT}/locations/europe-west1/instances"
HOST = "redis.googleapis.com"
PROXIES = f"/compute/v1/projects/{PROJECT}/global/targetTcpProxies"


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator with what the examples add; afterwards all is as before."""
    load()
    tables: list[dict[str, object]] = [catalog.BY_API, HANDLERS, AUTHORIZERS, WORKS, KINDS]  # type: ignore[list-item]  # of any content
    before = [dict(table) for table in tables]
    monkeypatch.setattr(catalog, "SERVICES", catalog.SERVICES)
    for example in (EXAMPLES[-2], EXAMPLES[-1]):
        exec(compile(example, "docs/emulator.md", "exec"), {})  # noqa: S102 - our own documentation
    with running(tmp_path) as started:
        enable(started, HOST, "compute.googleapis.com")
        yield started
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)


def test_the_examples_are_short() -> None:
    assert "redis" in EXAMPLES[-2]
    assert "Kind(" in EXAMPLES[-1]
    assert all(len(example.splitlines()) < 60 for example in EXAMPLES)


def test_the_service(google: Emulator) -> None:
    status, operation = google.request("POST", f"{REDIS}?instanceId=cache", {"memorySizeGb": 1}, host=HOST)
    assert (status, operation["done"]) == (200, False)
    ended = google.request("GET", f"/v1/{operation['name']}", host=HOST)[1]
    assert (ended["done"], ended["response"]["port"]) == (True, 6379)
    assert google.request("POST", f"{REDIS}?instanceId=cache", {}, host=HOST)[0] == 409
    assert google.request("PATCH", f"{REDIS}/cache?updateMask=memorySizeGb", {"memorySizeGb": 2}, host=HOST)[0] == 200
    (shown,) = google.request("GET", REDIS, host=HOST)[1]["instances"]
    assert (shown["memorySizeGb"], shown["tier"]) == (2, "BASIC")
    status, answer = google.request("POST", f"{REDIS}?instanceId=x", {"tier": "FREE", "sizes": 1}, host=HOST)
    assert status == 400
    assert 'Unknown name "sizes"' in answer["error"]["message"]
    assert google.request("GET", REDIS, email="eve@acme.example", host=HOST)[0] == 403
    assert google.request("DELETE", f"{REDIS}/cache", host=HOST)[0] == 200
    status, answer = google.request("GET", f"{REDIS}/cache", host=HOST)
    assert status == 404
    assert answer["error"]["message"].endswith("/instances/cache' was not found")


def test_the_collection(google: Emulator) -> None:
    base = f"projects/{PROJECT}/global"
    check = {"name": "h", "type": "TCP", "tcpHealthCheck": {"port": 80}}
    assert google.request("POST", f"/compute/v1/{base}/healthChecks", check)[0] == 200
    service = {"name": "b", "protocol": "TCP", "healthChecks": [f"{base}/healthChecks/h"]}
    assert google.request("POST", f"/compute/v1/{base}/backendServices", service)[0] == 200
    status, answer = google.request("POST", PROXIES, {"name": "p", "service": f"{base}/backendServices/none"})
    assert (status, answer["error"]["errors"][0]["reason"]) == (404, "notFound")
    assert google.request("POST", PROXIES, {"name": "p", "service": f"{base}/backendServices/b"})[0] == 200
    shown = google.request("GET", f"{PROXIES}/p")[1]
    assert (shown["kind"], shown["proxyHeader"]) == ("compute#targetTcpProxy", "NONE")
    status, answer = google.request("DELETE", f"/compute/v1/{base}/backendServices/b")
    assert (status, answer["error"]["errors"][0]["reason"]) == (400, "resourceInUseByAnotherResource")
    assert google.request("DELETE", f"{PROXIES}/p")[1]["operationType"] == "delete"
