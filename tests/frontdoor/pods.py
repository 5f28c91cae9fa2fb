"""A small application in the cluster, for the front door to lead to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from . import echo

PINS = Path(__file__).resolve().parents[2] / "platform" / "pins.yaml"


def manifests(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pod that tells what reaches it, and the Service *name* of it at port 80."""
    mlflow = yaml.safe_load(PINS.read_text())["mlflow"]
    # As the namespaces of projects want their pods.
    safe = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "name": "echo",
        "image": f"{mlflow['image']}:{mlflow['tag']}",  # it is in every world, and has Python
        "command": ["python3", "-c", Path(echo.__file__).read_text(), "0.0.0.0", name, "8080"],  # noqa: S104 - in a pod
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    metadata = {"name": name, "labels": {"app": name}}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container], "securityContext": safe},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": name}, "ports": ports},
    }
    return pod, service
