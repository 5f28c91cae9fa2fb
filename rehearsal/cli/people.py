"""Verbs about who may what at the front door: groups of the company's directory, and the keys that IAP signs with."""

from __future__ import annotations

import argparse

from rehearsal.cli.emulator import ask
from rehearsal.errors import RehearsalError
from rehearsal.frontdoor.iap import Keys
from rehearsal.world import enter, record
from rehearsal.world.record import World, flag


def group(options: argparse.Namespace) -> int:
    """`rehearsal group [NAME] [--add EMAIL] [--remove EMAIL]`: who is in which group, after the change."""
    world = record.load_alive(options.world)
    return enter.call(world, lambda: _group(world, options))


def _group(world: World, options: argparse.Namespace) -> int:
    groups = ask(world, "GET", "/groups")["groups"]
    if options.name is not None:
        if options.name not in groups:
            known = ", ".join(sorted(groups))
            raise RehearsalError(f"find the group {options.name}", "there is no such group", f"There are: {known}")
        members = [member for member in groups[options.name] if member not in options.remove]
        members += [member for member in options.add if member not in members]
        if members != groups[options.name]:
            ask(world, "PUT", "/groups", {"group": options.name, "members": members})
        groups = {options.name: members}
    for name, members in sorted(groups.items()):
        print(f"{name}: {', '.join(members) or 'nobody'}")
    return 0


def iap(options: argparse.Namespace) -> int:
    """`rehearsal iap rotate [--lead SECONDS]`: another key signs from then on."""
    world = record.load_alive(options.world)
    key = Keys(world.folder / "frontdoor").rotate(options.lead)
    print(f"The key {key.id} is published, and signs in {options.lead:g} s; the one before stays valid.")
    print(f"Published now: rehearsal run{flag(world.name)} -- curl https://www.gstatic.com/iap/verify/public_key-jwk")
    return 0


def kubectl(options: argparse.Namespace) -> int:
    """`rehearsal kubectl -- ARGUMENTS`: as the cluster's administrator, without the way through the bastion."""
    from rehearsal.toolchain.catalog import program_path
    from rehearsal.world import cluster_services, environment

    world = record.load_alive(options.world)
    found = cluster_services.kubeconfigs(world.folder)
    if not found:
        raise RehearsalError("call kubectl", "there is no cluster in this world", "Make one: run site.yml in it")
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    command = [str(program_path("kubectl")), f"--kubeconfig={found[0]}", *argv]
    return enter.run(world, command, environment.of_commands(world.folder), enter.INSIDE)
