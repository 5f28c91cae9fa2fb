"""`python -m rehearsal.internet --world-dir DIR`: all hosts of the world's internet, in one process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from rehearsal.internet import hosts


async def _main(world_dir: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with hosts.serving(world_dir):
        logging.getLogger("rehearsal.internet").info("all hosts are listening")
        await stop.wait()


def main() -> None:
    """Parse the command line and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.internet", description=__doc__)
    parser.add_argument("--world-dir", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_main(options.world_dir))


if __name__ == "__main__":
    main()
