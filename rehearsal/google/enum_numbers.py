"""The numbers of enum values, which Kubernetes Engine's REST client sends in the place of names.

Discovery documents give the names only, and the numbers have gaps; Google's client library knows them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from enum import IntEnum
from functools import cache, lru_cache

LIBRARIES = ("google.cloud.container_v1",)
LEAST_SHARED = 0.8  # document and library may be of different age


@lru_cache(maxsize=1)
def _enums() -> tuple[type[IntEnum], ...]:
    messages = [value for name in LIBRARIES for value in vars(importlib.import_module(name)).values()]
    return tuple(
        inner
        for message in messages
        if inspect.isclass(message)
        for inner in vars(message).values()
        if inspect.isclass(inner) and issubclass(inner, IntEnum)
    )


@cache
def by_number(names: tuple[str, ...]) -> Mapping[int, str]:
    """The names of a document's enum by number: those of the library's enum that shares most of them, else in order."""
    known = max(_enums(), key=lambda enum: len(set(names) & set(enum.__members__)))
    shared = {int(known[name]): name for name in names if name in known.__members__}
    return shared if len(shared) >= LEAST_SHARED * len(names) else dict(enumerate(names))
