"""What is written before a world starts: authority, credentials, the emulator's configuration."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.world import addresses, company, mounts, pki, secrets
from rehearsal.world.record import World

LONGEST_SOCKET = 107
FOLDERS = ("logs", "run", "google", "credentials", "git", "cluster", "machines", "databases")


def prepare(world: World, latency_scale: float) -> None:
    """Make everything the world's services expect in its folder; what is there from an earlier run stays."""
    people = company.load()
    _check_length(world)
    world.folder.mkdir(parents=True, exist_ok=True)
    world.folder.chmod(0o755)
    for name in FOLDERS:
        (world.folder / name).mkdir(exist_ok=True)
    pki.ensure_authority(world.folder / "ca")
    mounts.write_bundle(world.folder)
    secrets.ensure_deployer_key(world.folder, people)
    secrets.ensure_git_tokens(world.folder, people)
    config = emulator_config(world, people, latency_scale)
    (world.folder / "google" / "config.json").write_text(json.dumps(config, indent=1))


def _check_length(world: World) -> None:
    """Unix sockets have short names."""
    longest = str(world.folder / "run" / "hypervisor.sock")
    if len(longest) > LONGEST_SOCKET:
        raise RehearsalError(
            f"make the world {world.name!r} in {world.folder}",
            f"a socket's path there would have {len(longest)} characters, and {LONGEST_SOCKET} are allowed",
            "Choose a shorter place or name: REHEARSAL_STATE=/var/tmp/rehearsal",
        )


def emulator_config(world: World, people: company.Company, latency_scale: float) -> dict[str, Any]:
    """Configuration of `python -m rehearsal.google`; `latency_scale` 1.0 is Google's own pace, 0 is at once."""
    key_id, public_key = secrets.deployer_public_key(world.folder)
    accounts: list[dict[str, Any]] = []
    for account in people.accounts:
        entry: dict[str, Any] = {"email": account.email, "roles": list(account.roles)}
        if account == people.deployer:
            entry |= {"key_id": key_id, "public_key_pem": public_key}
        accounts.append(entry)
    return {
        "project": people.project,
        "number": people.number,
        "organization": people.organization,
        "domain": people.domain,
        "billing_account": people.billing_account,
        "region": people.region,
        "accounts": accounts,
        "groups": {name: list(members) for name, members in people.groups.items()},
        "state_dir": str(world.folder / "google"),
        "ca": {"cert": str(world.folder / "ca" / "ca.pem"), "key": str(world.folder / "ca" / "ca.key")},
        "hypervisor_socket": str(world.folder / "run" / "hypervisor.sock"),
        "addresses": {"apis": [addresses.APIS], "relay": [addresses.RELAY], "metadata": addresses.METADATA},
        "latency_scale": latency_scale,
    }
