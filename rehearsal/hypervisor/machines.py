"""The machines of a world: real ones where that's possible, else the next best thing, and it says which."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.google.substrate import SubstrateItem
from rehearsal.machines import base
from rehearsal.machines.spec import MachineSpec
from rehearsal.machines.sshd import SshdMachine
from rehearsal.machines.systemd import SystemdMachine

Machine = SystemdMachine | SshdMachine


class Machines:
    """Starts and ends machines; calls for one machine wait for each other."""

    def __init__(self, world_dir: Path, cache: Path, root: bool) -> None:
        """`root`: whether this process has real root rights, which machines with systemd need."""
        self._world_dir = world_dir
        self._base = base.current(cache)
        self._root = root
        self._machines: dict[str, Machine] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ensure(self, spec: Mapping[str, Any]) -> dict[str, str]:
        """Make the machine run; returns its mode, `systemd` or `sshd`. Raises RehearsalError."""
        wanted = MachineSpec.parse(spec)
        async with self._lock(wanted.key):
            machine = self._machines.get(wanted.key)
            if machine is None or machine.spec.address != wanted.address:
                if machine:
                    await machine.stop()
                machine = self._machines[wanted.key] = self._make(wanted)
            await machine.start()
            return {"mode": machine.mode}

    async def stop(self, key: str) -> None:
        """Shut the machine down; its disk stays."""
        async with self._lock(key):
            if machine := self._machines.get(key):
                await machine.stop()

    async def remove(self, key: str) -> None:
        """End the machine and delete its disk."""
        async with self._lock(key):
            machine = self._machines.pop(key, None)
            if machine:
                await machine.destroy()

    def status(self) -> list[SubstrateItem]:
        """One entry a machine, for `rehearsal status`."""
        return [
            {"kind": "machine", "key": key, "mode": machine.mode, "detail": machine.detail}
            for key, machine in self._machines.items()
        ]

    def _make(self, spec: MachineSpec) -> Machine:
        if self._root and base.exists(self._base):
            return SystemdMachine(spec, self._world_dir, self._base)
        reason = "its Debian is not built: python -m rehearsal.toolchain" if self._root else "more needs root"
        return SshdMachine(spec, self._world_dir, reason)

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())
