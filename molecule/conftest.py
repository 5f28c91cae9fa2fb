"""What the scenarios' tests see. They run in the world, in its office: outside the VPC, as the deploying account."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google.auth
import google.auth.transport.requests
import googleapiclient.discovery
import pytest
import testinfra
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[1]
PROJECT, REGION, ZONE = "acme-mlops", "europe-west1", "europe-west1-b"
BASTION = "mlops-bastion"
TUNNEL = ROOT / "plugins" / "module_utils" / "gcloud" / "tunnel_cli.py"
PLAY_SECONDS = 300


def pytest_addoption(parser: pytest.Parser) -> None:
    """--notes: the folder in which molecule/shared/watch.py noted what the playbooks said and started."""
    parser.addoption("--notes", type=Path, help="folder of the scenario's notes")


@pytest.fixture(scope="session")
def notes(pytestconfig: pytest.Config) -> Path:
    """The folder of the scenario's notes."""
    return pytestconfig.getoption("--notes")


@pytest.fixture(scope="session")
def google_api() -> Callable[..., Any]:
    """A client of one of Google's APIs by its name and version."""

    def build(name: str, version: str = "v1") -> Any:
        return googleapiclient.discovery.build(name, version, cache_discovery=False)

    return build


@pytest.fixture(scope="session")
def compute(google_api: Callable[..., Any]) -> Any:
    """A client of Compute Engine."""
    return google_api("compute")


@pytest.fixture(scope="session")
def controller() -> Host:
    """The machine the playbooks run on."""
    return testinfra.get_host("local://")


@pytest.fixture(scope="session")
def play() -> Callable[..., str]:
    """Runs a playbook as a person does and returns what it said; it must succeed."""

    def run(*words: str) -> str:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        line = [program, "-i", "inventories/rehearsal", *words]
        plain = {**os.environ, "ANSIBLE_FORCE_COLOR": "0"}  # molecule asks for colours
        done = subprocess.run(
            line, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=PLAY_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def ssh_config(google_api: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SSH client's configuration for the host `bastion`: through Identity-Aware Proxy, as the deployer."""
    account = "deployer@acme-mlops.iam.gserviceaccount.com"
    profile = google_api("oslogin").users().getLoginProfile(name=f"users/{account}").execute()
    folder = tmp_path_factory.mktemp("ssh")
    (keys,) = Path(os.environ["XDG_STATE_HOME"]).glob("mlops-platform/**/*.pub")
    proxy = f"{sys.executable} {TUNNEL} --project {PROJECT} --zone {ZONE} --instance {BASTION} --port %p"
    file = folder / "config"
    file.write_text(
        f"Host bastion\n  User {profile['posixAccounts'][0]['username']}\n  IdentityFile {keys.with_suffix('')}\n"
        f"  IdentitiesOnly yes\n  ProxyCommand {proxy}\n  StrictHostKeyChecking accept-new\n"
        f"  UserKnownHostsFile {folder}/known_hosts\n  ControlMaster auto\n  ControlPath {folder}/%C\n"
        "  ControlPersist 60\n"
    )
    return file


@pytest.fixture(scope="session")
def bastion(ssh_config: Path) -> Host:
    """The bastion, through Identity-Aware Proxy."""
    return testinfra.get_host("ssh://bastion", ssh_config=str(ssh_config))


@pytest.fixture(scope="session")
def access_token() -> str:
    """A Google access token of the deploying account."""
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    return str(credentials.token)
