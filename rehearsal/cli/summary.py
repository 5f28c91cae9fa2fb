"""`rehearsal summary`: what a run left in the world, and how to look at it."""

from __future__ import annotations

from collections import defaultdict

from rehearsal.cli import describe, emulator
from rehearsal.world import cluster_services, company, enter
from rehearsal.world.record import World, flag

MOST_NAMES = 4
# As people call it who have not activated the virtual environment.
COMMAND = ".venv/bin/rehearsal"
_INTERNAL = ("world.", "lro", ".operations", "Operations", "policies", "settings")


def summary(world: World) -> int:
    """Print the summary; returns the exit status."""
    return enter.call(world, lambda: _print(world))


def _print(world: World) -> int:
    for line in _lines(world):
        print(line)
    return 0


def _lines(world: World) -> list[str]:
    name = flag(world.name)
    out = [f"In Google Cloud project {company.load().project} (emulated)", *_resources(world)]
    out += ["", "Really running", *describe.real(world)]
    out += ["", "Stand-ins", *describe.stand_ins()]
    if sites := cluster_services.exposed(world.folder):
        out += ["", "Sign in and use it: each tells how to start a browser of this machine that sees the world"]
        out += [f"  {COMMAND} show{name} {site}" for site in sites]
    out += ["", "Look behind it (each serves a port until Ctrl-C)"]
    out += [f"  {COMMAND} show{name} {target}" for target in cluster_services.listed(world.folder)]
    out += [f"  {COMMAND} show{name:<30}  an HTTP proxy for everything, public names included"]
    out += ["", f"What is real, emulated or a stand-in:  {COMMAND} status{name}"]
    out += [f"A shell inside:                        {COMMAND} run{name} -- bash"]
    out += [f"End it:                                {COMMAND} down{name}"]
    return out


def _resources(world: World) -> list[str]:
    """One line for each kind of resource the emulated cloud holds."""
    names = defaultdict(list)
    for resource in emulator.ask(world, "GET", "/state/dump")["resources"]:
        if not any(mark in resource["kind"] for mark in _INTERNAL):
            names[resource["kind"]].append(resource["key"].rpartition("/")[2])
    return [f"  {kind:<42} {len(found):>3}  {_some(found)}" for kind, found in sorted(names.items())]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
