"""Settings that become values of a chart of the platform, held against that chart's own schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

CHARTS = Path(__file__).resolve().parents[3] / "platform" / "charts"

# Keys of values that are Helm's, or set by the platform itself.
NOT_PEOPLES = {"global", "namePrefix", "fileName"}


@cache
def _validator(chart: str, part: str) -> jsonschema.Draft7Validator:
    # Only to Python is `$` also the place before a last line break; Helm would refuse what has one.
    whole = json.loads((CHARTS / chart / "values.schema.json").read_text().replace('$"', '\\\\Z"'))
    schema = {"definitions": whole["definitions"], **whole["properties"][part]} if part else whole
    return jsonschema.Draft7Validator(schema)


def plain(given: Any) -> Any:
    """The same in types of JSON: what templating gave may be of types that only look like them."""
    return json.loads(json.dumps(given, default=str))


def misfits(given: Any, chart: str, root: str, part: str = "") -> list[str]:
    """Every problem of *given* as the values of *chart*, or as their *part*; *root* is its path in the settings."""
    found = sorted(
        _validator(chart, part).iter_errors(given), key=lambda error: [str(step) for step in error.absolute_path]
    )
    return [f"{_path(root, error.absolute_path)}: {_said(error, chart)}." for error in found]


def _path(root: str, steps: Iterable[str | int]) -> str:
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _said(error: jsonschema.ValidationError, chart: str) -> str:
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = set(error.schema.get("properties", {})) if isinstance(error.schema, dict) else set()
        unknown = ", ".join(sorted(set(error.instance) - known))
        return f"unknown key {unknown}; possible are {', '.join(sorted(known - NOT_PEOPLES))}"
    if error.validator in ("pattern", "not"):
        return f"{error.instance!r} is not possible here; see platform/charts/{chart}/values.yaml for the form"
    if error.validator == "anyOf":  # which only routes have
        return "paths or headers must say which requests it is about"
    return str(error.message)
