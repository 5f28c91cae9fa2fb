"""Running the machine's own programs, with errors that say what was tried and what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rehearsal.errors import RehearsalError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PACKAGE_OF = {
    "ip": "iproute2",
    "nft": "nftables",
    "git": "git",
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}
"""Debian package of each program that may be missing."""


def find_program(name: str) -> str:
    """Absolute path of `name`; an ordinary user's PATH lacks the sbin folders, so they're searched too."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if path is None:
        package = PACKAGE_OF.get(name)
        advice = f"Install it: apt-get install {package}" if package else "Check its name and PATH, or install it."
        raise RehearsalError(f"find the program {name!r}", "it is not installed", advice)
    return path


def run(
    argv: Sequence[str | Path],
    *,
    text_input: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
    advice: str = "Read the output above; the world's logs are shown by `rehearsal logs`.",
) -> str:
    """Run a program to its end and return its standard output.

    `timeout` is in seconds. Raises RehearsalError with the program's last lines if it fails or takes too long.
    """
    words = [find_program(str(argv[0])), *(str(word) for word in argv[1:])]
    shown = " ".join(str(word) for word in argv)
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, never a shell
            words, input=text_input, capture_output=True, text=True, env=env, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise RehearsalError(f"run `{shown}`", f"no end after {timeout:g} s", advice) from late
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:]) or "it said nothing"
        raise RehearsalError(f"run `{shown}`", f"exit status {done.returncode}: {said}", advice)
    return done.stdout
