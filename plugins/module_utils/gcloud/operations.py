"""Waiting for what Google does in the background: with a deadline, progress, and the last state in the error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import PlatformError
from .model import Caller

# How long-running operations are read, by the style a kind declares: service and method.
LONG_RUNNING: Mapping[str, tuple[str, str]] = {
    "artifactregistry": ("artifactregistry", "projects.locations.operations.get"),
    "certificatemanager": ("certificatemanager", "projects.locations.operations.get"),
    "servicenetworking": ("servicenetworking", "operations.get"),
    "serviceusage": ("serviceusage", "operations.get"),
}
REPORT_SECONDS = 10.0
AGAIN = "Run it again: what was begun is finished. If Google fails again, its message is what Google's support needs."
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 4.0


@dataclass
class Patience:
    """How long to wait, and whom to tell meanwhile.

    ``seconds`` from now until the deadline. ``tell`` receives a line for people at most every ten seconds of a wait.
    """

    seconds: float
    tell: Callable[[str], None] = lambda line: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def polls(self, what: str, last: Mapping[str, str]) -> Iterator[None]:
        """Yield after pauses of a twentieth of the time waited so far (0.2 s to 4 s) until the deadline; then raise.

        *last* is the caller's: its ``state`` is shown as progress and in the error, there with its ``operation``.
        """
        began = told = self.clock()
        while True:
            now = self.clock()
            pause = min(max((now - began) / 20, SHORTEST_PAUSE), LONGEST_PAUSE)
            if now + pause > self.started + self.seconds:
                name = f" (operation {last['operation']})" if last.get("operation") else ""
                raise PlatformError(
                    f"not finished after {now - began:.0f} s; its last state was {last['state'] or 'unknown'}{name}",
                    action="wait for",
                    resource=what,
                    reason="timeout",
                    hint="Google goes on with it: run it again to wait further, or raise the option timeout.",
                )
            if now - told >= REPORT_SECONDS:
                told = now
                state = last["state"] or "working"
                self.tell(f"{what}: {state}, {now - began:.0f} s of at most {self.seconds:.0f} s")
            self.sleep(pause)
            yield


def wait(
    api: Caller, style: str, answer: Mapping[str, Any], params: Mapping[str, str], what: str, patience: Patience
) -> None:
    """Wait until the operation that *answer* describes is done. Raises PlatformError when it fails or takes too long.

    *style* is a kind's ``operation``; answers that are no operation (synchronous calls) return at once.
    """
    if style == "none" or not _is_operation(style, answer):
        return
    current = dict(answer)
    last = {"state": _state(current), "operation": str(answer.get("name", ""))}
    polls = patience.polls(what, last)
    while not _finished(style, current):
        next(polls)
        current = _read(api, style, answer, params)
        last["state"] = _state(current)
    _raise_failure(current)


def _is_operation(style: str, answer: Mapping[str, Any]) -> bool:
    if style in ("compute", "sql"):
        return "operationType" in answer
    if style == "container":
        return "operationType" in answer or str(answer.get("name", "")).startswith("operation-")
    return "operations/" in str(answer.get("name", ""))


def _finished(style: str, operation: Mapping[str, Any]) -> bool:
    if style in ("compute", "container", "sql"):
        return operation.get("status") == "DONE"
    return bool(operation.get("done"))


def _state(operation: Mapping[str, Any]) -> str:
    parts = [operation.get("operationType"), operation.get("status"), operation.get("detail")]
    progress = operation.get("progress")
    if isinstance(progress, int) and progress:
        parts.append(f"{progress} %")
    return " ".join(str(part) for part in parts if part)


def _read(api: Caller, style: str, answer: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
    name = answer["name"]
    project = params.get("project", "")
    if style == "compute":
        scope = next((scope for scope in ("zone", "region") if answer.get(scope)), "global")
        place = {} if scope == "global" else {scope: str(answer[scope]).rsplit("/", 1)[-1]}
        return api.call("compute", f"{scope}Operations.get", {"project": project, "operation": name, **place})
    if style == "container":
        place_name = answer.get("zone") or answer.get("location") or params.get("location", "")
        path = f"projects/{project}/locations/{place_name}/operations/{name}"
        return api.call("container", "getOperation", {"name": path})
    if style == "sql":
        return api.call("sqladmin", "operations.get", {"project": project, "operation": name})
    service, method = LONG_RUNNING[style]
    return api.call(service, method, {"name": name})


def _raise_failure(operation: Mapping[str, Any]) -> None:
    """Raise when a finished operation carries an error; the shapes differ by service."""
    error = operation.get("error")
    if not error:
        if operation.get("operationType") and operation.get("statusMessage") and operation.get("status") == "ABORTING":
            raise PlatformError(str(operation["statusMessage"]), reason="aborted")
        return
    entries = error.get("errors") if isinstance(error, Mapping) else None
    if entries:
        text = "; ".join(str(entry.get("message") or entry.get("code")) for entry in entries)
        code = int(operation.get("httpErrorStatusCode") or 0)
        reason = str(entries[0].get("code", ""))
        raise PlatformError(text, code=code, reason=reason, details=entries, hint=_advice(entries))
    reason = str(error.get("status") or error.get("code") or "")
    raise PlatformError(str(error.get("message", error)), reason=reason, hint=AGAIN)


def _advice(entries: list[Mapping[str, Any]]) -> str:
    codes = {str(entry.get("code", "")) for entry in entries}
    if "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE" in codes:
        return "Remove or detach the resource it names first, then run this again."
    if codes & {"QUOTA_EXCEEDED", "ZONE_RESOURCE_POOL_EXHAUSTED"}:
        return "Ask for more quota (console: IAM & Admin > Quotas), or choose another zone or machine type."
    return AGAIN
