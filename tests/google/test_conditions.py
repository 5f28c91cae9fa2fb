"""The expressions of IAM conditions."""

from __future__ import annotations

import pytest

from rehearsal.google.conditions import BadCondition, compiled, holds, operators

NOW = 1_700_000_000.0  # Tuesday, 2023-11-14 22:13:20 UTC
BUCKET = "//storage.googleapis.com/buckets/models"
MACHINE = "//compute.googleapis.com/projects/p/zones/z/instances/bastion"


@pytest.mark.parametrize(
    ("expression", "resource", "expected"),
    [
        ("true", MACHINE, True),
        ('resource.name == "projects/p/zones/z/instances/bastion"', MACHINE, True),
        ('resource.name.endsWith("bastion") && !resource.name.startsWith("projects/q")', MACHINE, True),
        ('resource.type == "compute.googleapis.com/Instance"', MACHINE, True),
        ('resource.name.startsWith("projects/_/buckets/models")', BUCKET, True),
        ('resource.name.contains("models") || resource.name.matches("^x")', BUCKET, True),
        ('resource.service in ["storage.googleapis.com", "x"]', BUCKET, True),
        ('request.time < timestamp("2023-11-15T00:00:00Z")', BUCKET, True),
        ('request.time < timestamp("2023-11-14T00:00:00Z")', BUCKET, False),
        ('request.time < timestamp("2023-11-14T22:00:00Z") + duration("1h")', BUCKET, True),
        ('request.time.getHours("Europe/Berlin") >= 9 && request.time.getHours("Europe/Berlin") < 18', BUCKET, False),
        ("request.time.getDayOfWeek() == 2", BUCKET, True),
        ('resource.unknown == "x"', BUCKET, False),
        ('resource.name > 3 || resource.name == "x"', BUCKET, False),
    ],
)
def test_holds(expression: str, resource: str, expected: bool) -> None:
    assert holds(expression, resource, NOW) is expected


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("true", 0),
        ('resource.name != "a && !b"', 0),
        ('!resource.name.startsWith("a") && !resource.name.startsWith("b")', 3),
        ('!(resource.name.startsWith("a") || resource.name.startsWith("b"))', 2),
    ],
)
def test_logical_operators_are_counted(expression: str, count: int) -> None:
    assert operators(expression) == count


@pytest.mark.parametrize(
    "expression", ["", "resource.name ==", "foo.bar", 'resource.name.startsWith("x"', "1 2", "a ?"]
)
def test_what_cannot_be_read(expression: str) -> None:
    with pytest.raises(BadCondition):
        compiled(expression)
    assert not holds(expression, MACHINE, NOW)
