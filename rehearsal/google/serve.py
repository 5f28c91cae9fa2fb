"""Hypercorn with a certificate minted for whatever name a client asks for, and plain HTTP for the metadata server."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import constants
from pathlib import Path
from typing import Any, cast

import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config as Hypercorn

from .asgi import Application
from .config import Config
from .core import Cloud
from .discovery import Library
from .jobs import Jobs
from .seed import seed
from .substrate import NullSubstrate, Substrate

# A client that keeps its connection open but no longer reads would hold up the end of the server for half a minute.
constants.SSL_SHUTDOWN_TIMEOUT = 0.3
_FALLBACK_NAME = "googleapis.com"


class Certificates:
    """Mints and keeps one TLS context for each host name, signed by the world's authority."""

    def __init__(self, cert: Path, key: Path) -> None:
        self._authority = trustme.CA.from_pem(cert.read_bytes(), key.read_bytes())
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, name: str) -> ssl.SSLContext:
        """A server context whose certificate is for `name`."""
        if name not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert(name, key_type=trustme.KeyType.ECDSA).configure_cert(context)
            context.set_alpn_protocols(["h2", "http/1.1"])
            self._contexts[name] = context
        return self._contexts[name]

    def listener(self, default: str) -> ssl.SSLContext:
        """The context of a listening socket: it hands over to the context of the name in the TLS greeting."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(default, key_type=trustme.KeyType.ECDSA).configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])

        def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                connection.context = self.context(name)

        context.sni_callback = choose
        return context


class _Settings(Hypercorn):
    """Hypercorn's settings with TLS contexts of our own."""

    certificates: Certificates | None = None
    default_name: str = _FALLBACK_NAME

    @property
    def ssl_enabled(self) -> bool:
        return self.certificates is not None

    def create_ssl_context(self) -> ssl.SSLContext | None:
        return self.certificates.listener(self.default_name) if self.certificates else None


def _bind(address: str, port: int) -> str:
    return address if ":" in address else f"{address}:{port}"


def settings(config: Config) -> Hypercorn:
    """What Hypercorn is to listen on."""
    result = _Settings()
    secure = [_bind(address, 443) for address in (*config.apis, *config.relay)]
    plain = [_bind(config.metadata, 80)] if config.metadata else []
    if config.ca_cert and config.ca_key:
        result.certificates = Certificates(config.ca_cert, config.ca_key)
        result.default_name = secure[0].partition(":")[0] if secure else _FALLBACK_NAME
        result.bind, result.insecure_bind = secure, plain
    else:
        result.bind = secure + plain
    result.loglevel = "WARNING"
    result.graceful_timeout = 1.0
    result.keep_alive_timeout = 300.0
    result.keep_alive_max_requests = 10_000_000
    result.h11_max_incomplete_size = 1 << 20
    return result


def substrate_of(config: Config) -> Substrate:
    """The hypervisor at its socket; without one, nothing real is started."""
    if config.hypervisor_socket is None:
        return NullSubstrate()
    from rehearsal.hypervisor.client import Hypervisor

    client: Substrate = Hypervisor(config.hypervisor_socket)
    return client


def build(config: Config, substrate: Substrate | None = None) -> tuple[Application, Cloud]:
    """The application and the cloud behind it, seeded."""
    from rehearsal.paths import cache_dir

    from .services import load

    load()
    cloud = Cloud(config, substrate or substrate_of(config), Library(cache_dir()))
    cloud.jobs = Jobs(cloud)
    seed(cloud)
    return Application(cloud), cloud


async def run(config: Config, stop: asyncio.Event) -> None:
    """Serves until `stop` is set."""
    application, _ = build(config)

    await serve(cast(Any, application), settings(config), shutdown_trigger=stop.wait)
