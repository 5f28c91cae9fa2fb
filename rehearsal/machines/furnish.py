"""What a machine has on its disk before it first boots: what Google's guest agent and the image's first boot make."""

from __future__ import annotations

from pathlib import Path

from rehearsal.machines.spec import MachineSpec
from rehearsal.world import addresses
from rehearsal.world.commands import run

SSH_KEY_TYPES = ("ed25519", "ecdsa")


def furnish(root: Path, spec: MachineSpec, world_dir: Path) -> None:
    """Name, resolver, SSH host keys, the world's authority, and OS Login if the metadata ask for it."""
    (root / "etc/hostname").write_text(f"{spec.name}\n")
    (root / "etc/hosts").write_text(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
        f"{spec.address} {spec.domain_name} {spec.name}  # Added by Google\n"
        f"{addresses.METADATA} metadata.google.internal  # Added by Google\n"
    )
    domain = spec.domain_name.partition(".")[2]
    (root / "etc/resolv.conf").write_text(f"search {domain}\nnameserver {addresses.METADATA}\n")
    _trust(root, (world_dir / "ca" / "ca.pem").read_text())
    for kind in SSH_KEY_TYPES:
        key = root / "etc/ssh" / f"ssh_host_{kind}_key"
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{spec.name}", "-f", key])
    if spec.os_login:
        run(["chroot", root, "google_oslogin_control", "activate", "--norestartsshd"])


def _trust(root: Path, authority: str) -> None:
    own = root / "usr/local/share/ca-certificates"
    own.mkdir(parents=True, exist_ok=True)
    (own / "world.crt").write_text(authority)
    with (root / "etc/ssl/certs/ca-certificates.crt").open("a") as bundle:
        bundle.write(authority)
