"""The settings as Ansible sees them: the contract in group_vars, an inventory's own files, and what a test changes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

from plugins.module_utils.settings.check import load_options, problems

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = load_options(ROOT / "roles")


@cache
def _variables(inventory: str) -> tuple[DataLoader, dict[str, Any]]:
    init_plugin_loader()
    loader = DataLoader()
    loader.set_basedir(str(ROOT))
    manager = InventoryManager(loader=loader, sources=[str(ROOT / "inventories" / inventory)])
    variables = VariableManager(loader=loader, inventory=manager)
    return loader, variables.get_vars(host=manager.get_host("localhost"))


def settings(changes: dict[str, Any] | None = None, inventory: str = "rehearsal") -> dict[str, Any]:
    """The filled-in variables of *inventory* with *changes* on top."""
    loader, variables = _variables(inventory)
    raw = {
        **variables,
        "ansible_playbook_python": "python3",
        "gitops_token": "a-token",
        "gitops_read_token": "",
        **(changes or {}),
    }
    templar = Templar(loader=loader, variables=raw)
    values: dict[str, Any] = {}
    for name in set(raw) & set(OPTIONS):
        try:
            values[name] = templar.template(raw[name])
        except AnsibleError:  # what a test broke may leave other settings without a value
            values[name] = None
    return {**raw, **values}


def rendered(template: str, changes: dict[str, Any], **more: Any) -> Any:
    """What a template of `platform/` becomes with *changes*, read as YAML; `more` are further variables."""
    loader, _ = _variables("rehearsal")
    templar = Templar(loader=loader, variables={**settings(changes), **more})
    lookup = trust_as_template(f"{{{{ lookup('ansible.builtin.template', '{ROOT}/platform/{template}') }}}}")
    return list(yaml.safe_load_all(str(templar.template(lookup))))


def filled(template: str, changes: dict[str, Any] | None = None, **more: Any) -> Any:
    """What a template becomes with *changes* to the settings; `more` are further variables."""
    loader, _ = _variables("rehearsal")
    return Templar(loader=loader, variables={**settings(changes), **more}).template(trust_as_template(template))


def role_variable(role: str, name: str, changes: dict[str, Any], **more: Any) -> Any:
    """A variable of a role's own, made from the settings with *changes*; `more` are further variables."""
    own = yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text())
    others = {key: trust_as_template(value) if isinstance(value, str) else value for key, value in own.items()}
    return filled(own[name], changes, **{**others, "role_path": str(ROOT / "roles" / role), **more})


def found(changes: dict[str, Any] | None = None, inventory: str = "rehearsal") -> list[str]:
    """The problems of those settings."""
    return problems(settings(changes, inventory), OPTIONS)
