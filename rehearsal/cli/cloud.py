"""Verbs that look at the emulated cloud's calls, and make its life hard: calls, fault, limits."""

from __future__ import annotations

import argparse
import json
from typing import Any
from urllib.parse import urlencode

from rehearsal.cli.emulator import ask
from rehearsal.errors import RehearsalError
from rehearsal.world import enter, record
from rehearsal.world.record import World

_WIDE = 60


def _told(options: argparse.Namespace, lines: Any) -> int:
    """Asks the emulator from within the world, and prints what is made of its answer."""
    world = record.load_alive(options.world)

    def inside() -> int:
        for line in lines(world):
            print(line)
        return 0

    return enter.call(world, inside)


def calls(options: argparse.Namespace) -> int:
    """`rehearsal calls [--last N] [--since N]`: method, resource, status and milliseconds of each."""
    wanted = {"since": options.since} if options.since is not None else {"last": options.last}
    return _told(options, lambda world: call_lines(ask(world, "GET", f"/calls?{urlencode(wanted)}")["calls"]))


def call_lines(found: list[dict[str, Any]]) -> list[str]:
    """The calls as lines, with the fault that hit one, and a summary."""
    lines = [f"{'call':>6} {'method':<{_WIDE}} {'status':>6} {'ms':>8}  resource"]
    for call in found:
        fault = f"  [fault {call['fault']}]" if call["fault"] else ""
        status = call["status"] or "reset"
        lines.append(
            f"{call['id']:>6} {call['method']:<{_WIDE}} {status:>6} {call['milliseconds']:>8.1f}  "
            f"{call['resource']}{fault}"
        )
    refused = sum(not 200 <= call["status"] < 300 for call in found)
    lines.append(f"{len(found)} calls, {refused} refused, {sum(call['milliseconds'] for call in found):.0f} ms in all")
    return lines


def fault(options: argparse.Namespace) -> int:
    """`rehearsal fault add|list|clear`."""
    names = ("pattern", "kind", "nth", "count", "chance", "seed")
    wanted = {name: value for name in names if (value := getattr(options, name, None)) is not None}

    def lines(world: World) -> list[str]:
        if options.action == "list":
            return fault_lines(ask(world, "GET", "/faults")["faults"])
        if options.action == "clear":
            return [f"{ask(world, 'DELETE', '/faults')['cleared']} faults cleared; what was stuck goes on."]
        return fault_lines([ask(world, "POST", "/faults", wanted)])

    return _told(options, lines)


def fault_lines(found: list[dict[str, Any]]) -> list[str]:
    """A line for each fault."""
    if not found:
        return ["No faults. Add one: rehearsal fault add 'compute.*.insert' --kind http:503"]
    lines = []
    for item in found:
        which = "all" if item["count"] == 0 else str(item["count"])
        chance = f", chance {item['chance']:g} (seed {item['seed']})" if item["chance"] < 1 else ""
        lines.append(
            f"{item['id']:>3} {item['kind']:<28} {item['pattern']:<40} from call {item['nth']}, {which}{chance}; "
            f"seen {item['seen']}, hit {item['hit']}"
        )
    return lines


def limits(options: argparse.Namespace) -> int:
    """`rehearsal limits [NAME=VALUE ...]`; `quota.METRIC=N` sets a quota, `NAME=` goes back to the default."""

    def lines(world: World) -> list[str]:
        found = ask(world, "GET", "/limits")
        if options.settings:
            found = ask(world, "PUT", "/limits", wanted_limits(options.settings, found["quotas"]))
        return [f"{name:<20} {json.dumps(value)}" for name, value in sorted(found.items())]

    return _told(options, lines)


def wanted_limits(settings: list[str], quotas: dict[str, Any]) -> dict[str, Any]:
    """The limits that arguments ask for.

    Raises:
        RehearsalError: one is not NAME=VALUE.
    """
    wanted: dict[str, Any] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        try:
            given = json.loads(value) if value else None
        except ValueError:
            given = value
        if not sign:
            raise RehearsalError(f"set the limit {text!r}", "it has no value", "Write NAME=VALUE, or NAME= to reset.")
        if name.startswith("quota."):
            changed = {**quotas, **wanted.get("quotas", {}), name.removeprefix("quota."): given}
            wanted["quotas"] = {metric: limit for metric, limit in changed.items() if limit is not None}
        else:
            wanted[name] = given
    return wanted
