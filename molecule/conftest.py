"""What the emulated cloud of a scenario's world holds, for the scenarios' tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
WORLD = f"molecule-{os.environ.get('MOLECULE_SCENARIO_NAME', 'default')}"


def inside(*command: str) -> str:
    """Standard output of a command in the world."""
    line = [sys.executable, "-m", "rehearsal.cli.main", "run", "--world", WORLD, "--", *command]
    # molecule tells Ansible by variables where its own files are; ours are in ansible.cfg
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(  # noqa: S603
        line, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def resources() -> dict[str, dict[str, Any]]:
    """Every resource by kind and the last part of its key: "compute.networks/mlops"."""
    dump = json.loads(inside("curl", "--silent", "--fail", "https://emulator.internal/state/dump"))
    return {f"{item['kind']}/{item['key'].rpartition('/')[2]}": item["body"] for item in dump["resources"]}


@pytest.fixture(scope="session")
def run_inside() -> Callable[..., str]:
    """Runs a command in the world."""
    return inside
