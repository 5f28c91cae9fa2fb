"""Brings a branch to the wanted content: clone, compare, commit, push; once more if somebody pushed meanwhile."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .content import Change, Wanted, apply, as_bytes, check_path, compare, fetch, read_tree, unpack
from .repository import PushRefused, Repository

ATTEMPTS = 3


@dataclass(frozen=True)
class Outcome:
    """The differences found, and the branch's commit afterwards (before, when nothing was written)."""

    changes: list[Change]
    revision: str


def wanted_content(options: dict[str, Any], clone: Path) -> Wanted:
    """What the module's `options` ask for; `clone` may hold the vendored files already."""
    wanted = Wanted(seeds=as_bytes(options["seeds"]))
    for tree in options["trees"]:
        wanted.folders.append(check_path(tree["path"]))
        wanted.owned.update(read_tree(Path(tree["source"]), tree["path"]))
    wanted.folders += [check_path(folder) for folder in options["owned_folders"]]
    wanted.owned.update(as_bytes(options["files"]))
    for download in options["downloads"]:
        path = check_path(download["path"])
        wanted.owned[path] = fetch(download["url"], download["sha256"], clone / path)
    for archive in options["archives"]:
        wanted.folders += [check_path(folder) for folder in archive["folders"]]
        wanted.owned.update(unpack(archive["url"], archive["sha256"], archive["folders"], clone))
    return wanted


def hand_off(options: dict[str, Any], check: bool) -> Outcome:
    """Does it, or with `check` only finds out what would change. Raises HandOffError."""
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix="handoff-") as folder:
            repository = Repository(
                options["repository"], options["branch"], options["username"], options["password"] or "", Path(folder)
            )
            repository.clone(may_be_missing=options["may_be_missing"])
            changes = compare(wanted_content(options, repository.folder), repository.folder)
            if check or not changes:
                return Outcome(changes, repository.revision())
            apply(changes, repository.folder)
            try:
                return Outcome(changes, repository.push(options["message"], options["author"]))
            except PushRefused:
                if attempt == ATTEMPTS:
                    raise
    raise AssertionError("every attempt returns or raises")
