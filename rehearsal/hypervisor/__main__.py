"""`python -m rehearsal.hypervisor --world-dir DIR --nodes real|simulated|none`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from pathlib import Path

from aiohttp import web

from rehearsal.cluster.clusters import Clusters, Mode
from rehearsal.google.substrate import SubstrateItem
from rehearsal.hypervisor.databases import Databases
from rehearsal.hypervisor.ledger import Ledger
from rehearsal.hypervisor.machines import Machines
from rehearsal.hypervisor.server import Call, application
from rehearsal.paths import cache_dir
from rehearsal.world import company


def calls(world_dir: Path, nodes: str) -> dict[str, Call]:
    """What can be asked of the hypervisor, by name."""
    mode: Mode = "real" if nodes == "real" else "simulated" if nodes == "simulated" else "none"
    clusters = Clusters(world_dir, mode, company.load().number)
    machines = Machines(world_dir, cache_dir(), os.geteuid() == 0)
    databases = Databases(world_dir)

    async def status() -> list[SubstrateItem]:
        return [*clusters.status(), *machines.status(), *databases.status()]

    return {
        "ensure_cluster": clusters.ensure,
        "remove_cluster": clusters.remove,
        "ensure_node_pool": clusters.ensure_pool,
        "remove_node_pool": clusters.remove_pool,
        "identify_pod": clusters.identify_pod,
        "ensure_machine": machines.ensure,
        "stop_machine": machines.stop,
        "remove_machine": machines.remove,
        "ensure_database": databases.ensure,
        "remove_database": databases.remove,
        "status": status,
    }


async def restore(ledger: Ledger, known: dict[str, Call], mark: Path) -> None:
    """Starts again what ran before, then says so by the file `mark`: the world is ready only then."""
    await ledger.restore(known)
    await asyncio.to_thread(mark.touch)


async def serve(world_dir: Path, nodes: str) -> None:
    """Serves until SIGTERM."""
    known, ledger = calls(world_dir, nodes), Ledger(world_dir / "hypervisor.json")
    runner = web.AppRunner(application(ledger.keeping(known)), access_log=None)
    await runner.setup()
    socket = world_dir / "run" / "hypervisor.sock"
    socket.unlink(missing_ok=True)
    await web.UnixSite(runner, str(socket)).start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    restoring = asyncio.create_task(restore(ledger, known, world_dir / "run" / "hypervisor.ready"))
    await ended.wait()
    restoring.cancel()
    await runner.cleanup()


def main() -> None:
    """Parses the options and serves."""
    parser = argparse.ArgumentParser(prog="rehearsal.hypervisor")
    parser.add_argument("--world-dir", type=Path, required=True)
    parser.add_argument("--nodes", choices=("real", "simulated", "none"), default="real")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(options.world_dir, options.nodes))


if __name__ == "__main__":
    main()
