"""All checks of all settings, in one go."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .cross import check_cross
from .exposed import check_exposed
from .maintenance import check_maintenance
from .projects import check_projects
from .rules import check_rules
from .spec import Options, check_value

SUFFIX = "_settings"
ANSIBLES = ("ansible_", "omit", "groups", "hostvars", "vars", "environment", "play_hosts", "role_", "inventory_")
CLOSE = 0.85


def load_options(roles: Path) -> dict[str, Mapping[str, Any]]:
    """The options of all roles' argument specs, by variable name; the fullest where roles share a variable."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        content = yaml.safe_load(path.read_text())
        options = content["argument_specs"]["main"].get("options") or {}
        for name, option in options.items():
            if name not in found or "options" in option:
                found[name] = option
    return found


def problems(variables: Mapping[str, Any], options: Options) -> list[str]:
    """Everything that is wrong with *variables*, each line naming the variable by its path and the way to mend it."""
    settings = settings_of(variables, options)
    found = [
        *_specs(variables, options),
        *_causes(settings),
        *check_cross(settings),
        *check_exposed(settings),
        *check_projects(settings),
        *check_maintenance(settings),
        *_misspelt(variables, options),
    ]
    return list(dict.fromkeys(found))


def _causes(settings: Mapping[str, Any]) -> Iterator[str]:
    """The broken rules; where a setting of the platform itself is broken, not again for each name made from it."""
    found = list(check_rules(settings))
    broken = {line.split(":")[0] for line in found if line.startswith("platform_")} & set(settings)
    for line in found:
        path, _, text = line.partition(":")
        sources = [str(settings[name]) for name in broken if name != path]
        if not any(source in text or source.replace(".", "-") in text for source in sources):
            yield line


def settings_of(variables: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The settings by the names people set them under: `network` for network_settings."""
    return {public(name): variables[name] for name in options if variables.get(name) is not None}


def public(name: str) -> str:
    """The name a person writes for a variable."""
    return name.removesuffix(SUFFIX)


def _specs(variables: Mapping[str, Any], options: Options) -> Iterator[str]:
    for name, option in options.items():
        value = variables.get(name)
        if value is not None:
            yield from check_value(value, option, public(name))
        elif option.get("required"):
            what = str(option.get("description", "")).rstrip(".")
            yield f"{public(name)}: is required and not set ({what})."


def _misspelt(variables: Mapping[str, Any], options: Options) -> Iterator[str]:
    """Variables nobody reads whose names are almost those of settings."""
    known = _known(variables, options)
    for name in variables:
        if name in known or name.startswith(ANSIBLES):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=CLOSE)
        if near:
            yield f"{name}: unknown variable; did you mean `{near[0]}`?"


def _known(variables: Iterable[str], options: Options) -> list[str]:
    names = set(options) | {public(name) for name in options}
    layers = {public(name) for name in options if name.endswith(SUFFIX)}
    return sorted(names | {f"{layer}_defaults" for layer in layers} | {f"{layer}{SUFFIX}" for layer in layers})
