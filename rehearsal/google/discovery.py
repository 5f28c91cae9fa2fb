"""Google's discovery documents as a router: which method a request calls, with which parameters and schemas.

The documents come with the package google-api-python-client. Each is boiled down once to what the emulator needs and
kept in the cache folder, since parsing five megabytes for Compute costs more than answering.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_FORMAT = 3
_DROPPED = {"description", "enumDescriptions", "enumDeprecated", "annotations", "scopes", "parameterOrder", "id"}


@dataclass(frozen=True)
class Method:
    """One method of an API, as its discovery document describes it."""

    id: str
    http: str
    template: str
    parameters: dict[str, dict[str, Any]]
    request: str | None
    response: str | None
    named: dict[str, str] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        """The last word of the id: insert, list, setIamPolicy, ..."""
        return self.id.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Match:
    """A method and the path parameters with which it was called, decoded; `pathless` names the flat segments."""

    document: Document
    method: Method
    path: dict[str, str]


class _Node:
    """A step in the tree of path segments."""

    __slots__ = ("literal", "methods", "wild")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.wild: dict[str, _Node] = {}
        self.methods: dict[str, Method] = {}


class Document:
    """One API in one version."""

    def __init__(self, compact: dict[str, Any]) -> None:
        self.name: str = compact["name"]
        self.version: str = compact["version"]
        self.title: str = compact["title"]
        self.service_path: str = compact["servicePath"]
        self.schemas: dict[str, dict[str, Any]] = compact["schemas"]
        self.methods = [Method(**item) for item in compact["methods"]]
        self.by_id = {method.id: method for method in self.methods}

    @cached_property
    def _tree(self) -> tuple[_Node, list[tuple[re.Pattern[str], Method]]]:
        root, loose = _Node(), []
        for method in self.methods:
            if any(spec.get("pattern") == "^.*$" for spec in method.parameters.values()):
                loose.append((_loose_pattern(method.template), method))
            else:
                _plant(root, method)
        return root, loose

    def match(self, http: str, path: str) -> Match | None:
        """The method that `http path` calls (path still percent-encoded, without host and query), if any."""
        path = path.strip("/")
        if not path.startswith(self.service_path):
            return None
        rest = path[len(self.service_path) :]
        root, loose = self._tree
        found = _walk(root, rest.split("/"), 0, http, {})
        if found:
            method, values = found
            return Match(self, method, _named(method, {key: unquote(value) for key, value in values.items()}))
        for pattern, method in loose:
            if method.http == http and (hit := pattern.fullmatch(rest)):
                return Match(self, method, {key: unquote(value) for key, value in hit.groupdict().items()})
        return None


def _split_verb(segment: str) -> tuple[str, str]:
    """'{name}:verb' -> ('{name}', ':verb')."""
    head, colon, tail = segment.partition(":")
    return head, colon + tail


def _plant(root: _Node, method: Method) -> None:
    node = root
    for segment in method.template.split("/"):
        if segment.startswith("{"):
            _, verb = _split_verb(segment)
            node = node.wild.setdefault(verb, _Node())
        else:
            node = node.literal.setdefault(segment, _Node())
    node.methods.setdefault(method.http, method)


def _walk(
    node: _Node, segments: list[str], index: int, http: str, values: dict[str, str]
) -> tuple[Method, dict[str, str]] | None:
    """Depth first, literals before parameters; the values of parameters are numbered in the order of the template."""
    if index == len(segments):
        method = node.methods.get(http)
        return (method, dict(values)) if method else None
    segment = segments[index]
    if (child := node.literal.get(segment)) and (found := _walk(child, segments, index + 1, http, values)):
        return found
    for verb, child in sorted(node.wild.items(), key=lambda item: -len(item[0])):
        if verb and not segment.endswith(verb):
            continue
        value = segment[: len(segment) - len(verb)] if verb else segment
        if value and (found := _walk(child, segments, index + 1, http, {**values, str(index): value})):
            return found
    return None


def _named(method: Method, values: dict[str, str]) -> dict[str, str]:
    """Turns numbered values into the parameters of the method, joining the segments of `{+name}`."""
    flat: dict[str, str] = {}
    concrete = []
    for index, segment in enumerate(method.template.split("/")):
        if segment.startswith("{"):
            head, _ = _split_verb(segment)
            flat[head.strip("{}+")] = values[str(index)]
            concrete.append(values[str(index)])
        else:
            concrete.append(segment.partition(":")[0] if index else segment)
    named = {key: value for key, value in flat.items() if key in method.parameters}
    for name, pattern in method.named.items():
        if hit := re.search(pattern, "/".join(concrete)):
            named[name] = hit.group(1)
    return named


def _loose_pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\+?\w+\})", template)
    return re.compile("".join(_group(part) if part.startswith("{") else re.escape(part) for part in parts))


def _group(part: str) -> str:
    return f"(?P<{part.strip('{}+')}>.+)" if part.startswith("{+") else f"(?P<{part.strip('{}')}>[^/]+)"


def _reserved_names(method: dict[str, Any]) -> dict[str, str]:
    """`{+name}` parameters of a method that has a flat path: name -> regular expression with one group."""
    found = {}
    parts = re.split(r"(\{\+?\w+\})", method["path"])
    for index, part in enumerate(parts):
        if part.startswith("{+"):
            name = part.strip("{}+")
            pattern = method["parameters"][name].get("pattern", "^.+$").strip("^$")
            before = re.escape(parts[index - 1])
            found[name] = f"{before}({pattern})"
    return found


def _compact_method(method: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    flat = method.get("flatPath")
    reserved = "{+" in method["path"]
    loose = any(spec.get("pattern") == "^.*$" for spec in method.get("parameters", {}).values())
    template = flat if flat and reserved and not loose else method["path"]
    parameters = {**common, **method.get("parameters", {})}
    return {
        "id": method["id"],
        "http": method["httpMethod"],
        "template": template,
        "parameters": _strip(parameters),
        "request": method.get("request", {}).get("$ref"),
        "response": method.get("response", {}).get("$ref"),
        "named": _reserved_names(method) if flat and reserved and not loose else {},
    }


def _strip(value: Any) -> Any:
    """Leaves out what is only for readers."""
    if isinstance(value, dict):
        return {
            key: _strip(item) if key != "properties" else {name: _strip(spec) for name, spec in item.items()}
            for key, item in value.items()
            if key not in _DROPPED or isinstance(item, dict)
        }
    if isinstance(value, list):
        return [_strip(item) for item in value]
    return value


def _methods_of(node: dict[str, Any], common: dict[str, Any]) -> list[dict[str, Any]]:
    found = [_compact_method(method, common) for method in node.get("methods", {}).values()]
    for child in node.get("resources", {}).values():
        found += _methods_of(child, common)
    return found


def compact(document: dict[str, Any]) -> dict[str, Any]:
    """What the emulator needs of a discovery document."""
    return {
        "name": document["name"],
        "version": document["version"],
        "title": document["title"],
        "servicePath": document["servicePath"],
        "schemas": _strip(document["schemas"]),
        "methods": _methods_of(document, document.get("parameters", {})),
    }


class Library:
    """All discovery documents, each read when it is first asked for."""

    def __init__(self, cache: Path) -> None:
        release = importlib.metadata.version("google-api-python-client")
        self._cache = cache / f"discovery-{release}-{_FORMAT}"
        self._documents: dict[str, Document] = {}

    def document(self, name: str) -> Document:
        """The document `name`, for example `compute.v1`.

        Raises:
            FileNotFoundError: the package has no such document.
        """
        if name not in self._documents:
            self._documents[name] = Document(self._load(name))
        return self._documents[name]

    def _load(self, name: str) -> dict[str, Any]:
        cached = self._cache / f"{name}.json"
        if cached.is_file():
            loaded: dict[str, Any] = json.loads(cached.read_text())
            return loaded
        import googleapiclient

        source = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents" / f"{name}.json"
        result = compact(json.loads(source.read_text()))
        self._cache.mkdir(parents=True, exist_ok=True)
        unfinished = cached.with_suffix(".part")
        unfinished.write_text(json.dumps(result))
        unfinished.replace(cached)
        return result
