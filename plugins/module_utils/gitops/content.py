"""What a repository is to hold, compared with what it holds: pure, but for reading the two.

Three kinds of paths: *owned* ones are exactly as wanted, and what else lies in an owned folder is removed; *seeds* are
written at the first hand-off, before which none of the owned files is there, and are then people's; all others are
left alone.
"""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from .errors import HandOffError

SHOWN_BYTES = 50_000
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


def fetch(url: str, sha256: str, there: Path) -> bytes:
    """The file at `url`, whose digest must be `sha256`; it is taken from `there` if that has this digest.

    Raises HandOffError when it cannot be had or is another one.
    """
    if there.is_file() and hashlib.sha256(content := there.read_bytes()).hexdigest() == sha256:
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
