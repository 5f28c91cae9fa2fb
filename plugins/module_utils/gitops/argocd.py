"""When Argo CD's Applications are as Git says, and what to say of those that are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from .cluster import Cluster
from .errors import HandOffError

POLL_SECONDS = 1.0
TELL_SECONDS = 10.0
NUDGE_SECONDS = 5.0


def shortcoming(application: Mapping[str, Any], revision: str = "") -> str:
    """Why `application` is not done, in a phrase; empty if it is Synced, Healthy and, where given, at `revision`."""
    status = application.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    found = []
    if sync.get("status") != "Synced":
        found.append(f"{sync.get('status') or 'not compared yet'}")
    elif revision and sync.get("revision") != revision:
        found.append(f"still at commit {str(sync.get('revision'))[:10]}")
    if health.get("status") != "Healthy":
        found.append(f"{health.get('status') or 'health unknown'} {health.get('message') or ''}".strip())
    if not found:
        return ""
    operation = status.get("operationState") or {}
    if operation.get("phase") in ("Failed", "Error", "Running") and operation.get("message"):
        found.append(f"last sync {operation['phase']}: {operation['message']}")
    found += [f"{item.get('type')}: {item.get('message')}" for item in status.get("conditions") or []]
    return "; ".join(found)


def report(
    applications: Iterable[Mapping[str, Any]], expected: Iterable[str], root: str, revision: str
) -> dict[str, str]:
    """Shortcoming by name of every Application there is, and of every expected one that isn't there.

    Only `root` must be at `revision`: the others keep the commit that last touched their own paths.
    """
    found = {}
    for application in applications:
        name = application["metadata"]["name"]
        found[name] = shortcoming(application, revision if name == root else "")
    return {**{name: "not there yet" for name in (*expected, root) if name}, **found}


def apart(applications: Iterable[Mapping[str, Any]], projects: Collection[str], expected: Collection[str]) -> set[str]:
    """Names of the Applications of the AppProjects `projects`, but for those that are `expected`."""
    return {
        application["metadata"]["name"]
        for application in applications
        if (application.get("spec") or {}).get("project") in projects
    } - set(expected)


def broken_sets(sets: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The ApplicationSets that work no more, by what they are called in a report.

    One file that is no YAML is enough: Argo CD then makes and changes no Application of any other file either.
    """
    return {f"applicationset {item['metadata']['name']}": item for item in sets if set_error(item)}


def set_error(item: Mapping[str, Any]) -> str:
    """What Argo CD says of an ApplicationSet that it can make nothing of; empty otherwise."""
    conditions = (item.get("status") or {}).get("conditions") or []
    said = [
        str(condition.get("message") or condition.get("reason"))
        for condition in conditions
        if condition.get("type") == "ErrorOccurred" and condition.get("status") == "True"
    ]
    return f"makes and changes no Application until this is mended: {'; '.join(said)}" if said else ""


def set_project(item: Mapping[str, Any]) -> str:
    """The AppProject of the Applications that an ApplicationSet makes."""
    return str(((item.get("spec") or {}).get("template") or {}).get("spec", {}).get("project", ""))


def overdue(application: Mapping[str, Any]) -> bool:
    """Whether all of it is as Git says and its health alone is open: Argo CD may have missed the last event.

    Seen with custom resource definitions, whose health then stays Progressing until the next periodic comparison.
    """
    status = application.get("status") or {}
    return (
        (status.get("sync") or {}).get("status") == "Synced"
        and (status.get("health") or {}).get("status") == "Progressing"
        and (status.get("operationState") or {}).get("phase") != "Running"
    )


def given_up(application: Mapping[str, Any]) -> bool:
    """Whether its last sync failed for good: Argo CD does not try a commit again, whatever was mended outside Git."""
    operation = (application.get("status") or {}).get("operationState") or {}
    failed = operation.get("phase") in ("Failed", "Error") and not application.get("operation")
    return failed and bool(shortcoming(application))


def compared(application: Mapping[str, Any]) -> str:
    """When Argo CD last began to compare it with Git, in RFC 3339 by the cluster's clock; empty: never."""
    return str((application.get("status") or {}).get("reconciledAt") or "")


class Comparison:
    """Which Applications Argo CD has compared with what Git says now, since `root` was last compared at `before`.

    An Application of which only the values or the chart have changed stays Synced and Healthy from before until Argo CD
    looks at it again, a minute later or more, for `root` deploys its definition alone, which is the same. Comparing
    `root` makes the newest commit known to Argo CD, so that the others are then compared with that.
    """

    def __init__(self, root: str, revision: str, before: str) -> None:
        self._root, self._revision, self._before = root, revision, before
        self._since = ""

    def missing(self, applications: Iterable[Mapping[str, Any]]) -> set[str]:
        """Names of those that are yet to be compared; `root` alone, until it has been."""
        found = {application["metadata"]["name"]: application for application in applications}
        if not self._since:
            root = found.get(self._root, {})
            at = ((root.get("status") or {}).get("sync") or {}).get("revision")
            if compared(root) <= self._before or self._revision not in ("", at):
                return {self._root}
            self._since = compared(root)
        return {name for name, item in found.items() if name != self._root and compared(item) <= self._since}


def wait(
    cluster: Cluster,
    namespace: str,
    expected: Iterable[str],
    root: str,
    revision: str,
    refresh: bool,
    timeout: float,
    tell: Callable[[str], None],
    others: Collection[str] = (),
) -> dict[str, str]:
    """Waits until every Application is done, and returns the last report.

    Those of the AppProjects `others` are in the report too, but waited for only where they are expected: a team's
    mistake in its own part is not to hold up the platform. So are ApplicationSets that work no more, and those of
    `others` count only while something expected isn't there, which may be for them to make.
    What is only Progressing is looked at again each NUDGE_SECONDS; with `refresh`, what had failed before this began is
    tried again, once.
    `root` is the Application that holds the others; with `refresh` they count once compared with Git after this began.
    Raises HandOffError after `timeout` seconds with what each unfinished Application lacks.
    """
    start = told = nudged = time.monotonic()
    names, asked = list(expected), set[str]()
    before = list(cluster.applications(namespace)) if refresh and root else []
    comparison = Comparison(root, revision, _compared(before, root)) if refresh and root else None
    theirs = apart(before, others, names)
    for application in filter(given_up, before):
        if application["metadata"]["name"] not in theirs:
            cluster.sync_application(namespace, application)
    while True:
        applications = list(cluster.applications(namespace))
        theirs = apart(applications, others, names)
        missing = comparison.missing(applications) - theirs if comparison else set()
        state = report(applications, names, root, revision)
        state |= {name: state.get(name) or "not compared with Git since" for name in missing}
        broken = broken_sets(cluster.application_sets(namespace))
        state |= {name: set_error(item) for name, item in broken.items()}
        if {application["metadata"]["name"] for application in applications} >= set(names):
            theirs |= {name for name, item in broken.items() if set_project(item) in others}
        open_ones = {name: reason for name, reason in state.items() if reason and name not in theirs}
        now = time.monotonic()
        if not open_ones:
            return state
        if now - start > timeout:
            raise _unfinished(open_ones, len(state), namespace, timeout)
        if now - told > TELL_SECONDS:
            told = now
            tell(f"Applications {len(state) - len(open_ones)}/{len(state)}; waiting for {', '.join(sorted(open_ones))}")
        late: set[str] = set()
        if now - nudged > NUDGE_SECONDS:
            nudged, asked = now, set()
            late = {application["metadata"]["name"] for application in filter(overdue, applications)}
        for name in sorted((missing - asked) | late):
            cluster.refresh_application(namespace, name)
        asked |= missing
        time.sleep(POLL_SECONDS)


def _compared(applications: Iterable[Mapping[str, Any]], root: str) -> str:
    return next((compared(item) for item in applications if item["metadata"]["name"] == root), "")


def _unfinished(open_ones: Mapping[str, str], number: int, namespace: str, timeout: float) -> HandOffError:
    lines = "\n".join(f"  {name}: {reason}" for name, reason in sorted(open_ones.items()))
    count = f"{len(open_ones)} of {number} Applications in {namespace}"
    message = f"{count} are not done after {timeout:.0f} s:\n{lines}"
    hint = "Mend what they name (in Git, where it comes from Git) and run this again: it continues from here."
    return HandOffError(message, hint)
