"""A picture of what exists: the layers of the platform, and who comes from where."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass

LINE, HEAD, WIDTH, GAP = 17, 30, 320, 40
MOST, LETTERS = 14, 42


@dataclass(frozen=True)
class Group:
    """A box: its title, the beginnings of the titles of what is in it, and its place (column, row)."""

    title: str
    kinds: tuple[str, ...]
    column: int
    row: int


GROUPS = (
    Group(
        "Edge",
        (
            "address ",
            "forwarding rule",
            "DNS",
            "dns",
            "certificate",
            "security policy",
            "backend service",
            "health check",
        ),
        0,
        0,
    ),
    Group("Access", ("instance ", "tunnel", "IAP", "iap"), 0, 1),
    Group("Network", ("network ", "subnetwork ", "router ", "firewall rule", "private services"), 1, 0),
    Group("Cluster", ("cluster ", "node pool"), 1, 1),
    Group("Data", ("bucket ", "repository ", "database", "secret "), 2, 0),
    Group("Accounts", ("service account",), 2, 1),
)
# From box to box, with what goes there.
ARROWS = (("Edge", "Cluster"), ("Access", "Cluster"), ("Cluster", "Data"))


def topology(resources: Mapping[str, str]) -> str:
    """An SVG of the groups that hold anything; a full dot is there, a ring is missing."""
    inside = {group: _members(group, resources) for group in GROUPS}
    heights = [max((_height(inside[g]) for g in GROUPS if g.row == row and inside[g]), default=0) for row in (0, 1)]
    tops = (0, heights[0] + GAP)
    drawn, places = [], {}
    for group in GROUPS:
        if inside[group]:
            x, y = group.column * (WIDTH + GAP), tops[group.row]
            places[group.title] = (x, y, _height(inside[group]))
            drawn.append(_box(group.title, inside[group], x, y))
    drawn += [_arrow(places[a], places[b]) for a, b in ARROWS if a in places and b in places]
    total = tops[1] + heights[1] + 4
    width = 3 * WIDTH + 2 * GAP + 4
    head = '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    head += '<path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>'
    return f'<svg viewBox="-2 -2 {width} {total}" role="img" aria-label="Topology">{head}{"".join(drawn)}</svg>'


def _members(group: Group, resources: Mapping[str, str]) -> list[tuple[str, str]]:
    found = [(title, state) for title, state in resources.items() if title.startswith(group.kinds)]
    if len(found) <= MOST:
        return found
    return [*found[: MOST - 1], (f"and {len(found) - MOST + 1} more", "present")]


def _height(members: list[tuple[str, str]]) -> int:
    return HEAD + LINE * len(members) + 8


def _box(title: str, members: list[tuple[str, str]], x: int, y: int) -> str:
    drawn = [
        f'<rect class=box x="{x}" y="{y}" width="{WIDTH}" height="{_height(members)}" rx="8"/>',
        f'<text class=head x="{x + 12}" y="{y + 20}">{html.escape(title)}</text>',
    ]
    for place, (name, state) in enumerate(members):
        line = y + HEAD + LINE * place + 8
        look = "gone" if state == "missing" else "there"
        label = name if state == "present" else f"{name} ({state})"
        text = html.escape(label if len(label) <= LETTERS else f"{label[: LETTERS - 1]}…")
        drawn.append(f'<circle class={look} cx="{x + 17}" cy="{line}" r="4"/>')
        drawn.append(f'<text x="{x + 28}" y="{line + 4}">{text}</text>')
    return "".join(drawn)


def _arrow(start: tuple[int, int, int], end: tuple[int, int, int]) -> str:
    (ax, ay, ah), (bx, by, bh) = start, end
    y1, y2 = ay + ah / 2, by + bh / 2
    x1, x2 = ax + WIDTH, bx
    way = f"M{x1} {y1:.0f}C{x1 + 20} {y1:.0f} {x2 - 20} {y2:.0f} {x2} {y2:.0f}"
    return f'<path class=edge marker-end="url(#a)" d="{way}"/>'
