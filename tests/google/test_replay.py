"""The emulator answers recorded traffic as Google did: no recording that once passed may fail again.

`RECORDINGS` names the folder of the recordings (they are not part of the repository); `replayed.txt` lists what passes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.google.replay import replay

LISTED = (Path(__file__).parent / "replayed.txt").read_text().split()


@pytest.mark.parametrize("name", LISTED)
def test_recording_passes(name: str) -> None:
    folder = os.environ.get("RECORDINGS", "")
    if not folder:
        pytest.skip("RECORDINGS names no folder of recordings")
    path = Path(folder) / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    outcome = replay(path, name)
    assert outcome.total > 0
    assert outcome.passed, "\n".join(outcome.differences)
