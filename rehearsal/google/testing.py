"""The emulator in a thread on a loopback port, for tests: `with running(path) as emulator: ...`.

In a pytest suite, `from rehearsal.google.testing import emulator` gives a fixture of that name (plain HTTP) and
`secure_emulator` one with TLS.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from urllib3.util import connection

from .config import parse
from .core import Cloud
from .serve import build, serve, settings
from .substrate import NullSubstrate, Substrate

PROJECT, NUMBER = "acme-mlops", "417385926104"
DEPLOYER = f"deployer@{PROJECT}.iam.gserviceaccount.com"
START_SECONDS = 30.0


@dataclass
class Emulator:
    """A running emulator.

    Attributes:
        url: where it listens, without a slash at the end.
        credentials: a service-account key file of the deployer, whose token_uri is this emulator.
        ca: the PEM file to trust; None for plain HTTP.
        cloud: what is behind it (read it only when no request is under way).
        substrate: what it was given for the hypervisor.
    """

    url: str
    credentials: Path
    ca: Path | None
    cloud: Cloud
    substrate: Substrate

    def token(self, email: str = DEPLOYER) -> str:
        """An access token for anybody."""
        return str(self.cloud.identities.issue(email)["access_token"])

    def login(self, email: str, folder: Path) -> Path:
        """The file that `gcloud auth application-default login` leaves for a person."""
        path = folder / f"{email}.json"
        content = {
            "type": "authorized_user",
            "client_id": "client.apps.googleusercontent.com",
            "client_secret": "no-secret",
            "refresh_token": f"1//{self.token(email)}",
        }
        path.write_text(json.dumps(content))
        return path

    def _trust(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.ca)) if self.ca else None

    def request(
        self, http: str, path: str, body: Any = None, email: str | None = DEPLOYER, host: str | None = None
    ) -> tuple[int, Any]:
        """One JSON request; returns the status and the body.

        `host` names the service where two have the same path (`dns.googleapis.com`).
        """
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, method=http)  # noqa: S310 - our own loopback address
        request.add_header("content-type", "application/json")
        if host:
            request.add_header("host", host)
        if email:
            request.add_header("authorization", f"Bearer {self.token(email)}")
        try:
            with urllib.request.urlopen(request, context=self._trust()) as response:  # noqa: S310 - as above
                text = response.read()
                return response.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text.decode()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(folder: Path, url: str) -> tuple[Path, str]:
    """A service-account key file of the deployer and its public half."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path = folder / "deployer.json"
    content = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": private,
        "client_email": DEPLOYER,
        "client_id": "100000000000000000001",
        "token_uri": f"{url}/token",
    }
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path, public.decode()


def company(folder: Path, public_key: str, **more: Any) -> dict[str, Any]:
    """A configuration like that of the sealed world."""
    return {
        "project": PROJECT,
        "number": NUMBER,
        "accounts": [
            {
                "email": DEPLOYER,
                "roles": ["roles/owner", "roles/iap.admin"],
                "public_key_pem": public_key,
                "key_id": "0123456789abcdef0123456789abcdef01234567",
            },
            {"email": "alice@acme.example", "roles": ["roles/viewer"]},
            {"email": "eve@acme.example"},
        ],
        "groups": {
            "platform-admins@acme.example": ["alice@acme.example"],
            "ml-team-fraud@acme.example": ["bob@acme.example"],
        },
        "enabled_services": ["cloudresourcemanager.googleapis.com"],
        "state_dir": str(folder / "google"),
        **more,
    }


@contextmanager
def running(folder: Path, *, tls: bool = False, substrate: Substrate | None = None, **more: Any) -> Iterator[Emulator]:
    """An emulator with its state in `folder`; `more` goes into its configuration (config.SCHEMA)."""
    port = free_port()
    url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}"
    credentials, public = make_key(folder, url)
    ca = None
    if tls:
        authority, ca, key = trustme.CA(), folder / "ca.pem", folder / "ca.key"
        authority.cert_pem.write_to_path(str(ca))
        authority.private_key_pem.write_to_path(str(key))
        more["ca"] = {"cert": str(ca), "key": str(key)}
    config = parse(company(folder, public, addresses={"apis": [f"127.0.0.1:{port}"]}, **more))
    behind = substrate or NullSubstrate()
    application, cloud = build(config, behind)
    with _serving(application, config, port):
        yield Emulator(url, credentials, ca, cloud, behind)


@contextmanager
def _serving(application: Any, config: Any, port: int) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        await serve(application, settings(config), shutdown_trigger=stop.wait)

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), name="emulator")
    thread.start()
    try:
        _await_port(port)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_SECONDS)
        loop.close()


def _await_port(port: int) -> None:
    import time

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"the emulator does not listen on 127.0.0.1:{port} after {START_SECONDS:.0f} s")


@contextmanager
def redirected(emulator: Emulator) -> Iterator[None]:
    """Within it, Google's REST clients in this process reach a TLS emulator under Google's own host names.

    google-cloud-compute polls operations at compute.googleapis.com whatever `api_endpoint` says,
    so tests of it need this.
    """
    port = int(emulator.url.rpartition(":")[2])
    original = connection.create_connection

    def create(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        inside = address[0].endswith((".googleapis.com", ".google.com", ".internal"))
        return original(("127.0.0.1", port) if inside else address, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "create_connection", create)
        patch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(emulator.credentials))
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A fresh emulator over plain HTTP."""
    with running(tmp_path) as started:
        yield started


@pytest.fixture
def secure_emulator(tmp_path: Path) -> Iterator[Emulator]:
    """A fresh emulator over TLS (gRPC wants that)."""
    with running(tmp_path, tls=True) as started:
        yield started
