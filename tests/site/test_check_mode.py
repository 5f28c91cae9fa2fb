"""--check on an empty project tells what would be made, and makes nothing."""

from __future__ import annotations

import hashlib
import re
import subprocess

import pytest

from rehearsal.world import record

from .conftest import WORLD, Site

pytestmark = pytest.mark.world
READS = {"get", "list", "aggregatedList", "getIamPolicy", "testIamPermissions", "search", "getBillingInfo"}


def state(site: Site) -> tuple[str, str]:
    """The emulator's state, as it tells it and as the bytes of its file."""
    content = (record.load(WORLD).folder / "google" / "state.db").read_bytes()
    return site.ask("/state/dump"), hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def before(site: Site) -> tuple[tuple[str, str], int]:
    """State and last call before the playbook ran."""
    return state(site), site.newest_call()


@pytest.fixture(scope="module")
def checked(site: Site, before: tuple[tuple[str, str], int]) -> subprocess.CompletedProcess[str]:
    """site.yml --check --diff on the empty project."""
    return site.play("--check", "--diff")


def test_it_succeeds(checked: subprocess.CompletedProcess[str]) -> None:
    assert checked.returncode == 0, checked.stdout[-4000:] + checked.stderr[-2000:]
    assert re.search(r"localhost +: ok=\d+ +changed=[1-9]\d* +unreachable=0 +failed=0", checked.stdout)


@pytest.mark.parametrize(
    "name",
    [
        "compute.googleapis.com",
        "network mlops (wanted)",
        "mlops-europe-west1",
        "mlops-router",
        "mlops-iap-ssh",
        "mlops-bastion",
        "cluster mlops (wanted)",
        "acme-mlops-mlops-artifacts",
        "mlops-mlflow",
        "forwarding rule mlops-redirect (wanted)",
    ],
)
def test_it_tells_what_would_be_made(checked: subprocess.CompletedProcess[str], name: str) -> None:
    assert name in checked.stdout


def test_it_changes_nothing(
    site: Site, before: tuple[tuple[str, str], int], checked: subprocess.CompletedProcess[str]
) -> None:
    assert checked.returncode == 0
    assert state(site) == before[0]


def test_it_only_reads(
    site: Site, before: tuple[tuple[str, str], int], checked: subprocess.CompletedProcess[str]
) -> None:
    calls = site.calls(before[1])
    assert calls, "the emulator saw the playbook"
    assert checked.returncode == 0
    assert [call["method"] for call in calls if call["method"].rpartition(".")[2] not in READS] == []
