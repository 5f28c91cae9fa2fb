"""Reads a graph of resources at once and applies its plan: dependencies first, everything independent in parallel.

:meth:`Executor.apply` is the only place of the engine that makes, changes or removes anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_any
from graphlib import TopologicalSorter
from itertools import groupby
from types import MappingProxyType
from typing import Any

from .compare import drifts
from .errors import DISABLED, PlatformError
from .model import Caller, Drift, Resource, Spec, require, title_of
from .operations import Patience
from .operations import wait as wait_for
from .plan import (
    CREATE,
    DELETE,
    NOOP,
    UPDATE,
    WAIT,
    Plan,
    Step,
    in_state,
    links_in,
    make_plan,
    make_step,
    refuse_failed,
    refuse_foreign,
    refuse_immutable,
)
from .retries import is_conflict, is_there_already

WORKERS = 24  # a call is waiting, not work
MOST_ROUNDS = 100
NEW_SECONDS = 60.0
GONE_CODES = frozenset({404, 410})


class Executor:
    """One run over one graph. ``seen`` is what Google has, by key; ``done`` what was written, as lines for people;
    ``timeline`` what took how long, an entry for each resource that was written or waited for.

    ``look_only``: for plans of what is not carried out. An API that is not enabled yet then counts as having nothing,
    so that check mode can tell what would be made in a project in which nothing was done yet.
    """

    def __init__(self, api: Caller, patience: Patience, *, look_only: bool = False) -> None:
        self.api = api
        self.look_only = look_only
        self.patience = patience
        self.seen: dict[str, Spec | None] = {}
        self.done: list[str] = []
        self.timeline: list[dict[str, Any]] = []
        self._created: set[str] = set()

    def look_ahead(
        self, known: Sequence[Resource], listing: Callable[[], Sequence[Resource]]
    ) -> tuple[Sequence[Resource], dict[str, Spec | None]]:
        """What *listing* finds by asking Google, and what was read meanwhile of *known*, which is most of it."""
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(listing)
            ahead = self.observe(known)
            return found.result(), ahead

    def observe(
        self, wanted: Sequence[Resource], ahead: Mapping[str, Spec | None] = MappingProxyType({})
    ) -> dict[str, Spec | None]:
        """Read all of *wanted* in parallel, but for what was read *ahead*."""

        def read(resource: Resource) -> Spec | None:
            return ahead[resource.key] if resource.key in ahead else self._read(resource)

        with ThreadPoolExecutor(WORKERS) as pool:
            self.seen = dict(zip([item.key for item in wanted], pool.map(read, wanted), strict=True))
        return self.seen

    def plan(
        self,
        wanted: Sequence[Resource],
        *,
        absent: bool = False,
        refuse: bool = True,
        ahead: Mapping[str, Spec | None] = MappingProxyType({}),
    ) -> Plan:
        """Read and plan. Raises PlatformError where something that would be removed is protected.

        *refuse* off: what Google cannot change is planned like the rest; such a plan is for looking at. *ahead*: what
        :meth:`look_ahead` has read.
        """
        plan = make_plan(wanted, self.observe(wanted, ahead), absent=absent, refuse=refuse)
        if absent:
            self._ask_guards(plan)
        return plan

    def _ask_guards(self, plan: Plan) -> None:
        for step in plan.steps.values():
            guard, have = step.resource.kind.guard, self.seen[step.resource.key]
            if (
                step.action == DELETE
                and guard
                and have is not None
                and (reason := guard(self.api, step.resource, have))
            ):
                raise PlatformError(reason, action="delete", resource=step.resource.title, reason="protected")

    def apply(self, plan: Plan) -> None:
        """Carry out *plan*. Raises the first PlatformError, after the steps then running have ended."""
        sorter = TopologicalSorter(plan.before)
        sorter.prepare()
        running: dict[Future[None], str] = {}
        failure: PlatformError | None = None
        with ThreadPoolExecutor(WORKERS) as pool:
            while running or (failure is None and sorter.is_active()):
                if failure is None:
                    for key in sorter.get_ready():
                        running[pool.submit(self._carry_out, plan, plan.steps[key])] = key
                ended, _ = wait_any(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    key = running.pop(future)
                    error = future.exception()
                    if error is None:
                        sorter.done(key)
                    elif isinstance(error, PlatformError):
                        failure = failure or error
                    else:
                        raise error
        if failure is not None:
            failure.done = list(self.done)
            raise failure

    def _carry_out(self, plan: Plan, step: Step) -> None:
        began = time.time()
        done = len(self.done)
        try:
            self._do(plan, step)
        except PlatformError as error:
            raise error.about("update" if step.action == NOOP else step.action, step.resource.title) from error
        finally:
            if step.action != NOOP or len(self.done) > done:
                self.timeline.append(
                    {
                        "resource": step.resource.title,
                        "action": step.action,
                        "began": began,
                        "ended": time.time(),
                        "link": step.resource.link,
                        "foundation": step.resource.kind.foundation,
                        "needs": sorted(
                            {
                                *links_in(step.resource.spec),
                                *map(title_of, {*plan.before[step.resource.key], *step.resource.after}),
                            }
                        ),
                    }
                )

    def _do(self, plan: Plan, step: Step) -> None:
        if plan.absent or step.resource.unwanted:
            if step.action == DELETE:
                self._delete(step)
            return
        if step.resource.kind.appears_with_parent and plan.before[step.resource.key] & self._created:
            self.seen[step.resource.key] = self._read(step.resource)
        self._make_true(step.resource)

    def _make_true(self, resource: Resource) -> None:
        """Create, change or wait for *resource*; planned anew, now that what it depends on is known."""
        step = make_step(resource, self.seen)
        if step.action == WAIT:
            if not resource.wait:
                return
            self._settle(resource)
            step = make_step(resource, self.seen)
        refuse_foreign([step])
        refuse_failed(resource, self.seen[resource.key])
        refuse_immutable([step])
        if step.action == CREATE:
            self._create(step)
        elif step.action == UPDATE:
            self._update(step)
        elif step.action != NOOP:
            raise PlatformError(f"unexpected state {step.action}", action="apply", resource=resource.title)

    def _create(self, step: Step) -> None:
        resource = step.resource
        try:
            answer = resource.kind.create(self.api, resource, step.spec)
            self._created.add(resource.key)
            if resource.wait:
                self._await(resource, answer)
                resource.kind.note(self.api, resource, step.spec)
            self.done.append(step.summary())
            if not resource.wait:
                return
        except PlatformError as error:
            if is_there_already(error) and self._appeared(resource):
                self._make_true(resource)
                return
            raise error.about("create", resource.title) from error
        self.seen[resource.key] = self._read_new(resource)
        self._settle(resource)
        late = [drift for drift in self._drifts(step) if not drift.field.on_create]
        if late:
            self._change(step, late)

    def _read_new(self, resource: Resource) -> Spec:
        """What was just made; Google may need a while before every read finds it."""
        good = 0
        have: Spec | None = None
        limit = Patience(min(NEW_SECONDS, self.patience.seconds), clock=self.patience.clock, sleep=self.patience.sleep)
        polls = limit.polls(resource.title, {"state": "made, but not shown by Google yet"})
        while good < resource.kind.steady_reads:
            have = self._read(resource)
            good = good + 1 if have is not None else 0
            if have is None:
                next(polls)
        return require(have, resource)

    def _appeared(self, resource: Resource) -> bool:
        """Whether a resource that was not there is there now: made by somebody else, or by a request sent twice."""
        self.seen[resource.key] = self._read(resource)
        return self.seen[resource.key] is not None

    def _update(self, step: Step) -> None:
        self._change(step, list(step.drifts))
        self.done.append(step.summary())

    def _change(self, step: Step, found: list[Drift]) -> None:
        """Make the changes; once more from a fresh read where somebody else was faster, or an answer to us got lost."""
        try:
            self._send_updates(step, found)
        except PlatformError as error:
            if not is_conflict(error):
                raise
            self.seen[step.resource.key] = self._read(step.resource)
            again = make_step(step.resource, self.seen)
            refuse_immutable([again])
            self._send_updates(again, list(again.drifts))

    def _send_updates(self, step: Step, found: list[Drift]) -> None:
        """One call for each update the drifts belong to, each with fresh fingerprints."""
        resource = step.resource
        order = {field.path: place for place, field in enumerate(resource.kind.fields)}
        found = sorted(found, key=lambda drift: (str(drift.field.update), order[drift.path]))
        for name, group in groupby(found, key=lambda drift: str(drift.field.update)):
            todo = list(group)
            rounds = MOST_ROUNDS if name in resource.kind.repeats else 1
            for _ in range(rounds):
                have = require(self.seen[resource.key], resource)
                answer = resource.kind.update(self.api, resource, step.spec, have, name, todo)
                self._await(resource, answer)
                resource.kind.note(self.api, resource, step.spec)
                self.seen[resource.key] = require(self._read(resource), resource)
                self._settle(resource)
                todo = [drift for drift in self._drifts(step) if drift.field.update == name]
                if not todo:
                    break

    def _delete(self, step: Step) -> None:
        resource = step.resource
        try:
            if step.have is not None and in_state(step.have, resource.kind.pending):
                self._settle(resource)
            have = self.seen[resource.key]
            if have is None:
                return
            self._remove(resource, have)
        except PlatformError as error:
            if error.code not in GONE_CODES:
                raise error.about("delete", resource.title) from error
        self.seen[resource.key] = None
        self.done.append(step.summary())

    def _remove(self, resource: Resource, have: Spec) -> None:
        try:
            self._await(resource, resource.kind.delete(self.api, resource, have))
        except PlatformError as error:
            other = None if error.code in GONE_CODES else resource.kind.delete_otherwise(self.api, resource, error)
            if other is None:
                raise
            style, answer = other
            wait_for(self.api, style, answer, resource.params, resource.title, self.patience)

    def _settle(self, resource: Resource) -> None:
        """Wait until *resource* is in no pending state, whoever started the operation that is running."""
        kind = resource.kind
        last = {"state": ""}
        polls = self.patience.polls(resource.title, last)
        while (have := self.seen[resource.key]) is not None and in_state(have, kind.pending):
            last["state"] = " ".join(str(have.get(path, "")) for path in kind.pending)
            next(polls)
            self.seen[resource.key] = self._read(resource)
        refuse_failed(resource, self.seen[resource.key])

    def _await(self, resource: Resource, answer: Spec) -> None:
        wait_for(self.api, resource.kind.operation, answer, resource.params, resource.title, self.patience)

    def _read(self, resource: Resource) -> Spec | None:
        try:
            return resource.kind.read(self.api, resource)
        except PlatformError as error:
            if self.look_only and error.reason in DISABLED:
                return None
            raise error.about("read", resource.title) from error

    def _drifts(self, step: Step) -> list[Drift]:
        return drifts(step.resource, step.spec, require(self.seen[step.resource.key], step.resource))
