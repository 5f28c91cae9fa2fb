"""One run at a time, against the emulator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.lock import STALE_SECONDS, Holder, Lock
from plugins.module_utils.gcloud.runs import Run

from .conftest import Google

ME = Holder.here("me@acme.example", Run(1, "here"))
OTHER = Holder("ann@acme.example", "ann", "far 00", "77:5", "2026-01-01T10:00:00+00:00")


class Clock:
    """Time that only sleeping moves; ``then`` is done at each sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def lock(google: Google, clock: Clock | None = None) -> Lock:
    clock = clock or Clock()
    return Lock(google.api, google.project, "mlops-run", clock, clock.sleep)


def quiet(line: str) -> None:
    """Nobody is told."""


def test_a_free_lock_is_taken_kept_and_given_back(google: Google) -> None:
    assert lock(google).acquire(ME, 0, quiet) == ""
    assert lock(google).acquire(replace(ME, since="2026-01-01T10:00:00+00:00"), 0, quiet) is None
    assert lock(google).renew(ME) is not None
    assert lock(google).release(ME)
    assert not lock(google).release(ME)
    assert lock(google).acquire(OTHER, 0, quiet) == ""


def test_a_lock_is_kept_where_the_organisation_allows(google: Google) -> None:
    Lock(google.api, google.project, "mlops-run", locations=["europe-west1"]).acquire(ME, 0, quiet)
    where = {"name": f"projects/{google.project}/secrets/mlops-run"}
    kept = google.api.call("secretmanager", "projects.secrets.get", where)["replication"]
    assert kept == {"userManaged": {"replicas": [{"location": "europe-west1"}]}}


def test_a_held_lock_is_refused_with_who_holds_it_and_since_when(google: Google) -> None:
    recent = replace(Holder.here("ann@acme.example", Run(1, "x")), user="ann", host="far 00")
    lock(google).acquire(recent, 0, quiet)
    with pytest.raises(PlatformError, match=f"ann on far as ann@acme.example, since {recent.since[:16]}") as caught:
        lock(google).acquire(ME, 0, quiet)
    assert caught.value.reason == "locked"
    assert "run_lock_wait" in caught.value.hint
    assert not lock(google).release(ME)


def test_waiting_is_told_and_ends_when_the_other_run_does(google: Google) -> None:
    recent = replace(Holder.here("ann@acme.example", Run(1, "x")), host="far 00")
    lock(google).acquire(recent, 0, quiet)
    clock = Clock()
    said: list[str] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > 20:
            lock(google).release(recent)
        else:
            lock(google).renew(recent)

    waiting = Lock(google.api, google.project, "mlops-run", clock, sleep)
    assert waiting.acquire(ME, 600, said.append) == ""
    assert "another run holds the lock" in said[0]


def test_the_lock_of_a_dead_run_of_this_computer_is_taken_over_at_once(google: Google) -> None:
    dead = Holder.here("me@acme.example", Run(999999, "1"))
    lock(google).acquire(dead, 0, quiet)
    clock = Clock()
    assert lock(google, clock).acquire(ME, 0, quiet) == dead.title
    assert clock.slept == []
    assert lock(google).renew(dead) is None
    assert not lock(google).release(dead)


def test_the_lock_of_a_computer_that_is_gone_is_taken_over_after_watching_it(google: Google) -> None:
    lock(google).acquire(OTHER, 0, quiet)
    clock = Clock()
    assert lock(google, clock).acquire(ME, 0, quiet) == OTHER.title
    assert STALE_SECONDS <= clock.now < STALE_SECONDS * 2


def test_a_lock_that_is_renewed_is_never_taken_over(google: Google) -> None:
    lock(google).acquire(OTHER, 0, quiet)
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        assert lock(google).renew(OTHER)

    with pytest.raises(PlatformError, match="another run holds the lock"):
        Lock(google.api, google.project, "mlops-run", clock, sleep).acquire(ME, 300, quiet)
    assert clock.now >= 300


def test_of_two_that_take_over_only_one_gets_it(google: Google) -> None:
    lock(google).acquire(OTHER, 0, quiet)
    _, etag = lock(google)._look()
    third = replace(ME, run="3:3")
    assert lock(google)._write(ME, etag)
    assert not lock(google)._write(third, etag)
    assert lock(google).renew(third) is None


class Lossy:
    """Google, whose first answer to each write gets lost, so that it is sent again."""

    def __init__(self, google: Google) -> None:
        self.api = google.api
        self.get = google.api.get

    def call(self, service: str, method: str, params: Any, body: Any = None, **how: Any) -> Any:
        for _ in range(2 if body else 1):
            answer = self.api.call(service, method, params, body, **how)
        return answer


def test_a_request_that_is_sent_again_is_not_taken_for_another_run(google: Google) -> None:
    """Else the lock was held by a run that did not renew it, or a renewal interrupted the run that it was for."""
    lossy = Lock(Lossy(google), google.project, "mlops-run")  # type: ignore[arg-type]  # a double
    assert lossy.acquire(ME, 0, quiet) == ""
    renewed = lossy.renew(ME)
    assert renewed is not None
    assert renewed.renewed == 1
    lock(google).release(ME)
    dead = Holder.here("me@acme.example", Run(999999, "1"))
    lock(google).acquire(dead, 0, quiet)
    assert lossy.acquire(ME, 0, quiet) == dead.title


def test_a_lock_nobody_can_read_is_still_a_lock(google: Google) -> None:
    params = {"parent": f"projects/{google.project}", "secretId": "mlops-run"}
    google.api.call("secretmanager", "projects.secrets.create", params, {"replication": {"automatic": {}}})
    clock = Clock()
    assert lock(google, clock).acquire(ME, 0, quiet) == "somebody on an as an unknown account"
    assert clock.now >= STALE_SECONDS
