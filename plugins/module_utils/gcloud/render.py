"""Plans and differences as text for people: `--diff`, error messages, return values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from .compare import same, short
from .model import MISSING, Drift, Output, Resource, Spec, assign, lookup

HIDDEN = "(not shown)"


def view(resource: Resource, data: Spec | None) -> Spec:
    """The part of *data* that the wanted spec speaks of, references shortened, sets sorted, secrets hidden."""
    shown: Spec = {}
    for field in resource.kind.fields:
        if lookup(resource.spec, field.path) is MISSING:
            continue
        value = lookup(data or {}, field.path, field.default)
        if value is MISSING:
            continue
        assign(shown, field.path, HIDDEN if field.secret else tidy(value, sort=field.compare in ("set", "keyed")))
    return shown


def tidy(value: Any, *, sort: bool = False) -> Any:
    """*value* as plain YAML data: references shortened, unknown outputs named, lists sorted if *sort*."""
    if isinstance(value, Output):
        return f"(known after apply: {value.resource})"
    if value is MISSING:
        return None
    if isinstance(value, Mapping):
        return {key: tidy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [tidy(item) for item in value]
        return sorted(items, key=str) if sort else items
    return short(value)


def as_yaml(data: Any) -> str:
    """YAML text, '' for nothing."""
    return yaml.safe_dump(data, sort_keys=True, default_flow_style=False, width=120) if data else ""


def difference(resource: Resource, before: Spec | None, after: Spec | None) -> dict[str, str]:
    """One entry of Ansible's diff list."""
    return {
        "before_header": f"{resource.title} (Google)",
        "after_header": f"{resource.title} (wanted)",
        "before": as_yaml(view(resource, before)) if before is not None else "",
        "after": as_yaml(view(resource, after)) if after is not None else "",
    }


def drift_line(drift: Drift) -> str:
    """ "mtu: 1460 -> 1500", for messages."""
    if drift.field.secret:
        return f"{drift.path}: {HIDDEN}"
    return f"{drift.path}: {' -> '.join(drift_values(drift))}"


def drift_values(drift: Drift) -> tuple[str, str]:
    """What Google has and what is wanted, each on one line; of lists of objects only the items that differ."""
    if drift.field.secret:
        return HIDDEN, HIDDEN
    sort = drift.field.compare in ("set", "keyed")
    before, after = tidy(drift.before, sort=sort), tidy(drift.after, sort=sort)
    if sort and any(isinstance(item, Mapping) for item in [*(before or []), *(after or [])]):
        key = drift.field.key if drift.field.compare == "keyed" else ""
        before, after = _only_in(before or [], after or [], key), _only_in(after or [], before or [], key)
    return _inline(before), _inline(after)


def _only_in(these: Sequence[Any], those: Sequence[Any], key: str) -> list[Any]:
    """The objects of *these* that none of *those* equals in what both speak of; by *key*, only what differs of them."""
    found = []
    for item in these:
        if any(same(item, other) or same(other, item) for other in those):
            continue
        twin = next((other for other in those if key and other.get(key) == item.get(key)), None)
        if twin is not None:
            item = {name: value for name, value in item.items() if name == key or _differs(value, twin.get(name))}
        found.append(item)
    return found


def _differs(value: Any, other: Any) -> bool:
    return other is not None and not same(value, other) and not same(other, value)


def _inline(value: Any) -> str:
    if value is MISSING or value is None:
        return "(unset)"
    return yaml.safe_dump(tidy(value), default_flow_style=True, width=10**6).strip().removesuffix("...").strip()
