"""What is noted of a run, and the longest chain of Google's work in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SLACK_SECONDS = 0.05  # what began so little before its need ended began after it


@dataclass
class Task:
    """One task on one host. Times are seconds since 1970; ``status`` is ok, changed, skipped, failed or unreachable."""

    name: str
    role: str
    host: str
    began: float
    ended: float = 0.0
    status: str = "ok"

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(self.ended - self.began, 0.0)


@dataclass
class Work:
    """What one resource took: from the first request until it was ready, over all tasks that had to do with it.

    ``foundation``: what begins after it needs it, and need not say so.
    """

    resource: str
    action: str
    began: float
    ended: float
    link: str = ""
    needs: frozenset[str] = frozenset()
    foundation: bool = False
    critical: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(self.ended - self.began, 0.0)

    def needs_work(self, other: Work) -> bool:
        """Whether it could not begin before *other* had ended."""
        named = other.foundation or other.resource in self.needs or (other.link and other.link in self.needs)
        return bool(named) and other.ended <= self.began + SLACK_SECONDS


@dataclass
class Run:
    """A whole run, as it is noted."""

    playbook: str
    began: float
    ended: float = 0.0
    project: str = ""
    check: bool = False
    sites: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took in all."""
        return max(self.ended - self.began, 0.0)

    def note(self, result: Mapping[str, Any]) -> None:
        """Take over what a module of this project returned."""
        if result.get("changed"):
            self.changes += [str(line) for line in result.get("plan") or []]
        self.timeline += [dict(entry) for entry in result.get("timeline") or [] if isinstance(entry, Mapping)]
        for entry in result.get("resources") or []:
            if isinstance(entry, Mapping) and "title" in entry:
                self.resources[str(entry["title"])] = str(entry.get("state", ""))

    def work(self) -> list[Work]:
        """Google's work by resource, in the order it began; those on the longest chain are marked."""
        found = merge(self.timeline)
        for work in longest_chain(found):
            work.critical = True
        return found


def merge(timeline: Iterable[Mapping[str, Any]]) -> list[Work]:
    """An entry for each piece of work: what was started in one task and waited for in another is one."""
    found: list[Work] = []
    latest: dict[str, Work] = {}
    for entry in sorted(timeline, key=lambda entry: float(entry["began"])):
        name, action = str(entry["resource"]), str(entry["action"])
        began, ended = float(entry["began"]), float(entry["ended"])
        if name in latest and action == "wait":
            latest[name].ended = max(latest[name].ended, ended)
            continue
        needs = frozenset(map(str, entry.get("needs") or ()))
        link, foundation = str(entry.get("link", "")), bool(entry.get("foundation"))
        latest[name] = Work(name, action, began, ended, link, needs, foundation)
        found.append(latest[name])
    return found


def longest_chain(works: Sequence[Work]) -> list[Work]:
    """The chain of works, each needing the one before, that takes longest in all: no run can be faster than it."""
    best: list[tuple[float, int | None]] = []  # for each work: the chain that ends with it, and the one before it
    ordered = sorted(works, key=lambda work: work.ended)
    for work in ordered:
        before = [place for place, other in enumerate(ordered[: len(best)]) if work.needs_work(other)]
        first = max(before, key=lambda place: best[place][0], default=None)
        best.append((work.seconds + (0.0 if first is None else best[first][0]), first))
    chain: list[Work] = []
    last = max(range(len(best)), key=lambda place: best[place][0], default=None)
    while last is not None:
        chain.append(ordered[last])
        last = best[last][1]
    return chain[::-1]


def sentence(run: Run) -> str:
    """The run's time and the longest chain of Google's work, for the terminal; '' where Google did nothing."""
    chain = [work for work in run.work() if work.critical]
    total = sum(work.seconds for work in chain)
    if not chain or total < 1:
        return ""
    names = [work.resource for work in chain]
    shown = " > ".join(names if len(names) <= 4 else [*names[:2], "...", *names[-2:]])
    return f"Google took {total:.1f} s on the longest chain ({shown}); the run took {run.seconds:.1f} s."
