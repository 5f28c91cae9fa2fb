"""The Debian that the world's machines start from, and a part of its archive for `apt` inside the sealed world.

Built once per machine into the cache, by mmdebstrap, as root. The archive's own lists and packages are kept byte for
byte, so that Debian's signatures hold when they are served under the archive's own name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rehearsal import paths
from rehearsal.errors import RehearsalError
from rehearsal.machines import archive
from rehearsal.world.commands import run

RELEASE = "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RECIPE_VERSION = 3
"""Raise it when the steps below change what comes out."""

INSTALLED = (
    "ca-certificates",
    "cron",
    "curl",
    "dbus",
    "google-compute-engine-oslogin",  # Google's own OS Login for guests, as on its Debian images
    "iproute2",
    "iputils-ping",
    "less",
    "libpam-systemd",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
)
AVAILABLE = (
    "auditd",
    "chrony",
    "fail2ban",
    "git",
    "jq",
    "needrestart",
    "postgresql-client",
    "rsyslog",
    "tinyproxy",
    "unattended-upgrades",
)
"""What `apt` in the sealed world can install beside what is there, with all it depends on or recommends."""

_APT_OPTIONS = (
    'Acquire::Languages "none"',  # translations are not in the partial archive, and apt would fail on them
    'Acquire::GzipIndexes "true"',
    'Acquire::IndexTargets::deb::Packages::KeepCompressedAs "xz"',  # keeps the lists byte for byte
)
_APT_CONFIGURATION = """\
// Translations are not in the partial archive, and apt would fail on them.
Acquire::Languages "none";
// The archive's lists are as old as the base: they are signed, but their time has passed a week later.
Acquire::Check-Valid-Until "false";
"""
_STAGE_SIZE = "4g"


@dataclass(frozen=True)
class Base:
    """A finished base: `root` is the system's file tree, `mirror` the partial archive as a web server's folder."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def mirror(self) -> Path:
        return self.folder / "mirror"

    @property
    def mirror_hosts(self) -> list[str]:
        """Host names under which the archive must be reachable, from the base's own apt sources."""
        hosts: list[str] = json.loads((self.folder / "hosts.json").read_text())
        return hosts


def current(cache: Path | None = None) -> Base:
    """The base that this version of the project uses; `exists` tells whether it has been built."""
    made_of = json.dumps([RECIPE_VERSION, RELEASE, INSTALLED, AVAILABLE, _APT_OPTIONS, _APT_CONFIGURATION])
    name = f"debian-{RELEASE}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    return Base((cache or paths.cache_dir()) / "machines" / name)


def exists(base: Base) -> bool:
    """Whether the base is complete."""
    return (base.folder / "hosts.json").exists()


def build(progress: Callable[[str], None] = lambda line: None) -> Base:
    """Build the base unless the cache has it. Needs root; takes about half a minute.

    Without root nothing is built and nothing fails: machines are then a plain sshd, as `rehearsal status` says.
    """
    base = current()
    if exists(base):
        return base
    if os.geteuid() != 0:
        progress("the machines' Debian is not built: that needs root; machines will be a plain sshd")
        return base
    if not KEYRING.exists():
        raise RehearsalError(
            f"build Debian {RELEASE} for the world's machines",
            f"{KEYRING}, by which Debian's signatures are checked, is not here",
            "Install it: apt-get install debian-archive-keyring",
        )
    progress(f"building Debian {RELEASE} for the world's machines")
    draft = base.folder.with_name(f".{base.folder.name}.{os.getpid()}")
    try:
        _bootstrap(draft)
        hosts = archive.lay_out(draft / "archives", draft / "lists", draft / "mirror")
        _finish(draft)
        (draft / "hosts.json").write_text(json.dumps(hosts))
        shutil.rmtree(base.folder, ignore_errors=True)
        draft.rename(base.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    progress(f"built {base.folder}")
    return base


_SCRIPT = """
stage=$1 final=$2; shift 2
mount -t tmpfs -o mode=755,size={size} stage "$stage"   # dpkg's many fsyncs cost five times as much on a disk
TMPDIR=$stage "$@"
mkdir -p "$final"
cp -a "$stage/root" "$stage/archives" "$stage/lists" "$final/"
"""


def _bootstrap(draft: Path) -> None:
    """Run mmdebstrap on a tmpfs of its own mount namespace and copy what it made to `draft`."""
    stage = draft.with_name(draft.name + ".stage")
    stage.mkdir(parents=True, exist_ok=True)
    hooks = [
        f'chroot "$1" apt-get -y -qq --install-recommends --download-only install {" ".join(AVAILABLE)}',
        f"mkdir {stage}/archives {stage}/lists",
        f'cp "$1"/var/cache/apt/archives/*.deb {stage}/archives/',
        f'cp "$1"/var/lib/apt/lists/*_InRelease "$1"/var/lib/apt/lists/*_Packages.xz {stage}/lists/',
    ]
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(INSTALLED)}"),
        *(f"--aptopt={option}" for option in _APT_OPTIONS),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(RELEASE, str(stage / "root"), *_sources()),
    ]
    script = _SCRIPT.format(size=_STAGE_SIZE)
    try:
        run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", stage, draft, *command],
            timeout=900,
            advice="See that a Debian archive is reachable: apt-get update. REHEARSAL_DEBIAN_MIRROR names another one.",
        )
    finally:
        stage.rmdir()


def _sources() -> list[str]:
    """sources.list lines for mmdebstrap: the archives that this machine's own apt uses, if it is a Debian.

    REHEARSAL_DEBIAN_MIRROR (a URL that ends in /debian) takes precedence; with neither, mmdebstrap's own default holds.
    """
    if mirror := os.environ.get("REHEARSAL_DEBIAN_MIRROR"):
        return [f"deb {mirror} {RELEASE} main"]
    listed = run(["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"])
    known = {tuple(line.split("|")[:2]): line.split("|")[2] for line in listed.splitlines()}
    main, security = known.get(("Debian", "Debian")), known.get(("Debian", "Debian-Security"))
    lines = [f"deb {main} {suite} main" for suite in (RELEASE, f"{RELEASE}-updates")] if main else []
    return lines + ([f"deb {security} {RELEASE}-security main"] if security else [])


def _finish(draft: Path) -> None:
    """Make the tree a template: no keys, no identity, apt set up for the partial archive."""
    root = draft / "root"
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    # Options of the build: compressed lists would cost every later run of apt several seconds
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    (root / "etc/apt/apt.conf.d/90partial-archive").write_text(_APT_CONFIGURATION)
    # As on a real image, apt has no lists, and knows that they're not fresh
    os.utime(root / "var/lib/apt/lists", (0, 0))
    for leftover in (root / "var/cache/apt/archives").glob("*.deb"):
        leftover.unlink()
    shutil.rmtree(draft / "archives")
    shutil.rmtree(draft / "lists")
