"""The cluster as the playbooks, its tenants and its pods see it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

ROOT = Path(__file__).resolve().parents[3]
POD_SECONDS = 180.0
SECONDS_BETWEEN_LOOKS = 0.5


@pytest.fixture(scope="session")
def kubeconfig(play: Callable[..., str]) -> Iterator[Path]:
    """The way to the cluster, opened and closed as site.yml does: through IAP and the bastion."""
    play("playbooks/cluster.yml", "-e", "cluster_access_stays=true")
    yield Path(os.environ["XDG_STATE_HOME"]) / "mlops-platform" / "acme-mlops" / "mlops" / "kubeconfig"
    play("playbooks/close.yml")


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> client.ApiClient:
    """A client of the cluster as the deploying account."""
    return config.new_client_from_config(str(kubeconfig))


@pytest.fixture(scope="session")
def cluster_as(cluster: client.ApiClient) -> Callable[[str], client.ApiClient]:
    """Makes clients that bring the Google access token of a person."""

    def build(email: str) -> client.ApiClient:
        token = _token_of(email)
        settings = client.Configuration()
        settings.host = cluster.configuration.host
        settings.ssl_ca_cert = cluster.configuration.ssl_ca_cert
        settings.tls_server_name = cluster.configuration.tls_server_name
        settings.api_key = {"authorization": f"Bearer {token}"}
        return client.ApiClient(settings)

    return build


def _token_of(email: str) -> str:
    """A person's access token. The office, where these tests are, is not given any: so this asks from the world itself,
    which the namespace of its first process is."""
    program = (
        "import json, sys, urllib.request as u;"
        "r = u.Request('https://emulator.internal/tokens', sys.stdin.buffer.read(),"
        " {'Content-Type': 'application/json'});"
        "print(json.load(u.urlopen(r, timeout=30))['access_token'])"
    )
    argv = ["nsenter", "--net=/proc/1/ns/net", sys.executable, "-c", program]
    wanted = json.dumps({"email": email})
    done = subprocess.run(argv, input=wanted, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def elsewhere(cluster: client.ApiClient) -> Iterator[str]:
    """A namespace that is no project's."""
    core = client.CoreV1Api(cluster)
    core.create_namespace({"metadata": {"name": "elsewhere"}})
    yield "elsewhere"
    core.delete_namespace("elsewhere")


@pytest.fixture(scope="session")
def pod_says(cluster: client.ApiClient) -> Callable[[str, str], str]:
    """Runs a Python program in a pod of a namespace and returns what it prints; it must succeed."""
    core = client.CoreV1Api(cluster)
    image = yaml.safe_load((ROOT / "platform" / "pins.yaml").read_text())["mlflow"]

    def run(namespace: str, program: str) -> str:
        name = f"probe-{uuid.uuid4().hex[:8]}"
        core.create_namespaced_pod(namespace, _pod(name, f"{image['image']}:{image['tag']}", program))
        try:
            phase = _end_of(core, namespace, name)
            said = core.read_namespaced_pod_log(name, namespace)
        finally:
            core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
        assert phase == "Succeeded", said
        return str(said).strip()

    return run


def _end_of(core: client.CoreV1Api, namespace: str, name: str) -> str:
    deadline = time.monotonic() + POD_SECONDS
    while (phase := (pod := core.read_namespaced_pod(name, namespace)).status.phase) in {"Pending", "Running"}:
        assert time.monotonic() < deadline, f"the pod {namespace}/{name} is still {phase}: {pod.status.conditions}"
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return str(phase)


def _pod(name: str, image: str, program: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": ["python3", "-c", program],
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
