"""A machine behind IAP, from the API call that makes it to Ansible inside it; and who may not enter."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.machines import base

from .conftest import REPOSITORY, Lab

pytestmark = pytest.mark.world
PLAYBOOK = Path(__file__).with_name("bastion.yml")
ANSIBLE = (sys.executable, "-m", "ansible", "playbook")
TUNNEL = REPOSITORY / "plugins" / "module_utils" / "gcloud" / "tunnel_cli.py"
REAL = os.geteuid() == 0 and base.exists(base.current())


@pytest.fixture(scope="module")
def bastion(make_lab: Callable[[], Lab], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A world with the machine in it, made by the playbook."""
    lab = make_lab()
    started = lab.cli("up", "--nodes", "none")
    assert started.returncode == 0, started.stderr
    key = tmp_path_factory.mktemp("ssh") / "key"
    done = lab.run(
        *(*ANSIBLE, "-i", "localhost,", str(PLAYBOOK)),
        *("-e", f"key_file={key}", "-e", f'{{"systemd": {str(REAL).lower()}}}'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unreachable=0    failed=0" in done.stdout
    return lab


def _refusal(lab: Lab, *options: str) -> str:
    """The error of a tunnel that the relay refuses."""
    words = ("--project", "acme-mlops", "--zone", "europe-west1-b", "--instance", "lab-bastion", *options)
    done = lab.run(sys.executable, str(TUNNEL), *words)
    assert done.returncode == 255
    assert done.stdout == "", "standard output carries payload only"
    return done.stderr


def test_status_says_what_the_machine_is(bastion: Lab) -> None:
    line = next(line for line in bastion.cli("status").stdout.splitlines() if "instances/lab-bastion" in line)
    assert ("[systemd] Debian" if REAL else "[sshd] only an SSH server") in line


def test_the_relay_refuses_a_port_that_the_firewall_does_not_admit(bastion: Lab) -> None:
    said = _refusal(bastion, "--port", "8888")
    assert "4003" in said
    assert "firewall" in said


def test_a_machine_that_does_not_exist(bastion: Lab) -> None:
    assert "4047" in _refusal(bastion, "--instance", "nobody")


def test_the_office_reaches_it_only_through_iap(bastion: Lab) -> None:
    program = "import socket; socket.create_connection(('10.20.0.2', 22), timeout=3)"
    assert "No route to host" in bastion.run(sys.executable, "-c", program).stderr
    assert bastion.run(sys.executable, "-c", program, place="world").returncode == 0


_GCLOUD = """
export CLOUDSDK_CONFIG={folder}/config CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE=$SSL_CERT_FILE CLOUDSDK_CORE_DISABLE_PROMPTS=1
gcloud --quiet auth activate-service-account --key-file="$GOOGLE_APPLICATION_CREDENTIALS" --project=acme-mlops &&
gcloud --quiet compute ssh lab-bastion --zone=europe-west1-b --tunnel-through-iap --ssh-key-file={folder}/key \
  --command='hostname && sudo -n id -u'
"""


@pytest.mark.skipif(not (REAL and shutil.which("gcloud")), reason="needs root, the machines' Debian and gcloud")
def test_googles_own_client_gets_in_too(bastion: Lab, tmp_path: Path) -> None:
    done = bastion.run("sh", "-c", _GCLOUD.format(folder=tmp_path))
    assert done.stdout.split()[-2:] == ["lab-bastion", "0"], done.stderr  # after what ssh-keygen says


def test_the_world_ends_with_its_machine(bastion: Lab) -> None:
    """Last in this file: a machine's cgroups, mounts and processes go with the world."""
    assert bastion.cli("down").returncode == 0
    assert bastion.name not in Path("/proc/mounts").read_text()
    left = [path for top in Path("/sys/fs/cgroup").glob("*/rehearsal-*") if bastion.name in (path := str(top))]
    assert left == []
