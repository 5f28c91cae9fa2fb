"""Network namespaces joined to the world by a cable (veth), each with an address of its own in the VPC."""

from __future__ import annotations

import hashlib
import os
import signal
from contextlib import suppress
from pathlib import Path

from rehearsal.hypervisor.processes import StartError, call


def interface(name: str) -> str:
    """The name of the world's end of the cable of namespace `name`: at most 15 characters, as the kernel wants."""
    return f"c-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


async def _batch(lines: list[str], namespace: str | None = None) -> None:
    await call("ip", "-batch", "-", given="\n".join(lines).encode(), namespace=namespace)


def _exists(name: str) -> bool:
    return Path("/run/netns", name).exists()


async def join(name: str, address: str, gateway: str) -> None:
    """Makes the namespace `name` with `address`, from which everything is reached through `gateway` (the world).

    The routes stand in table local beside the world's AnyIP route, or that one would win.
    """
    if _exists(name):
        return
    outer = interface(name)
    await call("ip", "netns", "add", name)
    await _batch(
        [
            f"link add {outer} type veth peer name eth0 netns {name}",
            f"link set {outer} up",
            f"route add {address}/32 dev {outer} table local",
        ]
    )
    inner = ["link set lo up", f"addr add {address}/32 dev eth0", "link set eth0 up"]
    inner += [f"route add {gateway}/32 dev eth0 scope link", f"route add default via {gateway} dev eth0"]
    await _batch(inner, namespace=name)
    settings = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
    await call("sysctl", "-q", "-w", *settings, namespace=name)


async def route(name: str, network: str, address: str) -> None:
    """Sends what is meant for `network` to the namespace `name`, whose address is `address`."""
    await call("ip", "route", "replace", network, "via", address, "dev", interface(name), "onlink", "table", "local")


async def cut(name: str) -> None:
    """Ends what runs in the namespace and removes it with its cable; nothing happens if there is none.

    A namespace lives on while a process is in it, and its cable and route with it, so that the address is taken.
    """
    if not _exists(name):
        return
    for number in (await call("ip", "netns", "pids", name)).split():
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
    await call("ip", "netns", "delete", name)
    with suppress(StartError):  # it went with the namespace
        await call("ip", "link", "delete", interface(name))
