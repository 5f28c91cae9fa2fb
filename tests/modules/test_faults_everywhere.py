"""Every method of making the platform, gone wrong in every way: borne, or told with what to do; and then finished.

The methods are taken from the emulator's own log of an undisturbed making. All get the fault at once, each at its first
call; the making is repeated until it gets through, and every fault must have been met by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gcloud import clients, retries
from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.graphs.identity import services_graph
from plugins.module_utils.gcloud.operations import Patience
from rehearsal.google.testing import redirected, running

from .conftest import SERVICES, Google
from .matrix import wanted

BORNE = ["http:503", "http:429", "http:500", "reset-before", "reset-after", "slow:0.05"]
TOLD = ["http:403:forbidden", "operation-error:INTERNAL_ERROR", "stuck"]
LONGEST = 200  # runs until all faults are behind us
STUCK_SECONDS = 0.8
READS = ("get", "list", "aggregatedList", "getIamPolicy", "access")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent again is sent at once: how long is waited before that has tests of its own."""
    monkeypatch.setattr(retries, "pauses", partial(retries.pauses, 0.02, 0.2))


@contextmanager
def project(folder: Path) -> Iterator[Google]:
    """A project with its APIs enabled, and a run that asks for its number as the first one does."""
    clients._numbers.clear()
    with running(folder, tls=True) as emulator, redirected(emulator):
        google = Google(Api(), emulator)
        google.apply(lambda options, api: services_graph(options), {"services": SERVICES})
        yield google


def make(google: Google, seconds: float = 120) -> None:
    """Make the whole platform. Raises the first PlatformError."""
    for graph in wanted(google.api):
        executor = Executor(google.api, Patience(seconds))
        executor.apply(executor.plan(graph))


def ask(google: Google, path: str) -> Any:
    status, answer = google.emulator.request("GET", path)
    assert status == 200, answer
    return answer


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What an undisturbed making calls."""
    with project(tmp_path_factory.mktemp("undisturbed")) as google:
        before = ask(google, "/calls?last=1")["calls"][0]["id"]
        make(google)
        found = {call["method"] for call in ask(google, f"/calls?since={before}")["calls"]}
    assert len(found) > 60
    return sorted(found)


def set_faults(google: Google, methods: list[str], kind: str) -> int:
    """One fault of that kind at the first call of each method from now on; how many that makes sense for."""
    for method in methods:
        status, answer = google.emulator.request("POST", "/faults", {"pattern": method, "kind": kind})
        assert status == 200, answer
    return len(methods)


def unmet(google: Google) -> list[str]:
    """The methods whose fault was not met."""
    return [fault["pattern"] for fault in ask(google, "/faults")["faults"] if not fault["hit"]]


@pytest.mark.parametrize("kind", BORNE)
def test_what_passes_is_borne(tmp_path: Path, methods: list[str], kind: str) -> None:
    with project(tmp_path) as google:
        set_faults(google, methods, kind)
        make(google)
        # where the answer with the operation got lost, what it made is found, and nobody asks for the operation
        assert [name for name in unmet(google) if kind != "reset-after" or not name.endswith("perations.get")] == []
        google.emulator.request("DELETE", "/faults")
        for graph in wanted(google.api):
            assert not Executor(google.api, Patience(60)).plan(graph).changed


@pytest.mark.parametrize("kind", TOLD)
def test_what_does_not_pass_is_told_and_the_next_run_finishes(tmp_path: Path, methods: list[str], kind: str) -> None:
    chosen = methods if kind.startswith("http") else [name for name in methods if not name.endswith(READS)]
    told: list[PlatformError] = []
    with project(tmp_path) as google:
        set_faults(google, chosen, kind)
        for _ in range(LONGEST):
            try:
                make(google, STUCK_SECONDS if kind == "stuck" else 120)
                break
            except PlatformError as error:
                told.append(error)
                if kind == "stuck":  # what was met goes on, and the others are still to come
                    chosen = unmet(google)
                    google.emulator.request("DELETE", "/faults")
                    set_faults(google, chosen, kind)
        else:
            pytest.fail(f"not finished after {LONGEST} runs: {told[-1]}")
        google.emulator.request("DELETE", "/faults")
        for graph in wanted(google.api):
            assert not Executor(google.api, Patience(60)).plan(graph).changed
    assert told
    for error in told:
        assert error.action, error
        assert error.resource, error
        assert error.reason or error.code, error
        assert error.hint, error
