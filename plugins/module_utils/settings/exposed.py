"""Applications to expose, held against the schema of the chart that will expose them, and against one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .schema import misfits, plain

ROOT = "ingress.applications"


def check_exposed(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every problem of `ingress.applications`, and of hosts in `edge.access` that nothing is exposed at."""
    given = (settings.get("ingress") or {}).get("applications")
    if not isinstance(given, Mapping):
        return
    applications = plain(given)
    problems = misfits(applications, "ingress", ROOT, "applications")
    yield from problems
    if problems:
        return
    yield from _weights(applications)
    yield from _hosts(applications, settings)


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
