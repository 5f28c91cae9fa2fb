"""What a repository is to hold, compared with what it holds: pure, but for reading the two.

Three kinds of paths: *owned* ones are exactly as wanted, and what else lies in an owned folder is removed; *seeds* are
written at the first hand-off, before which none of the owned files is there, and are then people's; all others are
left alone.
"""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .errors import HandOffError

SHOWN_BYTES = 50_000
ORIGIN = ".origin.yaml"
DOWNLOAD_SECONDS = 120


@dataclass
class Wanted:
    """The wanted content, as bytes by path below the repository's root."""

    owned: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    seeds: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One file that differs; `before` or `after` is None where there's no such file."""

    path: str
    before: bytes | None
    after: bytes | None

    def as_diff(self) -> dict[str, str]:
        """In the form in which Ansible shows differences."""
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": _shown(self.before),
            "after": _shown(self.after),
        }


def _shown(content: bytes | None) -> str:
    if content is None:
        return ""
    if len(content) > SHOWN_BYTES:
        return f"({len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()})\n"
    return content.decode(errors="replace")


def check_path(path: str) -> str:
    """Returns `path` in plain form. Raises HandOffError if it would leave the repository."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0] == ".git":
        raise HandOffError(f"{path!r} is no path inside a repository", "Give a relative path without '..'.")
    return str(PurePosixPath(path))


def read_tree(source: Path, target: str) -> dict[str, bytes]:
    """All files below the local folder `source`, by their path below `target` in the repository.

    Raises HandOffError when there's no such folder.
    """
    if not source.is_dir():
        raise HandOffError(f"there is no folder {source} to hand over", "Give the path of an existing folder.")
    prefix = PurePosixPath(check_path(target))
    found = {}
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".j2" and "__pycache__" not in path.parts:
            found[str(prefix / path.relative_to(source).as_posix())] = path.read_bytes()
    return found


def fetch(url: str, sha256: str, there: Path | None = None) -> bytes:
    """The file at `url`, whose digest must be `sha256`; it is taken from `there` if that has this digest.

    Raises HandOffError when it cannot be had or is another one.
    """
    if there and there.is_file() and hashlib.sha256(content := there.read_bytes()).hexdigest() == sha256:
        return content
    if not url.startswith("https://"):
        raise HandOffError(f"{url} is not fetched over HTTPS", "Give an https:// address.")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS) as answer:  # noqa: S310  # https only, see above
            content = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise HandOffError(f"could not fetch {url}: {error}", "Is it reachable from this computer?") from error
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        message = f"{url} has the digest {digest}, not the pinned {sha256}"
        raise HandOffError(message, "Do not use it. Find out why it changed, then correct platform/pins.yaml.")
    return bytes(content)


def unpack(url: str, sha256: str, folders: Mapping[str, str], clone: Path) -> dict[str, bytes]:
    """Parts of the zip archive at `url`: `folders` maps a folder of the repository to one of the archive.

    Each such folder gets the file ORIGIN, which says what it was made of. Where the clone holds all of
    them, made of this archive and not changed since, nothing is fetched. Raises HandOffError.
    """
    kept = [_kept(clone, check_path(target), url, sha256, source) for target, source in folders.items()]
    if kept and all(kept):
        return {path: content for part in kept for path, content in part.items()}
    found: dict[str, bytes] = {}
    with _archive(url, fetch(url, sha256)) as archive:
        for target, source in folders.items():
            found |= _part(archive, url, sha256, check_path(target), source)
    return found


@contextmanager
def _archive(url: str, content: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive
    except zipfile.BadZipFile as error:
        raise HandOffError(f"{url} is no zip archive: {error}", "Correct its address in platform/pins.yaml.") from error


def _part(archive: zipfile.ZipFile, url: str, sha256: str, target: str, source: str) -> dict[str, bytes]:
    start = f"{source.strip('/')}/"
    members = [name for name in archive.namelist() if name.startswith(start) and not name.endswith("/")]
    if not members:
        raise HandOffError(f"{url} has no folder {source}", "Correct `folders` in platform/pins.yaml.")
    part = {f"{target}/{check_path(name.removeprefix(start))}": archive.read(name) for name in members}
    return {**part, f"{target}/{ORIGIN}": _origin(url, sha256, source, part)}


def _origin(url: str, sha256: str, source: str, part: Mapping[str, bytes]) -> bytes:
    tree = hashlib.sha256()
    for path, content in sorted(part.items()):
        tree.update(f"{hashlib.sha256(content).hexdigest()} {path}\n".encode())
    lines = (f"url: {url}", f"sha256: {sha256}", f"folder: {source}", f"files_sha256: {tree.hexdigest()}", "")
    return "\n".join(lines).encode()


def _kept(clone: Path, target: str, url: str, sha256: str, source: str) -> dict[str, bytes]:
    """The folder as the clone holds it; empty unless it was made of this archive, and is as it was made."""
    origin = f"{target}/{ORIGIN}"
    there = {path: (clone / path).read_bytes() for path in _files(clone, [target])}
    part = {path: content for path, content in there.items() if path != origin}
    return there if part and there.get(origin) == _origin(url, sha256, source, part) else {}


def compare(wanted: Wanted, folder: Path) -> list[Change]:
    """What must change in the clone at `folder`, in the order of the paths."""
    changes = []
    for path, content in wanted.owned.items():
        before = _read(folder / path)
        if before != content:
            changes.append(Change(path, before, content))
    handed_over = any((folder / path).exists() for path in wanted.owned)
    for path, content in wanted.seeds.items():
        if not handed_over and not (folder / path).exists():
            changes.append(Change(path, None, content))
    keep = {*wanted.owned, *wanted.seeds}
    changes += [Change(path, _read(folder / path), None) for path in _files(folder, wanted.folders) if path not in keep]
    return sorted(changes, key=lambda change: change.path)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _files(folder: Path, owned: Iterable[str]) -> Iterable[str]:
    for name in owned:
        for path in sorted((folder / check_path(name)).rglob("*")):
            if path.is_file():
                yield path.relative_to(folder).as_posix()


def apply(changes: Iterable[Change], folder: Path) -> None:
    """Writes `changes` into the clone at `folder`."""
    for change in changes:
        path = folder / change.path
        if change.after is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change.after)


def as_bytes(texts: Mapping[str, str]) -> dict[str, bytes]:
    """Texts by path as UTF-8, each path checked."""
    return {check_path(path): text.encode() for path, text in texts.items()}
