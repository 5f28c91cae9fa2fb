"""Brings up every host of the world's internet on its own address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rehearsal.internet import dns
from rehearsal.internet.names import Names
from rehearsal.internet.zones import Zones
from rehearsal.world import addresses, company


@asynccontextmanager
async def serving(world_dir: Path) -> AsyncIterator[None]:
    """All hosts listen while the context is open."""
    people = company.load()
    trust = ssl.create_default_context(cafile=str(world_dir / "ca" / "ca.pem"))
    names = Names({people.git_host: addresses.GIT})
    resolver = dns.Resolver(names, Zones(trust).get)
    await dns.serve(resolver, (addresses.DNS, *addresses.DNS_ALSO))
    yield
