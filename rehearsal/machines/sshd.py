"""The next best thing to a machine where systemd cannot boot: an SSH server of this user on the machine's address.

It checks transport, keys, templates and files of one user; there are no packages, services, firewall or root in it.
`rehearsal status` says so. Accounts and keys come from OS Login by the metadata server, as on a real machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from rehearsal.errors import RehearsalError
from rehearsal.machines.spec import MachineSpec
from rehearsal.world import addresses
from rehearsal.world.commands import find_program, run

START_SECONDS = 60.0
STOP_SECONDS = 5.0
REFRESH_SECONDS = 1.0
USERS_URL = f"http://{addresses.METADATA}/computeMetadata/v1/oslogin/users?pagesize=500"

_CONFIGURATION = """\
ListenAddress {address}:22
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/keys/%u
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp
"""


class SshdMachine:
    """One such server; `start`, `stop` and `destroy` may be called in any state."""

    mode = "sshd"

    def __init__(self, spec: MachineSpec, world_dir: Path, reason: str) -> None:
        """`reason` says why it is no real machine, for `rehearsal status`."""
        self.spec = spec
        self._reason = reason
        self._folder = world_dir / "machines" / f"{spec.name}-{spec.identity}"
        self._log = world_dir / "logs" / "machines" / f"{spec.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def detail(self) -> str:
        """For `rehearsal status`."""
        state = "running" if self._process and self._process.returncode is None else "stopped"
        return f"only an SSH server of user {getpass.getuser()} ({self._reason}), {state}, {self.spec.address}"

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        if self._process and self._process.returncode is None:
            return
        await asyncio.to_thread(self._prepare)
        # A mount namespace of its own, in which OS Login's accounts are in /etc/passwd (with this user's number)
        script = 'mount --bind "$1" /etc/passwd; shift; exec "$@"'
        server = (find_program("sshd"), "-D", "-e", "-f", str(self._folder / "sshd_config"))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(find_program("unshare"), "--mount", "sh", "-ec", script, "sh", str(self._folder / "passwd"), *server),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._refreshing = asyncio.create_task(self._refresh())
        await self._wait_for_ssh(self._process)

    async def stop(self) -> None:
        """End the server; its users' files stay."""
        if self._refreshing:
            self._refreshing.cancel()
        if self._process and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    async def destroy(self) -> None:
        """End the server and delete its users' files."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, True)

    def _prepare(self) -> None:
        for name in ("keys", "home"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        key = self._folder / "host_key"
        if not key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        config = _CONFIGURATION.format(address=self.spec.address, folder=self._folder)
        (self._folder / "sshd_config").write_text(config)
        self._write_accounts([])

    def _write_accounts(self, accounts: Sequence[dict[str, Any]]) -> None:
        lines = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("sa_")]
        for account in accounts:
            name = account["username"]
            home = self._folder / "home" / name
            home.mkdir(exist_ok=True)
            lines.append(f"{name}:x:{os.getuid()}:{os.getgid()}::{home}:/bin/bash")
        # In place: the server sees this very file at /etc/passwd
        (self._folder / "passwd").write_text("\n".join(lines) + "\n")

    async def _refresh(self) -> None:
        known: Any = None
        while True:
            try:
                profiles = await self._profiles()
            except (aiohttp.ClientError, TimeoutError) as error:
                logging.getLogger(__name__).warning("%s: OS Login cannot be asked: %s", self.spec.name, error)
            else:
                if profiles != known:
                    known = profiles
                    await asyncio.to_thread(self._take_over, profiles)
            await asyncio.sleep(REFRESH_SECONDS)

    async def _profiles(self) -> list[dict[str, Any]]:
        # The metadata server tells machines apart by their address.
        connector = aiohttp.TCPConnector(local_addr=(self.spec.address, 0))
        headers = {"Metadata-Flavor": "Google"}
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as session,
            session.get(USERS_URL) as answer,
        ):
            answer.raise_for_status()
            found: list[dict[str, Any]] = (await answer.json(content_type=None)).get("loginProfiles", [])
            return found

    def _take_over(self, profiles: Sequence[dict[str, Any]]) -> None:
        self._write_accounts([profile["posixAccounts"][0] for profile in profiles])
        now = time.time() * 1e6
        for profile in profiles:
            keys = [
                key["key"]
                for key in profile.get("sshPublicKeys", {}).values()
                if int(key.get("expirationTimeUsec", "0") or 0) == 0 or int(key["expirationTimeUsec"]) > now
            ]
            (self._folder / "keys" / profile["posixAccounts"][0]["username"]).write_text("\n".join(keys) + "\n")

    async def _wait_for_ssh(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await _greets(self.spec.address):
            if process.returncode is not None or time.monotonic() > deadline:
                last = " / ".join(self._log.read_text(errors="replace").strip().splitlines()[-3:])
                raise RehearsalError(
                    f"start the SSH server of {self.spec.name}",
                    last or "it does not answer",
                    f"Read its log: rehearsal logs machines/{self.spec.name}",
                )
            await asyncio.sleep(0.05)


async def _greets(address: str) -> bool:
    """Whether an SSH server says hello there."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(address, 22)
            greeting = await reader.read(4)
            writer.close()
    except (OSError, TimeoutError):
        return False
    return greeting == b"SSH-"
