"""Field masks, as the newer services take them in `updateMask`."""

from __future__ import annotations

import re
from typing import Any


def camel(name: str) -> str:
    """`display_name` -> `displayName`."""
    return re.sub(r"_(\w)", lambda hit: hit.group(1).upper(), name)


def paths(mask: str) -> list[list[str]]:
    """The paths of a mask, each as its steps in camel case."""
    return [[camel(step) for step in path.strip().split(".")] for path in mask.split(",") if path.strip()]


def apply_mask(body: dict[str, Any], given: dict[str, Any], mask: str) -> None:
    """Takes over from `given` what the mask names (everything that is there, where it is empty or `*`), in place."""
    wanted = paths(mask) if mask not in ("", "*") else [[key] for key in given]
    for path in wanted:
        source: Any = given
        for step in path:
            source = source.get(step) if isinstance(source, dict) else None
        target = body
        for step in path[:-1]:
            target = target.setdefault(step, {})
        if source is None:
            target.pop(path[-1], None)
        else:
            target[path[-1]] = source
