"""Cases at the front door, and the table that is made of them: what was tried, what came, and what leaked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .visitor import Answer


@dataclass(frozen=True)
class Case:
    """One thing to try. `refused` cases must never reach a backend: every answer of 200 is a leak."""

    name: str
    send: Callable[[Any], Answer]
    expected: Collection[int]
    refused: bool = False
    told: Callable[[Answer], bool] = lambda answer: True

    def __str__(self) -> str:
        return self.name.replace(" ", "-").replace("/", "_")


@dataclass
class Table:
    """Rows of what was tried."""

    title: str
    rows: list[tuple[str, str, str, int, int]] = field(default_factory=list)

    def add(self, name: str, expected: str, got: str, requests: int = 1, leaks: int = 0) -> None:
        """One row."""
        self.rows.append((name, expected, got, requests, leaks))

    def try_(self, case: Case, place: Any) -> None:
        """Try a case, write its row, and fail unless all is as expected."""
        answer = case.send(place)
        leaks = int(case.refused and answer.status == 200)
        wanted = "/".join(str(status or "no answer") for status in sorted(case.expected))
        self.add(case.name, wanted, str(answer.status or "no answer"), 1, leaks)
        assert answer.status in case.expected, answer
        assert case.told(answer), answer

    def lines(self) -> list[str]:
        """The table, ready to print, with the sums."""
        if not self.rows:
            return []
        width = max(len(row[0]) for row in self.rows)
        head = ("case", "expected", "got", "requests", "leaks")
        lines = [
            f"{name:<{width}}  {wanted:<16} {got:<16} {count:>8} {leaks:>5}"
            for name, wanted, got, count, leaks in [head, *self.rows]
        ]
        requests, leaks = sum(row[3] for row in self.rows), sum(row[4] for row in self.rows)
        return [self.title, *lines, f"{len(self.rows)} cases, {requests} requests, {leaks} leaks"]

    def write(self, folder: Path | None) -> None:
        """Print it, and keep it where the scenario's last step shows it."""
        text = "\n".join(self.lines())
        print(f"\n{text}")
        if folder:
            (folder / "table.txt").write_text(f"{text}\n")
