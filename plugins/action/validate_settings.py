"""Action: checks all settings of the platform, on the controller, before anything is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

try:
    from ansible.module_utils.gcloud.runs import unfit_controller
    from ansible.module_utils.settings.check import load_options, problems
except ImportError:  # run from the repository: module_utils/ is a folder of ours, not part of ansible
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
    from gcloud.runs import unfit_controller  # type: ignore[import-not-found,no-redef]  # found at run time
    from settings.check import load_options, problems  # type: ignore[import-not-found,no-redef]  # found at run time

ROLES = Path(__file__).resolve().parents[2] / "roles"


class ActionModule(ActionBase):
    """Reads the play's variables; calls nothing."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset(("roles",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with every problem there is, or tell how many settings were checked."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if unfit := unfit_controller():
            return {**result, "failed": True, "problems": [], "msg": unfit}
        variables = dict(task_vars or {})
        options = load_options(Path(self._task.args.get("roles") or ROLES))
        unclear = self._template(variables, set(options))
        found = unclear + problems(variables, options)
        if found:
            lines = "\n".join(f"  - {line}" for line in found)
            result.update(failed=True, problems=found, msg=f"{len(found)} setting(s) must be mended first:\n{lines}")
        else:
            result.update(changed=False, checked=sorted(options))
        return result

    def _template(self, variables: dict[str, Any], names: set[str]) -> list[str]:
        """Fill in the templates of the settings; returns what cannot be filled in."""
        found = []
        for name in sorted(names & set(variables)):
            try:
                variables[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                found.append(f"{name.removesuffix('_settings')}: cannot be filled in: {error.message or error}.")
                variables[name] = None
        return found
