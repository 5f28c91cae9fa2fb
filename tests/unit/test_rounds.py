"""The sum that all tests end with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import __main__ as rounds

REPORT = '<testsuites><testsuite tests="7" failures="1" errors="2" skipped="1"/></testsuites>'


def test_counts_of_a_report(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(REPORT)
    assert rounds.counts(tmp_path / "a.xml") == {"passed": 3, "failed": 3, "skipped": 1}
    assert rounds.counts(tmp_path / "missing.xml") == {}


def test_a_round_that_fails_or_takes_too_long_has_not_succeeded(capfd: pytest.CaptureFixture[str]) -> None:
    assert rounds.run("good", ["true"])
    assert not rounds.run("bad", ["sh", "-c", "exit 3"])
    assert not rounds.run("slow", ["sleep", "60"], 1)
    said = capfd.readouterr().out
    assert "bad: failed with exit status 3" in said
    assert "slow: was stopped, for it took longer than 1 s" in said


def test_what_breaks_off_counts_as_failed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for scenario in ("one", "two"):
        (tmp_path / "molecule" / scenario).mkdir(parents=True)
        (tmp_path / "molecule" / scenario / "molecule.yml").touch()
    monkeypatch.setenv("SCENARIO_RESULTS", "")  # put back afterwards
    monkeypatch.setattr(rounds, "ROOT", tmp_path)
    monkeypatch.setattr(rounds, "run", lambda title, command, seconds=None: "scenario" in title)
    assert rounds.main() == 1
    assert capfd.readouterr().out.splitlines()[-1].startswith("2 passed, 2 failed, 0 skipped")
