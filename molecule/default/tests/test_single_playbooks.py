"""Playbooks that need the cluster, each by itself: they open the way, and nothing is left to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

REPOSITORY = "https://git.acme.example/platform/mlops-platform.git"
PLACE = ("argoproj.io", "v1alpha1", "argocd", "applications")


@pytest.fixture
def mistaken(cluster: client.ApiClient) -> Iterator[str]:
    """An Application of a team whose part of Git is not there."""
    custom = client.CustomObjectsApi(cluster)
    name = "project-mistaken"
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "projects",
            "source": {"repoURL": REPOSITORY, "path": "projects/nowhere", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        },
    }
    custom.create_namespaced_custom_object(*PLACE, body)
    yield name
    custom.delete_namespaced_custom_object(*PLACE, name)


def test_the_hand_off_by_itself_works_and_changes_nothing(play: Callable[..., str]) -> None:
    said = play("playbooks/gitops.yml")
    assert "changed=0" in said
    assert "Wait until everything is Synced and Healthy" in said


def test_the_acceptance_by_itself_passes_and_tells_a_team_s_mistake(play: Callable[..., str], mistaken: str) -> None:
    said = play("playbooks/acceptance.yml")
    assert "changed=0" in said
    assert "Ensure that the run was found" in said
    told = " ".join(said.replace("\\", " ").split())  # long texts are broken into lines, some with a backslash
    assert f"(item={mistaken})" in told
    assert "for whoever keeps that file to mend" in told


def test_check_mode_looks_inside_from_a_computer_that_never_logged_in(
    play: Callable[..., str], cluster: client.ApiClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What failed: check mode made no SSH key, and went to the bastion without one. The way of others stays open."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    said = play("site.yml", "--check")
    assert "changed=0" in said
    assert "unreachable=0" in said
    assert client.CoreV1Api(cluster).list_namespace().items


def test_the_bastion_can_be_configured_by_itself(play: Callable[..., str]) -> None:
    """What failed: with --tags system nothing was done, and nothing was said."""
    said = play("playbooks/access.yml", "--tags", "system")
    assert re.search(r"bastion +: ok=[1-9]\d* +changed=0 ", said), said[-2000:]
