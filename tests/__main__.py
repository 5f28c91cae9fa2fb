"""All tests in rounds, and their sum as the last line: python -m tests

What needs no world runs on all cores; what does runs one after the other, then molecule's scenarios. Later rounds run
even where an earlier one failed, so that one run tells everything. Exits with 1 if anything failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
TEST_SECONDS = 600
SCENARIO_SECONDS = 1800
PYTEST = (sys.executable, "-m", "pytest", "tests", f"--timeout={TEST_SECONDS}", "-p", "no:cacheprovider")
# in the order of the files: by number of tests the few that take minutes would come last, one core idle beside them
WORKERS = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder")


def run(title: str, command: list[str], seconds: int | None = None) -> bool:
    """Run one round; True if it succeeded."""
    print(f"\n== {title}", flush=True)
    begun = time.monotonic()
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    try:
        status = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **programs}, timeout=seconds, check=False
        ).returncode
        ended = "succeeded" if status == 0 else f"failed with exit status {status}"
    except subprocess.TimeoutExpired:
        ended = f"was stopped, for it took longer than {seconds} s"
    print(f"== {title}: {ended} ({time.monotonic() - begun:.0f} s)", flush=True)
    return ended == "succeeded"


def counts(report: Path) -> Counter[str]:
    """How many tests of a JUnit report passed, failed and were skipped."""
    found: Counter[str] = Counter()
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314 - pytest wrote it just now
            number = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
            found["failed"] += number["failures"] + number["errors"]
            found["skipped"] += number["skipped"]
            found["passed"] += number["tests"] - number["failures"] - number["errors"] - number["skipped"]
    return found


def main() -> int:
    """Returns the exit status."""
    begun = time.monotonic()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["SCENARIO_RESULTS"] = name
        rounds: list[tuple[str, Path, list[str], int | None]] = [
            ("tests without a world", folder / "a.xml", [*PYTEST, *WORKERS, "-m", "not world"], None),
            ("tests in sealed worlds", folder / "b.xml", [*PYTEST, "-m", "world"], None),
        ]
        rounds = [(title, report, [*line, f"--junitxml={report}"], limit) for title, report, line, limit in rounds]
        for scenario in sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")):
            line = ["molecule", "test", "--scenario-name", scenario]
            rounds.append((f"molecule scenario {scenario}", folder / f"{scenario}.xml", line, SCENARIO_SECONDS))
        for title, report, command, limit in rounds:
            succeeded = run(title, command, limit)
            seen = counts(report)
            if command[0] == "molecule":  # its steps are a test, too
                seen["passed" if succeeded else "failed"] += 1
            elif not succeeded and not seen["failed"]:
                seen["failed"] += 1  # pytest itself broke off
            total += seen
    print(f"\n== all rounds: {time.monotonic() - begun:.0f} s")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
