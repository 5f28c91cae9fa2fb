"""Where the recordings and documents lie that the tests are held to; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared(*parts: str) -> Path:
    """A path below `SHARED` (default: the folder `shared` beside the checkout); skips the test where it is absent."""
    path = Path(os.environ.get("SHARED") or ROOT.parent / "shared").joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there (set SHARED to the folder of the recordings and documents)")
    return path


def recordings() -> Path:
    """The folder of the recordings: `RECORDINGS`, else below `SHARED`."""
    given = os.environ.get("RECORDINGS")
    return Path(given) if given else shared("recordings")
