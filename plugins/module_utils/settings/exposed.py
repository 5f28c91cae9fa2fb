"""Applications to expose, held against the schema of the chart that will expose them, and against one another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).resolve().parents[3] / "platform" / "charts" / "ingress" / "values.schema.json"
ROOT = "ingress.applications"


@cache
def _validator() -> jsonschema.Draft7Validator:
    # Only to Python is `$` also the place before a last line break; Helm would refuse what has one.
    whole = json.loads(SCHEMA.read_text().replace('$"', '\\\\Z"'))
    part = {"definitions": whole["definitions"], **whole["properties"]["applications"]}
    return jsonschema.Draft7Validator(part)


def check_exposed(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every problem of `ingress.applications`, and of hosts in `edge.access` that nothing is exposed at."""
    given = (settings.get("ingress") or {}).get("applications")
    if not isinstance(given, Mapping):
        return
    plain = json.loads(
        json.dumps(given, default=str)
    )  # what templating gave may be of types that only look like JSON's
    problems = sorted(_validator().iter_errors(plain), key=lambda error: [str(step) for step in error.absolute_path])
    for error in problems:
        yield f"{_path(error.absolute_path)}: {_said(error)}."
    if problems:
        return
    yield from _weights(plain)
    yield from _hosts(plain, settings)


def _path(steps: Iterable[str | int]) -> str:
    return ROOT + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _said(error: jsonschema.ValidationError) -> str:
    if error.validator == "additionalProperties":
        schema = error.schema if isinstance(error.schema, Mapping) else {}
        known = ", ".join(sorted(schema.get("properties", {})))
        return f"{error.message.partition(' (')[0].lower()}; possible are {known}"
    if error.validator in ("pattern", "not"):
        return f"{error.instance!r} is not possible here; see platform/charts/ingress/values.yaml for the form"
    if error.validator == "anyOf":
        return "paths or headers must say which requests it is about"
    return str(error.message)


def _weights(applications: Mapping[str, Any]) -> Iterator[str]:
    for name, application in applications.items():
        lists = [("to", application["to"])]
        lists += [(f"routes[{place}].to", route["to"]) for place, route in enumerate(application.get("routes", []))]
        for where, targets in lists:
            total = sum(target.get("weight", 0) for target in targets)
            if len(targets) > 1 and total != 100:
                yield f"{ROOT}.{name}.{where}: the weights add up to {total}; make them 100."
            if len(targets) == 1 and targets[0].get("weight", 100) != 100:
                yield (
                    f"{ROOT}.{name}.{where}: a single target takes all requests; "
                    "make its weight 100, or add the target that takes the rest."
                )


def _hosts(applications: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name, application in applications.items():
        host = application.get("host", name)
        if host in seen:
            yield f"{ROOT}.{name}: its host {host} is that of {seen[host]} already; give it another with `host`."
        seen[host] = name
    for host in (settings.get("edge") or {}).get("access") or {}:
        if host not in seen:
            yield f"edge.access.{host}: nothing is exposed at this host; {ROOT} has {', '.join(sorted(seen))}."
