"""What has to be done: a pure function of what is wanted and what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from .compare import drifts, short
from .errors import PlatformError
from .model import MARK, MISSING, Drift, Output, Resource, Spec, lookup
from .render import difference, drift_line, drift_values

WAYS_OUT = "Set the field back to what Google has, give the resource a new name, or remove it first (state: absent)."
LABELS = ("labels", "settings.userLabels")  # where a resource has those that tell whose it is
MARKED = ("description", *LABELS)
OWN = ("managed-by", "platform")
_LINK = re.compile(r"^projects/[^/]+/.+")
CREATE, UPDATE, DELETE, NOOP, WAIT = "create", "update", "delete", "noop", "wait"


@dataclass(frozen=True)
class Step:
    """What has to be done to one resource. ``spec`` is the wanted spec with the outputs known so far filled in.

    What has to be waited for may have ``drifts`` too, which are mended then.
    """

    resource: Resource
    action: str
    spec: Spec
    have: Spec | None
    drifts: tuple[Drift, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.action in (CREATE, UPDATE, DELETE) or bool(self.drifts)

    def summary(self) -> str:
        """One line for people: "update firewall mlops-iap: priority: 1000 -> 900"."""
        detail = "; ".join(drift_line(drift) for drift in self.drifts)
        return f"{UPDATE if detail else self.action} {self.resource.title}" + (f": {detail}" if detail else "")


@dataclass(frozen=True)
class Plan:
    """The steps of a graph, each with the keys of the steps that must come before it."""

    steps: Mapping[str, Step]
    before: Mapping[str, frozenset[str]]
    absent: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether applying it would change anything."""
        return any(step.writes for step in self.steps.values())

    def lines(self) -> list[str]:
        """The steps that do something, in an order they could be applied in."""
        return [self.steps[key].summary() for key in self.order() if self.steps[key].writes]

    def order(self) -> list[str]:
        """All keys, dependencies first."""
        return list(TopologicalSorter(self.before).static_order())

    def drift(self) -> list[dict[str, Any]]:
        """What differs, a row for each field: ``resource``, ``field``, ``google``, ``wanted``, ``mutable``."""
        return [row for key in self.order() for row in drift_rows(self.steps[key])]

    def differences(self) -> list[dict[str, str]]:
        """Ansible's diff, one entry for each resource that changes."""
        found = []
        for key in self.order():
            step = self.steps[key]
            if step.writes:
                after = None if step.action == DELETE else step.spec
                found.append(difference(step.resource, step.have, after))
        return found


def make_plan(
    wanted: Sequence[Resource], seen: Mapping[str, Spec | None], *, absent: bool = False, refuse: bool = True
) -> Plan:
    """Plan all of *wanted* given what was *seen* (by key).

    Raises PlatformError for what is somebody else's, for drift in immutable fields and for what Google gave up on,
    unless *refuse* is off, for plans that are only looked at; and where something is wanted in two ways.
    """
    _refuse_two_ways(wanted)
    steps = {resource.key: make_step(resource, seen, absent=absent) for resource in wanted}
    if refuse:
        refuse_foreign(list(steps.values()))
        for step in steps.values():
            if step.action in (NOOP, UPDATE) and not (absent or step.resource.unwanted):
                refuse_failed(step.resource, step.have)
        refuse_immutable(list(steps.values()))
    before = dependencies(wanted)
    return Plan(steps, _reversed(before) if absent else before, absent)


def _refuse_two_ways(wanted: Sequence[Resource]) -> None:
    first: dict[str, Resource] = {}
    for resource in wanted:
        if first.setdefault(resource.key, resource) != resource:
            raise PlatformError(
                "the options name it twice, and differently",
                action="plan",
                resource=resource.title,
                reason="twice",
                hint="Name it once, with all that it is to have.",
            )


def make_step(resource: Resource, seen: Mapping[str, Spec | None], *, absent: bool = False) -> Step:
    """Plan one resource."""
    have = seen.get(resource.key)
    spec = resolve(resource.spec, seen)
    if absent or resource.unwanted:
        gone = have is None or resource.kind.keep
        return Step(resource, NOOP if gone else DELETE, spec, have)
    if have is None:
        return Step(resource, CREATE, spec, None)
    pending = in_state(have, resource.kind.pending)
    found = tuple(drifts(resource, spec, have)) if not pending or at_work(resource, have) else ()
    if pending:
        return Step(resource, WAIT, spec, have, found)
    return Step(resource, UPDATE if found else NOOP, spec, have, found)


def drift_rows(step: Step) -> list[dict[str, Any]]:
    """The rows of :meth:`Plan.drift` for one step; none for what is as wanted, though Google be at work on it."""

    def row(field: str, google: str, wanted: str, mutable: bool = True) -> dict[str, Any]:
        title = step.resource.title
        return {"resource": title, "field": field, "google": google, "wanted": wanted, "mutable": mutable}

    if step.action == CREATE:
        return [row("", "missing", "present")]
    if step.action == DELETE:
        return [row("", "present", "missing")]
    states = []
    if step.action == WAIT and not at_work(step.resource, step.have or {}):
        states = [row("", _state(step, step.resource.kind.pending), "ready")]
    elif step.have and in_state(step.have, step.resource.kind.failed):
        states = [row("", _state(step, step.resource.kind.failed), "ready", mutable=False)]
    return states + [row(drift.path, *drift_values(drift), drift.field.update is not None) for drift in step.drifts]


def _state(step: Step, paths: Iterable[str]) -> str:
    return ", ".join(str(lookup(step.have or {}, path, "")) for path in paths)


def refuse_foreign(steps: Sequence[Step]) -> None:
    """Raise one PlatformError that names all that would be changed or removed and is not the platform's."""
    found = [(step, marks) for step in steps if step.writes and (marks := _missing_marks(step))]
    if found:
        removal = found[0][0].action == DELETE
        raise PlatformError(
            "it does not look like the platform's: "
            + "; ".join(f"{step.resource.title} has not {marks}" for step, marks in found),
            action="remove" if removal else "take over",
            resource=", ".join(step.resource.title for step, _ in found),
            reason="foreign",
            hint="Give the platform's another name in the settings (platform_name gives most of them), or give this "
            "one the mark if it is to be the platform's.",
        )


def _missing_marks(step: Step) -> str:
    """What would tell that the platform made what is there; '' where something does, or nothing could.

    A description tells it, where the kind has one. Where nothing is written in its place, it was lost or is of a
    version that did not write it: then the thing is ours if all else is as wanted. A display name of ours tells it,
    too. Other kinds have labels alone; those may change with the settings, but not together with anything else.
    """
    resource, have = step.resource, step.have
    if have is None:
        return ""
    wanted, there = _labels(resource, resource.spec), _labels(resource, have)
    if any(there.get(key) == value for key, value in own(wanted).items()):
        return ""
    alike = all(drift.path in MARKED for drift in drifts(resource, step.spec, have))
    if MARK in str(resource.spec.get("description", "")):
        text, name = str(have.get("description", "")), resource.spec.get("displayName")
        lost = alike and not text and not there
        return "" if MARK in text or lost or (name and have.get("displayName") == name) else f"the description {MARK!r}"
    if wanted and (step.action == DELETE or not alike):
        return "one of the labels " + ", ".join(f"{key}={value}" for key, value in own(wanted).items())
    return ""


def own(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Of the platform's *labels* those that are its own, where it has such: others may be the whole company's."""
    return {key: value for key, value in labels.items() if key in OWN} or labels


def _labels(resource: Resource, spec: Spec) -> dict[str, str]:
    """Those of *spec* that tell whose the resource is; not where another call sets them than the one that makes it."""
    paths = [entry.path for entry in resource.kind.fields if entry.path in LABELS and entry.on_create]
    return {key: value for path in paths for key, value in (lookup(spec, path, None) or {}).items()}


def refuse_failed(resource: Resource, have: Spec | None) -> None:
    """Raise PlatformError when Google gave up on *resource* and it will never be ready."""
    if have is None or not in_state(have, resource.kind.failed):
        return
    reasons = have.get("statusMessage") or have.get("conditions") or "no reason given"
    raise PlatformError(
        f"Google gave up on it: {reasons}",
        action="use",
        resource=resource.title,
        reason="failed",
        hint="Remove it (state: absent), mend the cause, and run it again.",
    )


def refuse_immutable(steps: Sequence[Step]) -> None:
    """Raise one PlatformError that names every immutable field whose value differs, and the ways out."""
    lines, ways = [], []
    for step in steps:
        for drift in step.drifts:
            if drift.field.update is None:
                lines.append(f"{step.resource.title}: {drift_line(drift)}")
                ways.append(drift.field.way_out)
    if lines:
        advice = " ".join(dict.fromkeys(way for way in ways if way))
        raise PlatformError(
            "Google cannot change these fields of a resource that exists: " + "; ".join(lines),
            action="update",
            resource=", ".join(dict.fromkeys(s.resource.title for s in steps if _stuck(s))),
            reason="immutable",
            hint=advice or WAYS_OUT,
        )


def resolve(value: Any, seen: Mapping[str, Spec | None]) -> Any:
    """*value* with every Output replaced by what was seen, where it is known."""
    if isinstance(value, Output):
        found = lookup(seen.get(value.resource) or {}, value.path)
        return value if found is MISSING else value.template.format(found)
    if isinstance(value, dict):
        return {key: resolve(item, seen) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, seen) for item in value]
    return value


def dependencies(wanted: Sequence[Resource]) -> dict[str, frozenset[str]]:
    """For each resource the keys of those it needs: named in ``after``, referred to in its spec, or its Outputs.

    References to resources outside the graph are Google's to check. Raises PlatformError for a circle.
    """
    links = {resource.link: resource.key for resource in wanted if resource.link}
    known = {resource.key for resource in wanted}
    graph = {}
    for resource in wanted:
        found = set(resource.after) | set(_references(resource.spec, links))
        graph[resource.key] = frozenset((found & known) - {resource.key})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise PlatformError(f"resources need one another in a circle: {' -> '.join(error.args[1])}") from error
    return graph


def in_state(have: Spec, states: Mapping[str, frozenset[str]]) -> bool:
    """Whether a field of *have* has one of the listed states."""
    return any(lookup(have, path, "") in values for path, values in states.items())


def at_work(resource: Resource, have: Spec) -> bool:
    """Whether *resource* is whole, and Google only busy with it, such as with an upgrade of its own."""
    return in_state(have, dict.fromkeys(resource.kind.pending, resource.kind.busy))


def links_in(value: Any) -> list[str]:
    """All relative resource names that *value* refers to anywhere, of this graph or another."""
    if isinstance(value, str):
        return [short(value)] if _LINK.match(short(value)) else []
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return [hit for item in items for hit in links_in(item)]


def _references(value: Any, links: Mapping[str, str]) -> list[str]:
    if isinstance(value, Output):
        return [value.resource]
    if isinstance(value, str):
        hit = links.get(value) or links.get(value.split("googleapis.com/", 1)[-1])
        return [hit] if hit else []
    if isinstance(value, dict):
        return [hit for item in value.values() for hit in _references(item, links)]
    if isinstance(value, list):
        return [hit for item in value for hit in _references(item, links)]
    return []


def _reversed(graph: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(other for other, needs in graph.items() if key in needs) for key in graph}


def _stuck(step: Step) -> bool:
    return any(drift.field.update is None for drift in step.drifts)
