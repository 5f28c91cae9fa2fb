"""Playbooks as a person runs them, up to the point where Google would be called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))


def play(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("ansible-playbook")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GOOGLE_", "GCP_", "ANSIBLE_"))}
    return subprocess.run(
        [str(program), *words],
        cwd=ROOT,
        env={**clean, "MLOPS_REPORTS": "none", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", ["../site.yml", *PLAYBOOKS])
def test_playbooks_are_well_formed(name: str) -> None:
    done = play("-i", "inventories/example", f"playbooks/{name}", "--syntax-check")
    assert done.returncode == 0, done.stderr


def test_bad_input_stops_the_site_before_any_call() -> None:
    done = play("-i", "inventories/example", "site.yml", "-e", '{"cluster": {"nmae": "x"}}')
    assert done.returncode == 2
    assert "cluster.nmae: unknown key; did you mean `name`?" in done.stdout
    assert "platform_project: is still the example's" in done.stdout
    assert "TASK [project_services" not in done.stdout


def test_another_system_is_refused_by_name_before_any_call(tmp_path: Path) -> None:
    """What failed: the run lock said that a callback plugin was not enabled, which it was."""
    (tmp_path / "sitecustomize.py").write_text("import platform\nplatform.system = lambda: 'Darwin'\n")
    done = play("-i", "inventories/rehearsal", "site.yml", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert done.returncode == 2
    assert "this computer has Darwin" in done.stdout
    assert "TASK [project_services" not in done.stdout


def test_without_credentials_the_site_stops_with_what_to_do(tmp_path: Path) -> None:
    done = play(
        "-i",
        "inventories/rehearsal",
        "site.yml",
        GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "none.json"),
        PLATFORM_GIT_TOKEN="x",
    )
    assert done.returncode == 2
    assert "no usable Google credentials" in done.stdout + done.stderr
    assert "gcloud auth application-default login" in done.stdout + done.stderr


def test_a_teardown_wants_the_project_named_again() -> None:
    done = play("-i", "inventories/rehearsal", "playbooks/teardown.yml")
    assert done.returncode == 2
    assert "-e confirm=acme-mlops" in done.stdout + done.stderr
    assert "keep_data=yes" in done.stdout + done.stderr
    again = play("-i", "inventories/rehearsal", "playbooks/teardown.yml", "-e", "confirm=acme-mlops")
    assert again.returncode == 2


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


def test_a_status_that_could_not_look_says_so_in_its_last_line(tmp_path: Path) -> None:
    """What failed: a schedule took a missing permission or a network that was down for a difference."""
    missing = str(tmp_path / "none.json")
    done = play("-i", "inventories/rehearsal", "playbooks/status.yml", GOOGLE_APPLICATION_CREDENTIALS=missing)
    assert done.returncode == 2
    assert last_line(done).startswith("Could not look: ")


@pytest.mark.parametrize(
    ("rows", "status", "verdict"),
    [
        (0, 0, "Everything in Google Cloud is as the settings say"),
        (1, 2, "1 difference between Google Cloud and the settings"),
        (3, 2, "3 differences between Google Cloud and the settings"),
    ],
)
def test_the_verdict_of_the_status_is_its_last_line(tmp_path: Path, rows: int, status: int, verdict: str) -> None:
    row = {"resource": "network mlops", "field": "mtu", "google": "1460", "wanted": "1500", "mutable": True}
    names = re.findall(r"{{ (\w+_result) }}", (ROOT / "roles/status/vars/main.yml").read_text())
    results: dict[str, Any] = {name: {"drift": []} for name in names}
    results["network_result"]["drift"] = [row] * rows
    role = {"ansible.builtin.include_role": {"name": "status", "tasks_from": "verdict"}}
    book = tmp_path / "verdict.yml"
    book.write_text(yaml.safe_dump([{"hosts": "controller", "vars": results, "tasks": [role]}]))
    done = play("-i", "inventories/rehearsal", str(book))
    assert (done.returncode, last_line(done)) == (status, verdict)


def test_no_condition_takes_a_list_for_a_truth() -> None:
    """Ansible refuses such a condition only when it comes to evaluate it, which may be in check mode alone."""
    root = Path(__file__).resolve().parents[2]
    wrong = [
        f"{path}: {line.strip()}"
        for path in sorted((root / "roles").glob("*/tasks/*.yml"))
        for line in path.read_text().splitlines()
        if re.search(r"\.resources\s*($|or\b|and\b)", line) and re.search(r"when:|^\s*- ", line)
    ]
    assert wrong == []
