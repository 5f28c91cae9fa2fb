"""Playbooks that need the cluster, each by itself: they open the way, and nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("playbook", ["gitops", "acceptance"])
def test_by_itself_it_works_and_changes_nothing(play: Callable[..., str], playbook: str) -> None:
    said = play(f"playbooks/{playbook}.yml")
    assert "changed=0" in said
    assert "ok=" in said
    expected = {"gitops": "Wait until everything is Synced and Healthy", "acceptance": "Ensure that the run was found"}
    assert expected[playbook] in said
