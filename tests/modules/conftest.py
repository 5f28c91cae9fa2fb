"""The engine with Google's real client libraries against the emulator, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from plugins.module_utils.gcloud.clients import Api
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.graphs.identity import services_graph
from plugins.module_utils.gcloud.model import Resource
from plugins.module_utils.gcloud.operations import Patience
from plugins.module_utils.gcloud.plan import Plan
from rehearsal.google.testing import PROJECT, Emulator, redirected, running

Graph = Callable[[Mapping[str, Any], Api], Sequence[Resource]]
NAMES = ("artifactregistry", "certificatemanager", "compute", "container", "dns", "iam", "iap", "secretmanager")
SERVICES = [f"{name}.googleapis.com" for name in (*NAMES, "servicenetworking", "sqladmin", "storage")]


@dataclass
class Google:
    """Runs graphs as modules do."""

    api: Api
    emulator: Emulator
    project: str = PROJECT

    def as_person(self, email: str) -> Google:
        """The same project as somebody else sees it."""
        return Google(Api(access_token=self.emulator.token(email)), self.emulator)

    def plan(self, graph: Graph, options: Mapping[str, Any], *, absent: bool = False) -> Plan:
        """What check mode tells."""
        return self._executor().plan(self._wanted(graph, options, absent), absent=absent)

    def apply(self, graph: Graph, options: Mapping[str, Any], *, absent: bool = False) -> list[str]:
        """What is done, as lines."""
        executor = self._executor()
        executor.apply(executor.plan(self._wanted(graph, options, absent), absent=absent))
        return executor.done

    def lifecycle(self, graph: Graph, options: Mapping[str, Any]) -> list[str]:
        """Check mode predicts; the second run does nothing; returns what the first did."""
        predicted = self.plan(graph, options).lines()
        done = self.apply(graph, options)
        assert sorted(predicted) == sorted(done)
        assert self.apply(graph, options) == []
        assert not self.plan(graph, options).changed
        return done

    def gone(self, graph: Graph, options: Mapping[str, Any]) -> list[str]:
        """Removes it all; check mode predicts that; a second time there is nothing to do."""
        predicted = self.plan(graph, options, absent=True).lines()
        done = self.apply(graph, options, absent=True)
        assert sorted(predicted) == sorted(done)
        assert self.apply(graph, options, absent=True) == []
        return done

    def upload(self, bucket: str, name: str, content: bytes) -> None:
        """Put an object into a bucket, as any client would."""
        url = f"{self.emulator.url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
        headers = {"Authorization": f"Bearer {self.api.access_token()}", "Content-Type": "application/octet-stream"}
        requests.post(url, data=content, headers=headers, timeout=30, verify=self.emulator.ca).raise_for_status()

    def _wanted(self, graph: Graph, options: Mapping[str, Any], absent: bool) -> Sequence[Resource]:
        state = "absent" if absent else "present"
        return graph({"project": self.project, "state": state, **options}, self.api)

    def _executor(self) -> Executor:
        return Executor(self.api, Patience(120))


@pytest.fixture
def bare(tmp_path: Any) -> Iterator[Google]:
    """A project in which nothing was done yet, over TLS as the real one."""
    with running(tmp_path, tls=True) as emulator, redirected(emulator):
        yield Google(Api(), emulator)


@pytest.fixture
def google(bare: Google) -> Google:
    """A project with the APIs enabled."""
    bare.apply(lambda options, api: services_graph(options), {"services": SERVICES})
    return bare
