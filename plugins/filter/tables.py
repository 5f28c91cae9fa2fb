"""Jinja filter that lays out rows for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDEST = 48


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """`rows` as aligned lines of one text: `columns` maps the keys to show to their headings, in order.

    A cell longer than 48 characters is cut, with "..." at its end; True and False are yes and no.
    """
    cells = [list(columns.values()), *([_cell(row.get(key, "")) for key in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


class FilterModule:
    """For Ansible."""

    def filters(self) -> dict[str, Any]:
        """The filters by name."""
        return {"table": table}
