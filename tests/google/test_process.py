"""The emulator as a process: a bad configuration, a kill in the middle of writes, and going on afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from rehearsal.google.testing import DEPLOYER, PROJECT, company, free_port, make_key

NETWORKS = f"/compute/v1/projects/{PROJECT}/global/networks"


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A running emulator and its URL; it is killed in the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _, public = make_key(folder, url)
    services = ["cloudresourcemanager.googleapis.com", "compute.googleapis.com"]
    config = company(folder, public, addresses={"apis": [f"127.0.0.1:{port}"]}, enabled_services=services)
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "rehearsal.google", "--config", str(folder / "config.json")]
    started = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    try:
        _await(url)
        yield started, url
    finally:
        started.kill()
        started.wait(10)


def _await(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            assert requests.get(f"{url}/healthz", timeout=5).json()["status"] == "ok"
            return
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            assert time.monotonic() < deadline, "the emulator does not come up"
            threading.Event().wait(0.02)


def session(url: str) -> requests.Session:
    """A session with the deployer's token."""
    token = requests.post(f"{url}/tokens", json={"email": DEPLOYER}, timeout=5).json()["access_token"]
    opened = requests.Session()
    opened.headers["authorization"] = f"Bearer {token}"
    return opened


def test_a_kill_leaves_nothing_half_written(tmp_path: Path) -> None:
    answered: list[str] = []
    with process(tmp_path) as (started, url):
        requests.put(f"{url}/limits", json={"quotas": {"NETWORKS": 1e9}}, timeout=5).raise_for_status()
        caller, halt = session(url), threading.Timer(0.5, started.kill)
        halt.start()
        for number in range(100_000):
            body = {"name": f"n{number}", "autoCreateSubnetworks": False}
            try:
                assert caller.post(url + NETWORKS, json=body, timeout=10).status_code == 200
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                break
            answered.append(body["name"])
    assert answered
    with process(tmp_path) as (_, url):
        dump: dict[str, Any] = requests.get(f"{url}/state/dump", timeout=30).json()
        networks = {
            item["body"]["name"]: item["body"] for item in dump["resources"] if item["kind"] == "compute.networks"
        }
        targets = {item["body"]["targetId"] for item in dump["resources"] if item["kind"] == "compute.operations"}
        assert set(answered) <= set(networks)
        assert {body["id"] for body in networks.values()} == targets
        assert session(url).post(url + NETWORKS, json={"name": "after"}, timeout=10).status_code == 200


def test_it_ends_when_told(tmp_path: Path) -> None:
    with process(tmp_path) as (started, url):
        requests.get(f"{url}/healthz", timeout=5)
        started.send_signal(signal.SIGTERM)
        assert started.wait(10) == 0


def test_a_bad_configuration_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"project": "p", "number": "one", "state_dir": str(tmp_path)}))
    command = [sys.executable, "-m", "rehearsal.google", "--config", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "emulator configuration, number" in ended.stderr
