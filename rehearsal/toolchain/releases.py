"""Files that projects publish with a release, kept under their real addresses for the world's release hosts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rehearsal.paths import cache_dir
from rehearsal.toolchain.catalog import ARGOCD, ISTIO_SOURCE
from rehearsal.toolchain.layers import argocd_source, istio_module, module_folder

# The paths of kwok's stages in its module; without stages it moves nothing.
KWOK_STAGES = ("kustomize/stage/node/fast", "kustomize/stage/node/heartbeat-with-lease", "kustomize/stage/pod/fast")


def releases_dir() -> Path:
    """The folder with index.json, which maps each address to a file beside it."""
    return cache_dir() / "releases"


def kwok_stages() -> Path:
    """kwok's own stages, as one file for its --config."""
    return releases_dir() / "kwok-stages.yaml"


def _kwok_source() -> Path:
    return module_folder("kwok", "sigs.k8s.io/kwok")


def collect() -> None:
    """Copies the release files out of the Go modules that hold them, unless they are there."""
    folder, manifest = releases_dir(), f"argocd-{ARGOCD}-install.yaml"
    charts = f"istio-{ISTIO_SOURCE}.zip"
    files = {
        f"https://raw.githubusercontent.com/argoproj/argo-cd/{ARGOCD}/manifests/install.yaml": manifest,
        f"https://proxy.golang.org/istio.io/istio/@v/{ISTIO_SOURCE}.zip": charts,
    }
    index = json.dumps(files, indent=1)
    if (folder / "index.json").is_file() and (folder / "index.json").read_text() == index and kwok_stages().is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(argocd_source() / "manifests/install.yaml", folder / manifest)
    shutil.copyfile(istio_module()["Zip"], folder / charts)
    source = _kwok_source()
    stages = [
        stage.read_text()
        for group in KWOK_STAGES
        for stage in sorted((source / group).glob("*.yaml"))
        if stage.name != "kustomization.yaml"
    ]
    kwok_stages().write_text("\n---\n".join(stages))
    (folder / "index.json").write_text(index)
