"""What a hypervisor runs again after a restart."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from rehearsal.hypervisor.ledger import Ledger
from rehearsal.hypervisor.server import Call

CLUSTER = "projects/p/locations/l/clusters/c"


class Hypervisor:
    """Writes down what it is asked; `broken` names a call that fails."""

    def __init__(self, broken: str = "") -> None:
        self.asked: list[str] = []
        self.broken = broken

    def calls(self) -> dict[str, Call]:
        names = ("ensure_cluster", "remove_cluster", "ensure_node_pool", "remove_node_pool", "ensure_machine")
        return {name: self._call(name) for name in (*names, "stop_machine", "status")}

    def _call(self, name: str) -> Call:
        async def call(**arguments: Any) -> Any:
            self.asked.append(name)
            if name == self.broken:
                raise RuntimeError("no such luck")
            return arguments

        return call


async def _after_restart(file: Path, broken: str = "") -> list[str]:
    hypervisor = Hypervisor(broken)
    await Ledger(file).restore(hypervisor.calls())
    return hypervisor.asked


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """The ledger of a hypervisor with a cluster, two node pools and a machine."""
    path = tmp_path / "hypervisor.json"
    calls = Ledger(path).keeping(Hypervisor().calls())
    await calls["ensure_cluster"](spec={"key": CLUSTER, "password": "secret"})
    for pool in ("one", "two"):
        await calls["ensure_node_pool"](spec={"key": CLUSTER, "name": pool})
    await calls["ensure_machine"](spec={"key": "m", "name": "m"})
    await calls["ensure_machine"](spec={"key": "m", "name": "m"})
    await calls["status"]()
    return path


async def test_everything_is_started_again_once_and_in_order(file: Path) -> None:
    assert await _after_restart(file) == ["ensure_cluster", "ensure_node_pool", "ensure_node_pool", "ensure_machine"]


async def test_a_failure_does_not_stop_the_rest_and_is_tried_again(file: Path) -> None:
    for _ in range(2):
        assert len(await _after_restart(file, broken="ensure_cluster")) == 4


async def test_what_was_ended_stays_ended(file: Path) -> None:
    calls = Ledger(file).keeping(Hypervisor().calls())
    await calls["stop_machine"](key="m")
    await calls["remove_node_pool"](key=CLUSTER, name="one")
    assert await _after_restart(file) == ["ensure_cluster", "ensure_node_pool"]
    calls = Ledger(file).keeping(Hypervisor().calls())
    await calls["remove_cluster"](key=CLUSTER)
    assert await _after_restart(file) == [], "its node pools go with a cluster"


async def test_a_call_that_fails_is_not_written_down(tmp_path: Path) -> None:
    path = tmp_path / "hypervisor.json"
    calls = Ledger(path).keeping(Hypervisor("ensure_machine").calls())
    with pytest.raises(RuntimeError):
        await calls["ensure_machine"](spec={"key": "m", "name": "m"})
    assert await _after_restart(path) == []


def test_only_its_owner_reads_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
