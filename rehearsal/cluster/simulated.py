"""Simulated nodes by kwok: for scale, and where real ones can't run. Their pods are Running and do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.cluster.control_plane import ControlPlane
from rehearsal.google.substrate import NodeSpec
from rehearsal.hypervisor.processes import Program, call, start
from rehearsal.toolchain.catalog import program_path
from rehearsal.toolchain.releases import kwok_stages

CAPACITY = {"cpu": "4", "memory": "16Gi", "pods": "110"}
MARK = "kwok.x-k8s.io/node"  # kwok's own annotation: it manages the nodes that carry it


class SimulatedNodes:
    """All simulated nodes of one cluster: one kwok moves them."""

    def __init__(self, cluster: ControlPlane, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder
        self.pools: dict[str, list[str]] = {}  # names of the nodes by pool
        self._kwok: Program | None = None

    async def _kubectl(self, *arguments: str, given: bytes | None = None) -> str:
        return await call(*self.cluster.kubectl, *arguments, given=given)

    async def _move(self, address: str) -> None:
        """Starts kwok unless it runs; its nodes report `address`."""
        if self._kwok and self._kwok.running:
            return
        arguments = [
            f"--kubeconfig={self.cluster.admin}",
            f"--manage-nodes-with-annotation-selector={MARK}=fake",
            "--node-lease-duration-seconds=40",  # without leases endpoints go not-ready after a minute
            f"--config={kwok_stages()}",
            f"--cidr={self.cluster.spec['pod_cidr']}",
            f"--node-ip={address}",
            f"--server-address=127.0.0.1:{10247 + 10 * self.cluster.slot}",
        ]
        self._kwok = await start("kwok", [program_path("kwok"), *arguments], self.folder / "logs" / "kwok.log")

    async def keep(self, pool: str, nodes: list[NodeSpec]) -> None:
        """Brings the simulated nodes of `pool` to exactly `nodes`, and returns once they are Ready."""
        wanted = [node["name"] for node in nodes]
        if gone := [name for name in self.pools.pop(pool, []) if name not in wanted]:
            await self._kubectl("delete", "node", *gone, "--ignore-not-found", "--wait=false")
        if not nodes:
            return
        await self._move(nodes[0]["address"])
        content = {"apiVersion": "v1", "kind": "List", "items": [self._node(pool, node) for node in nodes]}
        await self._kubectl("apply", "--server-side", "-f", "-", given=json.dumps(content).encode())
        await self._kubectl("wait", "--for=condition=Ready", "--timeout=60s", *(f"node/{name}" for name in wanted))
        self.pools[pool] = wanted

    def _node(self, pool: str, spec: NodeSpec) -> dict[str, Any]:
        labels = {
            **spec["labels"],
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": spec["name"],
            "cloud.google.com/gke-nodepool": pool,
            "topology.kubernetes.io/zone": spec["zone"],
            "topology.kubernetes.io/region": spec["zone"].rpartition("-")[0],
            "node.kubernetes.io/instance-type": spec["machine_type"],
        }
        provider = f"gce://{self.cluster.spec['project']}/{spec['zone']}/{spec['name']}"
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": spec["name"], "labels": labels, "annotations": {MARK: "fake"}},
            "spec": {"providerID": provider, "taints": spec["taints"]},
            "status": {"capacity": CAPACITY, "allocatable": CAPACITY},
        }

    async def stop(self) -> None:
        """Ends kwok."""
        if self._kwok:
            await self._kwok.stop()
