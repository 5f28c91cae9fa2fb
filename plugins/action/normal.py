"""Action: as Ansible runs every module, but this project's and Ansible's own are not packed to be run here."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.executor import module_common
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins import action

PLUGINS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PLUGINS / "module_utils"))
try:
    from warm import client
finally:
    sys.path.pop(0)

PROFILE = "legacy"  # how arguments and results are written, for modules that say nothing of it
ANSIBLE = Path(action.__file__).parents[2]
PACKAGES = {PLUGINS / "modules": "ansible.legacy", ANSIBLE / "modules": "ansible.modules"}


def _usual() -> Any:
    """Ansible's own plugin of this name, by its file: under its name Ansible knows this one now."""
    spec = importlib.util.spec_from_file_location("ansible_action_normal", ANSIBLE / "plugins/action/normal.py")
    if spec is None or spec.loader is None:
        raise AnsibleError(f"{ANSIBLE}/plugins/action/normal.py is missing: install Ansible anew.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ActionModule


class ActionModule(_usual()):  # type: ignore[misc]
    """Packing takes Ansible half a second for each module: it reads all that the module imports, to send it along."""

    def _configure_module(self, module_name: str, module_args: Any, task_vars: Any) -> Any:
        found = self._shared_loader_obj.module_loader.find_plugin_with_context(
            module_name, collection_list=self._task.collections
        )
        path = Path(found.plugin_resolved_path or "")
        package = PACKAGES.get(path.parent)
        if package is None or path.suffix != ".py" or not self._is_here():
            return super()._configure_module(module_name, module_args, task_vars)
        try:
            arguments = json.dumps(
                {"ANSIBLE_MODULE_ARGS": module_args}, cls=get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
            )
        except TypeError as error:
            raise AnsibleError(f"The arguments of the module {module_name} cannot be written as JSON.") from error
        built = module_common._BuiltModule(
            b_module_data=client.unpacked(f"{package}.{path.stem}", arguments, PROFILE),
            module_style="new",
            shebang=f"#!{sys.executable}",
            serialization_profile=PROFILE,
        )
        return built, str(path)

    def _is_here(self) -> bool:
        """Whether the run's host of modules would run it, and nobody asked to keep what is sent."""
        return bool(
            self._connection.transport == "warm_local"
            and client.ready()
            and not self._task.async_val
            and self._connection.become is None
            and self._is_pipelining_enabled("new")
        )
