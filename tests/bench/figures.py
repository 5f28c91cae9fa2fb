"""What a benchmark returns."""

from __future__ import annotations

from dataclasses import dataclass


class Unmeasurable(Exception):
    """Something that the benchmark needs is not there; the text says what, and where it is looked for."""


@dataclass(frozen=True)
class Figure:
    """One measured value; `aim` is what it should at least be, or at most where `less` is better."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    less: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        return self.value <= self.aim if self.less else self.value >= self.aim
