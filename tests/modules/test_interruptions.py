"""A run that ends anywhere is finished by running it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.errors import PlatformError

from .conftest import Google
from .test_data import database
from .test_data import graph as data_graph
from .test_edge import edge
from .test_edge import graph as edge_graph
from .test_network import graph as network_graph
from .test_network import options as network

READING = ("get", "list", "aggregatedList", "access", "getIamPolicy", "getCluster", "getNodePool", "getOperation")


class Fragile(Api):
    """Breaks off for good once it has sent some writes, after Google has accepted the last one."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def call(self, service: str, method: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        writing = method.rsplit(".", 1)[-1] not in READING
        if self.writes <= 0:
            raise PlatformError("the power went out", reason="test")
        answer = super().call(service, method, *arguments, **options)
        if writing:
            self.writes -= 1
            if self.writes <= 0:
                raise PlatformError("the power went out", reason="test")
        return answer


CASES: list[tuple[Any, Mapping[str, Any], int]] = [
    *[(network_graph, network(), writes) for writes in (1, 3, 5)],
    *[(edge_graph, edge(), writes) for writes in (1, 6, 12, 18)],
    *[(data_graph, database(), writes) for writes in (1, 3, 4, 5, 6)],
]


@pytest.mark.parametrize(("graph", "options", "writes"), CASES)
def test_running_it_again_finishes_what_was_begun(
    google: Google, graph: Any, options: Mapping[str, Any], writes: int
) -> None:
    if graph is not network_graph:
        google.apply(network_graph, network())
    with pytest.raises(PlatformError, match="the power went out"):
        Google(Fragile(writes), google.emulator).apply(graph, options)
    google.apply(graph, options)
    assert not google.plan(graph, options).changed
    with pytest.raises(PlatformError, match="the power went out"):
        Google(Fragile(min(writes, 2)), google.emulator).apply(graph, options, absent=True)
    google.apply(graph, options, absent=True)
    assert not google.plan(graph, options, absent=True).changed
