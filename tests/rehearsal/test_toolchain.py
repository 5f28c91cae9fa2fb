"""The toolchain's bookkeeping: when something is made anew, and that its images are what the registry can serve."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from rehearsal.toolchain import debian, images, layers
from rehearsal.toolchain.catalog import PROGRAMS, Program, program_path
from rehearsal.toolchain.commands import run
from rehearsal.toolchain.oci import NAME, Layout
from rehearsal.toolchain.progress import ToolchainError


def layer(tmp_path: Path, text: str) -> Path:
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    (root / "file").write_text(text)
    tar = tmp_path / "layer.tar"
    layers.pack(root, tar, 999, "/file")
    return tar


def test_an_image_in_the_layout_is_whole(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "images")
    layout.add_image("example.com/a:1", {"User": "1"}, [layout.add_layer(layer(tmp_path, "x"))], "key")
    (entry,) = layout.index()
    manifest = json.loads((layout.blobs / entry["digest"].removeprefix("sha256:")).read_bytes())
    for part in (manifest["config"], *manifest["layers"]):
        blob = (layout.blobs / part["digest"].removeprefix("sha256:")).read_bytes()
        assert hashlib.sha256(blob).hexdigest() == part["digest"].removeprefix("sha256:")
        assert len(blob) == part["size"]
    assert entry["annotations"][NAME] == "example.com/a:1"


def test_an_image_is_replaced_not_doubled(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "images")
    for key in ("first", "second"):
        layout.add_image("example.com/a:1", {}, [layout.add_layer(layer(tmp_path, key))], key)
    assert len(layout.index()) == 1
    assert layout.has("example.com/a:1", "second")
    assert not layout.has("example.com/a:1", "first")


def test_only_the_named_files_belong_to_the_user(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "own").mkdir(parents=True)
    (root / "own/x").touch()
    (root / "other").touch()
    layers.pack(root, tmp_path / "t.tar", 999, "/own")
    with tarfile.open(tmp_path / "t.tar") as archive:
        owners = {member.name: member.uid for member in archive.getmembers()}
    assert owners == {"own": 999, "own/x": 999, "other": 0}


def test_a_program_is_built_anew_when_its_source_or_flags_change() -> None:
    program = PROGRAMS["etcd"]
    assert dataclasses.replace(program, flags="-X a=b").digest != program.digest
    assert dataclasses.replace(program).digest == program.digest


def test_every_command_has_one_program() -> None:
    commands = [command for program in PROGRAMS.values() for command, _ in program.commands]
    assert len(commands) == len(set(commands))
    assert program_path("kubectl").name == "kubectl"
    with pytest.raises(KeyError):
        program_path("no-such-command")


def test_every_module_is_pinned_by_sums() -> None:
    for program in PROGRAMS.values():
        pinned = (program.module / "go.mod").read_text()
        assert "require" not in pinned or (program.module / "go.sum").is_file(), program.name


def test_images_have_full_upstream_names_and_tags() -> None:
    for image in images.IMAGES:
        registry, _, rest = image.name.partition("/")
        assert "." in registry, image.name
        assert ":" in rest, image.name
        assert not rest.endswith(":latest"), image.name


def test_a_missing_program_says_what_to_do() -> None:
    with pytest.raises(ToolchainError, match=r"could not run no-such-program: it is not installed. Install it."):
        run(["no-such-program"], "Install it.")


def test_a_failing_program_shows_its_last_lines() -> None:
    with pytest.raises(ToolchainError, match=r"(?s)exit 3.*why it failed.*what to do"):
        run(["sh", "-c", "echo why it failed >&2; exit 3"], "what to do")


def test_debian_packages_never_replace_the_machines_linker() -> None:
    assert not any(name.startswith(debian.NOT_UNPACKED) for name in debian.NODE.packages)
    assert isinstance(Program("x", ()), Program)
