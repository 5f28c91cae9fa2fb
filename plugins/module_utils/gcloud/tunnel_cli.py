#!/usr/bin/env python3
"""A VM's port through IAP on standard input and output, as ssh's ProxyCommand, or on a local port.

    ssh -o ProxyCommand="python tunnel_cli.py --project P --zone Z --instance I --port %p" user@host

Standard output carries payload only; an error is one paragraph on standard error and exit status 255, so that ssh and
Ansible report the machine as unreachable. Runs as a file: ssh knows nothing of Python packages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

if not __package__:
    # Started as a file: its folder must not shadow the standard library, the folder above holds the package.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __package__ = Path(__file__).resolve().parent.name
    __import__(__package__)

from .command_line import add_credentials, make_api
from .errors import PlatformError
from .runs import LOOK_SECONDS, Run
from .tunnel import RELAY, RESUME_SECONDS, Target, Tunnel
from .tunnel_protocol import MAX_PAYLOAD

FAILED = 255
QUEUED_READS = 8


class _StandardInput:
    """Standard input read by a thread: it may be a file, a pipe or a socket, and only a thread can read all of them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(QUEUED_READS)
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        data = b"-"
        while data:
            self._room.acquire()
            data = os.read(0, MAX_PAYLOAD)
            self._loop.call_soon_threadsafe(self._queue.put_nowait, data)

    async def read(self, _: int) -> bytes:
        """The next bytes; b"" at the end. Nothing is lost if the waiting is cancelled."""
        data = await self._queue.get()
        self._room.release()
        return data


async def _write_standard_output(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[await asyncio.to_thread(os.write, 1, view) :]


async def _carry_stdio(make: Callable[[], Tunnel]) -> None:
    await make().run(_StandardInput().read, _write_standard_output)


async def _listen(make: Callable[[], Tunnel], host: str, port: int) -> None:
    """A tunnel for every connection to a local port; prints the port once it listens."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            await make().run(reader.read, write)
        except PlatformError as error:
            print(error, file=sys.stderr, flush=True)
        except ConnectionError as error:
            print(f"the local side of a tunnel ended: {error}", file=sys.stderr, flush=True)
        finally:
            writer.close()

    server = await asyncio.start_server(carry, host, port)
    print(f"Listening on port {server.sockets[0].getsockname()[1]}.", flush=True)
    await server.serve_forever()


def _end_with_run() -> None:
    """End with the Ansible run that this tunnel was opened in, as ssh's ControlPersist would not."""
    run = Run.current()

    def look() -> None:
        while run is not None and run.alive:
            time.sleep(LOOK_SECONDS)
        os._exit(FAILED)

    if run is not None:
        threading.Thread(target=look, daemon=True).start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tunnel_cli.py", description="A VM's TCP port through Identity-Aware Proxy.")
    parser.add_argument("--project", required=True, help="project id")
    parser.add_argument("--zone", required=True, help="zone of the VM")
    parser.add_argument("--instance", required=True, help="name of the VM")
    parser.add_argument("--port", type=int, default=22, help="port of the VM (default: %(default)s)")
    parser.add_argument("--interface", default="nic0", help="network interface of the VM (default: %(default)s)")
    parser.add_argument("--listen", metavar="[HOST:]PORT", help="serve a local port, not standard input and output")
    add_credentials(parser)
    parser.add_argument("--relay", default=RELAY, help=argparse.SUPPRESS)
    parser.add_argument(
        "--resume-seconds", type=float, default=RESUME_SECONDS, help="how long to retry a lost connection"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Carry one connection (or serve a port); returns the exit status."""
    options = _parser().parse_args(argv)
    _end_with_run()
    target = Target(options.project, options.zone, options.instance, options.port, options.interface)
    api = make_api(options)

    def make() -> Tunnel:
        return Tunnel(
            target,
            api.access_token,
            principal=lambda: api.identity() or "the caller",
            relay=options.relay,
            resume_seconds=options.resume_seconds,
        )

    try:
        if options.listen:
            host, _, port = options.listen.rpartition(":")
            asyncio.run(_listen(make, host or "127.0.0.1", int(port)))
        else:
            asyncio.run(_carry_stdio(make))
    except PlatformError as error:
        print(error, file=sys.stderr)
        return FAILED
    except (BrokenPipeError, KeyboardInterrupt):
        return FAILED  # whoever started us has gone
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # the thread that waits for standard input must not keep us
