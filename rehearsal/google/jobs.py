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


@dataclass(frozen=True)
class Failure:
    """Why an operation failed: HTTP status, Google's code and text."""

    code: int
    reason: str
    message: str


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
        self._hurry = asyncio.Event()
        self._hastened: set[str] = set()

    def start(self, tx: Transaction, operation: Record, work: str | None, arguments: Arguments, delay: float) -> None:
        """Begins what is behind `operation` (already complete but for its end) and writes it.

        Without anything real and without delay all is done before this returns; `operation` in the state is then done,
        though the caller may answer with the record it holds, as Google's first answers are never done.
        """
        behind = WORKS[work] if work else None
        if delay <= 0 and not (behind and behind.prepare):
            stored = Record(operation.kind, operation.key, copy.deepcopy(operation.body), dict(operation.hidden))
            tx.put(stored)
            self._end(tx, stored, behind, arguments, None)
            return
        operation.hidden["pending"] = True
        tx.put(operation)
        due = self._cloud.clock.now() + delay
        job = {"work": work, "arguments": arguments, "kind": operation.kind, "due": due}
        tx.put(Record(KIND, operation.key, {}, job))
        self._waiting.append(operation.key)

    def _end(self, tx: Transaction, operation: Record, behind: Work | None, arguments: Arguments, result: Any) -> None:
        failure, response = None, None
        try:
            response = behind.finish(self._cloud, tx, arguments, result) if behind else None
        except ApiError as error:
            failure = Failure(error.code, error.reason, error.message)
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
        self._hastened.discard(key)
        self.spawn()

    async def _pause(self, key: str, seconds: float) -> None:
        if seconds > 0 and key not in self._hastened:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), seconds)

    def hasten(self) -> None:
        """Lets everything that only waits for its time end now; needs a running event loop."""
        self._hastened |= set(self._tasks)
        self._hurry.set()
        self._hurry = asyncio.Event()

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
