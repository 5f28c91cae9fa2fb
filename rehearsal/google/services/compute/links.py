"""Compute's links: any form a client may send is brought to a key `projects/P/global/networks/N`, and back to a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...core import Call
from ...errors import ApiError
from . import places

BASE = "https://www.googleapis.com/compute/v1/"
_URL = re.compile(r"^https?://[^/]+/(?:compute/[^/]+/)?")


def url(key: str) -> str:
    """The self link of a key."""
    return BASE + key


def key_of(link: str) -> str:
    """The key of a self link as the emulator writes it."""
    return _URL.sub("", link)


def resolve(call: Call, field: str, value: str) -> str:
    """The key that a reference in a request means.

    Raises:
        ApiError: 400, the reference is malformed.
    """
    path = _URL.sub("", value).strip("/")
    head = path.partition("/")[0]
    if head in ("global", "regions", "zones"):
        path = f"projects/{call.project}/{path}"
    parts = path.split("/")
    if parts[0] != "projects" or len(parts) < 4 or "" in parts:
        raise ApiError(400, f"Invalid value for field '{field}': '{value}'. The URL is malformed.", "invalid")
    if parts[1].isdigit() or parts[1] == "-":
        parts[1] = call.cloud.projects.id(call.tx, parts[1]) or parts[1]
    if len(parts) == 5 and parts[2] == "global" and parts[3] == "regions":
        parts = [*parts[:2], *parts[3:]]
    return "/".join(parts)


@dataclass(frozen=True)
class Place:
    """About what a call is: `scope` is `projects/P/global` or with `regions/R`, `zones/Z`; no `key`: a collection."""

    scope: str
    collection: str
    key: str | None

    @property
    def name(self) -> str:
        """The resource's name."""
        return (self.key or "").rpartition("/")[2]

    @property
    def region(self) -> str | None:
        """The region of a regional resource."""
        parts = self.scope.split("/")
        return parts[3] if parts[2] == "regions" else None

    @property
    def zone(self) -> str | None:
        """The zone of a zonal resource."""
        parts = self.scope.split("/")
        return parts[3] if parts[2] == "zones" else None


def locate(call: Call) -> Place:
    """Reads a call's place from its path.

    Raises:
        ApiError: 400, unknown region or zone.
    """
    values = {**call.path, "project": call.project}
    parts = [values.get(part.strip("{}"), part) for part in call.method.template.split("/")]
    rest, scope = parts[2:], f"projects/{call.project}/global"
    if not rest:
        return Place(scope, "projects", f"projects/{call.project}")
    if rest[0] == "aggregated":
        return Place("aggregated", rest[1], None)
    if rest[0] in ("regions", "zones") and len(rest) > 2:
        scope = f"projects/{call.project}/{rest[0]}/{rest[1]}"
        _check_place(rest[0], rest[1])
        rest = rest[2:]
    elif rest[0] == "global":
        rest = rest[1:]
    collection, *tail = rest
    if not tail or (call.method.template.endswith(f"/{collection}/{tail[0]}") and not _is_parameter(call, tail[0])):
        return Place(scope, collection, None)
    return Place(scope, collection, f"{scope}/{collection}/{tail[0]}")


def _is_parameter(call: Call, value: str) -> bool:
    return call.method.template.rstrip("/").endswith("}") and value in call.path.values()


def _check_place(kind: str, name: str) -> None:
    if kind == "regions" and not places.is_region(name):
        raise ApiError(400, f"Invalid value for field 'region': '{name}'. Unknown region.", "invalid")
    if kind == "zones" and name != "-" and not places.is_zone(name):
        raise ApiError(400, f"Invalid value for field 'zone': '{name}'. Unknown zone.", "invalid")


def was_not_found(key: str) -> ApiError:
    """404 in Compute's words."""
    return ApiError(404, f"The resource '{key}' was not found", "notFound")


def values_at(body: Any, path: str) -> list[str]:
    """All strings at a dotted path in which `[]` goes through a list: `backends[].group`."""
    found: list[Any] = [body]
    for step in path.split("."):
        name, many = step.removesuffix("[]"), step.endswith("[]")
        found = [item[name] for item in found if isinstance(item, dict) and name in item]
        if many:
            found = [item for items in found if isinstance(items, list) for item in items]
    return [item for item in found if isinstance(item, str)]


def replace_at(body: Any, path: str, change: Any) -> None:
    """Replaces each string at `path` by `change(string)`, in place."""
    step, _, rest = path.partition(".")
    name, many = step.removesuffix("[]"), step.endswith("[]")
    if not isinstance(body, dict) or body.get(name) is None:
        return
    if rest:
        for item in body[name] if many else [body[name]]:
            replace_at(item, rest, change)
    elif many:
        body[name] = [change(item) for item in body[name]]
    else:
        body[name] = change(body[name])
