"""`python -m rehearsal.google --config FILE`: serves the emulated cloud until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from .config import Config, ConfigError, load
from .serve import run


def main() -> int:
    """Runs the emulator; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.google", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see rehearsal/google/config.py")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = load(arguments.config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    asyncio.run(_serve(config))
    return 0


async def _serve(config: Config) -> None:

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(config, stop)


if __name__ == "__main__":
    sys.exit(main())
