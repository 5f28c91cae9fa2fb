"""A hundred kills in the middle of writes: what was answered is there, whole, and nothing else is."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from rehearsal.google import dispatch, services
from rehearsal.google.config import Config, parse
from rehearsal.google.core import Cloud, Request
from rehearsal.google.discovery import Library
from rehearsal.google.jobs import Jobs
from rehearsal.google.seed import seed
from rehearsal.google.substrate import NullSubstrate
from rehearsal.paths import cache_dir
from tests.google import scene

KILLS = 100
NETWORKS = f"/compute/v1/projects/{scene.PROJECT}/global/networks"
HOST = "compute.googleapis.com"


def _open(config: Config, library: Library) -> Cloud:
    cloud = Cloud(config, NullSubstrate(), library)
    cloud.jobs = Jobs(cloud)
    seed(cloud)
    return cloud


def _write(cloud: Cloud, told: int, first: int) -> None:
    """Makes networks with a subnetwork each, and deletes every third, as fast as it can; tells what was answered."""
    token = cloud.identities.issue(scene.CALLER)["access_token"]
    headers = {"authorization": f"Bearer {token}"}

    def call(http: str, path: str, body: Any = None) -> None:
        content = json.dumps(body).encode() if body else b""
        response = dispatch.answer(cloud, Request(http, HOST, path, (), headers, content))
        os.write(told, f"{http} {path.rpartition('/')[2]} {(body or {}).get('name', '')} {response.status}\n".encode())

    for number in range(first, first + 100_000):
        call("POST", NETWORKS, {"name": f"n{number}", "autoCreateSubnetworks": False})
        subnetwork = {"name": f"s{number}", "ipCidrRange": "10.0.0.0/20", "network": f"global/networks/n{number}"}
        call("POST", NETWORKS.replace("global/networks", "regions/europe-west1/subnetworks"), subnetwork)
        if number % 3 == 0:
            call("DELETE", NETWORKS.replace("global/networks", f"regions/europe-west1/subnetworks/s{number}"))


def _killed_child(config: Config, library: Library, first: int, seconds: float) -> list[str]:
    """What a writing process was answered before it was killed, `seconds` after its first answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _write(_open(config, library), writing, first)
        finally:
            os._exit(1)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], 30.0)
    assert ready, "the writer does not answer"
    time.sleep(seconds)  # not a wait for anything: the moment of the kill
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    return lines


def _check(state: Path, answered: list[str]) -> None:
    """Every answered write is there with its operation, and no write is there in part."""
    with sqlite3.connect(state) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = {
            key: (kind, json.loads(body))
            for kind, key, body in database.execute("SELECT kind, key, body FROM resources")
        }
        links = {source for (source,) in database.execute("SELECT DISTINCT source FROM links")}
    operations = [body for kind, body in rows.values() if kind == "compute.operations"]
    made = {item["targetLink"].partition("/v1/")[2] for item in operations if item["operationType"] == "insert"}
    gone = {item["targetLink"].partition("/v1/")[2] for item in operations if item["operationType"] == "delete"}
    there = {key for key, (kind, _) in rows.items() if kind in ("compute.networks", "compute.subnetworks")}
    assert there == made - gone
    assert {item["status"] for item in operations} == {"DONE"}
    assert not {source for source in links if "/subnetworks/" in source} - there
    names = {key.rpartition("/")[2] for key in made}
    for line in answered:
        http, place, name, status = line.split(" ")
        assert status == "200", line
        assert (name if http == "POST" else place) in names


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked writer")
def test_a_hundred_kills_leave_nothing_half_written(tmp_path: Path) -> None:
    services.load()
    config, library = parse(scene.config(str(tmp_path))), Library(cache_dir())
    library.document("compute.v1").match("GET", "/")
    cloud = _open(config, library)
    scene.prepare(cloud)
    cloud.limits.change({"quotas": {"NETWORKS": 1e9, "SUBNETWORKS": 1e9}})
    with cloud.store.transaction() as tx:
        for kind in ("compute.networks", "compute.subnetworks"):
            for record in tx.list(kind):
                tx.delete(kind, record.key)
    cloud.close()
    chance = random.Random(7)  # noqa: S311 - the moments of the kills
    answered: list[str] = []
    for kill in range(KILLS):
        lines = _killed_child(config, library, kill * 100_000, chance.uniform(0.0, 0.06))
        answered += lines
        if kill % 10 == 9:
            _check(tmp_path / "state.db", answered)
    assert len(answered) > KILLS
