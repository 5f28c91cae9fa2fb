"""docs/fields.md is what the kinds declare. `UPDATE=1 pytest tests/unit/test_fields.py` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from plugins.module_utils.gcloud.model import Field, RestKind
from tests.modules.matrix import all_kinds

FILE = Path(__file__).resolve().parents[2] / "docs" / "fields.md"
HEAD = """# Fields of the resources

Written from the declarations in `plugins/module_utils/gcloud/kinds/`; `tests/modules/test_matrix.py` tries each against
the emulator: made with it, left out, changed or refused, cleared, and nothing else altered.

*Changed by*: the method of the API; **fixed** fields are refused with both values when they differ; *at creation* ones
count only when the resource is made.

| resource | field | changed by | compared as |
|---|---|---|---|
"""
COMPARED = {
    "value": "value",
    "set": "list in any order",
    "keyed": "list by {key}",
    "map": "map, exactly",
    "includes": "holds at least",
    "caseless": "text in any case",
    "sha256": "SHA-256",
    "create": "",
}


def row(kind: object, field: Field) -> str:
    """One line of the table."""
    if field.compare == "create":
        how = "at creation"
    elif field.update is None:
        how = "**fixed**"
    elif isinstance(kind, RestKind) and field.update in kind.updates:
        how = f"`{kind.updates[field.update].method}`"
    else:
        how = f"`{field.update}`"
    compared = COMPARED[field.compare].format(key=f"`{field.key}`")
    return f"| {kind.name.replace('_', ' ')} | `{field.path}` | {how} | {compared} |"  # type: ignore[attr-defined]  # all kinds have one


def test_the_reference_of_fields_is_current() -> None:
    rows = [row(kind, field) for _, kind in sorted(all_kinds().items()) for field in kind.fields]
    text = HEAD + "\n".join(rows) + "\n"
    if os.environ.get("UPDATE"):
        FILE.write_text(text)
    assert FILE.read_text() == text
