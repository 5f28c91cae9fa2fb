"""The emulated cloud: what a request goes through, and where behaviour hooks in.

A request is matched to a method of a discovery document, authenticated, held against the enabled APIs, the method's
schema and IAM, and then handed to the behaviour registered for the method's id.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .auth import Identities, Principal
from .catalog import Service
from .clock import Clock
from .config import Config
from .discovery import Document, Library, Method
from .errors import ApiError
from .faults import Faults
from .limits import Limits
from .permissions import Access
from .store import CallLog, Store, Transaction
from .substrate import Substrate

if TYPE_CHECKING:
    from .jobs import Jobs

LOG = logging.getLogger("rehearsal.google")


@dataclass(frozen=True)
class Request:
    """What arrived: `path` still percent-encoded, `headers` by lower-case name, `peer` the client's address."""

    http: str
    host: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    content: bytes
    peer: str = ""

    def json(self) -> Any:
        """The body as JSON; an empty one counts as `{}`.

        Raises:
            ApiError: 400 if it is not JSON.
        """
        if not self.content.strip():
            return {}
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise ApiError(400, f"Invalid JSON payload received. {error}", "parseError", always_status=True) from error

    def parameter(self, name: str) -> str | None:
        """The first query parameter of this name."""
        return next((value for key, value in self.query if key == name), None)


@dataclass
class Response:
    """What is answered; `body` is bytes as they are, or a JSON value.

    A fault may put the answer off for `delay` seconds, or have the connection reset in its place.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json; charset=UTF-8"
    delay: float = 0.0
    reset: bool = False

    def content(self) -> bytes:
        """The body as bytes."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Call:
    """One call of one method, checked and ready to be acted out."""

    cloud: Cloud
    tx: Transaction
    service: Service
    document: Document
    method: Method
    path: dict[str, str]
    query: dict[str, Any]
    body: dict[str, Any]
    request: Request
    principal: Principal
    project: str

    @property
    def clock(self) -> Clock:
        """The time of the cloud."""
        return self.cloud.clock

    @property
    def number(self) -> str:
        """The number of the project that the call is about."""
        return self.cloud.projects.number(self.tx, self.project)

    @cached_property
    def access(self) -> Access:
        """IAM as of this call."""
        return self.cloud.access(self.tx)


Handler = Callable[[Call], Any]
HANDLERS: dict[str, Handler] = {}
FALLBACKS: dict[str, Handler] = {}
# Checks of a service's own, in place of the usual "permission on the project".
AUTHORIZERS: dict[str, Callable[[Call, str | None], None]] = {}


def handles(*methods: str) -> Callable[[Handler], Handler]:
    """Registers a behaviour for the methods with these ids."""

    def register(handler: Handler) -> Handler:
        for method in methods:
            HANDLERS[method] = handler
        return handler

    return register


class Projects:
    """Ids and numbers of projects."""

    def id(self, tx: Transaction, name: str) -> str | None:
        """The id of a project by its id or number; None where there is none."""
        if not name.isdigit():
            return name if tx.get("projects", name) else None
        return next((record.key for record in tx.list("projects") if record.body["number"] == name), None)

    def number(self, tx: Transaction, project: str) -> str:
        """The number of a project by its id ("0" where there is none)."""
        record = tx.get("projects", project)
        return str(record.body["number"]) if record else "0"


class Cloud:
    """Everything that lives as long as the emulator does."""

    def __init__(self, config: Config, substrate: Substrate, library: Library) -> None:
        self.config = config
        self.substrate = substrate
        self.library = library
        self.clock = Clock(config.latency_scale)
        self.store = Store(config.state_dir / "state.db")
        self.calls = CallLog(config.state_dir / "calls.db")
        self.identities = Identities(self.store, self.clock)
        self.projects = Projects()
        self.limits = Limits(self.store)
        self.faults = Faults(self.store)
        self.jobs: Jobs

    def access(self, tx: Transaction, web: Mapping[str, str] | None = None) -> Access:
        """IAM as of now; `web` has host and path of a web request."""
        return Access(tx, self.clock.now(), self.limits.seconds("policies"), web)

    def close(self) -> None:
        """Closes the files."""
        self.store.close()
        self.calls.close()


def new_id(tx: Transaction) -> str:
    """A number as Google gives to resources: 19 digits, never twice (a counter in the low digits sees to that)."""
    return str((secrets.randbelow(8_000_000_000) + 1_000_000_000) * 1_000_000_000 + tx.next_number("ids"))


def hexes(length: int) -> str:
    """Random hexadecimal digits."""
    return secrets.token_hex((length + 1) // 2)[:length]


def project_resource(project: str) -> str:
    """The full resource name under which a project's policy is kept."""
    return f"//cloudresourcemanager.googleapis.com/projects/{project}"


def lineage(project: str, *resources: str) -> Iterable[str]:
    """A resource with its ancestors, for an IAM check; the project comes last."""
    return (*resources, project_resource(project))
