"""Clients that are none of ours, unchanged: the modules of google.cloud, and googleapiclient."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rehearsal.google.testing import PROJECT, Emulator, running
from tests.google.test_core import enable

FOREIGN = Path(__file__).parent / "foreign"
SECONDS = 240.0


def _environment(cloud: Emulator, folder: Path) -> dict[str, str]:
    """Of a program for which Google is the emulator."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **inherited,
        "PYTHONPATH": str(FOREIGN),
        "EMULATOR_PORT": cloud.url.rpartition(":")[2],
        "REQUESTS_CA_BUNDLE": str(cloud.ca),
        "HTTPLIB2_CA_CERTS": str(cloud.ca),
        "GOOGLE_APPLICATION_CREDENTIALS": str(cloud.credentials),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "ansible"),
    }


def _token_uri(cloud: Emulator) -> None:
    """The key's tokens come from Google's own address, which is the emulator's too."""
    text = cloud.credentials.read_text().replace(cloud.url, "https://oauth2.googleapis.com")
    cloud.credentials.write_text(text)


def test_modules_of_google_cloud(tmp_path: Path) -> None:
    with running(tmp_path, tls=True) as cloud:
        _token_uri(cloud)
        enable(cloud, "compute.googleapis.com", "container.googleapis.com")
        variables = f"project={PROJECT} credentials={cloud.credentials} ansible_python_interpreter={sys.executable}"
        playbook = str(Path(sys.executable).parent / "ansible-playbook")
        command = [playbook, "-i", "localhost,", "-c", "local", "-e", variables, str(FOREIGN / "playbook.yml")]
        environment = _environment(cloud, tmp_path)
        (tmp_path / "ansible.cfg").touch()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
        for name in ("network", "address", "firewall", "instance", "cluster"):
            assert f"(item={name})" in done.stdout
        assert cloud.request("GET", f"/compute/v1/projects/{PROJECT}/global/networks")[1].get("items") is None


PROGRAM = f"""
import googleapiclient.errors, googleapiclient.discovery as d
compute = d.build("compute", "v1", static_discovery=True)
body = {{"name": "n", "autoCreateSubnetworks": False}}
operation = compute.networks().insert(project="{PROJECT}", body=body).execute()
compute.globalOperations().wait(project="{PROJECT}", operation=operation["name"]).execute()
print([item["name"] for item in compute.networks().list(project="{PROJECT}").execute()["items"]])
batch = compute.new_batch_http_request(callback=lambda number, answer, error: print(answer["name"], error))
batch.add(compute.networks().get(project="{PROJECT}", network="n"))
batch.execute()
storage = d.build("storage", "v1", static_discovery=True)
print(storage.buckets().insert(project="{PROJECT}", body={{"name": "foreign-bucket"}}).execute()["location"])
try:
    compute.networks().get(project="{PROJECT}", network="other").execute()
except googleapiclient.errors.HttpError as error:
    print(error.status_code, error.reason)
"""


def test_googleapiclient(tmp_path: Path) -> None:
    with running(tmp_path, tls=True) as cloud:
        _token_uri(cloud)
        enable(cloud, "compute.googleapis.com", "storage.googleapis.com")
        command, environment = [sys.executable, "-c", PROGRAM], _environment(cloud, tmp_path)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        missing = f"404 The resource 'projects/{PROJECT}/global/networks/other' was not found"
        assert done.stdout.splitlines() == ["['n']", "n None", "US", missing]
