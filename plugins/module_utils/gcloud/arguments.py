"""Options that all modules share, and how a module hands over to the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml

try:  # libyaml's takes a tenth of the time, where it is there
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]  # slower, and no subclass of that

from .clients import Api
from .errors import PlatformError
from .execute import Executor
from .model import Caller, Nothing, Resource, Spec
from .operations import Patience

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ENABLING_SECONDS = 60.0
PROGRESS_MARK = "\x1eprogress "  # plugins/connection/warm_local.py shows such lines of stderr while a module runs

COMMON: Mapping[str, Mapping[str, Any]] = {
    "project": {"type": "str", "required": True},
    "service_account_file": {"type": "path", "env": "GCP_SERVICE_ACCOUNT_FILE"},
    "access_token": {"type": "str", "no_log": True, "env": "GCP_ACCESS_TOKEN"},
    "impersonate_service_account": {"type": "str", "env": "GCP_IMPERSONATE_SERVICE_ACCOUNT"},
    "timeout": {"type": "int", "default": 1800},
    "compare_only": {"type": "bool", "default": False},
}


def argument_spec(documentation: str, *, no_log: Sequence[str] = ()) -> dict[str, Any]:
    """The argument spec of a module, from its DOCUMENTATION, so that the two cannot differ; plus the common options.

    *no_log* names, as dotted paths, the options whose values Ansible must never show.
    """
    from ansible.module_utils.basic import env_fallback

    spec = documented_options(documentation)
    for name, option in COMMON.items():
        spec[name] = dict(option)
        if "env" in option:
            spec[name]["fallback"] = (env_fallback, [spec[name].pop("env")])
    for path in no_log:
        *way, last = path.split(".")
        inner = spec
        for part in way:
            inner = inner[part]["options"]
        inner[last]["no_log"] = True
    return spec


def documented_options(documentation: str) -> dict[str, Any]:
    """The argument spec of a module's DOCUMENTATION, without the common options."""
    return _spec(yaml.load(documentation, Loader=SafeLoader)["options"])


def _spec(documented: Mapping[str, Any]) -> dict[str, Any]:
    spec = {}
    for name, option in documented.items():
        entry = {key: option[key] for key in ("type", "required", "default", "choices", "elements") if key in option}
        if "suboptions" in option:
            entry["options"] = _spec(option["suboptions"])
        spec[name] = {"no_log": False, **entry}  # names such as "secrets" hold no secret by themselves
    return spec


def make_api(module: AnsibleModule, *, enabling: float = 0.0) -> Api:
    """The API of the identity that the module's options name."""
    return Api(
        service_account_file=module.params.get("service_account_file"),
        access_token=module.params.get("access_token"),
        impersonate=module.params.get("impersonate_service_account"),
        enabling=enabling,
    )


def tell(line: str) -> None:
    """Show a line of progress to the person at the terminal."""
    sys.stderr.write(f"{PROGRESS_MARK}{line}\n")
    sys.stderr.flush()


def fail(module: AnsibleModule, error: PlatformError, **more: Any) -> None:
    """End the module with *error*, returning *more* too."""
    module.fail_json(msg=str(error), failure=error.as_dict(), **more)


def state_of(have: Spec | None) -> str:
    """A resource's state as Google calls it, "present" where it has none, "missing" where there is no such thing."""
    return "missing" if have is None else str(have.get("status") or have.get("state") or "present")


def run_graph(
    module: AnsibleModule,
    build: Callable[[dict[str, Any], Caller], Sequence[Resource]],
    outputs: Callable[[Mapping[str, Spec | None]], dict[str, Any]] = lambda seen: {},
) -> None:
    """Make the graph that *build* derives from the module's options true (or absent), or tell what that would change.

    Exits the module with ``changed``, ``plan`` (lines for people), ``diff`` and what *outputs* makes of the observed.
    """
    compare_only = module.params["compare_only"]
    looking = module.check_mode or compare_only
    timeline: list[dict[str, Any]] = []
    try:
        api = make_api(module, enabling=0.0 if looking else ENABLING_SECONDS)
        executor = Executor(api, Patience(float(module.params["timeout"]), tell), look_only=looking)
        timeline = executor.timeline
        absent = module.params.get("state") == "absent"
        graph, ahead = executor.look_ahead(build(module.params, Nothing()), lambda: build(module.params, api))
        plan = executor.plan(graph, absent=absent, refuse=not compare_only, ahead=ahead)
        if not looking:
            executor.apply(plan)
        result = outputs(executor.seen)
    except PlatformError as error:
        fail(module, error, timeline=timeline)
        return
    changed = plan.changed if looking else bool(executor.done)
    lines = plan.lines() if looking else executor.done
    module.exit_json(
        changed=changed and not compare_only,
        plan=lines,
        drift=plan.drift(),
        diff=plan.differences(),
        timeline=timeline,
        resources=[
            {"title": plan.steps[key].resource.title, "state": state_of(executor.seen[key])} for key in plan.steps
        ],
        **result,
    )
