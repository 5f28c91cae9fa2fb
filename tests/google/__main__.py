"""`python -m tests.google FOLDER [FILTER] [--json PATH]`: replays a folder of recordings, as `make replay` does.

Prints a line a file and a line a difference, then a summary. Exit status 1 where an answer differs, 2 where the folder
holds no recordings.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.google.replay import NotARecording, Outcome, replay

# Kinds that the platform has no use for: their figure is what the general behaviour gives, and fails nothing.
EXEMPT = ("firewall_policies", "backendBuckets", "instanceTemplates", "instanceGroupManagers", "workloadIdentityPools")
EXEMPT_FILES = ("regional_serverless_cloud_run",)


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """All recordings with their names; those under `_unproven` are no oracle."""
    for path in sorted(folder.rglob("*.json")):
        name = str(path.relative_to(folder).with_suffix(""))
        if not name.startswith("_unproven"):
            yield path, name


def exempt(name: str) -> bool:
    """Whether the platform has no use for what a recording is about."""
    parts = name.split("/")
    return any(part in EXEMPT for part in parts) or parts[-1] in EXEMPT_FILES


def found(folder: Path, wanted: str) -> list[tuple[Path, str]]:
    """The recordings of a folder whose names contain `wanted`.

    Raises:
        NotARecording: the folder does not exist or holds none.
    """
    if not folder.is_dir():
        raise NotARecording(f"{folder} is no folder")
    chosen = [(path, name) for path, name in files(folder) if wanted in name]
    if not chosen:
        what = f" whose name contains {wanted!r}" if wanted else ""
        raise NotARecording(f"{folder} holds no recordings{what} (files <service>/<resource>/<scenario>.json)")
    return chosen


def _replayed(path: Path, name: str) -> Outcome:
    """The outcome of one file; a breakdown of the replay itself fails the file and says what broke, not the run."""
    try:
        return replay(path, name)
    except NotARecording:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"the replay broke down: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        return Outcome(name, total=1, differences=[text], wrong=1)


def show(outcome: Outcome, seconds: float) -> None:
    """A line for the file and one for each difference."""
    word = "pass" if outcome.passed else "FAIL"
    note = "  (no use for the platform: not counted)" if exempt(outcome.name) and not outcome.passed else ""
    right = outcome.total - outcome.wrong
    print(f"{word} {right:>3}/{outcome.total:<3} {seconds:5.2f} s  {outcome.name}{note}", flush=True)
    for item in outcome.differences:
        print(f"     {item}")


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    """Files and answers, and how many of them are as recorded."""
    answers = sum(item.total for item in outcomes)
    right = answers - sum(item.wrong for item in outcomes)
    passed = sum(item.passed for item in outcomes)
    share = round(100 * right / answers, 2) if answers else 100.0
    return {
        "files": len(outcomes),
        "files_passed": passed,
        "answers": answers,
        "answers_right": right,
        "percent": share,
    }


def report(outcomes: list[Outcome], times: dict[str, float]) -> dict[str, Any]:
    """All of a replay as JSON."""
    counted = [item for item in outcomes if not exempt(item.name)]
    return {
        "counted": figures(counted),
        "exempt": figures([item for item in outcomes if exempt(item.name)]),
        "seconds": round(sum(times.values()), 2),
        "files": [
            {
                "name": item.name,
                "passed": item.passed,
                "exempt": exempt(item.name),
                "answers": item.total,
                "wrong": item.wrong,
                "seconds": round(times[item.name], 3),
                "differences": item.differences,
            }
            for item in outcomes
        ],
    }


def main(arguments: list[str] | None = None) -> int:
    """Replays; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make replay", description="Replays recorded Google Cloud traffic.")
    parser.add_argument("folder", type=Path, help="folder of recordings")
    parser.add_argument("filter", nargs="?", default="", help="only recordings whose name contains this")
    parser.add_argument("--json", type=Path, default=None, help="file for the result as JSON")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    times: dict[str, float] = {}
    try:
        for path, name in found(options.folder, options.filter):
            start = time.perf_counter()
            outcomes.append(_replayed(path, name))
            times[name] = time.perf_counter() - start
            show(outcomes[-1], times[name])
    except NotARecording as error:
        print(f"Nothing was compared to the end: {error}", file=sys.stderr)
        print(
            "Give a folder in the format that its README.md describes: make replay RECORDINGS=FOLDER", file=sys.stderr
        )
        return 2
    result = report(outcomes, times)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    for title in ("counted", "exempt"):
        one = result[title]
        print(
            f"{title}: {one['files_passed']} of {one['files']} files, "
            f"{one['answers_right']} of {one['answers']} answers ({one['percent']} %)"
        )
    print(f"{result['seconds']} s")
    return 0 if result["counted"]["files_passed"] == result["counted"]["files"] else 1


if __name__ == "__main__":
    sys.exit(main())
