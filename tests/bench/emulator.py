"""The Google emulator: requests per second on one core, start-up, memory, the replay's total time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rehearsal.google.testing import DEPLOYER, PROJECT, company, free_port, make_key
from tests.bench.figures import Figure
from tests.google.__main__ import files
from tests.google.replay import replay

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = f"/compute/v1/projects/{PROJECT}/global/networks"
Make = Callable[[], tuple[str, str, bytes]]
CONNECTIONS = 4
SECONDS = 3.0
START_SECONDS = 60.0


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int, subprocess.Popen[bytes], float]]:
    """A real emulator process on one core: URL, port, process, and the seconds until it answered."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _, public = make_key(folder, url)
    services = ["cloudresourcemanager.googleapis.com", "compute.googleapis.com"]
    config = company(folder, public, addresses={"apis": [f"127.0.0.1:{port}"]}, enabled_services=services)
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "rehearsal.google", "--config", str(folder / "config.json")]
    core = min(os.sched_getaffinity(0))
    begun = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder)
    os.sched_setaffinity(process.pid, {core})
    try:
        _await(url)
        yield url, port, process, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _await(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):  # noqa: S310 - our own address
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _posted(url: str, method: str, body: object) -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)  # noqa: S310  # our own address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # our own address
        found: dict[str, object] = json.load(answer)
    return found


async def _client(port: int, head: str, until: float, make: Make) -> int:
    """Sends requests one after the other on one connection; how many were answered with 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.perf_counter() < until:
        http, path, body = make()
        writer.write(f"{http} {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{http} {path}: {answer[:200]!r}")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        answered += 1
    writer.close()
    return answered


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rate(process: subprocess.Popen[bytes], port: int, token: str, make: Make) -> float:
    """Requests per second of one core: what it is with the core to itself, whatever else the machine does."""
    head = f"Host: compute.googleapis.com\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    async def run() -> float:
        begun, used = time.perf_counter(), _cpu(process)
        clients = [_client(port, head, begun + SECONDS, make) for _ in range(CONNECTIONS)]
        return sum(await asyncio.gather(*clients)) / (_cpu(process) - used)

    return asyncio.run(run())


def _memory(process: subprocess.Popen[bytes]) -> float:
    """Resident memory in MiB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def measure() -> list[Figure]:
    """The emulator's figures; the replay's only where the recordings are."""
    found: list[Figure] = []
    numbers = iter(range(10_000_000))

    def insert() -> tuple[str, str, bytes]:
        return "POST", NETWORKS, json.dumps({"name": f"n{next(numbers)}", "autoCreateSubnetworks": False}).encode()

    with tempfile.TemporaryDirectory() as text, served(Path(text)) as (url, port, process, seconds):
        found.append(Figure("emulator: start until it answers", seconds, "s", 5.0, less=True))
        found.append(Figure("emulator: memory after start", _memory(process), "MiB"))
        token = str(_posted(f"{url}/tokens", "POST", {"email": DEPLOYER})["access_token"])
        _posted(f"{url}/limits", "PUT", {"quotas": {"NETWORKS": 1e9}})
        inserts = rate(process, port, token, insert)
        gets = rate(process, port, token, lambda: ("GET", f"{NETWORKS}/n0", b""))
        found.append(Figure("emulator: GET of a network, one core", gets, "1/s", 1000.0))
        found.append(Figure("emulator: insert with its operation, one core", inserts, "1/s", 300.0))
        found.append(Figure("emulator: memory after the load", _memory(process), "MiB"))
    return found + _replayed()


def _replayed() -> list[Figure]:
    folder = Path(
        os.environ.get("RECORDINGS") or Path(os.environ.get("SHARED") or ROOT.parent / "shared") / "recordings"
    )
    recordings = list(files(folder)) if folder.is_dir() else []
    if not recordings:
        print(f"emulator: replay not measured: no recordings in {folder} (set RECORDINGS)")
        return []
    begun = time.perf_counter()
    answers = sum(replay(path, name).total for path, name in recordings)
    seconds = time.perf_counter() - begun
    return [
        Figure(f"emulator: replay of {len(recordings)} recordings", seconds, "s"),
        Figure("emulator: replayed answers", answers / seconds, "1/s"),
    ]
