"""Finding a Kubernetes Service of a world's cluster, for looking at it from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.toolchain.catalog import program_path
from rehearsal.world.commands import run

PREFIX = "service/"
_TARGET = re.compile(r"service/(?P<namespace>[a-z0-9-]+)/(?P<name>[a-z0-9-]+)(?::(?P<port>[a-z0-9-]+))?")


def address(world: Path, target: str) -> str:
    """URL of a ready pod behind `service/NAMESPACE/NAME[:PORT]`. Must run inside the world. Raises RehearsalError."""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise RehearsalError(
            f"show {target}", "that names no Service", "For example: service/argocd/argocd-server:http"
        )
    kubeconfigs = _kubeconfigs(world)
    if not kubeconfigs:
        raise RehearsalError(f"show {target}", "there is no cluster in this world", "Make one: run site.yml in it")
    name, namespace = match["name"], match["namespace"]
    selector = f"--selector=kubernetes.io/service-name={name}"
    slices = _read(kubeconfigs[0], "endpointslices", f"--namespace={namespace}", selector)
    for entry in slices:
        pods = [pod for pod in entry.get("endpoints") or [] if pod.get("conditions", {}).get("ready")]
        ports = [
            port for port in entry.get("ports") or [] if match["port"] in (None, port.get("name"), str(port["port"]))
        ]
        if pods and ports:
            secure = "https" in str(ports[0].get("name", "")) or ports[0]["port"] in (443, 8443)
            return f"{'https' if secure else 'http'}://{pods[0]['addresses'][0]}:{ports[0]['port']}"
    why = "none of its pods is ready" if slices else "there is no such Service"
    raise RehearsalError(f"show {target}", why, f"See what there is: kubectl get services,pods -n {namespace}")


def listed(world: Path) -> list[str]:
    """All Services of the world's clusters but Kubernetes' own, in the form that `address` takes."""
    found = [_read(kubeconfig, "services", "--all-namespaces") for kubeconfig in _kubeconfigs(world)]
    names = [entry["metadata"] for services in found for entry in services if entry["spec"].get("clusterIP") != "None"]
    return [
        f"{PREFIX}{name['namespace']}/{name['name']}"
        for name in names
        if name["namespace"] not in ("kube-system", "default")
    ]


def _kubeconfigs(world: Path) -> list[Path]:
    return sorted((world / "cluster").glob("**/admin.kubeconfig"))


def _read(kubeconfig: Path, *arguments: str) -> list[dict[str, Any]]:
    """The items that `kubectl get ARGUMENTS` finds."""
    kubectl = program_path("kubectl")
    listing = run([kubectl, f"--kubeconfig={kubeconfig}", "get", *arguments, "--output=json"])
    return list(json.loads(listing)["items"])
