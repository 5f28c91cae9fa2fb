"""The playbooks that look at a platform and remove it, in a world that holds the cloud layers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until

from .conftest import ROOT, Site, empty_world

pytestmark = pytest.mark.world
WORLD = "test-platform"
LOCK = "mlops-run"
LOCKED_SECONDS = 60.0
LAYERS = ("preflight", "network", "start", "access", "cluster", "data", "edge")
READS = ("get", "list", "List", "getIamPolicy", "testIamPermissions", "getBillingInfo", "search", "getLoginProfile")


def rehearsal(*words: str) -> None:
    """A command of the world's."""
    subprocess.run([sys.executable, "-m", "rehearsal.cli.main", *words], cwd=ROOT, check=True, capture_output=True)


def play(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return site.inside(program, "-i", "inventories/rehearsal", *words)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A world with all that Google makes; what GKE leaves behind stays, as it does."""
    with empty_world(WORLD, tmp_path_factory.mktemp("state")) as site:
        rehearsal("limits", "--world", WORLD, "leftovers=true")
        done = play(site, *(f"playbooks/{name}.yml" for name in LAYERS), "--skip-tags", "system")
        assert done.returncode == 0, done.stdout[-4000:]
        yield site


def writes(site: Site, since: int) -> list[str]:
    return [call["method"] for call in site.calls(since) if not call["method"].endswith(READS)]


def last(site: Site) -> int:
    """The newest call's number, once the watcher of the run before has released the lock."""
    until(lambda: not _locked(site), "the run before to release its lock", LOCKED_SECONDS)
    return site.newest_call()


def _locked(site: Site) -> bool:
    """Whether the secret that is the lock is there (roles/run_lock)."""
    held = json.loads(site.ask("/state/dump"))["resources"]
    return any(item["key"].endswith(f"/secrets/{LOCK}") for item in held)


def test_without_drift_the_status_is_0(site: Site) -> None:
    before = last(site)
    done = play(site, "playbooks/status.yml")
    assert done.returncode == 0, done.stdout
    assert done.stdout.strip().endswith("Everything in Google Cloud is as the settings say")
    assert "firewall rule gke-mlops-" in done.stdout
    assert writes(site, before) == []


def test_drift_is_a_table_and_the_status_2_and_nothing_is_changed(site: Site) -> None:
    before = last(site)
    other = {
        "network": {"mtu": 1500, "private_services": {"range": "10.41.0.0/20"}},
        "bastion": {"machine_type": "e2-medium"},
    }
    done = play(site, "playbooks/status.yml", "-e", json.dumps(other))
    assert done.returncode == 2, done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["network", "mlops", "mtu", "1460", "1500", "yes"] in rows
    assert ["private", "services", "range", "mlops-private-services", "address", "10.40.0.0", "10.41.0.0", "no"] in rows
    assert any("machineType" in row and row[-1] == "no" for row in rows)
    assert done.stdout.strip().endswith("3 differences between Google Cloud and the settings")
    assert writes(site, before) == []


@pytest.mark.parametrize("playbook", ["gitops", "acceptance"])
def test_without_a_cluster_nothing_is_skipped_in_silence(site: Site, playbook: str) -> None:
    done = play(site, f"playbooks/{playbook}.yml", "-e", json.dumps({"cluster": {"name": "other"}}))
    assert done.returncode == 2, done.stdout
    assert "There is no way to the cluster other" in done.stdout
    assert "playbooks/cluster.yml first" in done.stdout


@pytest.mark.parametrize("words", [[], ["confirm=acme-other", "keep_data=no"], ["confirm=acme-mlops"]])
def test_a_teardown_that_nobody_confirmed_touches_nothing(site: Site, words: list[str]) -> None:
    before = last(site)
    done = play(site, "playbooks/teardown.yml", *(part for word in words for part in ("-e", word)))
    assert done.returncode == 2
    assert "-e confirm=acme-mlops" in done.stdout + done.stderr
    assert site.calls(before) == []


def test_a_teardown_keeps_data_or_lets_it_go_and_proves_what_is_left(site: Site) -> None:
    kept = play(site, "playbooks/teardown.yml", "-e", "confirm=acme-mlops", "-e", "keep_data=yes")
    assert kept.returncode == 0, kept.stdout[-3000:]
    assert "delete firewall rule k8s-fw-" in kept.stdout
    table = kept.stdout.split("Still there")[1].split("TASK [")[0]
    stores = ("bucket acme-mlops-mlops-artifacts", "database instance mlops-mlflow")
    for thing in (*stores, "network mlops", "DNS zone ml-acme-example"):
        assert thing in table
    assert "Kept, without records: the DNS zone of ml.acme.example" in kept.stdout.strip().splitlines()[-1]
    assert "cluster mlops" not in table
    gone = play(site, "playbooks/teardown.yml", "-e", "confirm=acme-mlops", "-e", "keep_data=no")
    assert gone.returncode == 0, gone.stdout[-3000:]
    assert "Nothing of the platform is left in acme-mlops." in gone.stdout
    assert "still delegated to ns-cloud-" in gone.stdout.strip().splitlines()[-1]
    again = play(site, "playbooks/teardown.yml", "-e", "confirm=acme-mlops", "-e", "keep_data=no")
    assert again.returncode == 0
    assert "changed=0" in again.stdout
