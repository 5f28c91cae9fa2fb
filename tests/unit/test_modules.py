"""What holds for every module: documentation, size, names, and that options are what the documentation says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.config.manager import ConfigManager

from plugins.module_utils.gcloud.arguments import COMMON, argument_spec

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")
GOOGLES = [name for name in MODULES if name.startswith("gcp_")]
LIMIT = 120


def load(name: str) -> Any:
    return importlib.import_module(f"plugins.modules.{name}")


@pytest.mark.parametrize("name", MODULES)
def test_documentation_is_whole(name: str) -> None:
    module = load(name)
    documentation = yaml.safe_load(module.DOCUMENTATION)
    assert documentation["module"] == name
    assert documentation["short_description"]
    examples = yaml.safe_load(module.EXAMPLES)
    assert any(name in task for task in examples)
    assert yaml.safe_load(module.RETURN)


@pytest.mark.parametrize("name", GOOGLES)
def test_check_and_diff_mode_are_declared(name: str) -> None:
    documentation = yaml.safe_load(load(name).DOCUMENTATION)
    fragments = documentation["extends_documentation_fragment"]
    assert "gcloud.plan" in fragments or {"check_mode", "diff_mode"} <= set(documentation["attributes"])


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_documentation_and_little_else(name: str) -> None:
    text = (ROOT / f"plugins/modules/{name}.py").read_text()
    code = re.sub(r'^(DOCUMENTATION|EXAMPLES|RETURN) = r?"""[\s\S]*?^"""$', "", text, flags=re.MULTILINE)
    assert len(code.splitlines()) < LIMIT


@pytest.mark.parametrize("name", GOOGLES)
def test_the_options_are_those_of_the_documentation(name: str) -> None:
    documentation = load(name).DOCUMENTATION
    spec = argument_spec(documentation)
    assert set(spec) == set(yaml.safe_load(documentation)["options"]) | set(COMMON)


def test_no_name_is_one_that_ansible_sends_elsewhere() -> None:
    core = Path(ConfigManager.__module__ and importlib.import_module("ansible").__path__[0])
    routing = yaml.safe_load((core / "config/ansible_builtin_runtime.yml").read_text())["plugin_routing"]
    assert not set(MODULES) & set(routing["modules"])
    assert not {"gcloud", "settings", "gitops"} & {key.split(".")[0] for key in routing["module_utils"]}


def test_only_one_file_imports_googles_libraries() -> None:
    pattern = re.compile(r"^\s*(from|import) (google\.(cloud|auth|oauth2|api_core)|googleapiclient)", re.MULTILINE)
    hits = [str(p.relative_to(ROOT)) for p in (ROOT / "plugins").rglob("*.py") if pattern.search(p.read_text())]
    assert hits == ["plugins/module_utils/gcloud/clients.py"]


def test_secrets_are_marked() -> None:
    spec = argument_spec(load("gcp_https_load_balancer").DOCUMENTATION, no_log=["iap.client_secret"])
    assert spec["iap"]["options"]["client_secret"]["no_log"] is True
    assert spec["access_token"]["no_log"] is True


def test_the_product_knows_nothing_of_its_proving_ground() -> None:
    word = "rehears" + "al"
    places = [ROOT / "site.yml"]
    for folder in ("playbooks", "roles", "plugins", "platform", "group_vars"):
        places += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [str(path) for path in places if word in path.read_text(errors="replace").lower()] == []
