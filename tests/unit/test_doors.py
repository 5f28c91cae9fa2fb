"""What keeps the platform, the engine and the sealed world apart, and the repository free of what is of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("site.yml", "playbooks", "roles", "plugins", "platform", "group_vars")
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
LONGEST_MODULE = 120
GOOGLE_DOOR = "plugins/module_utils/gcloud/clients.py"


def files(*below: str) -> list[Path]:
    """Files that Git has or would add, by their path from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *below]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def lines(*below: str) -> Iterator[tuple[str, str]]:
    """(place, line) of all text."""
    for path in files(*below):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def imports(path: Path) -> set[str]:
    """Modules that a Python file imports, wherever in it; relative ones begin with a dot."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module and not node.level}
    return found


def within(name: str, *packages: str) -> bool:
    """Whether a module is one of the packages or in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_platform_never_mentions_the_rehearsal() -> None:
    assert [place for place, line in lines(*PRODUCT) if "rehearsal" in line.lower()] == []


def test_the_rehearsal_never_imports_from_the_platform() -> None:
    python = [path for path in files("rehearsal") if path.suffix == ".py"]
    assert len(python) > 50
    assert [str(path) for path in python if any(within(name, "plugins") for name in imports(path))] == []


def test_only_one_file_imports_googles_libraries() -> None:
    python = {str(path.relative_to(ROOT)): imports(path) for path in files("plugins") if path.suffix == ".py"}
    google = {name for name, found in python.items() if any(within(one, "google", "googleapiclient") for one in found)}
    assert google == {GOOGLE_DOOR}


@pytest.mark.parametrize("path", [path for path in files("plugins/modules") if path.name != "__init__.py"], ids=str)
def test_modules_are_documentation_arguments_and_main(path: Path) -> None:
    tree = ast.parse(path.read_text())
    documentation = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id in DOCUMENTATION
    )
    assert len(path.read_text().splitlines()) - documentation < LONGEST_MODULE


def test_playbooks_list_roles_and_nothing_else() -> None:
    """A role with a condition is included, so that it is one task where it is skipped, and not all of its tasks."""
    for path in files("playbooks"):
        for play in yaml.safe_load(path.read_text()):
            assert "roles" in play or "ansible.builtin.import_playbook" in play or "import_playbook" in play, path
            assert not {"post_tasks", "handlers"} & set(play), path
            for task in [*play.get("pre_tasks", []), *play.get("tasks", [])]:
                assert set(task) <= {"name", "ansible.builtin.include_role", "vars", "when"}, path


def test_no_facts_are_set_that_could_hold_a_secret() -> None:
    """Variables are looked up where they are used; facts would be kept, shown and cached."""
    assert [
        place for place, line in lines("roles", "playbooks", "plugins") if re.search(r"set_fact|ansible_facts", line)
    ] == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"/(?:root|work)/",  # folders of the machine it was written on
        r"/home/(?!\w*_)[a-z]+/\.",
        r"ya29\.[\w-]{30,}",
        r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\n?[A-Za-z0-9+/=]{40,}",
        r"\bgit_[\w-]{32}\b",
    ],
)
def test_nothing_of_one_machine_and_no_secret_is_in_git(pattern: str) -> None:
    here = Path(__file__).relative_to(ROOT)
    assert [place for place, line in lines() if not place.startswith(f"{here}:") and re.search(pattern, line)] == []
