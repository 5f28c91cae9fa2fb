"""What is built from the Go module proxy, and with which flags. One go.mod a program set, each with its go.sum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rehearsal.paths import cache_dir

MODULES = Path(__file__).with_name("go")

KUBERNETES = "v1.36.3"
# GKE's own suffix: charts that compare versions meet the form they meet on Google Cloud.
GKE_VERSION = "1.36.3-gke.1204000"
ARGOCD = "v3.5.7"
COREDNS = "v1.12.0"
# A commit of Istio's 1.31 line that the Go module proxy has; platform/pins.yaml takes the charts from it, too.
ISTIO_SOURCE = "v0.0.0-20260827124520-eed52ebb66ad"
ISTIO = "1.31.4"
DEX = "v2.45.1"


def _kubernetes_version_flags() -> str:
    values = {
        "gitVersion": f"v{GKE_VERSION}",
        "gitMajor": "1",
        "gitMinor": "36",
        "gitTreeState": "clean",
        "gitCommit": "0000000000000000000000000000000000000000",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {package}.{name}={value}" for package in packages for name, value in values.items())


def _argocd_version_flags() -> str:
    common = "github.com/argoproj/argo-cd/v3/common"
    argocd = (
        f"-X {common}.version={ARGOCD.removeprefix('v')} -X {common}.gitTag={ARGOCD} -X {common}.gitTreeState=clean"
    )
    return f"{argocd} -X k8s.io/component-base/version.gitVersion={KUBERNETES}"


@dataclass(frozen=True)
class Program:
    """One Go module folder and the commands built from it.

    `commands` maps the name of the executable to its package; `flags` are linker flags beyond `-s -w`.
    """

    name: str
    commands: tuple[tuple[str, str], ...]
    flags: str = ""

    @property
    def module(self) -> Path:
        return MODULES / self.name

    @property
    def digest(self) -> str:
        """Identifies source versions and flags: a change of either is another folder in the cache."""
        content = hashlib.sha256(repr((self.commands, self.flags)).encode())
        for file in sorted(self.module.iterdir()):
            content.update(file.name.encode() + b"\0" + file.read_bytes())
        return content.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        return cache_dir() / "programs" / f"{self.name}-{self.digest}"

    def path(self, command: str) -> Path:
        """Where the executable `command` is once it's built."""
        return self.folder / command


def _commands(prefix: str, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{prefix}/{name}") for name in names)


PROGRAMS = {
    program.name: program
    for program in (
        Program("pause", (("pause", "."),)),
        Program("etcd", (("etcd", "go.etcd.io/etcd/server/v3"),)),
        Program(
            "kubernetes",
            _commands(
                "k8s.io/kubernetes/cmd",
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            ),
            _kubernetes_version_flags(),
        ),
        Program("kube-router", _commands("github.com/cloudnativelabs/kube-router/v2/cmd", "kube-router")),
        Program("coredns", (("coredns", "."),)),
        Program("kwok", _commands("sigs.k8s.io/kwok/cmd", "kwok")),
        Program("helm", _commands("helm.sh/helm/v4/cmd", "helm")),
        Program("kustomize", (("kustomize", "sigs.k8s.io/kustomize/kustomize/v5"),)),
        Program(
            "istio",
            _commands("istio.io/istio/pilot/cmd", "pilot-discovery", "pilot-agent"),
            "-X istio.io/istio/pkg/version.buildVersion=1.31-dev",
        ),
        Program("dex", (("dex", "."),)),
        Program("argocd", (("argocd", "github.com/argoproj/argo-cd/v3/cmd"),), _argocd_version_flags()),
    )
}

_OWNER = {command: program for program in PROGRAMS.values() for command, _ in program.commands}


def program_path(command: str) -> Path:
    """The executable `command` in the cache.

    Raises KeyError for a command that no program builds.
    """
    return _OWNER[command].path(command)
