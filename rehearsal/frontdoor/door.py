"""Keeps Envoy in step with the emulated cloud: asks twice a second, and writes what changed."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import aiohttp

from rehearsal.hypervisor.processes import end_with_parent
from rehearsal.toolchain.envoy import program
from rehearsal.world.pki import ServerCertificates

from . import envoy
from .cloud import Cloud
from .gate import Gate

log = logging.getLogger(__name__)
INTERVAL_SECONDS = 0.5


class Door:
    """Envoy's files in `folder`, and Envoy itself."""

    def __init__(self, folder: Path, cloud: Cloud, gate: Gate, authority: ServerCertificates) -> None:
        self._folder, self._cloud, self._gate, self._authority = folder, cloud, gate, authority
        self._written: dict[str, str] = {}

    async def run(self) -> None:
        """Serves until cancelled; returns if Envoy ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.apply({"fronts": [], "services": {}})
        (self._folder / "envoy.json").write_text(json.dumps(envoy.bootstrap(self._folder)))
        process = await asyncio.create_subprocess_exec(
            str(program()), "--config-path", str(self._folder / "envoy.json"), "--concurrency", "1",
            "--log-level", "warning", "--disable-hot-restart", preexec_fn=end_with_parent,
        )  # fmt: skip
        follow = asyncio.create_task(self._follow())
        try:
            await process.wait()
            log.error("Envoy ended with %s", process.returncode)
        finally:
            follow.cancel()
            if process.returncode is None:
                process.terminate()
                await process.wait()

    async def _follow(self) -> None:
        while True:
            try:
                self.apply(await self._cloud.edge())
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("the emulated cloud does not answer: %s", error)
            await asyncio.sleep(INTERVAL_SECONDS)

    def apply(self, edge: dict[str, Any]) -> None:
        """Brings the gate and Envoy's files to this configuration."""
        services, fronts = edge["services"], edge["fronts"]
        self._gate.services = {service["id"]: {**service, "key": key} for key, service in services.items()}
        if fronts:
            self._gate.address = fronts[0]["address"]
        hosts = {host for front in fronts for group in front["certificates"] or [] for host in group}
        certificates = {host: str(self._certificate(host)) for host in hosts}
        self._write("clusters.json", envoy.clusters(services))
        self._write("listeners.json", envoy.listeners(fronts, services, certificates))

    def _certificate(self, host: str) -> Path:
        path = self._folder / "certificates" / f"{host.replace('*', 'any')}.pem"
        if not path.exists():
            self._authority.write(host, path)
        return path

    def _write(self, name: str, resources: list[dict[str, Any]]) -> None:
        content = json.dumps({"version_info": str(len(self._written)), "resources": resources}, sort_keys=True)
        if self._written.get(name) == content:
            return
        fresh = self._folder / f"{name}.new"
        fresh.write_text(content)
        fresh.replace(self._folder / name)
        self._written[name] = content
