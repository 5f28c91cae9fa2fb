"""The layers that the world's images are made of, each as a folder filled by one function and packed as a tar."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from rehearsal.toolchain import envoy
from rehearsal.toolchain.catalog import ARGOCD, ISTIO_SOURCE, PROGRAMS, program_path
from rehearsal.toolchain.commands import run
from rehearsal.toolchain.golang import find_go

LOCK = Path(__file__).with_name("mlflow.lock")
# The Debian release of every image; its Python is the one that the wheels are chosen for.
SUITE, PYTHON = "bookworm", "3.11"
BASE_PACKAGES = (
    "ca-certificates",
    "git",
    "gnupg",
    "openssh-client",
    "python3",
    "redis-server",
    "tini",
)
ARGOCD_USER = 999  # Argo CD's own Dockerfile


def debian_sources() -> list[str]:
    """sources.list lines for the images' release, from the mirror that this machine's own apt uses.

    Empty where the machine isn't Debian: mmdebstrap then takes Debian's own default.
    """
    listing = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"], "apt is needed here.")
    sites: dict[str, str] = {}
    for line in listing.splitlines():
        if found := re.fullmatch(r"(\S+) Debian (Debian|Debian-Security)", line.strip()):
            sites.setdefault(found[2], found[1].rstrip("/"))
    if "Debian" not in sites:
        return []
    lines = [f"deb {sites['Debian']} {SUITE} main", f"deb {sites['Debian']} {SUITE}-updates main"]
    if security := sites.get("Debian-Security"):
        lines.append(f"deb {security} {SUITE}-security main")
    return lines


def base(tar: Path) -> None:
    """A minimal Debian with the packages that the images share."""
    mode = "root" if os.geteuid() == 0 else "unshare"
    command: list[str | Path] = ["mmdebstrap", "--quiet", f"--mode={mode}", "--variant=minbase"]
    command += [f"--include={','.join(BASE_PACKAGES)}", '--aptopt=Acquire::Languages "none"', "--format=tar"]
    command += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]
    command += ["--dpkgopt=path-exclude=/usr/share/locale/*"]
    command += [f'--customize-hook=printf "argocd:x:{ARGOCD_USER}:\\n" >> "$1/etc/group"']
    command += [
        f'--customize-hook=printf "argocd:x:{ARGOCD_USER}:{ARGOCD_USER}::/home/argocd:/bin/sh\\n" >> "$1/etc/passwd"'
    ]
    command += ['--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*', SUITE, tar]
    run(
        [*command, *debian_sources()],
        "Install mmdebstrap (apt-get install mmdebstrap) and see that the Debian mirror is reachable.",
    )


def _owned(uid: int, *paths: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo]:
    """A tarfile filter: everything belongs to root, except `paths` and what is below them."""

    def own(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if any(f"/{member.name}".startswith(path) for path in paths):
            member.uid = member.gid = uid
        return member

    return own


def pack(root: Path, tar: Path, uid: int = 0, *owned: str) -> None:
    """Packs `root` into `tar` with owner root, or `uid` below the absolute paths `owned`."""
    with tarfile.open(tar, "w") as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, path.name, filter=_owned(uid, *owned))


def argocd_source() -> Path:
    """The folder of Argo CD's own module source, as the Go module cache holds it."""
    go = find_go()
    module = PROGRAMS["argocd"].module
    answer = run(
        [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3"], "", cwd=module
    )
    if not answer.strip():
        run(
            [go, "mod", "download", f"github.com/argoproj/argo-cd/v3@{ARGOCD}"],
            "Is the Go module proxy reachable?",
            cwd=module,
        )
        answer = run(
            [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3"], "", cwd=module
        )
    return Path(answer.strip())


def argocd(root: Path) -> None:
    """Argo CD's programs and folders, as its Dockerfile lays them out."""
    source, programs = argocd_source(), root / "usr/local/bin"
    programs.mkdir(parents=True)
    for command in ("argocd", "helm", "kustomize"):
        shutil.copy2(program_path(command), programs / command)
    for script in ("entrypoint.sh", "hack/gpg-wrapper.sh", "hack/git-verify-wrapper.sh"):
        shutil.copy(source / script, programs / Path(script).name)
        (programs / Path(script).name).chmod(0o755)
    (programs / "uid_entrypoint.sh").symlink_to("/usr/local/bin/entrypoint.sh")
    for component in (
        "server", "repo-server", "cmp-server", "application-controller", "dex",
        "notifications", "applicationset-controller", "k8s-auth", "commit-server",
    ):  # fmt: skip
        (programs / f"argocd-{component}").symlink_to("/usr/local/bin/argocd")
    for folder in ("app/config/ssh", "app/config/tls", "app/config/gpg/source", "app/config/gpg/keys", "home/argocd"):
        (root / folder).mkdir(parents=True)
    (root / "app/config/gpg/keys").chmod(0o700)
    (root / "app/config/ssh/ssh_known_hosts").touch()
    (root / "etc/ssh").mkdir(parents=True)
    (root / "etc/ssh/ssh_known_hosts").symlink_to("/app/config/ssh/ssh_known_hosts")


def module_folder(program: str, module: str) -> Path:
    """Where the Go module cache holds the source of a dependency of one of the programs."""
    command: list[str | Path] = [find_go(), "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module]
    return Path(run(command, "Is the Go module proxy reachable?", cwd=PROGRAMS[program].module).strip())


def dex(root: Path) -> None:
    """Dex with its pages, as its Dockerfile lays them out."""
    _programs(root, dex=program_path("dex"))
    shutil.copytree(module_folder("dex", "github.com/dexidp/dex") / "web", root / "srv/dex/web")
    for path in [root / "srv/dex/web", *(root / "srv/dex/web").rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # in the module cache all is read-only


def istio_module() -> dict[str, str]:
    """Where the Go module cache holds Istio's module: `Dir` its folder, `Zip` the module proxy's archive."""
    answer = run(
        [find_go(), "mod", "download", "-json", f"istio.io/istio@{ISTIO_SOURCE}"],
        "Is the Go module proxy reachable?",
        cwd=PROGRAMS["istio"].module,
    )
    found: dict[str, str] = json.loads(answer)
    return found


def _programs(root: Path, **sources: Path) -> None:
    folder = root / "usr/local/bin"
    folder.mkdir(parents=True)
    for name, source in sources.items():
        shutil.copy2(source, folder / name.replace("_", "-"))


def istio_pilot(root: Path) -> None:
    """istiod, as its Dockerfile lays it out."""
    _programs(root, pilot_discovery=program_path("pilot-discovery"))


def istio_proxy(root: Path) -> None:
    """Istio's agent, Envoy, and the template of Envoy's first configuration, as the Dockerfile lays them out."""
    _programs(root, pilot_agent=program_path("pilot-agent"), envoy=envoy.program())
    template = root / "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
    template.parent.mkdir(parents=True)
    shutil.copy(Path(istio_module()["Dir"]) / "tools/packaging/common/envoy_bootstrap.json", template)


def redis(root: Path) -> None:
    """The data folder that the upstream image gives its user."""
    (root / "data").mkdir()


def mlflow(root: Path) -> None:
    """MLflow with its server's dependencies from the lock file, for the base's Python, whatever Python runs this."""
    packages = root / f"usr/local/lib/python{PYTHON}/dist-packages"
    packages.mkdir(parents=True)
    run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
            "--python-version", PYTHON, "--implementation", "cp",
            "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64",
            "--platform", "manylinux_2_27_x86_64", "--target", packages, "-r", LOCK,
        ],
        "Is PyPI reachable (pip config list)?",
    )  # fmt: skip
    for tests in [*packages.glob("*/tests"), *packages.glob("*/*/tests")]:
        shutil.rmtree(tests)
    # As Debian's own python3-certifi does, so that the authorities of the node's machine hold here too.
    (packages / "certifi/cacert.pem").unlink()
    (packages / "certifi/cacert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")
    shutil.rmtree(packages / "bin", ignore_errors=True)  # their first lines name the Python that ran pip
    command = root / "usr/local/bin/mlflow"
    command.parent.mkdir(parents=True)
    command.write_text("#!/usr/bin/python3\nfrom mlflow.cli import cli\n\ncli()\n")
    command.chmod(0o755)


def single(command: str, destination: str) -> Callable[[Path], None]:
    """A fill function for an image of one static program."""

    def fill(root: Path) -> None:
        target = root / destination.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program_path(command), target)

    return fill
