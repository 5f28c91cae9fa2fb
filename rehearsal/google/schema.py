"""Bodies and parameters held to the schemas of the discovery documents.

Going in, an unknown field, a wrong type or a bad enum value is refused in the words of Google's front end; numbers and
64-bit strings are brought to the form that Google answers with. Going out, what the called version lacks is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .discovery import Document, Method
from .enum_numbers import by_number
from .errors import ApiError, invalid_json

_CAMEL = re.compile(r"(?<!^)([A-Z])")


class _Refused(Exception):
    """A value that cannot be read as its type."""


def snake(name: str) -> str:
    """`ipAllocationPolicy` -> `ip_allocation_policy`, as the front end names fields of protobuf services."""
    return _CAMEL.sub(lambda hit: "_" + hit.group(1).lower(), name)


# Members that Google takes though the document does not list them (recordings/compute/backendServices/signed_url_keys).
_UNLISTED = {("SignedUrlKey", "backendService"), ("FirewallPolicyRule", "firewallPolicy")}


class Reader:
    """Reads one body; collects every violation before it refuses."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._legacy = document.name in {"compute", "storage", "dns", "sqladmin"}
        self.violations: list[str] = []

    def read(self, schema: dict[str, Any], value: Any, path: str) -> Any:
        """The value in its normal form; None where it is to be left out."""
        if reference := schema.get("$ref"):
            return self._object(self._document.schemas[reference], value, path, reference)
        kind = schema.get("type", "any")
        if kind == "object":
            return self._object(schema, value, path, "")
        if kind == "array":
            return self._array(schema["items"], value, path)
        if kind == "any":
            return value
        try:
            return _scalar(schema, value)
        except _Refused:
            self.violations.append(f"Invalid value at '{path}' ({_type_name(schema)}), {_quoted(value)}")
            return None

    def _array(self, items: dict[str, Any], value: Any, path: str) -> list[Any] | None:
        if not isinstance(value, list):
            value = [value]
        return [self.read(items, item, f"{path}[{index}]") for index, item in enumerate(value)]

    def _object(self, schema: dict[str, Any], value: Any, path: str, name: str) -> Any:
        if schema.get("type") == "any":
            return value
        if not isinstance(value, dict):
            self.violations.append(
                f"Invalid value at '{path}' (type.googleapis.com/{name or 'object'}), {_quoted(value)}"
            )
            return None
        if "properties" not in schema and "additionalProperties" not in schema:
            return value
        known = schema.get("properties", {})
        loose = schema.get("additionalProperties")
        result: dict[str, Any] = {}
        for key, item in value.items():
            spec, field = self._field(known, key)
            if spec is None:
                if loose is None and (name, key) in _UNLISTED:
                    continue
                if loose is None:
                    where = f" at '{path}'" if path else ""
                    self.violations.append(
                        f'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.'
                    )
                    continue
                spec, field = loose, key
            step = field if self._legacy else snake(field)
            result[field] = None if item is None else self.read(spec, item, f"{path}.{step}" if path else step)
        return result

    @staticmethod
    def _field(known: dict[str, Any], key: str) -> tuple[dict[str, Any] | None, str]:
        """The property by its JSON name or, as protobuf's JSON allows, its original name."""
        if key in known:
            return known[key], key
        head, *tail = key.split("_")
        camel = head + "".join(word.capitalize() for word in tail)
        return (known[camel], camel) if tail and camel in known else (None, key)


def _quoted(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _type_name(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "type.googleapis.com/google.protobuf.EnumValue"
    return f"TYPE_{(schema.get('format') or schema['type']).upper()}"


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        raise _Refused
    try:
        number = int(value)
    except ValueError as error:
        raise _Refused from error
    if isinstance(value, float) and value != number:
        raise _Refused
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise _Refused


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _Refused
    try:
        return value if isinstance(value, int | float) else float(value)
    except ValueError as error:
        raise _Refused from error


def _text(schema: dict[str, Any], value: Any) -> str:
    if schema.get("format") in ("int64", "uint64"):
        return str(_integer(value))
    if not isinstance(value, str):
        raise _Refused
    return value


def _enum(schema: dict[str, Any], value: Any) -> str:
    names: list[str] = schema["enum"]
    if isinstance(value, int) and not isinstance(value, bool):
        value = by_number(tuple(names)).get(value)
    if value not in names:
        raise _Refused
    return str(value)


def _scalar(schema: dict[str, Any], value: Any) -> Any:
    if "enum" in schema:
        return _enum(schema, value)
    readers: dict[str, Callable[[Any], Any]] = {"integer": _integer, "boolean": _boolean, "number": _number}
    reader = readers.get(schema["type"])
    return reader(value) if reader else _text(schema, value)


def read_body(document: Document, method: Method, body: Any) -> dict[str, Any]:
    """The request body in its normal form; JSON nulls stay (a PATCH clears a field by null).

    Raises:
        ApiError: 400 with every violation.
    """
    if method.request is None:
        return {}
    if not isinstance(body, dict):
        raise invalid_json(["Invalid JSON payload received. The request body is not an object."])
    reader = Reader(document)
    root = "resource" if document.name == "compute" else ""
    result = reader.read({"$ref": method.request}, body, root)
    if reader.violations:
        raise invalid_json(reader.violations)
    return dict(result or {})


def read_query(document: Document, method: Method, query: list[tuple[str, str]]) -> dict[str, Any]:
    """Query parameters by name, in the types the method declares; nested message fields (`options.x`) too.

    Raises:
        ApiError: 400 for an unknown name or a value that does not fit.
    """
    result: dict[str, Any] = {}
    violations: list[str] = []
    for name, value in query:
        spec = method.parameters.get(name.replace("$alt", "alt") if name == "$alt" else name)
        if name in ("$alt", "$apiVersion", "$prettyPrint"):
            continue
        if spec is None:
            camel = re.sub(r"_(\w)", lambda hit: hit.group(1).upper(), name)
            spec, name = method.parameters.get(camel), camel if camel in method.parameters else name
        if spec is None:
            violations.append(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )
            continue
        if name == "alt":
            result[name] = value
            continue
        try:
            parsed = _query_value(spec, value)
        except _Refused:
            violations.append(f"Invalid value at '{snake(name)}' ({_type_name(spec)}), {_quoted(value)}")
            continue
        if spec.get("repeated"):
            result.setdefault(name, []).append(parsed)
        else:
            result[name] = parsed
    if violations:
        raise invalid_json(violations)
    return result


def _query_value(spec: dict[str, Any], value: str) -> Any:
    if spec.get("type") == "boolean":
        return _boolean(value.lower())
    return _scalar(spec, value)


def check_path(method: Method, path: dict[str, str]) -> None:
    """Path parameters against the patterns of the document (Compute's names, mostly).

    Raises:
        ApiError: 400 in Compute's words.
    """
    for name, value in path.items():
        pattern = method.parameters.get(name, {}).get("pattern")
        if pattern and not pattern.startswith("^") and not re.fullmatch(pattern, value):
            raise ApiError(
                400, f"Invalid value for field '{name}': '{value}'. Must be a match of regex '{pattern}'", "invalid"
            )


def prune(document: Document, reference: str | None, body: Any) -> Any:
    """What `reference` knows of the body, with sorted keys."""
    if reference is None or not isinstance(body, dict):
        return body
    schema = document.schemas.get(reference, {})
    known = schema.get("properties")
    if known is None:
        return body
    result = {}
    for key in sorted(body):
        if (spec := known.get(key)) is not None:
            result[key] = _prune_value(document, spec, body[key])
        elif "additionalProperties" in schema:
            result[key] = body[key]
    return result


def _prune_value(document: Document, spec: dict[str, Any], value: Any) -> Any:
    if reference := spec.get("$ref"):
        return prune(document, reference, value)
    if isinstance(value, list) and "items" in spec:
        return [_prune_value(document, spec["items"], item) for item in value]
    if isinstance(value, dict) and "properties" in spec:
        return {
            key: _prune_value(document, spec["properties"][key], value[key])
            for key in sorted(value)
            if key in spec["properties"]
        }
    if isinstance(value, dict) and isinstance(spec.get("additionalProperties"), dict):
        return {key: _prune_value(document, spec["additionalProperties"], value[key]) for key in sorted(value)}
    return value


def numbered(document: Document, spec: dict[str, Any], value: Any) -> Any:
    """The value with its enum names as numbers, in the order of the document."""
    if reference := spec.get("$ref"):
        spec = document.schemas.get(reference, {})
    if "enum" in spec and value in spec["enum"]:
        return spec["enum"].index(value)
    if isinstance(value, list):
        return [numbered(document, spec.get("items", {}), item) for item in value]
    if isinstance(value, dict):
        known, loose = spec.get("properties", {}), spec.get("additionalProperties", {})
        return {
            key: numbered(document, known.get(key, loose if isinstance(loose, dict) else {}), item)
            for key, item in value.items()
        }
    return value
