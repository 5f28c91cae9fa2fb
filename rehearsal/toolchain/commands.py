"""Runs other programs for the toolchain, and turns their failure into one readable error."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.toolchain.progress import ToolchainError


def run(
    command: Sequence[str | Path], advice: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Runs `command` and returns its standard output.

    Raises ToolchainError with its last 15 lines and `advice` when it is missing or fails.
    """
    words = [str(word) for word in command]
    try:
        outcome = subprocess.run(  # noqa: S603  # the toolchain's own fixed commands
            words, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as missing:
        raise ToolchainError(f"could not run {words[0]}: it is not installed. {advice}") from missing
    if outcome.returncode:
        last = "\n".join((outcome.stderr or outcome.stdout).strip().splitlines()[-15:])
        raise ToolchainError(f"`{' '.join(words)[:300]}` failed (exit {outcome.returncode}):\n{last}\n{advice}")
    return outcome.stdout
