"""Conditions of IAM bindings: the part of the Common Expression Language that IAM's documentation shows.

Attributes `resource.name`, `resource.service`, `resource.type`, `request.time`, and for requests that come through IAP
`request.host` and `request.path`; strings, numbers, booleans, lists,
`timestamp("...")`, `duration("3600s")`; `== != < <= > >= in && || !`, `+ -`; `startsWith`, `endsWith`, `contains`,
`matches`, and `getHours`, `getDayOfWeek` and their like of a time (with a time zone).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[=!<>]=|[<>!()\[\].,+-]))"""
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda left, right: left in right,
}  # fmt: skip
_TIMES: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda time: time.year,
    "getMonth": lambda time: time.month - 1,
    "getDate": lambda time: time.day,
    "getDayOfMonth": lambda time: time.day - 1,
    "getDayOfWeek": lambda time: time.isoweekday() % 7,
    "getHours": lambda time: time.hour,
    "getMinutes": lambda time: time.minute,
    "getSeconds": lambda time: time.second,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}
Evaluation = Callable[[dict[str, Any]], Any]


class BadCondition(Exception):
    """The expression cannot be read; the text says where."""


def holds(expression: str, resource: str, now: float, request: Mapping[str, str] | None = None) -> bool:
    """Whether a condition holds for a resource (`//service/relative/name`) at a moment (seconds since the epoch).

    `request` has the attributes of a web request: host and path.

    As at Google, an expression that cannot be evaluated grants nothing.
    """
    service, _, name = resource.removeprefix("//").partition("/")
    if service == "storage.googleapis.com" and not name.startswith("projects/"):
        name = f"projects/_/{name}"
    attributes = {
        "resource": {"name": name, "service": service, "type": f"{service}/{_type(name)}"},
        "request": {"time": datetime.fromtimestamp(now, UTC), **(request or {})},
    }
    try:
        return compiled(expression)(attributes) is True
    except (BadCondition, TypeError, ValueError, KeyError, AttributeError, ZoneInfoNotFoundError):
        return False


def _type(name: str) -> str:
    """`projects/p/zones/z/instances/i` -> `Instance`."""
    parts = name.split("/")
    collection = parts[-2] if len(parts) > 1 else "projects"
    singular = f"{collection[:-3]}y" if collection.endswith("ies") else collection.removesuffix("s")
    return singular[:1].upper() + singular[1:]


def operators(expression: str) -> int:
    """How many logical operators it has: `&&`, `||` and `!`.

    Raises:
        BadCondition: it cannot be read.
    """
    return sum(sign in ("&&", "||", "!") for kind, sign in tokens(expression) if kind == "sign")


def tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each part of an expression.

    Raises:
        BadCondition: it cannot be read.
    """
    found, place, text = [], 0, text.rstrip()
    while place < len(text):
        hit = _TOKEN.match(text, place)
        if hit is None:
            raise BadCondition(f"cannot read {text[place : place + 20]!r}")
        found.append((str(hit.lastgroup), hit.group(str(hit.lastgroup))))
        place = hit.end()
    return found


@lru_cache(maxsize=256)
def compiled(expression: str) -> Evaluation:
    """The expression ready to be evaluated.

    Raises:
        BadCondition: it is no expression of the part that is known here.
    """
    parser = _Parser(expression)
    result = parser.either()
    if parser.token:
        raise BadCondition(f"unexpected {parser.token[1]!r}")
    return result


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)

    @property
    def token(self) -> tuple[str, str] | None:
        return self._tokens[0] if self._tokens else None

    def _take(self, *signs: str) -> str | None:
        if self.token and self.token[0] != "text" and self.token[1] in signs:
            return self._tokens.pop(0)[1]
        return None

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise BadCondition(f"{sign!r} is missing")

    def either(self) -> Evaluation:
        left = self._both()
        while self._take("||"):
            left = (lambda one, other: lambda scope: one(scope) is True or other(scope) is True)(left, self._both())
        return left

    def _both(self) -> Evaluation:
        left = self._comparison()
        while self._take("&&"):
            right = self._comparison()
            left = (lambda one, other: lambda scope: one(scope) is True and other(scope) is True)(left, right)
        return left

    def _comparison(self) -> Evaluation:
        left = self._sum()
        if sign := self._take(*_COMPARE):
            right = self._sum()
            return lambda scope: _COMPARE[sign](left(scope), right(scope))
        return left

    def _sum(self) -> Evaluation:
        left = self._unary()
        while sign := self._take("+", "-"):
            act = operator.add if sign == "+" else operator.sub
            left = _apply(act, left, self._unary())
        return left

    def _unary(self) -> Evaluation:
        if self._take("!"):
            inner = self._unary()
            return lambda scope: inner(scope) is False
        if self._take("-"):
            inner = self._unary()
            return lambda scope: -inner(scope)
        return self._member(self._primary())

    def _member(self, value: Evaluation) -> Evaluation:
        while self._take("."):
            if not self.token or self.token[0] != "name":
                raise BadCondition("a name is missing after '.'")
            name = self._tokens.pop(0)[1]
            if self._take("("):
                value = _call(value, name, self._list(")"))
            else:
                value = (lambda owner, key: lambda scope: owner(scope)[key])(value, name)
        return value

    def _list(self, end: str) -> list[Evaluation]:
        items: list[Evaluation] = []
        while not self._take(end):
            items.append(self.either())
            if not self._take(","):
                self._need(end)
                break
        return items

    def _primary(self) -> Evaluation:
        if self._take("("):
            inner = self.either()
            self._need(")")
            return inner
        if self._take("["):
            items = self._list("]")
            return lambda scope: [item(scope) for item in items]
        if not self.token:
            raise BadCondition("the expression ends too early")
        kind, text = self._tokens.pop(0)
        if kind == "text":
            value = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda scope: value
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda scope: number
        if kind == "name":
            return self._named(text)
        raise BadCondition(f"unexpected {text!r}")

    def _named(self, name: str) -> Evaluation:
        if name in ("true", "false"):
            return lambda scope: name == "true"
        if name in ("timestamp", "duration") and self._take("("):
            arguments = self._list(")")
            make = _timestamp if name == "timestamp" else _duration
            return lambda scope: make(arguments[0](scope))
        if name in ("resource", "request"):
            return lambda scope: scope[name]
        raise BadCondition(f"undeclared reference to '{name}'")


def _apply(act: Callable[[Any, Any], Any], one: Evaluation, other: Evaluation) -> Evaluation:
    return lambda scope: act(one(scope), other(scope))


def _call(owner: Evaluation, name: str, arguments: list[Evaluation]) -> Evaluation:
    if name in _TEXTS and len(arguments) == 1:
        return lambda scope: _TEXTS[name](owner(scope), arguments[0](scope))
    if name in _TIMES:
        return lambda scope: _TIMES[name](
            owner(scope).astimezone(ZoneInfo(arguments[0](scope))) if arguments else owner(scope)
        )
    raise BadCondition(f"undeclared reference to '{name}'")


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _duration(text: str) -> timedelta:
    hit = re.fullmatch(r"(-?\d+(?:\.\d+)?)(s|m|h)", text)
    if hit is None:
        raise ValueError(text)
    return timedelta(seconds=float(hit.group(1)) * {"s": 1, "m": 60, "h": 3600}[hit.group(2)])
