"""Long-running operations: what happens behind them, when they end, and that they go on after a restart.

An operation belongs to a style (Compute's, Container's, google.longrunning, Cloud SQL's) that knows how to write its
end. The work behind it is registered by name, so that a pending job can be kept in the state and resumed.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .core import LOG, Cloud
from .errors import ApiError
from .store import Record, Transaction
from .substrate import SubstrateError

Arguments = dict[str, Any]


_STUCK_SECONDS = 1e9
# What Google writes with the codes that a fault may ask for: HTTP status and text.
_SPOILED = {
    "QUOTA_EXCEEDED": (403, "Quota 'CPUS' exceeded.  Limit: 24.0 in region europe-west1."),
    "ZONE_RESOURCE_POOL_EXHAUSTED": (
        503,
        "The zone does not have enough resources available to fulfill the request.  Try a different zone, or try "
        "again later.",
    ),
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": (400, "The resource is already being used by another resource."),
    "RESOURCE_NOT_READY": (400, "The resource is not ready"),
    "INTERNAL_ERROR": (500, "Internal error. Please try again or contact Google Support."),
}


@dataclass(frozen=True)
class Failure:
    """Why an operation failed: HTTP status, Google's code and text, and more that Compute tells of a quota."""

    code: int
    reason: str
    message: str
    details: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Work:
    """What is behind an operation.

    `real` asks the hypervisor and may take long: `prepare` gathers in a transaction and returns what is to be called in
    a thread (or None); its result goes to `finish`, in a transaction again. `fail` cleans up after a refusal.
    `finish` returns the operation's response, if its style has one.
    """

    finish: Callable[[Cloud, Transaction, Arguments, Any], Any]
    prepare: Callable[[Cloud, Transaction, Arguments], Callable[[], Any] | None] | None = None
    fail: Callable[[Cloud, Transaction, Arguments, Failure], None] | None = None


Ending = Callable[[Cloud, Record, Failure | None, Any], None]
WORKS: dict[str, Work] = {}
STYLES: dict[str, Ending] = {}
KIND = "world.jobs"


class Jobs:
    """The jobs that are under way."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: list[str] = []
        self._hurry: dict[str, asyncio.Event] = {}
        self._spoil: str | None = None
        self._spoiled: Record | None = None

    def start(self, tx: Transaction, operation: Record, work: str | None, arguments: Arguments, delay: float) -> None:
        """Begins what is behind `operation` (already complete but for its end) and writes it.

        Without anything real and without delay all is done before this returns; `operation` in the state is then done,
        though the caller may answer with the record it holds, as Google's first answers are never done.
        """
        behind = WORKS[work] if work else None
        stuck = self._spoil == "stuck"
        if self._spoil and not stuck:
            self._spoiled = operation
            return
        if delay <= 0 and not stuck and not (behind and behind.prepare):
            stored = Record(operation.kind, operation.key, copy.deepcopy(operation.body), dict(operation.hidden))
            tx.put(stored)
            self._end(tx, stored, behind, arguments, None)
            return
        operation.hidden["pending"] = True
        tx.put(operation)
        due = self._cloud.clock.now() + (_STUCK_SECONDS if stuck else delay)
        job = {"work": work, "arguments": arguments, "kind": operation.kind, "due": due}
        if stuck:
            job["stuck"] = True
        tx.put(Record(KIND, operation.key, {}, job))
        self._waiting.append(operation.key)

    def _end(self, tx: Transaction, operation: Record, behind: Work | None, arguments: Arguments, result: Any) -> None:
        failure, response = None, None
        try:
            response = behind.finish(self._cloud, tx, arguments, result) if behind else None
        except ApiError as error:
            failure = Failure(error.code, error.reason, error.message, tuple(error.details))
        operation.hidden.pop("pending", None)
        STYLES[operation.kind](self._cloud, operation, failure, response)
        tx.put(operation)

    def spawn(self) -> None:
        """Starts the jobs of the transaction that has just been committed; needs a running event loop."""
        waiting, self._waiting = self._waiting, []
        for key in waiting:
            self._tasks[key] = asyncio.get_running_loop().create_task(self._run(key))

    def forget(self) -> None:
        """Drops the jobs of a transaction that was rolled back."""
        self._waiting = []

    def resume(self) -> None:
        """After a restart: goes on with everything that was pending; needs a running event loop."""
        with self._cloud.store.transaction() as tx:
            self._waiting = [record.key for record in tx.list(KIND)]
        self.spawn()

    async def stop(self) -> None:
        """Leaves the jobs pending; the next start resumes them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def settle(self, key: str, seconds: float) -> None:
        """Waits until the job of the operation `key` has ended, at most `seconds`."""
        if task := self._tasks.get(key):
            await asyncio.wait({task}, timeout=seconds)

    async def _run(self, key: str) -> None:
        store = self._cloud.store
        with store.transaction() as tx:
            job = tx.get(KIND, key)
        if job is None:
            return
        await self._pause(key, job.hidden["due"] - self._cloud.clock.now())
        arguments = job.hidden["arguments"]
        behind = WORKS[job.hidden["work"]] if job.hidden["work"] else None
        try:
            result = await self._real(behind, arguments)
        except SubstrateError as error:
            self._fail(key, job, behind, arguments, Failure(500, "INTERNAL_ERROR", str(error)))
        else:
            with store.transaction() as tx:
                if operation := tx.get(job.hidden["kind"], key):
                    self._end(tx, operation, behind, arguments, result)
                tx.delete(KIND, key)
        self._tasks.pop(key, None)
        self._hurry.pop(key, None)
        self.spawn()

    async def _pause(self, key: str, seconds: float) -> None:
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.setdefault(key, asyncio.Event()).wait(), seconds)

    def hasten(self, *, stuck: bool = False) -> None:
        """Lets everything that only waits for its time end now; or what a fault holds up, and only that.

        Needs a running event loop.
        """
        with self._cloud.store.transaction() as tx:
            keys = [job.key for job in tx.list(KIND) if not stuck or job.hidden.get("stuck")]
        for key in keys:
            self._hurry.setdefault(key, asyncio.Event()).set()

    def spoil(self, how: str | None) -> None:
        """The next operation is to be `stuck`, or to fail with this code; None: neither."""
        self._spoil, self._spoiled = how, None

    def end_spoiled(self, tx: Transaction) -> None:
        """Undoes what the call has done since the transaction's mark, if its operation is one that has to fail."""
        if self._spoiled is None or self._spoil is None:
            return
        tx.rewind()
        self._waiting = []
        operation = Record(self._spoiled.kind, self._spoiled.key, copy.deepcopy(self._spoiled.body), {})
        status, text = _SPOILED.get(self._spoil, (500, f"The operation failed: {self._spoil}."))
        STYLES[operation.kind](self._cloud, operation, Failure(status, self._spoil, text), None)
        tx.put(operation)

    async def _real(self, behind: Work | None, arguments: Arguments) -> Any:
        if behind is None or behind.prepare is None:
            return None
        with self._cloud.store.transaction() as tx:
            real = behind.prepare(self._cloud, tx, arguments)
        return await asyncio.to_thread(real) if real else None

    def _fail(self, key: str, job: Record, behind: Work | None, arguments: Arguments, failure: Failure) -> None:
        LOG.error("operation %s failed: %s", key, failure.message)
        with self._cloud.store.transaction() as tx:
            if behind and behind.fail:
                behind.fail(self._cloud, tx, arguments, failure)
            if operation := tx.get(job.hidden["kind"], key):
                operation.hidden.pop("pending", None)
                STYLES[operation.kind](self._cloud, operation, failure, None)
                tx.put(operation)
            tx.delete(KIND, key)
