"""`python -m rehearsal.frontdoor --world-dir DIR`: the load balancer and the sign-in, until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
import sys
from pathlib import Path

from rehearsal.internet.hosts import web_host
from rehearsal.world import addresses, company, pki

from . import envoy
from .cloud import Cloud
from .door import Door
from .gate import Gate, People, questions, sites
from .iap import Keys, Seal


async def _main(world: Path) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    authority = pki.ServerCertificates(world / "ca")
    folder = world / "frontdoor"
    folder.mkdir(exist_ok=True)
    firm = company.load()
    people = People([account.email for account in firm.accounts if not account.is_service_account], firm.domain)
    async with Cloud(ssl.create_default_context(cafile=str(world / "ca" / "ca.pem"))) as cloud:
        gate = Gate(cloud, Keys(folder), Seal(folder), people, addresses.APIS)
        door = Door(folder / "envoy", cloud, gate, authority)
        async with (
            web_host(questions(gate), (*envoy.GATE, None)),
            web_host(sites(gate), (addresses.SIGN_IN, 443, authority.server_context())),
        ):
            serving = asyncio.create_task(door.run())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    return 0 if stop.is_set() else 1  # Envoy ended by itself: the supervisor starts it all again


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.frontdoor", description=__doc__)
    parser.add_argument("--world-dir", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    return asyncio.run(_main(options.world_dir))


if __name__ == "__main__":
    sys.exit(main())
