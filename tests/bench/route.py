"""From a route in Git to its being served at the public address, in a whole platform."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile

from rehearsal.errors import RehearsalError
from rehearsal.world import lifecycle, namespaces, record
from tests.frontdoor.pods import manifests

from .figures import Figure, Unmeasurable
from .site import PLATFORM, rehearsal, timed

WORLD = "bench-route"
TIMES = 9


def measure() -> list[Figure]:
    """The median of TIMES changes. Raises Unmeasurable where pods cannot be real."""
    if os.geteuid() != 0:
        raise Unmeasurable("only root can have real nodes in a world")
    try:
        namespaces.probe()
    except RehearsalError as error:
        raise Unmeasurable(str(error)) from error
    with tempfile.TemporaryDirectory() as state:
        os.environ["REHEARSAL_STATE"] = state
        lifecycle.up(WORLD, "real", lambda line: None)
        try:
            timed(WORLD, *PLATFORM, "site.yml")
            _make_backend()
            probe = (sys.executable, "-m", "tests.frontdoor.route_change", "probe.default", str(TIMES))
            said = rehearsal("run", "--world", WORLD, "--", *probe)
        finally:
            lifecycle.delete(record.load(WORLD))
            del os.environ["REHEARSAL_STATE"]
    seconds = json.loads(said.splitlines()[-1])
    return [
        Figure("a route pushed to Git until it is served, median", statistics.median(seconds), "s"),
        Figure("  the slowest of them", max(seconds), "s"),
    ]


def _make_backend() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": manifests("probe")}, file)
        file.flush()
        rehearsal("kubectl", "--world", WORLD, "--", "apply", "-f", file.name)
    rehearsal("kubectl", "--world", WORLD, "--", "wait", "--for=condition=Ready", "pod/probe", "--timeout=120s")
