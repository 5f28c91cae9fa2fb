"""The world's network: every address is local, and beside it an office that sees only public ones.

* The world: one interface, `lo`; a `local 0.0.0.0/0` route (AnyIP) makes the kernel accept any IPv4 address, so that a
  server may bind, and a client use, whatever address it has in the real world.
* The office: a second network namespace for the commands of `rehearsal run`. It reaches every public address of the
  world and no private one, as from a desk outside the VPC: the only way in is through IAP.
"""

from __future__ import annotations

from pathlib import Path

from rehearsal.world import addresses
from rehearsal.world.commands import find_program, run

OFFICE_NAMESPACE = Path("/run/netns/office")

_WORLD_SETTINGS = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
}


def _setting(name: str, value: str) -> None:
    path = Path("/proc/sys") / name
    try:
        path.write_text(value)
    except PermissionError:
        # Rootless: a few settings belong to the machine; ports and forwarding are the ones that matter and do work.
        if path.read_text().strip() != value:
            print(f"left {path} at {path.read_text().strip()!r}: not this user's to change", flush=True)
    except OSError as error:
        print(f"left {path} alone: {error.strerror}", flush=True)


def make_world() -> None:
    """Set up the namespace that this process is in as the world's network."""
    for name, value in _WORLD_SETTINGS.items():
        _setting(name, value)
    run(
        ["ip", "-batch", "-"],
        text_input="\n".join(
            [
                "link set lo up",
                f"addr add {addresses.WORLD}/32 dev lo",
                f"route add local 0.0.0.0/0 dev lo src {addresses.WORLD}",
            ]
        ),
    )


def make_office() -> None:
    """Make the office beside the world: a namespace, a cable, and no way to private addresses."""
    run(["ip", "netns", "add", OFFICE_NAMESPACE.name])
    run(
        ["ip", "-batch", "-"],
        text_input="\n".join(
            [
                f"link add office0 type veth peer name eth0 netns {OFFICE_NAMESPACE.name}",
                f"addr add {addresses.OFFICE_GATEWAY}/24 dev office0",
                "link set office0 up",
                # In table local, where the AnyIP route is, so that it wins whether or not `ip rule`s exist. (A `throw`
                # there would make the address unreachable: without rules the kernel merges the tables.)
                f"route add {addresses.OFFICE}/32 dev office0 src {addresses.OFFICE_GATEWAY} table local",
            ]
        ),
    )
    lines = [
        "link set lo up",
        f"addr add {addresses.OFFICE}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {addresses.OFFICE_GATEWAY}",
        *(f"route add unreachable {private}" for private in addresses.PRIVATE_RANGES),
    ]
    # Not `ip netns exec`: that makes a mount namespace of its own, and /sys can't be mounted without root.
    run(
        ["nsenter", f"--net={OFFICE_NAMESPACE}", find_program("ip"), "-batch", "-"],
        text_input="\n".join(lines),
    )
