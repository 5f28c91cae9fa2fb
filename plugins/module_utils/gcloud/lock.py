"""One run at a time: a lease in Secret Manager, which every operator's computer sees.

A secret without versions (which costs nothing) is the lock. Making it takes the lock, for Google makes only one of a
name; its annotations say who holds it. A watcher renews it while the run lives and removes it when the run is gone,
however it went. Where the holder's whole computer is gone, the lease is taken over once it has not been renewed for a
while; this is found by watching it, so that computers' clocks need not agree.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import PlatformError
from .kinds.data import replication
from .model import Caller
from .runs import Run, watch

RENEW_SECONDS = 20.0
STALE_SECONDS = 75.0  # three renewals were missed
LOOK_SECONDS = 3.0
NOTE = "run"


@dataclass(frozen=True)
class Holder:
    """Who holds the lock: account, user and host, process, and since when (UTC). ``renewed`` counts the renewals."""

    account: str
    user: str
    host: str
    run: str
    since: str
    renewed: int = 0

    @classmethod
    def here(cls, account: str, run: Run) -> Holder:
        """This run."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(account, _user(), _host(), str(run), now)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.user} on {self.host.partition(' ')[0]} as {self.account or 'an unknown account'}"

    @property
    def dead(self) -> bool:
        """Whether it was a run of this computer that is no more."""
        run = Run.parse(self.run)
        return self.host == _host() and run is not None and not run.alive

    def same_run(self, other: Holder) -> bool:
        """Whether *other* is the same run, renewals aside."""
        return (self.host, self.run) == (other.host, other.run)


@dataclass
class Lock:
    """The lock *name* of *project*, kept in *locations* alone, if there are any."""

    api: Caller
    project: str
    name: str
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    locations: Sequence[str] = ()

    @property
    def resource(self) -> str:
        """The secret's resource name."""
        return f"projects/{self.project}/secrets/{self.name}"

    def acquire(self, me: Holder, wait: float, tell: Callable[[str], None]) -> str | None:
        """Take the lock, waiting up to *wait* seconds for who holds it.

        Returns whom it was taken over from, "" if it was free, None if *me* has it already. Raises PlatformError that
        names the holder.
        """
        began = self.clock()
        watched: tuple[Holder, float] | None = None
        told = began - LOOK_SECONDS * 10
        while True:
            if self._make(me):
                return ""
            holder, etag = self._look()
            if holder is None:
                continue
            if holder.same_run(me):
                return None
            if watched is None or watched[0] != holder:
                watched = (holder, self.clock())
            unmoved = self.clock() - watched[1]
            if (holder.dead or unmoved >= STALE_SECONDS) and self._write(me, etag):
                return holder.title
            if self.clock() - began >= max(wait, STALE_SECONDS if self._looks_stale(holder) else 0.0):
                raise self._refusal(holder)
            if self.clock() - told >= LOOK_SECONDS * 5:
                told = self.clock()
                tell(f"another run holds the lock: {holder.title}, since {holder.since}; waiting")
            self.sleep(LOOK_SECONDS)

    def renew(self, me: Holder) -> Holder | None:
        """Say that *me* still runs; the new record, or None when the lock was lost to another run."""
        holder, etag = self._look()
        if holder is None or not holder.same_run(me):
            return None
        newer = replace(holder, renewed=holder.renewed + 1)
        return newer if self._write(newer, etag) else None

    def release(self, me: Holder) -> bool:
        """Give the lock back, if *me* has it; whether it had."""
        holder, etag = self._look()
        if holder is None or not holder.same_run(me):
            return False
        try:
            self.api.call("secretmanager", "projects.secrets.delete", {"name": self.resource, "etag": etag})
        except PlatformError as error:
            if error.code not in (400, 404, 409):
                raise
            return False
        return True

    def _make(self, me: Holder) -> bool:
        body = {"replication": replication(self.locations), "annotations": {NOTE: json.dumps(asdict(me))}}
        params = {"parent": f"projects/{self.project}", "secretId": self.name}
        try:
            self.api.call("secretmanager", "projects.secrets.create", params, body)
        except PlatformError as error:
            if error.code == 409:
                return self._has(me)
            raise error.about("take", f"the lock {self.name}") from error
        return True

    def _has(self, me: Holder) -> bool:
        """Whether the lock says *me*: a request whose answer got lost is sent again, and then refused for itself."""
        return self._look()[0] == me

    def _look(self) -> tuple[Holder | None, str]:
        found = self.api.get("secretmanager", "projects.secrets.get", {"name": self.resource})
        if found is None:
            return None, ""
        return _parse(found.get("annotations") or {}), str(found.get("etag", ""))

    def _write(self, me: Holder, etag: str) -> bool:
        """Put *me* into the lock if nobody touched it since *etag* was read; whether it says *me* now."""
        params = {"name": self.resource, "updateMask": "annotations"}
        body = {"annotations": {NOTE: json.dumps(asdict(me))}, "etag": etag}
        try:
            self.api.call("secretmanager", "projects.secrets.patch", params, body)
        except PlatformError as error:
            if error.code in (400, 404, 409, 412):
                return self._has(me)
            raise error.about("take", f"the lock {self.name}") from error
        return True

    @staticmethod
    def _looks_stale(holder: Holder) -> bool:
        """Whether, if clocks agree at all, it has not been renewed for long: then it is worth watching."""
        with suppress(ValueError):
            age = (datetime.now(UTC) - datetime.fromisoformat(holder.since)).total_seconds()
            return age - holder.renewed * RENEW_SECONDS > STALE_SECONDS * 2
        return True

    def _refusal(self, holder: Holder) -> PlatformError:
        return PlatformError(
            f"another run holds the lock: {holder.title}, since {holder.since}",
            action="start",
            resource=f"a run on project {self.project}",
            reason="locked",
            hint="Wait for it (-e run_lock_wait=1800 does, for so many seconds), or end it; its lock goes with it.",
        )


def hold(lock: Lock, me: Holder, run: Run) -> int:
    """Renew the lock while *run* lives and release it then, in a process of its own; returns its number."""

    def renew() -> bool:
        try:
            kept = lock.renew(me) is not None
        except PlatformError:  # Google cannot be reached now; the next renewal may do it
            return True
        if not kept:
            run.interrupt()
        return kept

    def release() -> None:
        with suppress(PlatformError):  # then it is taken over as stale
            lock.release(me)

    return watch(run, release, every=RENEW_SECONDS, meanwhile=renew)


def _parse(annotations: Mapping[str, Any]) -> Holder:
    try:
        return Holder(**json.loads(annotations[NOTE]))
    except (KeyError, TypeError, ValueError):
        return Holder("", "somebody", "an unknown computer", "", "an unknown time")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _host() -> str:
    """Name and boot of this computer: process numbers mean something within one boot only."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = "0"
    return f"{socket.gethostname()} {boot}"
