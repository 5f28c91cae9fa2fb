"""The front door of a running world: its hosts, and the verbs that change who may what."""

from __future__ import annotations

import json

import pytest

from .conftest import Lab

pytestmark = pytest.mark.world
KEYS = "https://www.gstatic.com/iap/verify/public_key-jwk"


def keys(lab: Lab) -> list[str]:
    done = lab.run("curl", "--silent", "--show-error", "--fail", KEYS)
    assert done.returncode == 0, done.stderr
    return [key["kid"] for key in json.loads(done.stdout)["keys"]]


def test_a_rotated_key_is_published_beside_the_old_one(lab: Lab) -> None:
    before = keys(lab)
    done = lab.cli("iap", "rotate", "--lead", "30")
    assert done.returncode == 0, done.stderr
    after = keys(lab)
    assert after[:-1] == before[-2:]
    assert after[-1] in done.stdout


def test_groups_are_changed_and_shown(lab: Lab) -> None:
    name = "ml-team-fraud@acme.example"
    added = lab.cli("group", name, "--add", "eve@acme.example")
    assert added.stdout == f"{name}: bob@acme.example, eve@acme.example\n"
    lab.cli("group", name, "--remove", "eve@acme.example")
    assert f"{name}: bob@acme.example\n" in lab.cli("group").stdout


def test_an_unknown_group_is_named_with_those_there_are(lab: Lab) -> None:
    done = lab.cli("group", "nobody@acme.example")
    assert done.returncode == 1
    assert "platform-admins@acme.example" in done.stderr


def test_without_a_load_balancer_nothing_listens(lab: Lab) -> None:
    done = lab.run("curl", "--silent", "--max-time", "3", "https://34.120.0.10/")
    assert done.returncode == 7  # refused


def test_the_sign_in_page_is_for_those_who_were_sent_there(lab: Lab) -> None:
    address = "https://accounts.google.com/o/oauth2/v2/auth?state=made-up.x"
    done = lab.run("curl", "--silent", "--write-out", "%{http_code}", address)
    assert done.stdout.endswith("400")
    assert "not begun here" in done.stdout


def test_kubectl_without_a_cluster_says_so(lab: Lab) -> None:
    done = lab.cli("kubectl", "--", "get", "pods")
    assert done.returncode == 1
    assert "there is no cluster in this world" in done.stderr
