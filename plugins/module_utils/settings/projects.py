"""Project files of the first hand-off, held against the schema of the chart that makes namespaces of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .schema import misfits, plain

ROOT = "gitops.projects"
SET_BY_PLATFORM = {"fileName": "any"}  # whether the name itself is one, the rules tell


def check_projects(settings: Mapping[str, Any]) -> Iterator[str]:
    """Every problem of `gitops.projects`: in Git, Argo CD would refuse them one by one, long after."""
    given = (settings.get("gitops") or {}).get("projects")
    for name, content in given.items() if isinstance(given, Mapping) else ():
        values = {**plain(content), **SET_BY_PLATFORM} if isinstance(content, Mapping) else content
        yield from misfits(values, "project", f"{ROOT}.{name}")
