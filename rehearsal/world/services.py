"""The programs that make up a world, and how to tell that each is ready."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from rehearsal.frontdoor import envoy
from rehearsal.world import addresses


@dataclass(frozen=True)
class Service:
    """A program that runs as long as the world.

    When it is ready, its `addresses` (host, port) and `sockets` accept connections and its `marks` (files) exist.
    """

    name: str
    argv: tuple[str, ...]
    addresses: tuple[tuple[str, int], ...] = ()
    sockets: tuple[Path, ...] = ()
    marks: tuple[Path, ...] = ()
    stop_seconds: float = 5.0

    def ready(self) -> bool:
        """Whether it is ready now."""
        return (
            all(path.exists() for path in self.marks)
            and all(_accepts(socket.AF_INET, where) for where in self.addresses)
            and all(_accepts(socket.AF_UNIX, str(path)) for path in self.sockets)
        )


def _accepts(family: int, where: tuple[str, int] | str) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(where)
        except OSError:
            return False
    return True


def of_world(folder: Path, nodes: str) -> list[Service]:
    """The services of the world in `folder`; `nodes` is real, simulated or none."""
    python = (sys.executable, "-m")
    return [
        Service(
            "google",
            (*python, "rehearsal.google", "--config", str(folder / "google" / "config.json")),
            addresses=((addresses.APIS, 443),),
        ),
        Service(
            "internet",
            (*python, "rehearsal.internet", "--world-dir", str(folder)),
            addresses=(
                (addresses.DNS, 53),
                (addresses.GIT, 443),
                (addresses.REGISTRY, addresses.REGISTRY_MIRROR_PORT),
                (addresses.RELEASES, 443),
            ),
        ),
        Service(
            "frontdoor",
            (*python, "rehearsal.frontdoor", "--world-dir", str(folder)),
            addresses=((addresses.SIGN_IN, 443), envoy.ADMIN),
            stop_seconds=10.0,
        ),
        Service(
            "hypervisor",
            (*python, "rehearsal.hypervisor", "--world-dir", str(folder), "--nodes", nodes),
            sockets=(folder / "run" / "hypervisor.sock",),
            marks=(folder / "run" / "hypervisor.ready",),
            stop_seconds=20.0,
        ),
    ]
