"""The partial Debian archive: what apt lists and packages become, and what identifies a base."""

from __future__ import annotations

import hashlib
import lzma
from pathlib import Path

import pytest

from rehearsal.machines import archive, base
from rehearsal.machines.spec import MachineSpec


def _inputs(folder: Path) -> tuple[Path, Path, str]:
    packages, lists = folder / "packages", folder / "lists"
    packages.mkdir()
    lists.mkdir()
    (packages / "jq_1.6_amd64.deb").write_bytes(b"package")
    digest = hashlib.sha256(b"package").hexdigest()
    index = f"Package: jq\nFilename: pool/main/j/jq/jq_1.6_amd64.deb\nSHA256: {digest}\n\n" + (
        f"Package: git\nFilename: pool/main/g/git/git_2_amd64.deb\nSHA256: {'0' * 64}\n"
    )
    name = "mirror.example_debian_dists_bookworm"
    (lists / f"{name}_InRelease").write_text("signed")
    packed = lzma.compress(index.encode())
    (lists / f"{name}_main_binary-amd64_Packages.xz").write_bytes(packed)
    return packages, lists, hashlib.sha256(packed).hexdigest()


def test_an_archive_has_everything_where_apt_looks_for_it(tmp_path: Path) -> None:
    packages, lists, digest = _inputs(tmp_path)
    mirror = tmp_path / "mirror"
    assert archive.lay_out(packages, lists, mirror) == ["mirror.example"]
    found = {str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file()}
    dist = "debian/dists/bookworm"
    assert found == {
        f"{dist}/InRelease",
        f"{dist}/main/binary-amd64/Packages.xz",
        f"{dist}/main/binary-amd64/by-hash/SHA256/{digest}",
        "debian/pool/main/j/jq/jq_1.6_amd64.deb",
    }


def test_a_base_is_known_by_what_it_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.current(tmp_path)
    assert not base.exists(before)
    monkeypatch.setattr(base, "AVAILABLE", (*base.AVAILABLE, "another"))
    assert base.current(tmp_path).folder != before.folder


def test_an_ordinary_user_builds_nothing_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REHEARSAL_CACHE", str(tmp_path))
    monkeypatch.setattr(base.os, "geteuid", lambda: 1000)
    said: list[str] = []
    assert not base.exists(base.build(said.append))
    assert "needs root" in said[0]


def test_a_specification() -> None:
    spec = MachineSpec.parse(
        {
            "key": "projects/p/zones/z/instances/i",
            "project": "p",
            "zone": "z",
            "name": "i",
            "address": "10.0.0.2",
            "gateway": "10.0.0.1",
            "metadata": {"enable-oslogin": "true"},
            "network_tags": [],
        }
    )
    assert spec.domain_name == "i.z.c.p.internal"
    assert spec.os_login
    assert len(f"vm{spec.identity}") < 16, "names of network interfaces are short"
