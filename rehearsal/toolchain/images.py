"""The images of the world, under their upstream names, assembled from packages: nothing is pulled from a registry."""

from __future__ import annotations

import hashlib
import inspect
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.paths import cache_dir
from rehearsal.toolchain import envoy, layers
from rehearsal.toolchain.catalog import ARGOCD, COREDNS, DEX, ISTIO, PROGRAMS
from rehearsal.toolchain.oci import Layout
from rehearsal.toolchain.progress import step

MLFLOW = next(
    line.split("==")[1].split()[0] for line in layers.LOCK.read_text().splitlines() if line.startswith("mlflow==")
)
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """An image to be assembled: `fill` puts files into an empty folder, on top of the shared Debian if `based`.

    `stand_in` says in a phrase how it differs from upstream's, for `rehearsal status`; empty if it is the same program.
    `made_of` names what a change of which makes it anew, besides the code of `fill`.
    """

    name: str
    fill: Callable[[Path], None]
    config: Mapping[str, Any]
    made_of: Sequence[str] = ()
    based: bool = True
    owner: int = 0
    owned: Sequence[str] = field(default=())
    stand_in: str = ""

    @property
    def key(self) -> str:
        parts = [self.name, repr(self.config), *self.made_of, _source(self.fill)]
        if self.based:
            parts += [*layers.BASE_PACKAGES, _source(layers.base)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _source(function: Callable[..., Any]) -> str:
    return inspect.getsource(function)


IMAGES = (
    Image(
        "registry.k8s.io/pause:3.10",
        layers.single("pause", "/pause"),
        {"Entrypoint": ["/pause"], "User": "65535:65535"},
        made_of=[PROGRAMS["pause"].digest],
        based=False,
        stand_in="a Go program of the project that does what upstream's C program does",
    ),
    Image(
        f"registry.k8s.io/coredns/coredns:{COREDNS}",
        layers.single("coredns", "/coredns"),
        {"Entrypoint": ["/coredns"], "User": "65532:65532"},
        made_of=[PROGRAMS["coredns"].digest],
        based=False,
    ),
    Image(
        f"quay.io/argoproj/argocd:{ARGOCD}",
        layers.argocd,
        {
            "User": str(layers.ARGOCD_USER),
            "WorkingDir": "/home/argocd",
            "Entrypoint": ["/usr/bin/tini", "--"],
            "Env": [PATH, f"ARGOCD_USER_ID={layers.ARGOCD_USER}", "USER=argocd", "HOME=/home/argocd"],
        },
        made_of=[PROGRAMS[name].digest for name in ("argocd", "helm", "kustomize")],
        owner=layers.ARGOCD_USER,
        owned=("/app/config/gpg/keys", "/home/argocd"),
        stand_in="upstream's program without its web interface, which is not part of the Go module",
    ),
    Image(
        "public.ecr.aws/docker/library/redis:8.2.3-alpine",
        layers.redis,
        {"User": "999", "WorkingDir": "/data", "Entrypoint": ["redis-server"], "Env": [PATH]},
        owner=999,
        owned=("/data",),
        stand_in="Debian's Redis 7.0",
    ),
    Image(
        f"ghcr.io/dexidp/dex:{DEX}",
        layers.dex,
        {"User": "1001:1001", "WorkingDir": "/srv/dex", "Env": [PATH]},
        made_of=[PROGRAMS["dex"].digest],
        stand_in="upstream's program of a commit half a year after that version",
    ),
    Image(
        f"docker.io/istio/pilot:{ISTIO}",
        layers.istio_pilot,
        {
            "User": "1337:1337",
            "Entrypoint": ["/usr/local/bin/pilot-discovery"],
            # Their defaults configure filters that are in Istio's own build of Envoy alone.
            "Env": [PATH, "PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false"],
        },
        made_of=[PROGRAMS["istio"].digest],
        stand_in="upstream's program of a commit of the 1.31 line, told to do without Istio's own filters for Envoy",
    ),
    Image(
        f"docker.io/istio/proxyv2:{ISTIO}",
        layers.istio_proxy,
        {"Entrypoint": ["/usr/local/bin/pilot-agent"], "Env": [PATH]},
        made_of=[PROGRAMS["istio"].digest, envoy.digest()],
        owner=1337,
        owned=("/var/lib/istio",),
        stand_in="upstream's agent of a commit of the 1.31 line, with Envoy as its own project publishes it",
    ),
    Image(
        f"ghcr.io/mlflow/mlflow:v{MLFLOW}-full",
        layers.mlflow,
        {"Env": [PATH, "GIT_PYTHON_REFRESH=quiet"]},
        made_of=[hashlib.sha256(layers.LOCK.read_bytes()).hexdigest()],
    ),
)


def layout() -> Layout:
    """The OCI image layout in the cache."""
    return Layout(cache_dir() / "images")


def _base_layer(store: Layout, work: Path) -> dict[str, Any]:
    key = hashlib.sha256("\0".join([*layers.BASE_PACKAGES, _source(layers.base)]).encode()).hexdigest()[:16]
    kept = store.folder / f"base-{key}.json"
    if not kept.is_file():
        with step("bootstrap the images' Debian base"):
            layers.base(work / "base.tar")
            kept.parent.mkdir(parents=True, exist_ok=True)
            Layout.write(kept, json.dumps(store.add_layer(work / "base.tar")).encode())
    descriptor: dict[str, Any] = json.loads(kept.read_text())
    return descriptor


def assemble_all() -> None:
    """Assembles what is missing of IMAGES, and forgets images that are no longer declared.

    Raises ToolchainError.
    """
    store = layout()
    for image in IMAGES:
        if store.has(image.name, image.key):
            continue
        store.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store.folder) as made:
            work = Path(made)
            used = [_base_layer(store, work)] if image.based else []
            with step(f"assemble {image.name}"):
                root = work / "root"
                root.mkdir()
                image.fill(root)
                layers.pack(root, work / "layer.tar", image.owner, *image.owned)
                used.append(store.add_layer(work / "layer.tar"))
                store.add_image(image.name, image.config, used, image.key)
