"""The report of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.callback import run_report
from plugins.module_utils.report.page import page
from plugins.module_utils.report.record import Run, Task, longest_chain, merge, sentence


def entry(resource: str, began: float, ended: float, *needs: str, link: str = "") -> dict[str, object]:
    return {"resource": resource, "action": "create", "began": began, "ended": ended, "link": link, "needs": needs}


TIMELINE = [
    entry("network a", 0, 10, link="projects/p/global/networks/a"),
    entry("cluster c", 10, 11, "projects/p/global/networks/a"),
    entry("address b", 0, 30),
    {**entry("cluster c", 25, 60, "projects/p/global/networks/a"), "action": "wait"},
    entry("pool", 60, 62, "cluster c"),
]


def a_run() -> Run:
    run = Run("site.yml", 1000.0, 1065.0, "acme", sites=["https://cd.ml.acme.example/"])
    run.tasks.append(Task("Make <it>", "network", "localhost", 1000.0, 1060.0))
    run.note({"changed": True, "plan": ["create network a"], "resources": [{"title": "network a", "state": "present"}]})
    run.timeline += [{**item, "began": item["began"] + 1000, "ended": item["ended"] + 1000} for item in TIMELINE]  # type: ignore[operator]  # numbers
    return run


def test_what_was_begun_in_one_task_and_awaited_in_another_is_one_work() -> None:
    works = {work.resource: work for work in merge(TIMELINE)}
    assert (works["cluster c"].began, works["cluster c"].ended) == (10, 60)


def test_the_longest_chain_follows_needs_by_link_and_by_name() -> None:
    chain = longest_chain(merge(TIMELINE))
    assert [work.resource for work in chain] == ["network a", "cluster c", "pool"]
    assert sum(work.seconds for work in chain) == 62


def test_enabled_apis_are_needed_by_all_that_begins_after_them() -> None:
    timeline = [
        {**entry("project services p", 0, 3), "foundation": True},
        entry("network a", 2, 9),  # did not need them: it began before they were there
        entry("network b", 3, 8),
    ]
    assert [work.resource for work in longest_chain(merge(timeline))] == ["project services p", "network b"]


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=8))
def test_no_chain_is_longer_than_the_whole(spans: list[tuple[float, float]]) -> None:
    timeline = [entry(f"r{i}", a, a + b, f"r{i - 1}") for i, (a, b) in enumerate(spans)]
    works = merge(timeline)
    whole = max((work.ended for work in works), default=0) - min((work.began for work in works), default=0)
    assert sum(work.seconds for work in longest_chain(works)) <= whole + 0.05 * len(works)


def test_the_sentence_names_the_chain() -> None:
    said = sentence(a_run())
    assert "Google took 62.0 s on the longest chain (network a > cluster c > pool)" in said
    assert "the run took 65.0 s" in said
    assert sentence(Run("x", 0, 5)) == ""


def test_the_page_is_whole_by_itself_and_escapes_what_it_shows() -> None:
    text = page(a_run())
    assert not re.search(r'(src|href)="(?!https://cd\.ml\.acme\.example/)', text)
    assert 'href="https://cd.ml.acme.example/"' in text
    assert "<script" not in text
    assert "url(http" not in text
    assert "Make &lt;it&gt;" in text
    assert "create network a" in text
    assert "&#9670; create cluster c" in text


def test_a_failed_run_says_what_went_wrong() -> None:
    run = a_run()
    run.failures.append("Network: no <quota>")
    assert "failed</span>" in page(run)
    assert "no &lt;quota&gt;" in page(run)


def test_what_is_exposed_is_told_where_it_is_served() -> None:
    applications = {"mlflow": {"to": []}, "argocd": {"to": [], "host": "cd"}}
    assert run_report.sites("ml.acme.example", applications) == [
        "https://mlflow.ml.acme.example/",
        "https://cd.ml.acme.example/",
    ]


def test_of_a_shared_folder_only_old_reports_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed: index.html of a shared folder was removed, and the new report itself where clocks differ."""
    names = ["index.html", "2026-notes.html", *(f"2031-01-{day:02}-120000-site-77.html" for day in range(1, 26))]
    for name in names:
        (tmp_path / name).write_text("x")
    callback = run_report.CallbackModule()
    path = callback._write(tmp_path)
    left = {old.name for old in tmp_path.iterdir()}
    assert {"index.html", "2026-notes.html", path.name} <= left
    assert len(left) == 2 + run_report.KEPT
    assert path.stat().st_mode & 0o777 == 0o600
