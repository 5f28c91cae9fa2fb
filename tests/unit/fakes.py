"""A Google made of dictionaries: enough for the engine's own tests, which are about the engine and not about Google."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.model import Field, Resource, RestKind, Update, patch_with


class FakeApi:
    """Answers get, insert, patch and delete of any collection; writes become operations that take some reads to finish.

    ``calls`` lists (method, name) in the order they came. ``faults`` maps a method to exceptions that its next calls
    raise, one each. ``slow`` is how many reads an operation takes.
    """

    def __init__(self, slow: int = 0) -> None:
        self.things: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[PlatformError]] = {}
        self.slow = slow
        self.operation_error: dict[str, Any] | None = None
        self.on_get: Callable[[tuple[str, str]], None] = lambda key: None
        self._left: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def project_number(self, project: str) -> str:
        """The same for every project."""
        return "1"

    def call(
        self,
        service: str,
        method: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float = 60,
        patience: float = 120,
    ) -> dict[str, Any]:
        """One call."""
        with self._lock:
            if method.endswith("Operations.get"):
                return self._operation(str(params["operation"]))
            name = str((body or {}).get("name") or params.get("name") or "")
            self.calls.append((method, name))
            self.bodies.append((method, copy.deepcopy(dict(body or {}))))
            if self.faults.get(method):
                raise self.faults[method].pop(0)
            collection, verb = method.rsplit(".", 1)
            return self._write(collection, verb, name, dict(body or {}))

    def get(self, service: str, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read one thing."""
        with self._lock:
            key = (method.rsplit(".", 1)[0], str(params["name"]))
            self.calls.append((method, key[1]))
            self.on_get(key)
            found = self.things.get(key)
            return copy.deepcopy(found) if found is not None else None

    def pages(self, service: str, method: str, params: Mapping[str, Any], items: str = "items") -> list[Any]:
        """Everything of a collection."""
        collection = method.rsplit(".", 1)[0]
        return [thing for (kind, _), thing in self.things.items() if kind == collection]

    def writes(self) -> list[tuple[str, str]]:
        """The calls that were no reads."""
        return [call for call in self.calls if not call[0].endswith(".get")]

    def _write(self, collection: str, verb: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        key = (collection, name)
        number = next(self._numbers)
        if verb == "insert":
            if key in self.things:
                raise PlatformError(f"{name} exists", code=409, reason="alreadyExists")
            self.things[key] = {**copy.deepcopy(body), "fingerprint": f"f{number}", "id": str(number)}
        elif key not in self.things:
            raise PlatformError(f"{name} was not found", code=404, reason="notFound")
        elif verb == "delete":
            del self.things[key]
        else:
            if "fingerprint" in body and body["fingerprint"] != self.things[key]["fingerprint"]:
                raise PlatformError("Invalid fingerprint.", code=412, reason="conditionNotMet")
            self.things[key].update(copy.deepcopy(body), fingerprint=f"f{number}")
        operation = f"operation-{number}"
        self._left[operation] = self.slow
        return self._operation(operation, verb)

    def _operation(self, name: str, verb: str = "insert") -> dict[str, Any]:
        answer: dict[str, Any] = {"name": name, "operationType": verb, "progress": 0, "status": "RUNNING"}
        if self._left[name] <= 0:
            answer.update(status="DONE", progress=100)
            if self.operation_error:
                answer.update(error={"errors": [self.operation_error]}, httpErrorStatusCode=400)
        self._left[name] -= 1
        return answer


def kind(name: str = "thing", **more: Any) -> RestKind:
    """A kind with one field of each sort."""
    settings: dict[str, Any] = {
        "service": "compute",
        "collection": f"{name}s",
        "own": {"name": "{name}"},
        "parent": {},
        "link": f"projects/{{project}}/global/{name}s/{{name}}",
        "operation": "compute",
        "fields": (
            Field("size"),
            Field("network", update=None, way_out="Choose another network."),
            Field("ranges", compare="set"),
            Field("ports", compare="keyed"),
            Field("labels", compare="map", update="labels", on_create=False),
            Field("password", secret=True),
            Field("ref"),
        ),
        "updates": {"patch": Update(body=patch_with("fingerprint")), "labels": Update("setLabels")},
        **more,
    }
    return RestKind(name=name, **settings)


def thing(name: str, spec: dict[str, Any] | None = None, *, of: RestKind | None = None, **more: Any) -> Resource:
    """A wanted resource."""
    return Resource(of or kind(), name, spec or {}, {"project": "p"}, **more)
