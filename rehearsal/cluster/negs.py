"""What GKE's NEG controller does: Services that ask for it get zonal network endpoint groups with their pods.

The Service's annotation `cloud.google.com/neg: {"exposed_ports": {"<port>": {"name": "<NEG>"}}}` names the groups; the
controller answers in `cloud.google.com/neg-status`. The groups are made through the ordinary Compute API. As on Google
Cloud a zone's group exists only once the zone has a pod of the Service (google-cloud-lessons 16, autoneg issue 50).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from dataclasses import dataclass
from typing import Any

import aiohttp

from rehearsal.cluster.control_plane import ControlPlane
from rehearsal.hypervisor.processes import StartError, call

log = logging.getLogger(__name__)
WANTED, STATUS = "cloud.google.com/neg", "cloud.google.com/neg-status"
INTERVAL_SECONDS = 1.0
COMPUTE = "https://compute.googleapis.com/compute/v1"
TOKENS = "https://emulator.internal/tokens"


@dataclass(frozen=True, order=True)
class Endpoint:
    """A pod behind a Service: where it listens and the VM (node) that it is on."""

    address: str
    port: int
    node: str

    def body(self) -> dict[str, Any]:
        """As the Compute API spells it."""
        return {"ipAddress": self.address, "port": self.port, "instance": self.node}


class NegController:
    """Keeps the NEGs of one cluster in step with its Services until stopped."""

    def __init__(self, cluster: ControlPlane, agent: str) -> None:
        """`agent` is the e-mail address of GKE's service agent in the cluster's project."""
        self.cluster = cluster
        self.agent = agent
        self._task: asyncio.Task[None] | None = None
        self._ready: dict[tuple[str, str], frozenset[Endpoint]] = {}  # what each NEG (zone, name) holds already
        self._status: dict[tuple[str, str], str] = {}

    def start(self) -> None:
        """Runs it in the background."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends it; the NEGs stay, as they do when a GKE cluster is deleted under them."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        trust = ssl.create_default_context()
        while True:
            try:
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
                    await self._sync(Compute(session, self.cluster.spec["project"], self.agent))
            except (aiohttp.ClientError, StartError, TimeoutError, ValueError) as error:
                log.warning("NEGs of %s: %s; trying again", self.cluster.spec["key"], error)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _get(self, *what: str) -> list[dict[str, Any]]:
        answer = await call(*self.cluster.kubectl, "get", "-o", "json", *what)
        items: list[dict[str, Any]] = json.loads(answer)["items"]
        return items

    async def _sync(self, compute: Compute) -> None:
        for service in await self._get("services", "--all-namespaces"):
            asked = service["metadata"].get("annotations", {}).get(WANTED)
            ports = json.loads(asked).get("exposed_ports", {}) if asked else {}
            if ports:
                await self._sync_service(compute, service, ports)

    async def _sync_service(self, compute: Compute, service: dict[str, Any], ports: dict[str, Any]) -> None:
        metadata = service["metadata"]
        zones = {node["metadata"]["name"]: _zone(node) for node in await self._get("nodes")}
        slices = await self._get(
            "endpointslices",
            f"--namespace={metadata['namespace']}",
            f"--selector=kubernetes.io/service-name={metadata['name']}",
        )
        names, used = {}, set()
        for port, options in ports.items():
            name = options.get("name") or f"k8s1-{metadata['uid'][:8]}-{metadata['name']}-{port}"
            names[port] = name
            for zone, endpoints in endpoints_by_zone(service, slices, port, zones).items():
                used.add(zone)
                if self._ready.get((zone, name)) != endpoints:
                    await compute.keep(zone, name, endpoints, self.cluster.spec["key"])
                    self._ready[zone, name] = endpoints
        status = json.dumps({"network_endpoint_groups": names, "zones": sorted(used)})
        key = (metadata["namespace"], metadata["name"])
        if self._status.get(key) != status:
            annotate = ["annotate", "--overwrite", f"--namespace={key[0]}", "service", key[1], f"{STATUS}={status}"]
            await call(*self.cluster.kubectl, *annotate)
            self._status[key] = status


def _zone(node: dict[str, Any]) -> str:
    return str(node["metadata"]["labels"].get("topology.kubernetes.io/zone", ""))


def endpoints_by_zone(
    service: dict[str, Any], slices: list[dict[str, Any]], port: str, zones: dict[str, str]
) -> dict[str, frozenset[Endpoint]]:
    """The ready endpoints of a Service's `port`, by the zone of their node."""
    name = next((p.get("name", "") for p in service["spec"]["ports"] if str(p["port"]) == port), None)
    found: dict[str, set[Endpoint]] = {}
    for part in slices:
        for target in part.get("ports") or []:
            if name is None or (target.get("name") or "") != name:
                continue
            for endpoint in part.get("endpoints") or []:
                node = endpoint.get("nodeName", "")
                if endpoint.get("conditions", {}).get("ready") is not False and zones.get(node):
                    for address in endpoint["addresses"]:
                        found.setdefault(zones[node], set()).add(Endpoint(address, target["port"], node))
    return {zone: frozenset(endpoints) for zone, endpoints in found.items()}


class Compute:
    """The few calls of the Compute API that the controller makes, as GKE's service agent."""

    def __init__(self, session: aiohttp.ClientSession, project: str, agent: str) -> None:
        """`agent` is the e-mail address of GKE's service agent in the project."""
        self.session = session
        self.zones = f"{COMPUTE}/projects/{project}/zones"
        self.agent = agent

    async def _call(self, method: str, url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        async with self.session.post(TOKENS, json={"email": self.agent}) as answer:
            answer.raise_for_status()
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            content: dict[str, Any] = await answer.json()
            return answer.status, content

    async def _do(self, zone: str, url: str, body: dict[str, Any]) -> None:
        """Posts `body` and waits until its operation is done. Raises StartError with Google's reason."""
        status, operation = await self._call("POST", url, body)
        while status == 200 and operation.get("status") != "DONE":
            status, operation = await self._call("POST", f"{self.zones}/{zone}/operations/{operation['name']}/wait")
        if status != 200 or "error" in operation:
            raise StartError(f"POST {url}: {json.dumps(operation.get('error', operation))[:500]}")

    async def network_of(self, cluster: str) -> dict[str, str]:
        """Network and subnetwork of the cluster with the key `cluster`, as its own API gives them."""
        status, content = await self._call("GET", f"https://container.googleapis.com/v1/{cluster}")
        if status != 200:
            raise StartError(f"GET {cluster}: {json.dumps(content.get('error', content))[:500]}")
        return {key: content["networkConfig"][key] for key in ("network", "subnetwork")}

    async def keep(self, zone: str, name: str, wanted: frozenset[Endpoint], cluster: str) -> None:
        """Brings the NEG `name` in `zone` to exactly the endpoints `wanted`, making it if there is none."""
        groups = f"{self.zones}/{zone}/networkEndpointGroups"
        status, _ = await self._call("GET", f"{groups}/{name}")
        if status == 404:
            description = json.dumps({"cluster-uid": cluster, "service-name": name})
            network = await self.network_of(cluster)
            body = {"name": name, "networkEndpointType": "GCE_VM_IP_PORT", "description": description, **network}
            await self._do(zone, groups, body)
        _, listing = await self._call("POST", f"{groups}/{name}/listNetworkEndpoints", {})
        there = {
            Endpoint(
                item["networkEndpoint"]["ipAddress"],
                item["networkEndpoint"]["port"],
                item["networkEndpoint"]["instance"],
            )
            for item in listing.get("items", [])
        }
        for verb, endpoints in (("attach", wanted - there), ("detach", there - wanted)):
            if endpoints:
                listed = {"networkEndpoints": [endpoint.body() for endpoint in sorted(endpoints)]}
                await self._do(zone, f"{groups}/{name}/{verb}NetworkEndpoints", listed)
