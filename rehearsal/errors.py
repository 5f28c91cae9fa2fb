"""One error class, so that every failure a user meets says the same four things."""

from __future__ import annotations


class RehearsalError(Exception):
    """What was tried (and on what), why it failed, and what to do about it."""

    def __init__(self, tried: str, why: str, advice: str) -> None:
        super().__init__(f"{tried}: {why}. {advice}")
        self.tried = tried
        self.why = why
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.tried}\n  why:  {self.why}\n  do:   {self.advice}"
