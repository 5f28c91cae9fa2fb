"""The exec credential plugin of the kubeconfig."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
