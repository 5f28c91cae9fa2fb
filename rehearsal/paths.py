"""Where the rehearsal keeps things outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

APPLICATION = "mlops-rehearsal"
REPOSITORY = Path(__file__).resolve().parent.parent


def _base(own: str, xdg: str, fallback: str) -> Path:
    if explicit := os.environ.get(own):
        return Path(explicit).expanduser().resolve()
    root = os.environ.get(xdg)
    return (Path(root) if root else Path.home() / fallback) / APPLICATION


def cache_dir() -> Path:
    """Programs, images and machine bases, built once per machine; `REHEARSAL_CACHE` moves it."""
    return _base("REHEARSAL_CACHE", "XDG_CACHE_HOME", ".cache")


def state_dir() -> Path:
    """Everything that belongs to running worlds; `REHEARSAL_STATE` moves it."""
    return _base("REHEARSAL_STATE", "XDG_STATE_HOME", ".local/state")


def world_dir(name: str) -> Path:
    """The folder of the world `name`; it may not exist yet."""
    return state_dir() / "worlds" / name
