"""Calls the hypervisor over its unix socket: the emulator's `Substrate` in a world."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, cast

from rehearsal.google.substrate import (
    ClusterResult,
    ClusterSpec,
    DatabaseSpec,
    MachineResult,
    MachineSpec,
    NodePoolSpec,
    PodIdentity,
    SubstrateError,
    SubstrateItem,
)

# Bringing up a control plane or a machine takes seconds; a quarter of an hour means that something hangs.
DEADLINE_SECONDS = 900


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("hypervisor", timeout=DEADLINE_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Hypervisor:
    """Implements `rehearsal.google.substrate.Substrate`; every method raises SubstrateError when the call fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _call(self, name: str, /, **arguments: Any) -> Any:
        connection = _UnixConnection(self.path)
        try:
            connection.request("POST", f"/{name}", json.dumps(arguments), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SubstrateError(f"{name}: no answer from the hypervisor at {self.path}: {error!r}") from error
        finally:
            connection.close()
        if "error" in answer:
            raise SubstrateError(answer["error"])
        return answer["result"]

    def ensure_cluster(self, spec: ClusterSpec) -> ClusterResult:
        return cast(ClusterResult, self._call("ensure_cluster", spec=spec))

    def remove_cluster(self, key: str) -> None:
        self._call("remove_cluster", key=key)

    def ensure_node_pool(self, spec: NodePoolSpec) -> None:
        self._call("ensure_node_pool", spec=spec)

    def remove_node_pool(self, key: str, name: str) -> None:
        self._call("remove_node_pool", key=key, name=name)

    def identify_pod(self, address: str) -> PodIdentity | None:
        return cast(PodIdentity | None, self._call("identify_pod", address=address))

    def ensure_machine(self, spec: MachineSpec) -> MachineResult:
        return cast(MachineResult, self._call("ensure_machine", spec=spec))

    def stop_machine(self, key: str) -> None:
        self._call("stop_machine", key=key)

    def remove_machine(self, key: str) -> None:
        self._call("remove_machine", key=key)

    def ensure_database(self, spec: DatabaseSpec) -> None:
        self._call("ensure_database", spec=spec)

    def remove_database(self, key: str) -> None:
        self._call("remove_database", key=key)

    def status(self) -> list[SubstrateItem]:
        return cast(list[SubstrateItem], self._call("status"))
