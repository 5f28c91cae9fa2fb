"""No secret is in what the playbooks said at their most verbose, in what they started, or in Git."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from testinfra.host import Host

PROJECT = "acme-mlops"
REPOSITORY = "https://git.acme.example/platform/mlops-platform.git"
SHORTEST_SECRET = 12
# Google's access tokens and signed assertions, Git's tokens, private keys: whatever has these forms is one.
FORMS = {
    "an access token": re.compile(r"ya29\.[\w.-]{20,}"),
    "a signed token": re.compile(r"eyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


@pytest.fixture(scope="module")
def secrets(google_api: Callable[..., Any]) -> dict[str, str]:
    """Everything secret that the run used or made, by what it is."""
    name = f"projects/{PROJECT}/secrets/mlops-mlflow-database-password/versions/latest"
    payload = google_api("secretmanager").projects().secrets().versions().access(name=name).execute()["payload"]
    key = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())["private_key"]
    (login,) = Path(os.environ["XDG_STATE_HOME"]).glob("mlops-platform/**/*.pub")
    found = {
        "the database's password": base64.b64decode(payload["data"]).decode(),
        "the Git account's token": os.environ["PLATFORM_GIT_TOKEN"],
        "the token of Argo CD's Git account": os.environ["PLATFORM_GIT_READ_TOKEN"],
        "the deployer's private key": key.splitlines()[10],
        "the SSH key": login.with_suffix("").read_text().splitlines()[2],
    }
    assert all(len(value) >= SHORTEST_SECRET for value in found.values())
    return found


def found_in(text: str, secrets: dict[str, str]) -> set[str]:
    """Which secrets the text holds, as they are or in base64, and what looks like one."""
    named = {
        what
        for what, value in secrets.items()
        if value in text or base64.b64encode(value.encode()).decode().rstrip("=") in text
    }
    return named | {what for what, form in FORMS.items() if form.search(text)}


def test_a_secret_would_be_found(secrets: dict[str, str]) -> None:
    for what, value in secrets.items():
        assert found_in(f"a {value} b", secrets) == {what}
        assert found_in(base64.b64encode(value.encode()).decode(), secrets) == {what}


def test_the_most_verbose_output_has_none(notes: Path, secrets: dict[str, str]) -> None:
    said = (notes / "output.txt").read_text()
    assert "TASK [gitops : secrets | Ensure the address of MLflow's database]" in said
    assert "invocation:" in said, "it was not verbose"
    assert found_in(said, secrets) == set()


def test_no_process_had_one_among_its_arguments(notes: Path, secrets: dict[str, str]) -> None:
    seen = (notes / "commands.txt").read_text(errors="replace")
    for program in ("ansible-playbook", "ssh -", "tunnel_cli.py", "kube-apiserver", "mlflow"):
        assert program in seen
    assert found_in(seen, secrets) == set()


def test_argo_cd_holds_a_token_that_cannot_write(cluster: client.ApiClient) -> None:
    data = client.CoreV1Api(cluster).read_namespaced_secret("repository-platform", "argocd").data
    found = {key: base64.b64decode(value).decode() for key, value in data.items()}
    assert found["username"] == "argocd"
    assert found["password"] == os.environ["PLATFORM_GIT_READ_TOKEN"]


def test_git_has_none_in_its_whole_history(controller: Host, secrets: dict[str, str], tmp_path: Path) -> None:
    script = 'echo "$PLATFORM_GIT_TOKEN"'
    (tmp_path / "askpass").write_text(f'#!/bin/sh\ncase "$1" in User*) echo platform-bot ;; *) {script} ;; esac\n')
    (tmp_path / "askpass").chmod(0o700)
    controller.check_output(f"GIT_ASKPASS={tmp_path}/askpass git clone --quiet {REPOSITORY} {tmp_path}/clone")
    history = controller.check_output(f"git -C {tmp_path}/clone log --all --patch --format=fuller")
    assert "projects/sandbox.yaml" in history
    assert found_in(history, secrets) == set()


def test_the_reports_have_none(secrets: dict[str, str]) -> None:
    reports = list((Path(os.environ["XDG_STATE_HOME"]) / "mlops-platform" / "reports").glob("*.html"))
    assert reports
    for report in reports:
        assert found_in(report.read_text(), secrets) == set()


def test_the_state_folder_is_for_its_owner_only() -> None:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "mlops-platform"
    open_to_others = [str(path) for path in folder.rglob("*") if path.stat().st_mode & 0o077 and path.suffix != ".pub"]
    keys = [path for path in folder.rglob("ssh/*") if path.suffix != ".pub"]
    assert keys
    assert [path for path in keys if str(path) in open_to_others] == []
