"""Every field of every kind: made, left alone, changed or refused, cleared; and nothing else altered by it.

The fields are the kinds' own declarations; what is tried with each is in matrix.py. Google is the emulator, one project
for all fields, of which each test puts back what it changed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.graphs.identity import services_graph
from plugins.module_utils.gcloud.model import MISSING, Field, Resource, Spec, assign, lookup, without
from plugins.module_utils.gcloud.operations import Patience
from plugins.module_utils.gcloud.plan import Plan, resolve
from rehearsal.google.testing import redirected, running

from .conftest import SERVICES, Google
from .matrix import CASES, ELSEWHERE, ONLY_ADDED, Case, all_kinds, one_of_each, wanted
from .test_edge import gateway

KINDS = all_kinds()
FIELDS = [(kind, field) for kind in KINDS.values() for field in kind.fields if field.path not in ONLY_ADDED]
TRIED = [(name, path) for name, cases in CASES.items() for path in cases]
SEEN: dict[str, Spec | None] = {}
# What Google writes anew at every change.
VOLATILE = {
    "fingerprint",
    "etag",
    "generation",
    "metageneration",
    "labelFingerprint",
    "updateTime",
    "updated",
    "timeStamp",
}
VOLATILE |= {"lastStartTimestamp", "lastStopTimestamp", "settingsVersion", "resourceVersion", "serial"}


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """A project with one of each."""
    with running(tmp_path_factory.mktemp("matrix"), tls=True) as emulator, redirected(emulator):
        google = Google(Api(), emulator)
        google.apply(lambda options, api: services_graph(options), {"services": SERVICES})
        body = {"name": "second-range", "purpose": "VPC_PEERING", "addressType": "INTERNAL", "prefixLength": 20}
        for graph in wanted(google.api):
            executor = Executor(google.api, Patience(120))
            executor.apply(executor.plan(graph))
            SEEN.update(executor.seen)
            if graph[0].kind.name == "network":
                gateway(google, "europe-west1-b", "g")
        body |= {"network": f"projects/{google.project}/global/networks/mlops", "address": "10.48.0.0"}
        google.api.call("compute", "globalAddresses.insert", {"project": google.project}, body)
        yield google


@pytest.fixture(scope="module")
def ours(google: Google) -> dict[str, Resource]:
    """One of each kind, with what only Google knew filled in."""
    found = one_of_each(wanted(google.api))
    return {name: replace(resource, spec=resolve(resource.spec, SEEN)) for name, resource in found.items()}


def test_every_declared_field_is_tried() -> None:
    declared = {(kind.name, field.path) for kind, field in FIELDS}
    assert declared - set(TRIED) - set(ELSEWHERE) == set(), "declared, and not in matrix.py"
    assert (set(TRIED) | set(ELSEWHERE)) - declared == set(), "in matrix.py, and not declared"
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (Path(__file__).parent / file).read_text(), place


def with_value(resource: Resource, path: str, value: Any) -> Resource:
    return replace(resource, spec=assign(copy.deepcopy(resource.spec), path, copy.deepcopy(value)))


def plan(google: Google, resource: Resource) -> Plan:
    return Executor(google.api, Patience(120)).plan([resource])


def apply(google: Google, resource: Resource) -> list[str]:
    executor = Executor(google.api, Patience(120))
    executor.apply(executor.plan([resource]))
    return executor.done


def read(google: Google, resource: Resource) -> Spec:
    have = resource.kind.read(google.api, resource)
    assert have is not None
    return have


def rest(have: Spec, paths: Sequence[str]) -> Any:
    """All but *paths* and what is volatile."""

    def stable(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: stable(item) for key, item in value.items() if key not in VOLATILE}
        return [stable(item) for item in value] if isinstance(value, list) else value

    return stable(pruned(without(have, paths)))


def pruned(value: Any) -> Any:
    """Without what is empty: an emptied object counts as none."""
    if isinstance(value, list):
        return [pruned(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: pruned(item) for key, item in value.items()}
    return {key: item for key, item in made.items() if item not in ({}, [], "", False, 0, None)}


def changes(google: Google, resource: Resource, path: str, case: Case) -> None:
    """The change is predicted, made once, and alters nothing else."""
    before = read(google, resource)
    predicted = plan(google, resource)
    assert predicted.changed, "check mode does not see it"
    assert [line for line in predicted.lines() if path in line]
    assert apply(google, resource) == predicted.lines()
    assert apply(google, resource) == [], "it is changed again and again"
    assert rest(read(google, resource), (path, *case.entails)) == rest(before, (path, *case.entails))


def is_refused(google: Google, resource: Resource, field: Field, case: Case) -> None:
    """The change is refused before anything is done, with both values and a way out."""
    before = read(google, resource)
    with pytest.raises(PlatformError, match="cannot change") as caught:
        apply(google, resource)
    assert f"{field.path}: " in str(caught.value)
    assert " -> " in str(caught.value)
    assert field.way_out in caught.value.hint
    assert caught.value.hint
    assert read(google, resource) == before


@pytest.mark.parametrize(("kind", "path"), TRIED, ids=lambda value: str(value))
def test_field(google: Google, ours: dict[str, Resource], kind: str, path: str) -> None:
    field = next(field for field in KINDS[kind].fields if field.path == path)
    case = CASES[kind][path]
    base = ours[kind]
    first = lookup(base.spec, path)
    resource = base if first is not MISSING else with_value(base, path, case.first)
    apply(google, resource)
    assert plan(google, resource).lines() == [], "it is not as wanted once it was made"
    left_out = replace(resource, spec=without(resource.spec, [path]))
    assert plan(google, left_out).lines() == [], "what is left out is not left alone"
    other = with_value(resource, path, case.other)
    try:
        if field.compare == "create":
            assert not plan(google, other).changed
        elif field.update is None:
            is_refused(google, other, field, case)
        elif lookup(resource.spec, path) != case.other:
            changes(google, other, path, case)
            if case.clear is not MISSING:
                changes(google, with_value(resource, path, case.clear), path, case)
                assert not lookup(read(google, resource), path, None)
    finally:
        apply(google, resource)
        if case.clear is not MISSING and first is MISSING:
            apply(google, with_value(resource, path, case.clear))
