"""Image registries: the images of this machine's cache, served read-only under their upstream names.

The OCI distribution protocol's pull half. Asked directly, the registry is the host name; asked as a containerd mirror,
containerd names it in `?ns=`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web

NAME_ANNOTATION = "io.containerd.image.name"
_SAME_REGISTRY = {"registry-1.docker.io": "docker.io", "index.docker.io": "docker.io"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Images:
    """The OCI image layout in `folder`; read again whenever its index changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at = 0
        self._digests: dict[str, str] = {}

    def digests(self) -> dict[str, str]:
        """Digest of each image's manifest by its full name (`quay.io/argoproj/argocd:v3.5.7`)."""
        index = self._folder / "index.json"
        try:
            changed = index.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._read_at:
            manifests = json.loads(index.read_text())["manifests"]
            self._digests = {entry["annotations"][NAME_ANNOTATION]: entry["digest"] for entry in manifests}
            self._read_at = changed
        return self._digests

    def blob(self, digest: str) -> Path | None:
        """File of a blob, or None if there's no such blob."""
        path = self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
        return path if path.is_file() else None


def _error(status: int, code: str, message: str, detail: Any = None) -> web.Response:
    body = {"errors": [{"code": code, "message": message, "detail": detail}]}
    return web.json_response(body, status=status)


class Registry:
    """The web application that serves `images`."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def application(self) -> web.Application:
        """The registry as a web application."""
        app = web.Application()
        app.router.add_get("/v2/", self._version)
        app.router.add_get("/v2/{name:.+}/tags/list", self._tags)
        app.router.add_get("/v2/{name:.+}/manifests/{reference}", self._manifest)
        app.router.add_get("/v2/{name:.+}/blobs/{digest}", self._blob)
        return app

    @staticmethod
    def _registry(request: web.Request) -> str:
        host = request.query.get("ns") or request.host.partition(":")[0]
        return _SAME_REGISTRY.get(host, host)

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({}, headers={"Docker-Distribution-API-Version": "registry/2.0"})

    async def _tags(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        start = f"{self._registry(request)}/{name}:"
        tags = [image.removeprefix(start) for image in self._images.digests() if image.startswith(start)]
        if not tags:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": name})
        return web.json_response({"name": name, "tags": sorted(tags)})

    async def _manifest(self, request: web.Request) -> web.StreamResponse:
        name, reference = request.match_info["name"], request.match_info["reference"]
        start = f"{self._registry(request)}/{name}:"
        digests = self._images.digests()
        if _DIGEST.fullmatch(reference):
            known = any(image.startswith(start) and digest == reference for image, digest in digests.items())
            digest = reference if known else None
        else:
            digest = digests.get(start + reference)
        path = self._images.blob(digest) if digest else None
        if digest is None or path is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown", {"name": name, "reference": reference})
        body = path.read_bytes()
        return web.Response(
            body=body,
            headers={"Content-Type": json.loads(body).get("mediaType", _MANIFEST), "Docker-Content-Digest": digest},
        )

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        digest = request.match_info["digest"]
        path = self._images.blob(digest) if _DIGEST.fullmatch(digest) else None
        if path is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry", {"digest": digest})
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        return web.FileResponse(path, headers=headers)
