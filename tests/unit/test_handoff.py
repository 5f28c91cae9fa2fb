"""The hand-off to Git: what is compared, written and refused, and that a real git does it without leaking the token."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gitops import content, handoff, repository
from plugins.module_utils.gitops.errors import HandOffError

TOKEN = "token-that-must-not-show"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """An empty bare repository."""
    path = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    return path


def options(remote: Path, **given: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "repository": str(remote),
        "branch": "main",
        "username": "bot",
        "password": TOKEN,
        "message": "Hand over",
        "author": "Platform <platform@example.com>",
        "files": {},
        "seeds": {},
        "owned_folders": [],
        "trees": [],
        "downloads": [],
        "archives": [],
        "may_be_missing": False,
    }
    return {**base, **given}


def held(remote: Path) -> dict[str, str]:
    """What the branch holds, by path."""
    show = ["git", "--git-dir", str(remote)]
    names = subprocess.run([*show, "ls-tree", "-r", "--name-only", "main"], check=True, capture_output=True, text=True)
    return {
        name: subprocess.run([*show, "show", f"main:{name}"], check=True, capture_output=True, text=True).stdout
        for name in names.stdout.split()
    }


def test_an_empty_repository_gets_its_first_commit(remote: Path) -> None:
    outcome = handoff.hand_off(options(remote, files={"a/b.yaml": "x: 1\n"}), check=False)
    assert held(remote) == {"a/b.yaml": "x: 1\n"}
    assert len(outcome.revision) == 40


def test_a_second_run_makes_no_commit(remote: Path) -> None:
    first = handoff.hand_off(options(remote, files={"a.yaml": "x"}), check=False)
    second = handoff.hand_off(options(remote, files={"a.yaml": "x"}), check=False)
    assert second.changes == []
    assert second.revision == first.revision


def test_check_mode_tells_the_same_changes_and_pushes_nothing(remote: Path) -> None:
    wanted = options(remote, files={"a.yaml": "x"}, seeds={"s.yaml": "y"})
    foretold = handoff.hand_off(wanted, check=True)
    listing = subprocess.run(["git", "--git-dir", str(remote), "branch"], check=True, capture_output=True, text=True)
    assert listing.stdout == ""
    done = handoff.hand_off(wanted, check=False)
    assert [change.path for change in foretold.changes] == [change.path for change in done.changes]


def test_people_own_seeds_and_unnamed_files(remote: Path) -> None:
    handoff.hand_off(options(remote, seeds={"projects/a.yaml": "first"}, files={"other.txt": "theirs"}), check=False)
    handoff.hand_off(options(remote, seeds={"projects/a.yaml": "second"}, files={"new.txt": "n"}), check=False)
    assert held(remote) == {"projects/a.yaml": "first", "other.txt": "theirs", "new.txt": "n"}


def test_a_seed_that_people_removed_does_not_come_back(remote: Path) -> None:
    wanted = options(remote, seeds={"projects/a.yaml": "first"}, files={"pins.yaml": "1"})
    handoff.hand_off(wanted, check=False)
    handoff.hand_off(options(remote, owned_folders=["projects"], files={"pins.yaml": "1"}), check=False)
    assert held(remote) == {"pins.yaml": "1"}
    assert handoff.hand_off(wanted, check=False).changes == []


def test_stale_files_in_owned_folders_go(remote: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "kept.yaml").write_text("k")
    (tree / "gone.yaml").write_text("g")
    (tree / "template.yaml.j2").write_text("never")
    wanted = options(remote, trees=[{"source": str(tree), "path": "charts"}])
    handoff.hand_off(wanted, check=False)
    (tree / "gone.yaml").unlink()
    handoff.hand_off(wanted, check=False)
    assert held(remote) == {"charts/kept.yaml": "k"}


def test_somebody_elses_push_in_between_is_kept(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handoff.hand_off(options(remote, files={"mine.yaml": "1"}), check=False)
    real_push, pushed = repository.Repository.push, []

    def push_second(self: repository.Repository, message: str, author: str) -> str:
        if not pushed:
            pushed.append(True)
            handoff.hand_off(options(remote, files={"theirs.yaml": "2"}), check=False)
        return real_push(self, message, author)

    monkeypatch.setattr(repository.Repository, "push", push_second)
    handoff.hand_off(options(remote, files={"mine.yaml": "3"}), check=False)
    assert held(remote) == {"mine.yaml": "3", "theirs.yaml": "2"}


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "", ".git/config"])
def test_paths_stay_inside_the_repository(remote: Path, path: str) -> None:
    with pytest.raises(HandOffError, match="no path inside a repository"):
        handoff.hand_off(options(remote, files={path: "x"}), check=True)


def test_a_vendored_file_that_changed_upstream_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def read(self) -> bytes:
            return b"other"

    monkeypatch.setattr(content.urllib.request, "urlopen", lambda *_, **__: Answer())
    pinned = hashlib.sha256(b"pinned").hexdigest()
    with pytest.raises(HandOffError, match=f"not the pinned {pinned}"):
        content.fetch("https://example.com/x", pinned, tmp_path / "x")


def test_a_vendored_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"pinned")
    digest = hashlib.sha256(b"pinned").hexdigest()
    assert content.fetch("https://unreachable.invalid/x", digest, tmp_path / "x") == b"pinned"


def test_an_error_says_what_to_do_and_hides_the_token() -> None:
    with pytest.raises(HandOffError) as caught:
        handoff.hand_off(options(Path("x"), repository="https://127.0.0.1:1/none.git"), check=True)
    assert TOKEN not in str(caught.value)
    assert "Is gitops.repository right, and the Git host reachable" in str(caught.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(HandOffError, match="holds a password") as caught:
        handoff.hand_off(options(Path("x"), repository=f"https://user:{TOKEN}@example.com/x.git"), check=True)
    assert TOKEN not in str(caught.value)


def test_large_files_show_as_their_digest() -> None:
    shown = content.Change("install.yaml", None, b"x" * 60_000).as_diff()["after"]
    assert shown == f"(60000 bytes, sha256 {hashlib.sha256(b'x' * 60_000).hexdigest()})\n"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A published zip archive; `fetched` counts how often it was asked for."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, text in (
            ("m@v1/charts/base/Chart.yaml", "name: base"),
            ("m@v1/charts/base/t/a.yaml", "a"),
            ("m@v1/go.mod", ""),
        ):
            file.writestr(name, text)
    fetched: list[str] = []

    def fetch(url: str, sha256: str, there: Path | None = None) -> bytes:
        fetched.append(url)
        return held.getvalue()

    monkeypatch.setattr(content, "fetch", fetch)
    folders = {"vendor/base": "m@v1/charts/base"}
    digest = hashlib.sha256(held.getvalue()).hexdigest()
    return {"url": "https://example.com/m.zip", "sha256": digest, "folders": folders, "fetched": fetched}


def test_folders_of_an_archive_are_kept_with_their_origin_and_fetched_once(
    remote: Path, archive: dict[str, Any]
) -> None:
    wanted = options(remote, archives=[archive])
    handoff.hand_off(wanted, check=False)
    tree = held(remote)
    assert sorted(tree) == ["vendor/base/.origin.yaml", "vendor/base/Chart.yaml", "vendor/base/t/a.yaml"]
    assert f"sha256: {archive['sha256']}" in tree["vendor/base/.origin.yaml"]
    assert handoff.hand_off(wanted, check=False).changes == []
    assert len(archive["fetched"]) == 1


def test_what_somebody_changed_in_a_vendored_folder_is_put_right(remote: Path, archive: dict[str, Any]) -> None:
    wanted = options(remote, archives=[archive])
    handoff.hand_off(wanted, check=False)
    handoff.hand_off(options(remote, files={"vendor/base/Chart.yaml": "name: other"}), check=False)
    outcome = handoff.hand_off(wanted, check=False)
    assert [change.path for change in outcome.changes] == ["vendor/base/Chart.yaml"]
    assert held(remote)["vendor/base/Chart.yaml"] == "name: base"


@pytest.mark.parametrize("folders", [{"vendor/x": "m@v1/none"}, {"../x": "m@v1/charts/base"}])
def test_a_folder_that_is_not_there_or_leaves_the_repository_is_refused(
    remote: Path, archive: dict[str, Any], folders: dict[str, str]
) -> None:
    with pytest.raises(HandOffError, match=r"no folder|no path"):
        handoff.hand_off(options(remote, archives=[{**archive, "folders": folders}]), check=False)


def test_a_repository_with_a_readme_is_still_to_be_handed_over(remote: Path, tmp_path: Path) -> None:
    """What failed: hosts make repositories with one, and then neither projects nor routes.yaml were written."""
    handoff.hand_off(options(remote, files={"README.md": "theirs"}), check=False)
    seeds = {"README.md": "ours", "projects/a.yaml": "first"}
    handoff.hand_off(options(remote, files={"pins.yaml": "1"}, seeds=seeds), check=False)
    assert held(remote) == {"README.md": "theirs", "pins.yaml": "1", "projects/a.yaml": "first"}


def test_a_repository_that_is_not_there_is_an_error_unless_the_host_makes_it(tmp_path: Path) -> None:
    """What failed: a mistyped address, and a token without access, came to light after the cluster was made."""
    nowhere = tmp_path / "nowhere"
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text('#!/bin/sh\ncase "$*" in *ls-remote*) echo "remote: Repository not found." >&2; exit 128;; esac\n')
    git.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{git.parent}:{os.environ['PATH']}")
        with pytest.raises(HandOffError, match="Repository not found") as caught:
            handoff.hand_off(options(nowhere), check=True)
        assert "gitops.made_on_push" in str(caught.value)
        assert handoff.hand_off(options(nowhere, files={"a": "1"}, may_be_missing=True), check=True).changes
