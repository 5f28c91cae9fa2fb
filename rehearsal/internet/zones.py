"""The zones made in the emulated Cloud DNS, as the public DNS sees them."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from rehearsal.world import addresses

URL = f"https://{addresses.APIS}/dns/zones"
FRESH_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Record:
    """One record set; `values` are in the text form of zone files."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Zone:
    """A managed zone; `name` is lower case without the final dot. Private ones are for the VPC only."""

    name: str
    private: bool
    records: tuple[Record, ...]


class ZonesUnavailable(Exception):
    """The emulator could not be asked; DNS then answers SERVFAIL, as a resolver without its upstream does."""


def parse(answer: Mapping[str, Any]) -> list[Zone]:
    """Zones from the emulator: {"zones": [{"dnsName", "visibility", "records": [{name, type, ttl, rrdatas}]}]}."""
    return [
        Zone(
            _plain(zone["dnsName"]),
            zone.get("visibility") == "private",
            tuple(
                Record(_plain(item["name"]), item["type"], int(item["ttl"]), tuple(item["rrdatas"]))
                for item in zone["records"]
            ),
        )
        for zone in answer["zones"]
    ]


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


class Zones:
    """Asks the emulator, at most every FRESH_SECONDS."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        self._cached: Sequence[Zone] = ()
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> Sequence[Zone]:
        """All zones; raises ZonesUnavailable if the emulator cannot be reached."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._cached = await self._fetch()
                self._until = time.monotonic() + FRESH_SECONDS
            return self._cached

    async def _fetch(self) -> list[Zone]:
        limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            # The address is used, not the name: this process is the one that resolves names.
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(
                    URL, ssl=self._trust, server_hostname="emulator.internal", headers={"Host": "emulator.internal"}
                ) as answer,
            ):
                answer.raise_for_status()
                return parse(await answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ZonesUnavailable(str(error)) from error
