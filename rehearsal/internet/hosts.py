"""Brings up every host of the world's internet on its own address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from rehearsal import paths
from rehearsal.internet import dns
from rehearsal.internet.git_host import GitHost
from rehearsal.internet.names import Names
from rehearsal.internet.registry import Images, Registry
from rehearsal.internet.releases import Releases, static_files
from rehearsal.internet.zones import Zones
from rehearsal.machines import base
from rehearsal.world import addresses, company, pki, secrets


@asynccontextmanager
async def web_host(app: web.Application, *where: tuple[str, int, ssl.SSLContext | None]) -> AsyncIterator[None]:
    """Serve `app` at the given (address, port, TLS context or None) while the context is open."""
    runner = web.AppRunner(app, handle_signals=False, auto_decompress=False)
    await runner.setup()
    try:
        for host, port, tls in where:
            await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(world_dir: Path) -> AsyncIterator[None]:
    """All hosts listen while the context is open."""
    people, cache = company.load(), paths.cache_dir()
    tls = pki.ServerCertificates(world_dir / "ca").server_context()
    trust = ssl.create_default_context(cafile=str(world_dir / "ca" / "ca.pem"))
    git = GitHost(world_dir / "git", people.git_accounts, secrets.git_tokens(world_dir))
    registry = Registry(Images(cache / "images"))
    releases = Releases(cache / "releases")
    debian = base.current(cache)
    mirrors = debian.mirror_hosts if base.exists(debian) else []
    names = Names(
        {
            people.git_host: addresses.GIT,
            **dict.fromkeys(releases.hosts(), addresses.RELEASES),
            **dict.fromkeys(mirrors, addresses.DEBIAN),
        }
    )
    async with AsyncExitStack() as stack:
        await dns.serve(dns.Resolver(names, Zones(trust).get), (addresses.DNS, *addresses.DNS_ALSO))
        for app, where in (
            (git.application(), [(addresses.GIT, 443, tls)]),
            (
                registry.application(),
                [(addresses.REGISTRY, 443, tls), (addresses.REGISTRY, addresses.REGISTRY_MIRROR_PORT, None)],
            ),
            (releases.application(), [(addresses.RELEASES, 443, tls)]),
            (static_files(debian.mirror), [(addresses.DEBIAN, 80, None), (addresses.DEBIAN, 443, tls)]),
        ):
            await stack.enter_async_context(web_host(app, *where))
        yield
