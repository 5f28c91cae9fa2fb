"""The new kind that docs/engine.md makes does what the text there says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.model import Field, Resource, RestKind, Update

from .conftest import Google

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "engine.md").read_text()
MOST_LINES = 40


@pytest.fixture(scope="module")
def kind() -> RestKind:
    found = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert found
    assert len(found[1].splitlines()) < MOST_LINES
    space: dict[str, Any] = {"RestKind": RestKind, "Field": Field, "Update": Update}
    exec(found[1], space)  # noqa: S102 - the documentation's own words
    made: RestKind = space["HEALTH_CHECK"]
    return made


def test_it_is_made_changed_refused_and_removed(google: Google, kind: RestKind) -> None:
    def graph(options: dict[str, Any], _: Any) -> list[Resource]:
        return [Resource(kind, "mlops", options["spec"], {"project": google.project})]

    first: dict[str, Any] = {"type": "HTTP", "httpHealthCheck": {"port": 15021}}
    wanted = {"spec": first}
    assert google.plan(graph, wanted).changed
    google.apply(graph, wanted)
    assert not google.plan(graph, wanted).changed
    second = {**first, "httpHealthCheck": {"port": 8080}, "checkIntervalSec": 9}
    other = {"spec": second}
    assert len(google.apply(graph, other)) == 1
    assert not google.plan(graph, other).changed
    with pytest.raises(PlatformError, match="Make a health check of another name"):
        google.plan(graph, {"spec": {**second, "type": "TCP"}})
    google.apply(graph, other, absent=True)
    assert not google.plan(graph, other, absent=True).changed
