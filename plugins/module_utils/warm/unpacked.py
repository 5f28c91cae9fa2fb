"""The controller's side, too: modules that the host has on its disk are named to it, not packed and sent.

To pack a module Ansible reads all that it imports, which takes half a second for each of a run's modules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.executor import module_common
from ansible.module_utils.common.json import Direction, get_module_encoder
from ansible.plugins.action import ActionBase

from . import client

PLUGINS = Path(__file__).resolve().parents[2]
PACKAGES = {
    PLUGINS / "modules": "ansible.legacy",
    Path(module_common.__file__).parents[1] / "modules": "ansible.modules",
}
COLLECTIONS = "ansible_collections"
PROFILE = "legacy"  # how arguments and results are written, for modules that say nothing of it
_usual = ActionBase._configure_module


def install() -> None:
    """From now on, in this process and its workers. Actions of all kinds run modules, so their base is changed."""
    ActionBase._configure_module = _configure


def _configure(action: Any, module_name: str, module_args: Any, task_vars: Any) -> Any:
    found = action._shared_loader_obj.module_loader.find_plugin_with_context(
        module_name, collection_list=action._task.collections
    )
    path = Path(found.plugin_resolved_path or "")
    place = _place(path) if _is_here(action) else None
    if place is None:
        return _usual(action, module_name, module_args, task_vars)
    try:
        arguments = json.dumps(
            {"ANSIBLE_MODULE_ARGS": module_args}, cls=get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        )
    except TypeError as error:
        raise AnsibleError(f"The arguments of the module {module_name} cannot be written as JSON.") from error
    built = module_common._BuiltModule(
        b_module_data=client.unpacked(*place, arguments, PROFILE),
        module_style="new",
        shebang=f"#!{sys.executable}",
        serialization_profile=PROFILE,
    )
    return built, str(path)


def _is_here(action: Any) -> bool:
    """Whether the run's host of modules would run it, and nobody asked to keep what is sent."""
    return bool(
        action._connection.transport == "warm_local"
        and client.ready()
        and not action._task.async_val
        and action._connection.become is None
        and action._is_pipelining_enabled("new")
    )


def _place(path: Path) -> tuple[str, str] | None:
    """The module's full name, and the folder from which a collection's is imported; None for what has to be sent."""
    if path.suffix != ".py" or b"module_utils" not in path.read_bytes():  # an older kind that is no Python module
        return None
    if package := PACKAGES.get(path.parent):
        return f"{package}.{path.stem}", ""
    if COLLECTIONS in path.parts:
        top = path.parts.index(COLLECTIONS)
        return ".".join(path.with_suffix("").parts[top:]), str(Path(*path.parts[:top]))
    return None
