"""Holds values against the argument specs of the roles, and names what is wrong by its path.

Ansible checks the same specs when a role starts, but one role at a time, without paths, and it stops at the first
problem; a person who sets up a platform wants all of them, before anything is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Problems = Iterator[str]
Options = Mapping[str, Mapping[str, Any]]
CLOSE = 0.75


def check_options(values: Mapping[str, Any], options: Options, path: str = "") -> Problems:
    """Every problem of *values* against *options*: missing, unknown, wrong type, not among the choices."""
    for name, option in options.items():
        if option.get("required") and values.get(name) is None:
            what = str(option.get("description", "")).rstrip(".")
            yield f"{_join(path, name)}: is required and not set ({what})."
    for name, value in values.items():
        if name not in options:
            yield f"{_join(path, str(name))}: unknown key{suggestion(str(name), options)}"
        elif value is not None:
            yield from check_value(value, options[name], _join(path, name))


def check_value(value: Any, option: Mapping[str, Any], path: str) -> Problems:
    """Every problem of one value."""
    kind = option.get("type", "str")
    if not is_a(value, kind):
        seen = "what it is (not shown)" if option.get("no_log") else shown(value)
        yield f"{path}: must be {NAMES[kind]}, not {seen}."
        return
    choices = option.get("choices")
    if choices and value not in choices:
        near = suggestion(str(value), choices).split("; known")[0]
        yield f"{path}: {shown(value)} is not possible; choose one of {', '.join(map(str, choices))}{near}"
    if kind == "dict" and "options" in option:
        yield from check_options(value, option["options"], path)
    if kind == "list":
        yield from _check_items(value, option, path)


def _check_items(values: Sequence[Any], option: Mapping[str, Any], path: str) -> Problems:
    element = {"type": option.get("elements", "raw"), **{k: option[k] for k in ("options", "choices") if k in option}}
    for place, item in enumerate(values):
        yield from check_value(item, element, f"{path}[{place}]")


def is_a(value: Any, kind: str) -> bool:
    """Whether *value* is of an Ansible option type, as strictly as people would read it."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit())
    if kind == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "list":
        return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    if kind == "dict":
        return isinstance(value, Mapping)
    if kind in ("str", "path"):
        return isinstance(value, str)
    return True


NAMES: Mapping[str, str] = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "dict": "a mapping",
    "str": "a text (put it in quotes)",
    "path": "a path",
}


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a sentence: what was meant, where one of *known* is close; the possible ones, where they are few."""
    names = [str(item) for item in known]
    near = difflib.get_close_matches(name, names, n=1, cutoff=CLOSE)
    if near and near[0] != name:
        return f"; did you mean `{near[0]}`?"
    return f"; known are {', '.join(sorted(names))}." if 0 < len(names) <= 12 and not near else "."


def shown(value: Any) -> str:
    """A value in a message, cut where long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
