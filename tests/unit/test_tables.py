"""Rows laid out for people."""

from __future__ import annotations

from plugins.filter.tables import table


def test_columns_are_aligned_and_headed() -> None:
    rows = [{"name": "a", "ok": True, "more": 1}, {"name": "longer", "ok": False}]
    assert table(rows, {"name": "Name", "ok": "Fine"}).splitlines() == ["Name    Fine", "a       yes", "longer  no"]


def test_a_long_cell_is_cut_and_a_missing_one_is_empty() -> None:
    (_, line) = table([{"name": "x" * 60}], {"name": "Name", "other": "Other"}).splitlines()
    assert line == "x" * 45 + "..."
