"""Finding a Kubernetes Service of a world's cluster, for looking at it from outside."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.hypervisor.processes import end_with_parent
from rehearsal.toolchain.catalog import program_path
from rehearsal.world.commands import run

PREFIX = "service/"
# Namespaces whose HTTP ports serve programs alone.
NOTHING_TO_SEE = {"kube-system", "istio-system", "istio-ingress"}
_FORWARDING = re.compile(r"Forwarding from (?:127\.0\.0\.1|\[::1\]):(?P<port>\d+) ")
_TARGET = re.compile(r"service/(?P<namespace>[a-z0-9-]+)/(?P<name>[a-z0-9-]+)(?::(?P<port>[a-z0-9-]+))?")


async def forward(world: Path, target: str) -> tuple[asyncio.subprocess.Process, str]:
    """A port inside the world that leads to a ready pod of `service/NAMESPACE/NAME[:PORT]`, and its URL.

    As operators do it, with `kubectl port-forward`: a NetworkPolicy that keeps strangers from the pod doesn't matter.
    Must run inside the world; the process ends with the caller. Raises RehearsalError.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        raise RehearsalError(
            f"show {target}", "that names no Service", "For example: service/argocd/argocd-server:http"
        )
    found = kubeconfigs(world)
    if not found:
        raise RehearsalError(f"show {target}", "there is no cluster in this world", "Make one: run site.yml in it")
    name, namespace = match["name"], match["namespace"]
    kubectl = [str(program_path("kubectl")), f"--kubeconfig={found[0]}", f"--namespace={namespace}"]
    port = match["port"] or _first_port(found[0], namespace, name, target)
    process = await asyncio.create_subprocess_exec(
        *kubectl,
        "port-forward",
        f"service/{name}",
        f":{port}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=end_with_parent,
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("asyncio gave no pipes to kubectl")
    said = (await process.stdout.readline()).decode()
    if not (forwarded := _FORWARDING.match(said)):
        reason = (await process.stderr.read()).decode().strip() or said
        advice = f"See what there is: kubectl get services,pods -n {namespace}"
        raise RehearsalError(f"show {target}", reason, advice)
    return process, f"{'https' if port in ('443', 'https') else 'http'}://localhost:{forwarded['port']}"


def _first_port(kubeconfig: Path, namespace: str, name: str, target: str) -> str:
    chosen = f"--field-selector=metadata.name={name}"
    services = _read(kubeconfig, "services", f"--namespace={namespace}", chosen)
    if not services:
        advice = f"See what there is: kubectl get services -n {namespace}"
        raise RehearsalError(f"show {target}", "there is no such Service", advice)
    return str(services[0]["spec"]["ports"][0]["port"])


def listed(world: Path) -> list[str]:
    """The Services that a browser can look at (HTTP) in the world's clusters, in the form that `forward` takes."""
    found = [_read(kubeconfig, "services", "--all-namespaces") for kubeconfig in kubeconfigs(world)]
    names = [
        f"{PREFIX}{entry['metadata']['namespace']}/{entry['metadata']['name']}"
        for services in found
        for entry in services
        if entry["metadata"]["namespace"] not in NOTHING_TO_SEE and any(map(_is_http, entry["spec"].get("ports") or []))
    ]
    return sorted(names, key=lambda name: name.startswith(f"{PREFIX}argocd/"))  # which has no pages in a world


def exposed(world: Path) -> list[str]:
    """Addresses of the sites behind the load balancer: what the ingress gateway has a route for."""
    found = []
    for kubeconfig in kubeconfigs(world):
        try:
            routes = _read(kubeconfig, "virtualservices.networking.istio.io", "--all-namespaces")
        except RehearsalError:
            continue  # a cluster without Istio knows no such thing
        found += [f"https://{host}" for route in routes for host in route["spec"]["hosts"]]
    return sorted(found, key=lambda site: "://argocd." in site)  # which has no pages in a world


def _is_http(port: dict[str, Any]) -> bool:
    return port.get("name") == "http" or port["port"] == 80


def kubeconfigs(world: Path) -> list[Path]:
    """Those of the administrators of the world's clusters."""
    return sorted((world / "cluster").glob("**/admin.kubeconfig"))


def _read(kubeconfig: Path, *arguments: str) -> list[dict[str, Any]]:
    """The items that `kubectl get ARGUMENTS` finds."""
    kubectl = program_path("kubectl")
    listing = run([kubectl, f"--kubeconfig={kubeconfig}", "get", *arguments, "--output=json"])
    return list(json.loads(listing)["items"])
