"""The exec credential plugin of the kubeconfig."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.auth import compute_engine
from requests import ConnectionError, Session

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
    clients.remember({"tokens": {name: {"token": first, "expiry": "2026-01-01T00:00:00"}}, "numbers": {}, "emails": {}})
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


def test_programs_act_as_the_modules_do(
    bare: Google, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """kubectl, and ssh's way through IAP, take their identity from where modules take theirs."""
    monkeypatch.setenv("GCP_SERVICE_ACCOUNT_FILE", os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(bare.emulator.login("alice@acme.example", tmp_path)))
    assert main([]) == 0
    principal = bare.emulator.cloud.identities.identify(json.loads(capsys.readouterr().out)["status"]["token"])
    assert principal is not None
    assert principal.email == "deployer@acme-mlops.iam.gserviceaccount.com"
    monkeypatch.setenv("GCP_IMPERSONATE_SERVICE_ACCOUNT", "robot@acme-mlops.iam.gserviceaccount.com")
    assert main([]) == 1  # there is no such account to act as
    assert "robot@acme-mlops" in capsys.readouterr().err
    monkeypatch.setenv("GCP_ACCESS_TOKEN", "given")
    monkeypatch.delenv("GCP_IMPERSONATE_SERVICE_ACCOUNT")
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out)["status"]["token"] == "given"


def test_whose_a_token_is_is_asked_once(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    token = bare.emulator.token("alice@acme.example")
    assert clients.Api(access_token=token).identity() == "alice@acme.example"
    told = json.loads(json.dumps(clients.known()))
    monkeypatch.setattr(clients, "_emails", {})
    clients.remember(told)
    monkeypatch.setattr(clients, "USER_INFO", "https://nowhere.invalid/")
    assert clients.Api(access_token=token).identity() == "alice@acme.example"


def test_a_machines_own_account_is_asked_of_the_metadata_server(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    account = "robot@acme-mlops.iam.gserviceaccount.com"
    monkeypatch.setattr(
        "google.auth.compute_engine._metadata.get_service_account_info", lambda *_, **__: {"email": account}
    )
    monkeypatch.setattr(
        "google.auth.compute_engine._metadata.get_service_account_token",
        lambda *_, **__: (bare.emulator.token(account), datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)),
    )
    monkeypatch.setattr(clients, "_loaded", lambda *_: compute_engine.Credentials())
    assert clients.Api().identity() == account


def test_a_network_failure_on_the_way_to_a_token_is_told_as_one(bare: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_tokens", {})
    answers = iter([ConnectionError("reset"), None])

    def send(self: Session, *arguments: Any, **options: Any) -> Any:
        if isinstance(failure := next(answers, None), Exception):
            raise failure
        return original(self, *arguments, **options)

    original = Session.request
    monkeypatch.setattr(Session, "request", send)
    assert clients.Api().access_token().startswith("ya29.")  # sent again
    assert next(answers, "used up") == "used up"
