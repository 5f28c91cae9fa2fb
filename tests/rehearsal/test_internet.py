"""The hosts outside: Git with accounts, registries that serve an image layout, release files, the peepholes."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from rehearsal.internet.registry import Images, Registry
from rehearsal.internet.releases import Releases, static_files
from rehearsal.world import secrets

from .conftest import COMMAND, REPOSITORY, Lab

_PUSH = """
set -e
cd "$(mktemp -d)"; git init -q -b main work; cd work
head -c 2000000 /dev/urandom > big; git add big
git -c user.name=t -c user.email=t@acme.example commit -qm first
git push -q https://{name}:{token}@git.acme.example/platform/{repository}.git main
git clone -q https://{name}:{token}@git.acme.example/platform/{repository} ../copy
cmp big ../copy/big && git -C ../copy log --format=%s
"""


def _remote(lab: Lab, name: str, token: str, *git: str) -> subprocess.CompletedProcess[str]:
    url = f"https://{name}:{token}@git.acme.example/platform/mlops-platform.git"
    return lab.run("env", "GIT_TERMINAL_PROMPT=0", "git", *(word.format(url=url) for word in git))


@pytest.mark.world
def test_git_push_makes_the_repository_and_clone_gets_it_back(lab: Lab) -> None:
    token = secrets.git_token(lab.folder, "platform-bot")
    done = lab.run("sh", "-c", _PUSH.format(name="platform-bot", token=token, repository="mlops-platform"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "first"
    reader = secrets.git_token(lab.folder, "argocd")
    assert "refs/heads/main" in _remote(lab, "argocd", reader, "ls-remote", "{url}").stdout
    refused = lab.run("sh", "-c", _PUSH.format(name="argocd", token=reader, repository="mlops-platform"))
    assert "may read this repository, not push" in refused.stderr


@pytest.mark.world
def test_git_refuses_wrong_tokens_and_other_organisations(lab: Lab) -> None:
    token = secrets.git_token(lab.folder, "platform-bot")
    assert "Authentication failed" in _remote(lab, "platform-bot", "wrong", "ls-remote", "{url}").stderr
    assert "Authentication failed" in _remote(lab, "argocd", token, "ls-remote", "{url}").stderr
    other = f"https://platform-bot:{token}@git.acme.example/finance/books.git"
    assert "sees no repository" in lab.run("git", "ls-remote", other).stderr


@pytest.mark.world
def test_the_proxy_shows_the_world_to_this_machine(lab: Lab) -> None:
    with subprocess.Popen(
        [*COMMAND, "show", "--world", lab.name], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as peephole:
        assert peephole.stdout is not None
        proxy = re.search(r"http://127\.0\.0\.1:\d+", peephole.stdout.readline())
        assert proxy
        trust = ("--cacert", str(lab.folder / "ca" / "ca.pem"))
        done = subprocess.run(
            ["curl", "-sS", "--noproxy", "", "--proxy", proxy[0], *trust, "https://git.acme.example/x"],
            capture_output=True,
            text=True,
            check=False,
        )
        peephole.send_signal(signal.SIGTERM)
    assert done.stdout == "Sign in with your account's name and token.\n", done.stderr


@pytest.mark.world
def test_one_site_is_shown_as_plain_http(lab: Lab) -> None:
    with subprocess.Popen(
        [*COMMAND, "show", "--world", lab.name, "https://quay.io/"], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as peephole:
        assert peephole.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/", peephole.stdout.readline())
        assert address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address[0]}v2/") as answer:
            body, version = answer.read(), answer.headers["Docker-Distribution-API-Version"]
        peephole.send_signal(signal.SIGTERM)
    assert (body, version) == (b"{}", "registry/2.0")


@pytest.mark.world
def test_a_port_that_is_taken_is_an_error_with_a_way_out(lab: Lab) -> None:
    with subprocess.Popen(
        [*COMMAND, "show", "--world", lab.name, "8.8.8.8:53"], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as peephole:
        assert peephole.stdout is not None
        taken = re.search(r"127\.0\.0\.1:(\d+)", peephole.stdout.readline())
        assert taken
        refused = lab.cli("show", "--port", taken[1], "8.8.8.8:53")
        peephole.send_signal(signal.SIGTERM)
    assert refused.returncode == 1
    assert "--port N" in refused.stderr


def _layout(folder: Path) -> tuple[str, bytes]:
    """An OCI layout with one image; returns the digest of its only layer and the manifest's bytes."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return f"sha256:{digest}"

    layer = put(b"layer")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": [{"digest": layer}]}).encode()
    names = ["docker.io/library/redis:7", "quay.io/argoproj/argocd:v3"]
    entries = [
        {"digest": put(manifest), "annotations": {"io.containerd.image.name": name}, "mediaType": kind}
        for name in names
    ]
    (folder / "index.json").write_text(json.dumps({"manifests": entries}))
    return layer, manifest


async def _get(app: web.Application, path: str, host: str) -> tuple[int, bytes, str]:
    async with TestClient(TestServer(app)) as client, client.get(path, headers={"Host": host}) as answer:
        return answer.status, await answer.read(), answer.headers.get("Docker-Content-Digest", "")


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/v2/argoproj/argocd/manifests/v3", "quay.io"),
        ("/v2/argoproj/argocd/manifests/v3?ns=quay.io", "151.101.0.20:5000"),
        ("/v2/library/redis/manifests/7?ns=docker.io", "151.101.0.20:5000"),
        ("/v2/library/redis/manifests/7", "registry-1.docker.io"),
    ],
)
async def test_pull_by_upstream_name(tmp_path: Path, path: str, host: str) -> None:
    layer, manifest = _layout(tmp_path)
    app = Registry(Images(tmp_path)).application()
    status, body, digest = await _get(app, path, host)
    assert (status, body) == (200, manifest)
    assert digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    name = path.split("/v2/")[1].split("/manifests/")[0]
    query = "?" + path.split("?")[1] if "?" in path else ""
    again = Registry(Images(tmp_path)).application()
    assert (await _get(again, f"/v2/{name}/manifests/{digest}{query}", host))[1] == manifest
    blobs = Registry(Images(tmp_path)).application()
    assert (await _get(blobs, f"/v2/{name}/blobs/{layer}{query}", host))[1] == b"layer"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/argoproj/argocd/manifests/latest?ns=quay.io", "MANIFEST_UNKNOWN"),
        ("/v2/argoproj/argocd/manifests/v3?ns=ghcr.io", "MANIFEST_UNKNOWN"),
        (f"/v2/argoproj/argocd/blobs/sha256:{'0' * 64}?ns=quay.io", "BLOB_UNKNOWN"),
        ("/v2/argoproj/argocd/blobs/..%2Findex.json?ns=quay.io", "BLOB_UNKNOWN"),
        ("/v2/nobody/nothing/tags/list?ns=quay.io", "NAME_UNKNOWN"),
    ],
)
async def test_what_the_registry_lacks_is_an_error_of_the_protocol(tmp_path: Path, path: str, code: str) -> None:
    _layout(tmp_path)
    status, body, _ = await _get(Registry(Images(tmp_path)).application(), path, "mirror")
    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == code


async def test_release_files_have_their_real_addresses(tmp_path: Path) -> None:
    (tmp_path / "install.yaml").write_text("kind: List\n")
    address = "https://raw.githubusercontent.com/argoproj/argo-cd/v3/install.yaml"
    (tmp_path / "index.json").write_text(json.dumps({address: "install.yaml"}))
    releases = Releases(tmp_path)
    assert releases.hosts() == {"raw.githubusercontent.com"}
    path = "/argoproj/argo-cd/v3/install.yaml"
    assert (await _get(releases.application(), path, "raw.githubusercontent.com"))[:2] == (200, b"kind: List\n")
    assert (await _get(releases.application(), path, "github.com"))[0] == 404


async def test_a_folder_is_served_and_nothing_beside_it(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_text("yes")
    (tmp_path / "secret").write_text("no")
    (served / "link").symlink_to(tmp_path / "secret")
    for path, status in (("/file", 200), ("/link", 404), ("/%2e%2e/secret", 404), ("/", 404)):
        assert (await _get(static_files(served), path, "mirror"))[0] == status, path
