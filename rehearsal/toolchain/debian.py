"""Debian's own packages, unpacked into the cache: the machine they are used on is not changed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rehearsal.paths import cache_dir
from rehearsal.toolchain.commands import run
from rehearsal.toolchain.progress import step

ADVICE = "Run `apt-get update` and see that the machine's apt sources are reachable; then run this again."
# Every machine has these, and they must fit its dynamic linker; PostgreSQL's compiler back end is 100 MB nobody uses.
NOT_UNPACKED = ("libc6", "libc-", "libcrypt1", "libgcc-s1", "libstdc++6", "libllvm")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Unpacked:
    """Debian packages with the libraries they need, unpacked into a folder of the cache."""

    name: str
    packages: tuple[str, ...]
    # Debian chooses these programs through update-alternatives, which only an installation runs.
    alternatives: tuple[tuple[str, str], ...] = ()

    @property
    def root(self) -> Path:
        """Where the packages are unpacked: usr/bin, usr/sbin, usr/lib ..."""
        key = hashlib.sha256(repr((self.packages, self.alternatives, NOT_UNPACKED)).encode()).hexdigest()[:16]
        return cache_dir() / "debian" / f"{self.name}-{key}"

    def environment(self, root: Path | None = None) -> dict[str, str]:
        """PATH and LD_LIBRARY_PATH for programs run from `root` (default: the cache); the machine's own come last."""
        base = root or self.root
        triplet = f"{os.uname().machine}-linux-gnu"
        programs = [str(base / folder) for folder in ("usr/sbin", "usr/bin", "sbin", "bin")]
        libraries = [str(base / folder / triplet) for folder in ("usr/lib", "lib")]
        return {"PATH": ":".join([*programs, SYSTEM_PATH]), "LD_LIBRARY_PATH": ":".join(libraries)}

    def _files(self, work: Path) -> list[str]:
        """The names of the packages and of the libraries among what they depend on."""
        nothing_installed = work / "status"
        nothing_installed.touch()
        command = ["apt-get", "-qq", "-y", "--no-install-recommends", "-o", f"Dir::State::status={nothing_installed}"]
        listing = run([*command, "--print-uris", "install", *self.packages], ADVICE)
        needed = [line.split()[1].split("_")[0] for line in listing.splitlines() if line.startswith("'")]
        libraries = [name for name in needed if name.startswith("lib") and not name.startswith(NOT_UNPACKED)]
        return [*self.packages, *(name for name in libraries if name not in self.packages)]

    def unpack(self) -> None:
        """Downloads and unpacks the packages unless the cache has them.

        Raises ToolchainError when apt cannot fetch them.
        """
        if self.root.is_dir():
            return
        self.root.parent.mkdir(parents=True, exist_ok=True)
        title = f"unpack Debian's {', '.join(self.packages)}"
        with step(title), tempfile.TemporaryDirectory(dir=self.root.parent) as folder:
            work = Path(folder)
            download, made = work / "download", work / "root"
            download.mkdir()
            made.mkdir()
            sandbox = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []
            run(["apt-get", *sandbox, "-qq", "download", *self._files(work)], ADVICE, cwd=download)
            for package in sorted(download.glob("*.deb")):
                run(["dpkg", "-x", package, made], ADVICE)
            for link, target in self.alternatives:
                (made / link).symlink_to(target)
            made.chmod(0o755)
            made.rename(self.root)


def _iptables() -> tuple[tuple[str, str], ...]:
    programs = [f"{base}{suffix}" for base in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")]
    return tuple((f"usr/sbin/{program}", "xtables-nft-multi") for program in programs)


# What a node needs that is not built from Go: the container runtime, its network plugins, and what kube-proxy and
# kube-router call.
NODE = Unpacked(
    "node",
    ("containerd", "runc", "containernetworking-plugins", "iptables", "ipset", "nftables", "conntrack"),
    _iptables(),
)
POSTGRESQL = Unpacked("postgresql", ("postgresql-15", "postgresql-client-15"))


def unpack_all() -> None:
    """Unpacks everything that the world takes from Debian."""
    missing = [packages for packages in (NODE, POSTGRESQL) if not packages.root.is_dir()]
    if missing and os.geteuid() == 0:
        run(["apt-get", "-qq", "update"], ADVICE)  # a new machine has no lists, or old ones
    for packages in missing:
        packages.unpack()
