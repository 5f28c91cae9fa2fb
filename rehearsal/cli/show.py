"""`rehearsal show`: what a user is told, and which kind of peephole serves it."""

from __future__ import annotations

import asyncio
import shlex
import socket
import ssl
import tempfile
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from rehearsal.errors import RehearsalError
from rehearsal.world import cluster_services, company, enter, peephole, pki, reverse_proxy
from rehearsal.world.record import World

Work = Callable[[], Coroutine[Any, Any, None]]


def show(world: World, target: str | None, port: int) -> int:
    """Serve a port of this machine until Ctrl-C or the world's end; returns the exit status."""
    try:
        listening = peephole.listen(port)
    except OSError as error:
        raise RehearsalError(
            f"serve port {port} of this machine", error.strerror or str(error), "Choose another one: --port N"
        ) from error
    # What there is to show is asked in there, too.
    return enter.call(world, lambda: _run(_work(world, target, listening)))


def _run(work: Work) -> int:
    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        return 130
    return 0


def _work(world: World, target: str | None, listening: socket.socket) -> Work:
    port = listening.getsockname()[1]
    sites = cluster_services.exposed(world.folder) if target is None or target.startswith("https://") else []
    if target is None or any(target == site or target.startswith(f"{site}/") for site in sites):
        # Signing in leads to other hosts and back, with cookies for https alone: a browser must see the real names.
        home = target or next(iter(sites), f"https://{company.load().git_host}")
        for line in _proxy_advice(world, port, home):
            print(line, flush=True)
        return lambda: peephole.serve(listening, peephole.proxy)
    if target.startswith(cluster_services.PREFIX):
        return lambda: _show_service(world, target, listening)
    if "://" in target:
        parts = urlsplit(target)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RehearsalError(f"show {target}", "that is no web address", "For example: https://ml.acme.example")
        print(f"{target} is at http://127.0.0.1:{port}{parts.path or '/'}  (Ctrl-C ends it)", flush=True)
        trust = ssl.create_default_context(cafile=str(world.folder / "ca" / "ca.pem"))
        return lambda: reverse_proxy.serve(listening, target, trust)
    host, _, number = target.rpartition(":")
    if not host or not number.isdecimal():
        advice = "For example: https://ml.acme.example, 10.10.0.5:22 or service/argocd/argocd-server"
        raise RehearsalError(f"show {target}", "that is no URL, no HOST:PORT and no service/NAMESPACE/NAME", advice)
    print(f"{target} is at 127.0.0.1:{port}  (Ctrl-C ends it)", flush=True)
    return lambda: peephole.serve(listening, peephole.relay(host, int(number)))


async def _show_service(world: World, target: str, listening: socket.socket) -> None:
    process, site = await cluster_services.forward(world.folder, target)
    print(f"{target} is at http://127.0.0.1:{listening.getsockname()[1]}/  (Ctrl-C ends it)", flush=True)
    # A pod's certificate, if it has one, is its own: nobody outside the cluster could check it.
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    serving = asyncio.create_task(reverse_proxy.serve(listening, site, trust))
    await asyncio.wait({serving, asyncio.create_task(process.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        serving.cancel()
        raise RehearsalError(f"go on showing {target}", "its pod is gone", "Run this again once there is a new one")


def _people() -> list[str]:
    return [account.email for account in company.load().accounts if not account.is_service_account]


def _proxy_advice(world: World, port: int, home: str) -> list[str]:
    """How to use the proxy: a browser of its own profile that trusts this world's authority and no other world's."""
    browser = [
        "chromium",
        f"--user-data-dir={tempfile.gettempdir()}/rehearsal-browser-{world.name}",
        f"--proxy-server=http://127.0.0.1:{port}",
        "--proxy-bypass-list=<-loopback>",
        f"--ignore-certificate-errors-spki-list={pki.spki_fingerprint(world.folder / 'ca' / 'ca.pem')}",
        home,
    ]
    authority = world.folder / "ca" / "ca.pem"
    return [
        f"All of the world {world.name!r} is behind the HTTP proxy http://127.0.0.1:{port}  (Ctrl-C ends it)",
        "",
        f"At the sign-in choose an account: {', '.join(_people())}",
        "",
        "A browser that uses it (private addresses and names work too; put your address at the end):",
        f"  {shlex.join(browser)}",
        "",
        "Or on the command line:",
        f"  curl --proxy http://127.0.0.1:{port} --cacert {authority} {browser[-1]}",
    ]
