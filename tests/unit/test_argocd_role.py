"""Which credentials Argo CD gets for the platform's repository."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from .settings import ROOT, filled, role_variable

REPOSITORY = "https://git.acme.example/platform/mlops-platform.git"
READER, WRITER = ("argocd", "read-token"), ("platform-bot", "a-token")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(username: str, password: str, url: str = REPOSITORY) -> dict[str, Any]:
    data = {"type": "git", "url": url, "username": username, "password": password}
    return {"data": {key: encoded(value) for key, value in data.items()}}


def login(read_token: str, *there: dict[str, Any]) -> tuple[str, str]:
    """Account and token after a run with that read token, where these Secrets were there."""
    changes = {"gitops_read_token": read_token}
    found = role_variable("argocd", "__argocd_login", changes, __argocd_secret={"resources": list(there)})
    name, token = (base64.b64decode(found[key]).decode() for key in ("username", "password"))
    return name, token


@pytest.mark.parametrize(
    ("read_token", "there", "wanted"),
    [
        ("read-token", [], READER),
        ("", [], WRITER),
        ("", [secret(*READER)], READER),  # of the run before, or of somebody else's
        ("new-token", [secret(*READER)], ("argocd", "new-token")),
        ("read-token", [secret(*WRITER)], READER),
        ("", [secret("platform-bot", "older-token")], WRITER),  # which may be refused by now
        ("", [secret(*READER, url="https://git.other.example/a.git")], WRITER),  # of no use at this one
        ("", [{"data": {"url": encoded(REPOSITORY)}}], WRITER),
        ("", [{}], WRITER),
    ],
)
def test_a_run_without_the_read_token_leaves_the_one_that_is_there(
    read_token: str, there: list[dict[str, Any]], wanted: tuple[str, str]
) -> None:
    assert login(read_token, *there) == wanted


@pytest.mark.parametrize(("user", "said"), [("platform-bot", True), ("argocd", False)])
def test_only_a_token_that_may_write_is_spoken_of(user: str, said: bool) -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "argocd" / "tasks" / "repository.yml").read_text())
    assert all(item.get("no_log") for item in tasks[:2])
    conditions = tasks[2]["when"]
    more = {"__argocd_login": {"username": encoded(user)}}
    assert all(filled(f"{{{{ {one} }}}}", {"gitops_read_token": ""}, **more) for one in conditions) is said
