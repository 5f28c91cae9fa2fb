"""Lays out a partial Debian archive from apt's own lists and downloaded packages."""

from __future__ import annotations

import hashlib
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path


def lay_out(packages: Path, lists: Path, mirror: Path) -> list[str]:
    """Fill `mirror` as a web server's folder; returns the archive's host names.

    `lists` holds apt's InRelease and Packages.xz files under the names apt gives them: host and path with every slash
    an underscore. `packages` holds .deb files; those that the lists name are placed where the lists say.
    """
    available = {_sha256(path): path for path in packages.glob("*.deb")}
    hosts = set()
    for source in sorted(lists.iterdir()):
        host, *parts = source.name.split("_")
        hosts.add(host)
        target = mirror.joinpath(*parts)
        _copy(source, target)
        if target.suffix == ".xz":
            _copy(source, target.parent / "by-hash" / "SHA256" / _sha256(source))
            top = mirror.joinpath(*parts[: parts.index("dists")])
            for name, digest in _entries(source):
                if digest in available:
                    _copy(available[digest], top / name)
    return sorted(hosts)


def _entries(index: Path) -> Iterator[tuple[str, str]]:
    """(file name, SHA-256) of every package in a Packages.xz."""
    name = ""
    with lzma.open(index, "rt") as lines:
        for line in lines:
            if line.startswith("Filename: "):
                name = line.split()[1]
            elif line.startswith("SHA256: "):
                yield name, line.split()[1]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
