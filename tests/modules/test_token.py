"""The exec credential plugin of the kubeconfig."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plugins.module_utils.gcloud import clients
from plugins.module_utils.gcloud.token_cli import main

from .conftest import Google


def test_a_kubernetes_client_gets_a_token_that_google_knows(bare: Google, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "ExecCredential"
    expires = datetime.strptime(answer["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert expires > datetime.now(UTC)
    principal = bare.emulator.cloud.identities.identify(answer["status"]["token"])
    assert principal is not None
    assert principal.email == "deployer@acme-mlops.iam.gserviceaccount.com"


def test_without_credentials_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert main([]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "GOOGLE_APPLICATION_CREDENTIALS" in captured.err


def test_modules_after_one_another_ask_for_one_token(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    """plugins/module_utils/warm/host.py hands what :func:`known` tells to the next module's process."""
    first = clients.Api().access_token()
    assert clients.Api().access_token() == first
    told = json.loads(json.dumps(clients.known()))
    monkeypatch.setattr(clients, "_tokens", {})
    other = clients.Api().access_token()
    assert other != first
    monkeypatch.setattr(clients, "_tokens", {})
    clients.remember(told)
    assert clients.Api().access_token() == first


def test_a_token_of_another_key_or_near_its_end_is_not_used(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_tokens", {})
    first = clients.Api().access_token()
    (name,) = clients.known()["tokens"]
    clients.remember({"tokens": {name: {"token": first, "expiry": "2026-01-01T00:00:00"}}, "numbers": {}})
    second = clients.Api().access_token()
    assert second != first
    key = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    os.utime(key, ns=(0, key.stat().st_mtime_ns + 1))
    assert clients.Api().access_token() not in (first, second)


def test_modules_after_one_another_ask_once_for_the_number_of_a_project(
    bare: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = bare.api.project_number(bare.project)
    told = json.loads(json.dumps(clients.known()))
    monkeypatch.setattr(clients, "_numbers", {})
    clients.remember(told)
    assert clients.Api(access_token="refused").project_number(bare.project) == number


def test_a_token_that_was_given_is_used_as_it_is(bare: Google) -> None:
    assert clients.Api(access_token="given").access_token() == "given"
