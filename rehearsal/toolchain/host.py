"""What must be installed on the machine itself, because it can't be taken from the cache."""

from __future__ import annotations

import os
import shutil

from rehearsal.toolchain.commands import run
from rehearsal.toolchain.progress import ToolchainError, step

# Program -> Debian package.
PROGRAMS = {
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "git": "git",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
}
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing_packages() -> list[str]:
    """The Debian packages whose programs this machine lacks."""
    path = f"{os.environ.get('PATH', '')}:{SEARCHED}"
    return sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})


def ensure() -> None:
    """Installs what is missing where root may; raises ToolchainError naming it otherwise."""
    packages = missing_packages()
    if not packages:
        return
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ToolchainError(f"this machine lacks {', '.join(packages)}. Have root run: {command}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with step(f"install {', '.join(packages)}"):
        run(["apt-get", "-qq", "update"], "See that the machine's apt sources are reachable.", environment=environment)
        run(
            ["apt-get", "-qq", "-y", "install", "--no-install-recommends", *packages],
            f"Install them by hand: {command}",
            environment=environment,
        )


def build_machine_base() -> None:
    """Builds the Debian of the world's virtual machines unless the cache has it."""
    from rehearsal.machines import base

    base.build()
