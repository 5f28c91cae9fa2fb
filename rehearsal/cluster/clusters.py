"""All clusters of a world: which control planes, node pools and controllers belong together."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rehearsal.cluster import addons
from rehearsal.cluster.control_plane import ControlPlane
from rehearsal.cluster.negs import NegController
from rehearsal.cluster.node import Node
from rehearsal.cluster.simulated import SimulatedNodes
from rehearsal.google.substrate import ClusterResult, ClusterSpec, NodePoolSpec, NodeSpec, PodIdentity, SubstrateItem
from rehearsal.hypervisor.processes import StartError, call

log = logging.getLogger(__name__)
Mode = Literal["real", "simulated", "none"]


@dataclass
class Cluster:
    """One running cluster."""

    control_plane: ControlPlane
    simulated: SimulatedNodes
    negs: NegController
    nodes: dict[str, dict[str, Node]] = field(default_factory=dict)  # by pool and name
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Clusters:
    """Starts and ends clusters; every method may be called again with the same arguments."""

    def __init__(self, world_dir: Path, mode: Mode, project_number: str) -> None:
        """`mode` says what nodes are: real, simulated by kwok, or not there at all."""
        self.agent = f"service-{project_number}@container-engine-robot.iam.gserviceaccount.com"
        self.world_dir = world_dir
        self.mode = mode
        self._clusters: dict[str, Cluster] = {}
        self._lock = asyncio.Lock()

    def _folder(self, key: str) -> Path:
        return self.world_dir / "cluster" / hashlib.sha256(key.encode()).hexdigest()[:8]

    async def _cluster(self, spec: ClusterSpec) -> Cluster:
        async with self._lock:
            key = spec["key"]
            if key not in self._clusters:
                used = {cluster.control_plane.slot for cluster in self._clusters.values()}
                slot = next(number for number in range(len(used) + 1) if number not in used)
                folder = self._folder(key)
                plane = ControlPlane(spec, folder, self.world_dir / "ca" / "ca.pem", slot)
                self._clusters[key] = Cluster(plane, SimulatedNodes(plane, folder), NegController(plane, self.agent))
            return self._clusters[key]

    async def ensure(self, spec: ClusterSpec) -> ClusterResult:
        """Brings up the control plane `spec` and what GKE puts into it."""
        cluster = await self._cluster(spec)
        async with cluster.lock:
            await cluster.control_plane.start()
            await addons.install(cluster.control_plane)
            cluster.negs.start()
        pem = cluster.control_plane.authority.pem.decode()
        return {"ca_certificate": pem, "endpoint": spec["endpoint"]}

    async def remove(self, key: str) -> None:
        """Ends everything of the cluster `key` and forgets its data."""
        cluster = self._clusters.get(key)
        if cluster:
            async with cluster.lock:
                await cluster.negs.stop()
                for pool in list(cluster.nodes):
                    await self._keep_nodes(cluster, pool, [])
                await cluster.simulated.stop()
                await cluster.control_plane.stop()
            del self._clusters[key]
        shutil.rmtree(self._folder(key), ignore_errors=True)

    async def ensure_pool(self, spec: NodePoolSpec) -> None:
        """Brings the nodes of a pool to exactly the wanted list."""
        cluster = self._clusters.get(spec["key"])
        if cluster is None:
            raise StartError(f"node pool {spec['name']}: its cluster {spec['key']} has no control plane here")
        async with cluster.lock:
            if self.mode == "simulated":
                await cluster.simulated.keep(spec["name"], spec["nodes"])
            elif self.mode == "real":
                await self._keep_nodes(cluster, spec["name"], spec["nodes"])

    async def _keep_nodes(self, cluster: Cluster, pool: str, wanted: list[NodeSpec]) -> None:
        there = cluster.nodes.setdefault(pool, {})
        names = {spec["name"] for spec in wanted}
        await asyncio.gather(*(there.pop(name).stop() for name in list(there) if name not in names))
        for spec in wanted:
            folder = cluster.control_plane.folder / "nodes" / spec["name"]
            there.setdefault(spec["name"], Node(cluster.control_plane, spec, pool, folder, self.world_dir))
        await asyncio.gather(*(node.start() for node in there.values()))

    async def remove_pool(self, key: str, name: str) -> None:
        """Ends all nodes of the pool `name`."""
        cluster = self._clusters.get(key)
        if cluster is None:
            return
        async with cluster.lock:
            await self._keep_nodes(cluster, name, [])
            cluster.nodes.pop(name, None)
            await cluster.simulated.keep(name, [])

    async def identify_pod(self, address: str) -> PodIdentity | None:
        """Which pod has `address`, and its service account with its annotations; None if no pod has it."""
        for key, cluster in self._clusters.items():
            plane = cluster.control_plane
            kubectl = [*plane.kubectl, "get", "-o", "json"]
            chosen = f"--field-selector=status.podIP={address}"
            pods = json.loads(await call(*kubectl, "pods", "--all-namespaces", chosen))["items"]
            own = [pod for pod in pods if not pod["spec"].get("hostNetwork")]
            if not own:
                continue
            namespace, name = own[0]["metadata"]["namespace"], own[0]["spec"]["serviceAccountName"]
            account = json.loads(await call(*kubectl, "serviceaccount", name, f"--namespace={namespace}"))
            annotations = account["metadata"].get("annotations", {})
            return {
                "cluster_key": key,
                "namespace": namespace,
                "service_account": name,
                "annotations": annotations,
            }
        return None

    def status(self) -> list[SubstrateItem]:
        """A line for each cluster and node."""
        lines: list[SubstrateItem] = []
        for key, cluster in self._clusters.items():
            plane = cluster.control_plane
            detail = f"Kubernetes {plane.spec['version']} at {plane.server}"
            lines.append({"kind": "control plane", "key": key, "mode": "real", "detail": detail})
            for pool, nodes in cluster.nodes.items():
                for node in nodes.values():
                    detail = "containerd, kubelet, kube-proxy, NetworkPolicies enforced by kube-router"
                    lines.append({"kind": "node", "key": f"{key}/{pool}/{node.name}", "mode": "real", "detail": detail})
            for pool, names in cluster.simulated.pools.items():
                for name in names:
                    detail = "kwok: pods are Running and do nothing"
                    lines.append({"kind": "node", "key": f"{key}/{pool}/{name}", "mode": "simulated", "detail": detail})
        return lines
