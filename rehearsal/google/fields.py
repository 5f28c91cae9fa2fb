"""Partial responses: the `fields` parameter, `items(name,network),nextPageToken` or `services/name`."""

from __future__ import annotations

from typing import Any

from .errors import ApiError

Tree = dict[str, Any]


def parse(text: str) -> Tree:
    """A field selector as a tree of names; an empty tree below a name means all of it.

    Raises:
        ApiError: 400, brackets that do not fit.
    """
    tree, rest = _list(text)
    if rest:
        raise ApiError(400, f"Invalid field selection {text}", "invalidParameter")
    return tree


def _list(text: str) -> tuple[Tree, str]:
    tree: Tree = {}
    while text and text[0] != ")":
        end = next((index for index, letter in enumerate(text) if letter in ",()"), len(text))
        path, text = text[:end].split("/"), text[end:]
        node = tree
        for step in path:
            node = node.setdefault(step.strip(), {})
        if text.startswith("("):
            inner, text = _list(text[1:])
            if not text.startswith(")"):
                raise ApiError(400, "Invalid field selection: a bracket is open.", "invalidParameter")
            node.update(inner)
            text = text[1:]
        text = text.removeprefix(",")
    return tree, text


def select(value: Any, tree: Tree) -> Any:
    """What a selector leaves of a value."""
    if not tree or "*" in tree:
        return value
    if isinstance(value, list):
        return [select(item, tree) for item in value]
    if isinstance(value, dict):
        return {key: select(item, tree[key]) for key, item in value.items() if key in tree}
    return value
