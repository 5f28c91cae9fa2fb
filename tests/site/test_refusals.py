"""Bad input stops site.yml before anything is written, and the message says what is wrong and what to do.

Every rule has a case in tests/unit/test_validation.py; these show that the site asks the rules first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site

pytestmark = pytest.mark.world
READS = {"get", "list", "testIamPermissions", "getBillingInfo", "search"}

OVERLAPPING: dict[str, Any] = {"network": {"private_services": {"range": "10.33.0.0/20"}}}
# what is set, and what the message must say: the path of the variable, and the way out
SETTINGS: list[tuple[dict[str, Any], list[str]]] = [
    ({"cluster": {"nodepools": []}}, ["cluster.nodepools", "did you mean `node_pools`?"]),
    (OVERLAPPING, ["network.private_services.range", "overlaps network.subnets[0].secondary_ranges.pods"]),
    ({"cluster": {"name": "c" * 41}}, ["cluster.name", "41 characters; at most 40"]),
    ({"platform_domain": "https://ml.acme.example"}, ["platform_domain", "write ml.acme.example"]),
    ({"platform_zone": "us-central1-a"}, ["platform_zone", "not in platform_region europe-west1"]),
]


def writes(site: Site, since: int) -> list[str]:
    """Methods called since then that may have changed something."""
    return [call["method"] for call in site.calls(since) if call["method"].rpartition(".")[2] not in READS]


@pytest.mark.parametrize(("settings", "expected"), SETTINGS, ids=lambda value: "-".join(value)[:40])
def test_a_bad_setting_is_refused_before_any_call(site: Site, settings: dict[str, Any], expected: list[str]) -> None:
    before = site.newest_call()
    done = site.play("-e", json.dumps(settings))
    assert done.returncode == 2, done.stdout + done.stderr
    for part in expected:
        assert part in done.stdout
    assert site.calls(before) == []


def test_all_bad_settings_are_told_at_once(site: Site) -> None:
    done = site.play("-e", json.dumps({"cluster": {"name": "c" * 41}, "platform_domain": "https://ml.acme.example"}))
    assert done.returncode == 2
    assert "cluster.name" in done.stdout
    assert "platform_domain" in done.stdout


def test_an_unknown_project_is_refused_before_any_write(site: Site) -> None:
    before = site.newest_call()
    done = site.play("-e", "platform_project=acme-nowhere")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "acme-nowhere" in done.stdout
    assert "platform_project" in done.stdout
    assert writes(site, before) == []


def test_missing_credentials_are_refused_before_any_call(site: Site, tmp_path: Path) -> None:
    before = site.newest_call()
    done = site.play(env={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "nowhere.json")})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "GOOGLE_APPLICATION_CREDENTIALS" in done.stdout
    assert "gcloud auth application-default login" in done.stdout
    assert site.calls(before) == []


def test_a_missing_git_token_is_refused_before_any_call(site: Site) -> None:
    before = site.newest_call()
    done = site.play(env={"PLATFORM_GIT_TOKEN": ""})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "gitops_token" in done.stdout
    assert site.calls(before) == []
