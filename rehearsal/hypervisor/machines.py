"""The machines of a world: real ones where that's possible, else the next best thing, and it says which."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.machines import base
from rehearsal.machines.spec import MachineSpec
from rehearsal.machines.sshd import SshdMachine
from rehearsal.machines.systemd import SystemdMachine

LOG = logging.getLogger(__name__)
Machine = SystemdMachine | SshdMachine


class Machines:
    """Starts and ends machines; calls for one machine wait for each other."""

    def __init__(self, world_dir: Path, cache: Path, root: bool) -> None:
        """`root`: whether this process has real root rights, which machines with systemd need."""
        self._world_dir = world_dir
        self._base = base.current(cache)
        self._real = root and base.exists(self._base)
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
            self._remember(wanted.key, spec)
            return {"mode": machine.mode}

    async def stop(self, key: str) -> None:
        """Shut the machine down; its disk stays."""
        async with self._lock(key):
            if machine := self._machines.get(key):
                await machine.stop()
            self._forget(key)

    async def remove(self, key: str) -> None:
        """End the machine and delete its disk."""
        async with self._lock(key):
            machine = self._machines.pop(key, None)
            if machine:
                await machine.destroy()
            self._forget(key)

    async def restore(self) -> None:
        """Start the machines that ran when the world was last up."""
        for file in sorted(self._records().glob("*.json")):
            spec = json.loads(file.read_text())
            LOG.info("starting %s again", spec["key"])
            await self.ensure(spec)

    def status(self) -> list[dict[str, str]]:
        """One entry a machine, for `rehearsal status`."""
        return [
            {"kind": "machine", "key": key, "mode": machine.mode, "detail": machine.detail}
            for key, machine in self._machines.items()
        ]

    def _make(self, spec: MachineSpec) -> Machine:
        return SystemdMachine(spec, self._world_dir, self._base) if self._real else SshdMachine(spec, self._world_dir)

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _records(self) -> Path:
        return self._world_dir / "machines" / "running"

    def _record(self, key: str) -> Path:
        return self._records() / f"{key.replace('/', '_')}.json"

    def _remember(self, key: str, spec: Mapping[str, Any]) -> None:
        self._records().mkdir(parents=True, exist_ok=True)
        self._record(key).write_text(json.dumps(dict(spec)))

    def _forget(self, key: str) -> None:
        self._record(key).unlink(missing_ok=True)
