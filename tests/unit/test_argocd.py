"""What is said of Applications that are not done, and how long is waited for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from plugins.module_utils.gitops import argocd, secrets
from plugins.module_utils.gitops.errors import HandOffError


def application(name: str, sync: str = "Synced", health: str = "Healthy", **status: Any) -> dict[str, Any]:
    state = {"sync": {"status": sync, "revision": "abc"}, "health": {"status": health}, **status}
    return {"metadata": {"name": name}, "status": state}


class Cluster:
    """Answers with one list after the other, the last one for good."""

    def __init__(self, *answers: list[dict[str, Any]], sets: Sequence[dict[str, Any]] = ()) -> None:
        self.answers = list(answers)
        self.sets = list(sets)
        self.refreshed: list[str] = []
        self.synced: list[str] = []

    def applications(self, _: str) -> list[dict[str, Any]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def application_sets(self, _: str) -> list[dict[str, Any]]:
        return self.sets

    def sync_application(self, _: str, application: dict[str, Any]) -> None:
        self.synced.append(application["metadata"]["name"])

    def refresh_application(self, _: str, name: str) -> None:
        self.refreshed.append(name)


def wait(cluster: Cluster, **given: Any) -> dict[str, str]:
    values: dict[str, Any] = {"expected": [], "root": "platform", "revision": "", "refresh": False, "timeout": 0.0}
    values.update(given)
    return argocd.wait(cluster, "argocd", tell=lambda _: None, **values)  # type: ignore[arg-type]  # a double


def test_synced_and_healthy_is_done() -> None:
    assert argocd.shortcoming(application("a")) == ""


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (application("a", sync="OutOfSync"), "OutOfSync"),
        (application("a", health="Degraded"), "Degraded"),
        ({"metadata": {"name": "a"}}, "not compared yet"),
        (
            application("a", "OutOfSync", operationState={"phase": "Failed", "message": "no such kind"}),
            "last sync Failed: no such kind",
        ),
        (
            application("a", "Unknown", conditions=[{"type": "ComparisonError", "message": "auth required"}]),
            "ComparisonError: auth required",
        ),
    ],
)
def test_a_shortcoming_names_its_reason(found: dict[str, Any], said: str) -> None:
    assert said in argocd.shortcoming(found)


def test_only_the_root_must_be_at_the_revision() -> None:
    state = argocd.report([application("platform"), application("mlflow")], [], "platform", "def")
    assert "still at commit abc" in state["platform"]
    assert state["mlflow"] == ""


def test_a_missing_application_is_named() -> None:
    with pytest.raises(HandOffError, match="mlflow: not there yet"):
        wait(Cluster([application("platform")]), expected=["mlflow"])


def test_a_team_s_mistake_does_not_hold_up_the_platform_and_is_told() -> None:
    broken = {**application("project-a", "Unknown"), "spec": {"project": "projects"}}
    applications = [application("platform"), broken]
    state = wait(Cluster(applications), others=["projects"])
    assert state == {"platform": "", "project-a": "Unknown"}
    for given in ({"others": []}, {"others": ["projects"], "expected": ["project-a"]}):
        with pytest.raises(HandOffError, match="project-a: Unknown"):
            wait(Cluster(applications), **given)


def application_set(status: str, project: str = "projects") -> dict[str, Any]:
    conditions = [
        {"type": "ErrorOccurred", "status": status, "message": "unable to parse projects/x.yaml"},
        {"type": "ParametersGenerated", "status": "True", "message": "fine"},
    ]
    spec = {"template": {"spec": {"project": project}}}
    return {"metadata": {"name": "projects"}, "spec": spec, "status": {"conditions": conditions}}


BROKEN = "applicationset projects"


def test_a_set_that_makes_nothing_any_more_is_told_and_holds_up_nothing_of_the_platform() -> None:
    """Argo CD says so nowhere else: with one file that is no YAML, the Applications of all others stay as they were."""
    cluster = Cluster([application("platform")], sets=[application_set("True")])
    state = wait(cluster, others=["projects"])
    assert state["platform"] == ""
    assert "unable to parse projects/x.yaml" in state[BROKEN]
    assert "fine" not in state[BROKEN]


def test_a_new_project_that_a_broken_set_does_not_make_fails_with_its_reason() -> None:
    cluster = Cluster([application("platform")], sets=[application_set("True")])
    with pytest.raises(HandOffError, match=rf"(?s){BROKEN}: .*projects/x\.yaml.*project-a: not there yet"):
        wait(cluster, expected=["project-a"], others=["projects"])


def test_a_broken_set_of_the_platforms_own_fails() -> None:
    with pytest.raises(HandOffError, match="unable to parse"):
        wait(Cluster([application("platform")], sets=[application_set("True", "platform")]), others=["projects"])


@pytest.mark.parametrize("found", [application_set("False"), {"metadata": {"name": "projects"}}])
def test_a_set_that_works_is_not_spoken_of(found: dict[str, Any]) -> None:
    assert wait(Cluster([application("platform")], sets=[found]), others=["projects"]) == {"platform": ""}


def test_it_waits_until_all_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argocd, "POLL_SECONDS", 0.0)
    cluster = Cluster([application("platform", "OutOfSync")], [application("platform")])
    assert wait(cluster, timeout=10.0) == {"platform": ""}
    assert cluster.refreshed == []


def test_what_was_compared_before_does_not_count_as_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only values changed: the root is Synced at the new commit at once, and the chart's Application from before."""
    monkeypatch.setattr(argocd, "POLL_SECONDS", 0.0)

    def seen(root: int, ingress: int, sync: str = "Synced") -> list[dict[str, Any]]:
        at = [f"2026-11-27T10:00:{second:02}Z" for second in (root, ingress)]
        return [
            application("platform", reconciledAt=at[0]),
            application("ingress", sync=sync, reconciledAt=at[1]),
            {**application("project-a", "Unknown", reconciledAt=at[1]), "spec": {"project": "projects"}},
        ]

    answers = [
        seen(1, 1),  # before it begins
        seen(1, 1),  # the root not compared yet
        seen(5, 5),  # the ingress in the same second: with which commit nobody knows
        seen(5, 7, sync="OutOfSync"),
        seen(5, 7),
    ]
    cluster = Cluster(*answers)
    state = wait(cluster, timeout=10.0, refresh=True, revision="abc", others=["projects"])
    assert state == {"platform": "", "ingress": "", "project-a": "Unknown"}
    assert cluster.refreshed == ["platform", "ingress"]
    assert len(cluster.answers) == 1
    with pytest.raises(HandOffError, match="ingress: not compared with Git since"):
        wait(Cluster(seen(1, 1), seen(5, 5)), refresh=True, others=["projects"])


def test_a_timeout_lists_what_each_lacks() -> None:
    with pytest.raises(HandOffError, match=r"(?s)1 of 2 Applications.*mlflow: Degraded"):
        wait(Cluster([application("platform"), application("mlflow", health="Degraded")]))


def test_secrets_fill_templates_and_quote_for_addresses() -> None:
    filled = secrets.fill({"uri": "postgresql://u:{value_url}@h/d", "plain": "{value}"}, b"p@ss/word")
    assert filled == {"uri": b"postgresql://u:p%40ss%2Fword@h/d", "plain": b"p@ss/word"}


def test_only_differing_keys_are_written() -> None:
    assert secrets.changed_keys({"a": b"1", "b": b"2"}, {"a": b"1", "c": b"3"}) == ["b"]
    assert secrets.changed_keys({"a": b"1"}, None) == ["a"]


def test_what_is_only_progressing_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last event of a resource definition may be missed; the next periodic look is a minute or more away."""
    monkeypatch.setattr(argocd, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(argocd, "NUDGE_SECONDS", -1.0)
    open_ones = [
        application("stuck", health="Progressing"),
        application("other", sync="OutOfSync", health="Progressing"),
        application("busy", health="Progressing", operationState={"phase": "Running"}),
        application("platform"),
    ]
    done = [application(name) for name in ("stuck", "other", "busy", "platform")]
    cluster = Cluster(open_ones, done)
    wait(cluster, timeout=10.0)
    assert cluster.refreshed == ["stuck"]


def test_what_had_failed_before_is_tried_again_once() -> None:
    """What failed: Argo CD does not try a failed commit again, so that mending what is not in Git helped nothing."""
    failed = {"operationState": {"phase": "Failed", "message": "the Job mlflow-upgrade failed"}}
    before = [
        application("platform"),
        application("mlflow", "OutOfSync", **failed),
        application("istiod", **failed),  # long mended
        {**application("ingress", "OutOfSync", **failed), "operation": {"sync": {}}},  # being tried
        {**application("project-a", "OutOfSync", **failed), "spec": {"project": "projects"}},
    ]
    cluster = Cluster(before)
    with pytest.raises(HandOffError):
        wait(cluster, refresh=True, others=["projects"])
    assert cluster.synced == ["mlflow"]
