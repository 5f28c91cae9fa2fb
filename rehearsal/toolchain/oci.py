"""Writes images into one OCI image layout (image-spec v1.1, image-layout.md) that the world's registry serves."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "io.containerd.image.name"  # the annotation under which containerd and ctr keep an image's full name


class Layout:
    """An OCI image layout folder. Blobs are shared between images; index.json names each image once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"

    def _put(self, content: bytes) -> tuple[str, int]:
        digest = hashlib.sha256(content).hexdigest()
        self.write(self.blobs / digest, content)
        return f"sha256:{digest}", len(content)

    @staticmethod
    def write(path: Path, content: bytes) -> None:
        """Writes `content` so that a reader sees the old file or the whole new one."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(content)
        draft.rename(path)

    def add_layer(self, tar: Path) -> dict[str, Any]:
        """Moves an uncompressed layer `tar` into the layout and returns its descriptor."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        with tar.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        size = tar.stat().st_size
        shutil.move(tar, self.blobs / digest)
        return {"mediaType": LAYER, "digest": f"sha256:{digest}", "size": size}

    def index(self) -> list[dict[str, Any]]:
        """The manifests' descriptors of all images; empty for a new layout."""
        path = self.folder / "index.json"
        if not path.is_file():
            return []
        manifests: list[dict[str, Any]] = json.loads(path.read_text())["manifests"]
        return manifests

    def add_image(self, name: str, config: Mapping[str, Any], layers: Iterable[Mapping[str, Any]], key: str) -> None:
        """Adds or replaces the image `name` (full reference with registry and tag).

        `config` is the image-spec's `config` object (User, Entrypoint, Env ...); `key` identifies what it was made
        from and is kept as an annotation, so that an unchanged image is not made again.
        """
        used = list(layers)
        root = {"type": "layers", "diff_ids": [layer["digest"] for layer in used]}
        body = {"architecture": "amd64", "os": "linux", "config": dict(config), "rootfs": root}
        config_digest, config_size = self._put(json.dumps(body, sort_keys=True).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config_digest, "size": config_size},
            "layers": used,
        }
        digest, size = self._put(json.dumps(manifest, sort_keys=True).encode())
        entry = {
            "mediaType": MANIFEST,
            "digest": digest,
            "size": size,
            "annotations": {NAME: name, "org.opencontainers.image.ref.name": name.rpartition(":")[2], "made-from": key},
        }
        kept = [other for other in self.index() if other["annotations"][NAME] != name]
        self.write(self.folder / "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        content = {"schemaVersion": 2, "manifests": [*kept, entry]}
        self.write(self.folder / "index.json", json.dumps(content, indent=1).encode())

    def has(self, name: str, key: str) -> bool:
        """Whether `name` is there and was made from `key`."""
        return any(e["annotations"][NAME] == name and e["annotations"].get("made-from") == key for e in self.index())
