"""What the emulator asks of the hypervisor, which owns everything that is real.

The emulator keeps the books of Google's API; clusters, machines and databases behind it are started by the hypervisor.
Every call is idempotent (ensure/remove), blocks until the thing is ready or gone, and raises `SubstrateError` with a
reason a person can act on. Keys are `projects/P/locations/L/clusters/C`, `projects/P/zones/Z/instances/I` and, for
databases, `projects/P/instances/I`.
"""

from __future__ import annotations

import ipaddress
from typing import Protocol, TypedDict


class SubstrateError(Exception):
    """The real thing behind a resource could not be made or removed; the text says why."""


class ClusterSpec(TypedDict):
    """A control plane: `endpoint` is the address it must answer on, port 443."""

    key: str
    project: str
    location: str
    name: str
    endpoint: str
    service_cidr: str
    pod_cidr: str
    version: str
    workload_pool: str


class ClusterResult(TypedDict):
    """What the control plane came up with."""

    ca_certificate: str
    endpoint: str


class NodeSpec(TypedDict):
    """One node; `address` is its address in the subnetwork."""

    name: str
    zone: str
    address: str
    machine_type: str
    labels: dict[str, str]
    taints: list[dict[str, str]]


class NodePoolSpec(TypedDict):
    """The whole wanted list of nodes of one pool; `key` is the cluster's."""

    key: str
    name: str
    nodes: list[NodeSpec]
    pod_cidr: str
    service_cidr: str


class PodIdentity(TypedDict):
    """Which pod owns an address, and as which Kubernetes service account it runs."""

    cluster_key: str
    namespace: str
    service_account: str
    annotations: dict[str, str]


class MachineSpec(TypedDict):
    """A virtual machine; `image` is the image's path, `metadata` the merged project and instance metadata."""

    key: str
    project: str
    zone: str
    name: str
    address: str
    gateway: str
    image: str
    service_account: str
    metadata: dict[str, str]
    network_tags: list[str]


class MachineResult(TypedDict):
    """How the machine runs: `systemd` (a whole Debian) or `sshd` (the documented fallback)."""

    mode: str


class DatabaseUser(TypedDict):
    """A database role that may log in."""

    name: str
    password: str


class DatabaseSpec(TypedDict):
    """A PostgreSQL server on a private address, with the databases and users that must exist in it."""

    key: str
    version: str
    address: str
    databases: list[str]
    users: list[DatabaseUser]


class SubstrateItem(TypedDict):
    """One line of `rehearsal status`."""

    kind: str
    key: str
    mode: str
    detail: str


class Substrate(Protocol):
    """The hypervisor as the emulator sees it."""

    def ensure_cluster(self, spec: ClusterSpec) -> ClusterResult: ...
    def remove_cluster(self, key: str) -> None: ...
    def ensure_node_pool(self, spec: NodePoolSpec) -> None: ...
    def remove_node_pool(self, key: str, name: str) -> None: ...
    def identify_pod(self, address: str) -> PodIdentity | None: ...
    def ensure_machine(self, spec: MachineSpec) -> MachineResult: ...
    def stop_machine(self, key: str) -> None: ...
    def remove_machine(self, key: str) -> None: ...
    def ensure_database(self, spec: DatabaseSpec) -> None: ...
    def remove_database(self, key: str) -> None: ...
    def status(self) -> list[SubstrateItem]: ...


class NullSubstrate:
    """Answers plausibly where there is no world: nothing real is started, and nothing fails."""

    def __init__(self) -> None:
        self.items: dict[str, SubstrateItem] = {}
        self.pods: dict[str, PodIdentity] = {}

    def _note(self, kind: str, key: str) -> None:
        self.items[key] = {"kind": kind, "key": key, "mode": "none", "detail": "nothing real is behind this"}

    def ensure_cluster(self, spec: ClusterSpec) -> ClusterResult:
        self._note("cluster", spec["key"])
        return {"ca_certificate": _throwaway_authority(), "endpoint": spec["endpoint"]}

    def remove_cluster(self, key: str) -> None:
        self.items.pop(key, None)

    def ensure_node_pool(self, spec: NodePoolSpec) -> None:
        for node in spec["nodes"]:
            ipaddress.ip_address(node["address"])
        self._note("node pool", f"{spec['key']}/nodePools/{spec['name']}")

    def remove_node_pool(self, key: str, name: str) -> None:
        self.items.pop(f"{key}/nodePools/{name}", None)

    def identify_pod(self, address: str) -> PodIdentity | None:
        return self.pods.get(address)

    def ensure_machine(self, spec: MachineSpec) -> MachineResult:
        self._note("machine", spec["key"])
        return {"mode": "sshd"}

    def stop_machine(self, key: str) -> None:
        self.items.pop(key, None)

    def remove_machine(self, key: str) -> None:
        self.items.pop(key, None)

    def ensure_database(self, spec: DatabaseSpec) -> None:
        self._note("database", spec["key"])

    def remove_database(self, key: str) -> None:
        self.items.pop(key, None)

    def status(self) -> list[SubstrateItem]:
        return sorted(self.items.values(), key=lambda item: item["key"])


def _throwaway_authority() -> str:
    """A real certificate, since clients parse what a cluster's `masterAuth` holds."""
    import trustme

    return trustme.CA(organization_name="No cluster").cert_pem.bytes().decode()
