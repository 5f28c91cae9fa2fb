"""The `filter` parameter of Google's lists: `name = x`, `labels.a = b`, `(a = b) (c != d)`, AND, OR, NOT, `:`."""

from __future__ import annotations

import re
from typing import Any

from .errors import ApiError

_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<operator>!=|>=|<=|=|<|>|:)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s()=!<>:\"']+))"
)


def _split(text: str) -> list[str]:
    found, position = [], 0
    while position < len(text.rstrip()):
        hit = _TOKEN.match(text, position)
        if hit is None:
            raise ApiError(
                400, f"Invalid value for field 'filter': '{text}'. Invalid list filter expression.", "invalid"
            )
        found.append(hit.group(0).strip())
        position = hit.end()
    return found


class _Parser:
    """Recursive descent over the words; every step answers for one item at once."""

    def __init__(self, words: list[str], item: dict[str, Any]) -> None:
        self._split = words
        self._item = item
        self._at = 0

    def _peek(self) -> str | None:
        return self._split[self._at] if self._at < len(self._split) else None

    def _next(self) -> str:
        word = self._peek()
        if word is None:
            raise ApiError(400, "Invalid value for field 'filter'. Invalid list filter expression.", "invalid")
        self._at += 1
        return word

    def any_of(self) -> bool:
        result = self.all_of()
        while self._peek() == "OR":
            self._next()
            result = self.all_of() or result
        return result

    def all_of(self) -> bool:
        result = self.term()
        while (word := self._peek()) is not None and word not in (")", "OR"):
            if word == "AND":
                self._next()
            result = self.term() and result
        return result

    def term(self) -> bool:
        word = self._next()
        if word in ("NOT", "-"):
            return not self.term()
        if word == "(":
            result = self.any_of()
            self._next()
            return result
        return self.comparison(word)

    def comparison(self, field: str) -> bool:
        operator = self._next()
        if operator in ("eq", "ne"):
            hit = re.fullmatch(self._next().strip("\"'"), _text(_value(self._item, field)))
            return (hit is not None) == (operator == "eq")
        wanted = self._next().strip("\"'")
        value = _value(self._item, field)
        if operator == ":":
            return _has(value, wanted)
        same = (
            _text(value).lower() == wanted.lower() if not wanted.endswith("*") else _text(value).startswith(wanted[:-1])
        )
        return {"=": same, "!=": not same}.get(operator, _ordered(_text(value), operator, wanted))


def _value(item: Any, field: str) -> Any:
    for step in field.split("."):
        if isinstance(item, list):
            item = [entry.get(step) for entry in item if isinstance(entry, dict)]
        elif isinstance(item, dict):
            item = item.get(step)
        else:
            return None
    return item


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _has(value: Any, wanted: str) -> bool:
    if wanted == "*":
        return value not in (None, "", [], {})
    if isinstance(value, list | dict):
        return any(wanted in _text(entry) for entry in value)
    return wanted.rstrip("*").lower() in _text(value).lower()


def _ordered(left: str, operator: str, right: str) -> bool:
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}.get(operator, False)


def matches(item: dict[str, Any], expression: str | None) -> bool:
    """Whether an item of a list passes the filter.

    Raises:
        ApiError: 400, the expression cannot be read.
    """
    return not expression or not expression.strip() or _Parser(_split(expression), item).any_of()


def page(items: list[Any], token: str | None, size: int) -> tuple[list[Any], str | None]:
    """One page and the word of the next.

    Raises:
        ApiError: 400, the token is none of ours.
    """
    if token and not token.startswith("page-"):
        raise ApiError(400, "Invalid value for field 'pageToken'.", "invalid")
    start = int(token.removeprefix("page-")) if token else 0
    more = start + size < len(items)
    return items[start : start + size], f"page-{start + size}" if more else None
