"""All tests in rounds, and their sum as the last line: python -m tests

What needs no world runs on all cores; what does runs one after the other, then molecule's scenarios. Later rounds run
even where an earlier one failed, so that one run tells everything; what failed is said again at the end, for many logs
are only seen from there. Exits with 1 if anything failed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
TEST_SECONDS = 600
SCENARIO_SECONDS = 1800
SHOWN_LINES = 20
LONGEST_LINE = 500
DECORATION = re.compile(r"\x1b\[[0-9;]*m|^\d{4}-\d\d-\d\d [\d:,]+ p=.*?\| ", re.MULTILINE)
PYTEST = (sys.executable, "-m", "pytest", "tests", f"--timeout={TEST_SECONDS}", "-p", "no:cacheprovider")
# in the order of the files: by number of tests the few that take minutes would come last, one core idle beside them
WORKERS = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder")


def run(title: str, command: list[str], seconds: int | None = None, log: Path | None = None) -> bool:
    """Run one round; True if it succeeded. Ansible writes into `log` what it prints, without colours and frames."""
    print(f"\n== {title}", flush=True)
    begun = time.monotonic()
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    noted = {"ANSIBLE_LOG_PATH": str(log)} if log else {}
    try:
        status = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **programs, **noted}, timeout=seconds, check=False
        ).returncode
        ended = "succeeded" if status == 0 else f"failed with exit status {status}"
    except subprocess.TimeoutExpired:
        ended = f"was stopped, for it took longer than {seconds} s"
    print(f"== {title}: {ended} ({time.monotonic() - begun:.0f} s)", flush=True)
    return ended == "succeeded"


def results(report: Path) -> tuple[Counter[str], list[str]]:
    """How many tests of a JUnit report passed, failed and were skipped; and a line for each that failed."""
    found: Counter[str] = Counter()
    failed: list[str] = []
    if report.exists():
        for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it just now
            troubles = [part for part in case if part.tag in ("failure", "error")]
            found["failed" if troubles else "skipped" if case.find("skipped") is not None else "passed"] += 1
            for trouble in troubles:
                reason = (trouble.get("message") or "").partition("\n")[0]
                failed.append(f"{case.get('classname')}::{case.get('name')}: {reason[:LONGEST_LINE]}")
    return found, failed


def broke_off(output: str) -> Iterator[str]:
    """The lines of Ansible's output that tell what it failed on, be it in a playbook that a task of it ran."""
    lines = DECORATION.sub("", output).splitlines()
    fatal = [number for number, line in enumerate(lines) if line.startswith("fatal: ")]
    if not fatal:
        yield from lines[-SHOWN_LINES:]
        return
    line = lines[fatal[-1]]
    try:
        result = json.loads(line.partition(" => ")[2])
    except ValueError:
        result = {}
    if said := "\n".join(filter(None, (result.get("stdout"), result.get("stderr")))):
        yield from broke_off(said)
    else:
        yield from lines[fatal[-1] :][:SHOWN_LINES]


def rounds(folder: Path) -> Iterator[tuple[str, list[str], Path, Path | None]]:
    """Each round's title, command, JUnit report, and the log that is kept of it."""
    yield "tests without a world", [*PYTEST, *WORKERS, "-m", "not world"], folder / "a.xml", None
    yield "tests in sealed worlds", [*PYTEST, "-m", "world"], folder / "b.xml", None
    for name in sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")):
        command = ["molecule", "test", "--scenario-name", name]
        yield f"molecule scenario {name}", command, folder / f"{name}.xml", folder / f"{name}.log"


def main() -> int:
    """Returns the exit status."""
    begun = time.monotonic()
    total: Counter[str] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        os.environ["SCENARIO_RESULTS"] = name
        for title, command, report, log in rounds(Path(name)):
            if log:  # a scenario, whose steps are a test, too
                succeeded = run(title, command, SCENARIO_SECONDS, log)
            else:
                succeeded = run(title, [*command, f"--junitxml={report}"])
            seen, failed = results(report)
            no_test_tells = not (succeeded or failed)
            if log or no_test_tells:
                seen["passed" if succeeded else "failed"] += 1
            if no_test_tells:
                said = log.read_text() if log and log.exists() else ""
                failed = [title, *(f"    {line[:LONGEST_LINE]}" for line in broke_off(said))]
            total += seen
            failures += failed
    print(f"\n== all rounds: {time.monotonic() - begun:.0f} s", *failures, sep="\n")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
