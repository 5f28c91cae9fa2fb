"""One error for everything that can go wrong between the playbooks, Git and Argo CD."""

from __future__ import annotations


class HandOffError(Exception):
    """What was tried, on what, and why it failed; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\n{hint}")
        self.hint = hint
