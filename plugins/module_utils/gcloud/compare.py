"""Whether what Google has is what the user wants: both sides normalised, then compared once.

Pure functions. Rules that hold everywhere: references are the same however they are spelt (full URL, partial path,
project number for the project id); int64 values arrive as strings; zero values (false, 0, "", [], {}) may be absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from .model import MISSING, Drift, Field, Output, Resource, Spec, lookup

_LINK = re.compile(r"^(?:https?:)?//[\w.-]+\.googleapis\.com/(?:.+?/)??(?=projects/)")
_NUMBER = re.compile(r"^projects/\d+/")
_ID = re.compile(r"^projects/[^/]+/")


def short(value: Any) -> Any:
    """A reference without host and version ("projects/p/global/networks/n"); other values as they are."""
    return _LINK.sub("", value) if isinstance(value, str) else value


def drifts(resource: Resource, spec: Spec, have: Spec) -> list[Drift]:
    """The fields of *spec* that *have* does not hold as wanted; fields that *spec* lacks are left alone."""
    found = []
    for field in resource.kind.fields:
        want = lookup(spec, field.path)
        if want is MISSING:
            continue
        seen = lookup(have, f"{field.path}Sha256" if field.compare == "sha256" else field.path, field.default)
        if not _as_wanted(field, want, seen):
            found.append(Drift(field, seen, want))
    return found


def undeclared(resource: Resource) -> list[str]:
    """Paths of the wanted spec no Field speaks of: a defect in the kind's declaration, which tests look for."""
    declared = {field.path for field in resource.kind.fields}

    def walk(data: Any, path: str) -> list[str]:
        if path in declared:
            return []
        if isinstance(data, Mapping) and data:
            return [hit for key, value in data.items() for hit in walk(value, f"{path}.{key}" if path else key)]
        return [path]

    return walk(resource.spec, "")


def _as_wanted(field: Field, want: Any, have: Any) -> bool:
    if any(want in group and have in group for group in field.alike):
        return True
    if field.compare == "create":
        return True
    if field.compare == "includes":
        return set(want) <= set(have or [])
    if field.compare == "set":
        return _same_set(want, have)
    if field.compare == "keyed":
        return _same_keyed(field.key, want, have)
    if field.compare == "map":
        own = {key: value for key, value in (have or {}).items() if not key.startswith("goog-")}
        return dict(want or {}) == own
    if field.compare == "caseless":
        return str(want).lower() == str(have).lower()
    if field.compare == "sha256":
        return sha256(str(want).encode()).hexdigest() == have
    return same(want, have)


def same(want: Any, have: Any) -> bool:
    """Whether *have* is *want*: objects by the wanted keys only, lists item by item in order."""
    if isinstance(want, Output):
        return False
    if have is MISSING or have is None:
        return not want or want is MISSING or (isinstance(want, Mapping) and all(same(v, None) for v in want.values()))
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(same(value, have.get(key, MISSING)) for key, value in want.items())
    if isinstance(want, (list, tuple)):
        return (
            isinstance(have, (list, tuple))
            and len(want) == len(have)
            and all(same(a, b) for a, b in zip(want, have, strict=True))
        )
    return _same_scalar(want, have)


def _same_scalar(want: Any, have: Any) -> bool:
    if isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if isinstance(want, (int, float)) and isinstance(have, str):
        try:
            return float(have) == float(want)
        except ValueError:
            return False
    if isinstance(want, str) and isinstance(have, (int, float)):
        return want == str(have)
    left, right = short(want), short(have)
    if left == right:
        return True
    if isinstance(left, str) and isinstance(right, str) and (_NUMBER.match(left) or _NUMBER.match(right)):
        both = _ID.match(left) and _ID.match(right)
        return bool(both) and _ID.sub("", left) == _ID.sub("", right)
    return False


def _same_set(want: Sequence[Any], have: Any) -> bool:
    left, right = list(want or []), list(have or [])
    if len(left) != len(right):
        return False
    for item in left:
        hit = next((other for other in right if same(item, other)), MISSING)
        if hit is MISSING:
            return False
        right.remove(hit)
    return True


def _same_keyed(key: str, want: Sequence[Any], have: Any) -> bool:
    left = {short(lookup(item, key)): item for item in want or []}
    right = {short(lookup(item, key)): item for item in have or []}
    return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
