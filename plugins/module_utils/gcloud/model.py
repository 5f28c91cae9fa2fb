"""How a kind of Google resource is described, and what a user wants of one.

A :class:`RestKind` is data: where the resource lives, which calls make, change and remove it, and for each field how it
is compared and which call changes it. Nothing here talks to Google but through the :class:`Caller` it is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import PlatformError


class _Missing:
    """The value of a field that is not there at all."""

    def __repr__(self) -> str:
        return "(unset)"

    def __bool__(self) -> bool:
        return False


MISSING = _Missing()
MARK = "Managed by the MLOps platform's playbooks"  # in the description of what can have one: whose it is
Spec = dict[str, Any]


class Caller(Protocol):
    """What a kind needs of clients.Api."""

    def call(
        self,
        service: str,
        method: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float = ...,
        patience: float = ...,
    ) -> dict[str, Any]:
        """Call a method and return its answer."""

    def get(self, service: str, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Read a resource; None when it does not exist."""

    def pages(self, service: str, method: str, params: Mapping[str, Any], items: str = ...) -> list[Any]:
        """Read a whole listing."""

    def project_number(self, project: str) -> str:
        """The number of the project of that id."""


class Nothing:
    """A Caller for whom Google has nothing, for the resources that options alone ask for. Nobody is asked."""

    def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        """An empty answer."""
        return {}

    def get(self, *_: Any, **__: Any) -> None:
        """No such thing."""

    def pages(self, *_: Any, **__: Any) -> list[Any]:
        """An empty listing."""
        return []

    def project_number(self, _: str) -> str:
        """None."""
        return ""


@dataclass(frozen=True)
class Output:
    """A value another resource of the graph has once it exists, such as the address Google assigned.

    ``template`` wraps it: ``"{}."`` makes a DNS name absolute.
    """

    resource: str
    path: str
    template: str = "{}"


@dataclass(frozen=True)
class Field:
    """One setting of a resource, named by its dotted path in the API's JSON.

    ``update``: name of the kind's Update that changes it; None says it cannot be changed.
    ``compare``: ``value`` (objects by the wanted keys, lists in order), ``set`` (lists in any order), ``keyed`` (lists
    of objects matched by ``key``), ``map`` (labels: exactly these, Google's own ``goog-`` ones aside), ``includes``
    (lists that must hold at least these), ``caseless``, ``sha256`` (Google answers its SHA-256, under the field's name
    with "Sha256" behind it), ``create`` (only sent when it is made, never compared).
    ``default``: what Google has where its answer is silent. ``on_create``: whether the create call takes it (else it is
    set by its update right after). ``secret``: never shown. ``alike``: groups of values by which Google means the same.
    """

    path: str
    update: str | None = "patch"
    compare: str = "value"
    key: str = "name"
    default: Any = MISSING
    on_create: bool = True
    secret: bool = False
    way_out: str = ""
    alike: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Drift:
    """A field whose observed value is not the wanted one."""

    field: Field
    before: Any
    after: Any

    @property
    def path(self) -> str:
        """The field's dotted path."""
        return self.field.path


Body = Callable[["Resource", Spec, Spec, Sequence[Drift]], Spec | None]


@dataclass(frozen=True)
class Update:
    """A call that changes fields. ``body(resource, spec, have, drifts)`` makes what it sends.

    ``params`` are added to the resource's own; ``mask`` adds ``updateMask`` with the changed paths. ``method`` is
    within the kind's collection unless it has a dot. ``own`` stands in for the kind's own path
    parameters.
    """

    method: str = "patch"
    body: Body | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    mask: bool = False
    own: Mapping[str, str] | None = None


@dataclass
class Resource:
    """One resource a user wants (or wants gone).

    ``spec`` holds the wanted fields in the API's JSON names; what is not in it is left alone. ``params`` fill the
    kind's path templates. ``after`` names resources (by key) that must come first beside those its spec refers to; one
    that is not in the graph has come first already.
    ``unwanted``: it is there, is ours, and the options do not name it any more; it is removed.
    ``where`` tells it from others of its kind and name in the graph: its zone, or what it is in.
    """

    kind: Kind
    name: str
    spec: Spec
    params: dict[str, str]
    after: tuple[str, ...] = ()
    wait: bool = True
    unwanted: bool = False
    where: str = ""

    @property
    def key(self) -> str:
        """Its name within a graph: "network/mlops", "disk/pvc-1 in europe-west1-b"."""
        return f"{self.kind.name}/{self.name}" + (f" in {self.where}" if self.where else "")

    @property
    def title(self) -> str:
        """How messages call it: "network mlops"."""
        return title_of(self.key)

    @property
    def link(self) -> str:
        """Its relative resource name, which other resources refer to; '' for kinds without one."""
        return self.kind.link_of(self)


def title_of(key: str) -> str:
    """How messages call the resource of that key: "network mlops" for "network/mlops"."""
    kind, _, name = key.partition("/")
    return f"{kind.replace('_', ' ')} {name}"


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """A kind of resource as the engine sees it: declared (RestKind), or programmed where no convention fits.

    ``operation`` says how the answers of writes are awaited (operations.py). ``pending`` and ``failed`` tell, by field,
    the states of a resource that is still being made or removed, and of one that never will be; ``busy`` are those of
    the former in which it is whole already, and only at work.
    ``appears_with_parent``: making what it depends on may make it too. ``keep``: `state: absent` leaves it.
    ``foundation``: all that begins after it could not begin without it, whatever it refers to.
    ``steady_reads``: how many reads in a row must find a new one before others may rely on it. ``repeats``: updates
    that make one change a call and are called until nothing drifts. ``guard`` says why what is there must not be
    removed now ('' if it may): it is asked of the whole graph before anything is removed.
    """

    name: str
    fields: tuple[Field, ...] = ()
    operation: str = "none"
    pending: Mapping[str, frozenset[str]] = field(default_factory=dict)
    failed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    busy: frozenset[str] = frozenset()
    appears_with_parent: bool = False
    keep: bool = False
    foundation: bool = False
    steady_reads: int = 1
    repeats: frozenset[str] = frozenset()
    guard: Callable[[Caller, Resource, Spec], str] | None = None

    def link_of(self, resource: Resource) -> str:
        """The relative resource name others refer to; '' for kinds without one."""
        return ""

    @abstractmethod
    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """What Google has now; None when there is nothing."""

    @abstractmethod
    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Start making it; returns Google's answer, often an operation."""

    @abstractmethod
    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Start changing *drifts*, all of the update *name*."""

    @abstractmethod
    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Start removing it."""

    def delete_otherwise(self, api: Caller, resource: Resource, error: PlatformError) -> tuple[str, Spec] | None:
        """Start removing it in another way, where Google refused :meth:`delete` with *error*; None where there is none.

        The answer comes with how it is awaited (``operation``). What it finds out it may add to *error*.
        """
        return None

    def note(self, api: Caller, resource: Resource, spec: Spec) -> None:
        """Write down what Google does not tell, once a create or an update has ended well."""
        return


@dataclass(frozen=True, kw_only=True)
class RestKind(Kind):
    """A kind whose calls follow Google's conventions, declared as data.

    ``own`` and ``parent`` are the path parameters of calls on one resource and on its collection, as templates over the
    resource's params and ``name``. ``link`` is the template of the relative resource name. ``insert``, ``wrap`` and
    ``insert_params`` shape the create call; ``get`` and ``remove`` are the verbs of reading and deleting.
    """

    service: str
    collection: str
    own: Mapping[str, str]
    parent: Mapping[str, str]
    link: str = ""
    updates: Mapping[str, Update] = field(default_factory=dict)
    insert: str = "insert"
    insert_params: Mapping[str, str] = field(default_factory=dict)
    wrap: str = ""
    named: str | None = "name"  # the body's field that carries the name, None where a parameter does
    named_outside: bool = False  # whether that field stands beside what ``wrap`` wraps
    name_template: str = "{name}"
    get: str = "get"
    remove: str = "delete"
    remove_params: Mapping[str, str] = field(default_factory=dict)

    def link_of(self, resource: Resource) -> str:
        """The relative resource name."""
        return self.link.format(name=resource.name, **resource.params) if self.link else ""

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """Get the resource; None on 404."""
        return api.get(self.service, self._method(self.get), self._fill(self.own, resource))

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Send the insert call with the fields that may be created with."""
        body = without(spec, [entry.path for entry in self.fields if not entry.on_create])
        label = self.name_template.format(name=resource.name, **resource.params)
        if self.named and not self.named_outside:
            body = {self.named: label, **body}
        if self.wrap:
            body = {self.wrap: body}
        if self.named and self.named_outside:
            body = {self.named: label, **body}
        params = self._fill({**self.parent, **self.insert_params}, resource)
        return api.call(self.service, self._method(self.insert), params, body)

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Send the declared update call for *drifts*."""
        update = self.updates[name]
        body = (update.body or patch_body)(resource, spec, have, drifts)
        params = self._fill({**(self.own if update.own is None else update.own), **update.params}, resource)
        if update.mask:
            params["updateMask"] = ",".join(sorted({drift.path for drift in drifts}))
        return api.call(self.service, self._method(update.method), params, body)

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Send the delete call."""
        params = self._fill({**self.own, **self.remove_params}, resource)
        return api.call(self.service, self._method(self.remove), params)

    def _method(self, verb: str) -> str:
        if self.service == "container" or "." in verb or not self.collection:
            return verb
        return f"{self.collection}.{verb}"

    @staticmethod
    def _fill(templates: Mapping[str, str], resource: Resource) -> dict[str, Any]:
        return {key: value.format(name=resource.name, **resource.params) for key, value in templates.items()}


def lookup(data: Any, path: str, default: Any = MISSING) -> Any:
    """The value at a dotted *path* of nested mappings (and list indexes), else *default*."""
    for part in path.split("."):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return default
    return data


def assign(data: Spec, path: str, value: Any) -> Spec:
    """Put *value* at a dotted *path* of *data*, making the mappings on the way; returns *data*."""
    *way, last = path.split(".")
    inner = data
    for part in way:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return data


def without(data: Spec, paths: Sequence[str]) -> Spec:
    """A copy of *data* that lacks the top-level or dotted *paths*."""
    copy = {key: without(value, ()) if isinstance(value, dict) else value for key, value in data.items()}
    for path in paths:
        *way, last = path.split(".")
        inner: Any = copy
        for part in way:
            inner = inner.get(part, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner.pop(last, None)
    return copy


def merged(have: Any, want: Any) -> Any:
    """*want* laid over *have*: objects key by key, everything else replaced."""
    if isinstance(have, Mapping) and isinstance(want, Mapping):
        return {**have, **{key: merged(have.get(key), value) for key, value in want.items()}}
    return want


def patch_body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    """Only what changes: for each drifting field its wanted value, items of keyed lists laid over the observed ones."""
    body: Spec = {}
    for drift in drifts:
        value = lookup(spec, drift.path)
        if drift.field.compare == "keyed":
            known = {item.get(drift.field.key): item for item in lookup(have, drift.path, [])}
            value = [merged(known.get(item.get(drift.field.key), {}), item) for item in value]
        assign(body, drift.path, value)
    return body


def patch_with(*carried: str) -> Body:
    """patch_body that also carries observed fields such as ``fingerprint``."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        made = patch_body(resource, spec, have, drifts)
        made.update({name: have[name] for name in carried if name in have})
        return made

    return body


def whole_with(*output_only: str) -> Body:
    """The whole resource: the wanted over the observed, without *output_only* fields; for PUT."""

    def body(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
        dropped = ("id", "kind", "creationTimestamp", "selfLink", *output_only)
        made = without({**have, **{key: merged(have.get(key), value) for key, value in spec.items()}}, dropped)
        for drift in drifts:
            assign(made, drift.path, lookup(spec, drift.path))
        return made

    return body


def require(have: Spec | None, resource: Resource) -> Spec:
    """*have*, or an error when Google does not show what it said it made."""
    if have is None:
        raise PlatformError(
            "Google answered that it was made, but does not show it",
            action="read",
            resource=resource.title,
            hint="Run it again; if it stays so, look at the project's audit log for who removes it.",
        )
    return have
