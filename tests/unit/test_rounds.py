"""The sum that all tests end with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import __main__ as rounds

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="good"/>
<testcase classname="tests.a" name="left"><skipped message="no shared"/></testcase>
<testcase classname="tests.a" name="bad"><failure message="assert 1 == 2&#10;where 1 = one()">long</failure></testcase>
<testcase classname="tests.a" name="worse"><error message="fixture failed">long</error></testcase>
</testsuite></testsuites>"""
INNER = """TASK [gke : The cluster]
fatal: [localhost]: FAILED! => {"changed": false, "msg": "cluster c: QUOTA_EXCEEDED"}
PLAY RECAP
"""


def test_results_of_a_report(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(REPORT)
    counts, failed = rounds.results(tmp_path / "a.xml")
    assert counts == {"passed": 1, "failed": 2, "skipped": 1}
    assert failed == ["tests.a::bad: assert 1 == 2", "tests.a::worse: fixture failed"]
    assert rounds.results(tmp_path / "missing.xml") == ({}, [])


def test_a_round_that_fails_or_takes_too_long_has_not_succeeded(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert rounds.run("good", ["true"])
    assert not rounds.run("bad", ["sh", "-c", 'echo why > "$ANSIBLE_LOG_PATH"; exit 3'], log=tmp_path / "bad.log")
    assert not rounds.run("slow", ["sleep", "60"], 1)
    said = capfd.readouterr().out
    assert "bad: failed with exit status 3" in said
    assert "slow: was stopped, for it took longer than 1 s" in said
    assert (tmp_path / "bad.log").read_text() == "why\n"


def test_what_a_scenario_failed_on_is_taken_from_the_playbook_that_it_ran() -> None:
    mark = "2026-11-27 06:57:36,123 p=77 u=root n=ansible INFO| "
    coloured = f"\x1b[0;31m{INNER}\x1b[0m"
    failure = f"{mark}fatal: [localhost]: FAILED! => "
    outer = f"{failure}{json.dumps({'rc': 2, 'stdout': coloured})}\n{mark}PLAY RECAP\n"
    assert list(rounds.broke_off(outer)) == INNER.splitlines()[1:]
    plain = f"{failure}{json.dumps({'rc': 1, 'stdout': '', 'stderr': 'no nodes here'})}\n"
    assert list(rounds.broke_off(plain)) == ["no nodes here"]
    assert list(rounds.broke_off("WARNING\nno such driver")) == ["WARNING", "no such driver"]
    assert list(rounds.broke_off("")) == []


def test_what_breaks_off_counts_as_failed_and_is_said_again(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for scenario in ("one", "two"):
        (tmp_path / "molecule" / scenario).mkdir(parents=True)
        (tmp_path / "molecule" / scenario / "molecule.yml").touch()
    monkeypatch.setenv("SCENARIO_RESULTS", "")  # put back afterwards
    monkeypatch.setattr(rounds, "ROOT", tmp_path)

    def run(title: str, command: list[str], seconds: int | None = None, log: Path | None = None) -> bool:
        if log:
            log.write_text(INNER)
        return title == "molecule scenario one"

    monkeypatch.setattr(rounds, "run", run)
    assert rounds.main() == 1
    said = capfd.readouterr().out.splitlines()
    assert said[-1] == "1 passed, 3 failed, 0 skipped"
    assert said[2:5] == ["tests without a world", "tests in sealed worlds", "molecule scenario two"]
    assert "QUOTA_EXCEEDED" in said[5]
