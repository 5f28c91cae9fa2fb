"""The connections to Google: whom they trust, and that they are shared."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
import trustme

from plugins.module_utils.gcloud import tls


class Server(ThreadingHTTPServer):
    """Answers "ok" by HTTPS as `localhost`; ``connections`` counts who came."""

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)

    def finish_request(self, request, client_address):  # type: ignore[no-untyped-def]  # as socketserver has it
        try:
            secured = self._context.wrap_socket(request, server_side=True)
        except OSError:  # the client did not like the certificate
            return
        self.connections += 1
        self.RequestHandlerClass(secured, client_address, self)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Server]:
    with Server(authority) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving
        serving.shutdown()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def session(adapter: tls.SharedTls) -> requests.Session:
    made = requests.Session()
    made.mount("https://", adapter)
    return made


def test_an_authority_that_is_not_in_the_bundle_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(requests.exceptions.SSLError):
        session(tls.SharedTls()).get(f"https://localhost:{server.server_port}/", timeout=5)


def test_a_certificate_of_another_name_is_refused(server: Server, bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with pytest.raises(requests.exceptions.SSLError):
        session(tls.SharedTls()).get(f"https://127.0.0.1:{server.server_port}/", timeout=5)


def test_the_bundle_of_the_environment_is_trusted_and_sessions_share_a_connection(
    server: Server, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    adapter = tls.SharedTls()
    for _ in range(3):
        answer = session(adapter).get(f"https://localhost:{server.server_port}/", timeout=5)
        assert answer.text == "ok"
    assert server.connections == 1


def test_a_bundle_that_is_missing_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(OSError, match=r"/nowhere/ca\.pem"):
        session(tls.SharedTls()).get(f"https://localhost:{server.server_port}/", timeout=5)
