"""Collections of the newer services (create by an id in the query, masks, pages), written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core import AUTHORIZERS, Call, lineage
from ..dispatch import permission_denied
from ..errors import ApiError
from ..filters import matches, page
from ..store import Record
from . import policies


@dataclass(frozen=True)
class Collection:
    """A collection of a service.

    Attributes:
        kind: its name in the store.
        segment: its segment in names (`secrets`).
        identifier: the query parameter that holds the new resource's id.
        items: the member of the list's answer.
        missing: the 404 text, from the name as shown.
        numbered: whether names show the project's number.
        host: the service's host, for policies.
        taken: the 409 text.
    """

    kind: str
    segment: str
    identifier: str
    items: str
    missing: Callable[[str], str]
    host: str
    numbered: bool = False
    taken: str = "Resource '{name}' already exists"

    def name(self, call: Call, path: str) -> str:
        """A name of the request with the project as the service shows it."""
        parts = path.split("/")
        parts[1] = call.number if self.numbered else call.project
        return "/".join(parts)

    def find(self, call: Call, path: str) -> Record:
        """The resource of a name.

        Raises:
            ApiError: 404.
        """
        name = self.name(call, path)
        record = call.tx.get(self.kind, name)
        if record is None:
            raise ApiError(404, self.missing(name), "notFound")
        return record

    def new(self, call: Call) -> str:
        """The name of the resource that a create call asks for.

        Raises:
            ApiError: 400 without an id, 409 where the name is taken.
        """
        identifier = call.query.get(self.identifier)
        if not identifier:
            raise ApiError(400, f"Required field {self.identifier} is missing.", "badRequest")
        name = f"{self.name(call, call.path['parent'])}/{self.segment}/{identifier}"
        if call.tx.get(self.kind, name):
            raise ApiError(409, self.taken.format(name=name), "alreadyExists")
        return name

    def list(self, call: Call, show: Callable[[Record], dict[str, Any]]) -> dict[str, Any]:
        """The answer of a list call."""
        head = f"{self.name(call, call.path['parent'])}/{self.segment}/"
        found = [record for record in call.tx.list(self.kind, head) if "/" not in record.key.removeprefix(head)]
        items = [item for item in map(show, found) if matches(item, call.query.get("filter"))]
        chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("pageSize") or 500))
        return {**({self.items: chosen} if chosen else {}), **({"nextPageToken": more} if more else {})}

    def resource(self, call: Call, path: str) -> str:
        """The full resource name under which a policy is kept."""
        return f"//{self.host}/{self.name(call, path)}"

    def policy(self, call: Call) -> dict[str, Any]:
        """getIamPolicy, setIamPolicy and testIamPermissions on a resource of this collection."""
        record = self.find(call, call.path["resource"])
        resource = f"//{self.host}/{record.key}"
        if call.method.verb == "getIamPolicy":
            return policies.read(call, resource)
        if call.method.verb == "setIamPolicy":
            return policies.write(call, resource, call.body.get("policy", {}))
        return policies.test(call, (resource,), call.body.get("permissions", []))


def authorize_by_resource(api: str, host: str, *, numbered: bool) -> None:
    """Registers a check that looks at the policies of the named resource and of those above it, then the project's."""

    def check(call: Call, permission: str | None) -> None:
        if permission is None:
            return
        path = call.path.get("name") or call.path.get("resource") or call.path.get("parent") or ""
        parts = path.split("/")
        if len(parts) > 1:
            parts[1] = call.number if numbered else call.project
        above = [f"//{host}/{'/'.join(parts[:length])}" for length in range(len(parts), 3, -1)]
        if not call.access.allowed(call.principal, permission, lineage(call.project, *above)):
            raise permission_denied(permission, "/".join(parts))

    AUTHORIZERS[api] = check
