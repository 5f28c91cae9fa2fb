"""What the world shows in place of the machine's files: names, certificates, run-time folders, kernel settings."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from rehearsal import paths
from rehearsal.world import addresses, syscalls

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)
_PACKAGE_BUNDLES = (
    ("certifi", "cacert.pem"),
    ("grpc", "_cython/_credentials/roots.pem"),
    ("httplib2", "cacerts.txt"),
    ("pip", "_vendor/certifi/cacert.pem"),
)
_KUBELET_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def system_bundle() -> Path | None:
    """The machine's own list of certificate authorities."""
    return next((path for name in _SYSTEM_BUNDLES if (path := Path(name)).exists()), None)


def write_bundle(world: Path) -> Path:
    """`ca/bundle.pem`: the machine's authorities and the world's own. Returns its path."""
    bundle, system = world / "ca" / "bundle.pem", system_bundle()
    known = system.read_text() if system else ""
    bundle.write_text(known.rstrip("\n") + "\n" + (world / "ca" / "ca.pem").read_text())
    return bundle


def cover_names(world: Path, host_name: str) -> None:
    """Names are resolved by the world's DNS alone."""
    run = world / "run"
    (run / "resolv.conf").write_text(f"nameserver {addresses.DNS}\noptions timeout:2 attempts:2\n")
    (run / "hosts").write_text(f"127.0.0.1 localhost {host_name}\n::1 localhost\n")
    for name in ("resolv.conf", "hosts"):
        target = Path("/etc", name).resolve()
        if not target.exists():
            # resolv.conf is often a link into /run, which is empty here
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        syscalls.bind(run / name, target)


def cover_certificates(world: Path) -> None:
    """Every list of authorities that programs come with also knows the world's, so no client needs a setting."""
    bundle = world / "ca" / "bundle.pem"
    targets = [path for name in _SYSTEM_BUNDLES if (path := Path(name)).exists()]
    for package, inside in _PACKAGE_BUNDLES:
        found = importlib.util.find_spec(package)
        if found and found.origin and (path := Path(found.origin).parent / inside).exists():
            targets.append(path)
    for target in {path.resolve() for path in targets}:
        syscalls.bind(bundle, target)


def _hides_something_wanted(folder: Path) -> bool:
    wanted = [paths.cache_dir(), paths.state_dir(), paths.REPOSITORY, Path.home()]
    return any(path.resolve().is_relative_to(folder) for path in wanted)


def cover_run() -> None:
    """An empty /run: sockets of the machine's own services (nscd, resolved, docker) would cross into the world."""
    run = Path("/run").resolve()
    if _hides_something_wanted(run):
        for name in ("nscd", "systemd/resolve", "docker", "containerd"):
            if (run / name).is_dir():
                syscalls.mount("tmpfs", run / name, "tmpfs", data="mode=755")
        return
    syscalls.mount("tmpfs", run, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755")
    for name, mode in (("lock", 0o1777), ("netns", 0o755), ("sshd", 0o755), ("systemd", 0o755), ("postgresql", 0o1777)):
        (run / name).mkdir()
        (run / name).chmod(mode)


def cover_variable_data() -> None:
    """Folders that stay readable, while what nodes and machines write there vanishes with the world (root only;
    an ordinary user cannot write there anyway)."""
    scratch = Path("/run/overlay")
    for name in ("/var/lib", "/var/log", "/usr/libexec"):
        folder = Path(name)
        if _hides_something_wanted(folder):
            continue
        upper, work = scratch / folder.name / "upper", scratch / folder.name / "work"
        upper.mkdir(parents=True)
        work.mkdir()
        syscalls.mount("overlay", folder, "overlay", data=f"lowerdir={folder},upperdir={upper},workdir={work}")


def cover_kernel_settings() -> None:
    """The kubelet sets some machine-wide kernel settings: it finds what it wants, the machine keeps its own."""
    folder = Path("/run/kernel-settings")
    folder.mkdir()
    for name, value in _KUBELET_SETTINGS.items():
        target, stand_in = Path("/proc/sys") / name, folder / name.replace("/", ".")
        if target.exists():
            stand_in.write_text(value + "\n")
            syscalls.bind(stand_in, target)


def cover_all(world: Path) -> None:
    """Everything above, in the order that works."""
    write_bundle(world)
    cover_run()
    cover_names(world, os.uname().nodename)
    cover_certificates(world)
    if os.geteuid() == 0:
        cover_variable_data()
        cover_kernel_settings()
