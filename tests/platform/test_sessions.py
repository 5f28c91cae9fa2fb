"""What the gateway does to the cookies of Identity-Aware Proxy, in a real Envoy."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rehearsal.google.testing import free_port
from rehearsal.toolchain.envoy import program
from tests.waiting import listens, until

from .test_charts import INGRESS, render

SECONDS = 20.0
TYPE = "type.googleapis.com/envoy.extensions"
Ask = Callable[..., list[str]]


class Echo(BaseHTTPRequestHandler):
    """Answers with the Cookie headers that reached it."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.get_all("cookie") or []).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _bootstrap(filters: list[dict[str, Any]], port: int, backend: int) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "echo"}}
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(backend)}}]}]}
    return {
        "static_resources": {
            "listeners": [{"name": "in", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [
                {"name": "echo", "type": "STATIC", "load_assignment": {"cluster_name": "echo", **endpoint}},
            ],
        }
    }


def _listens(port: int, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    return listens(port)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Sends Cookie headers through the chart's filter, and returns those that come out."""
    if not program().exists():
        pytest.skip("the toolchain has not been built: python -m rehearsal.toolchain")
    folder = tmp_path_factory.mktemp("envoy")
    (patch,) = render("ingress", INGRESS, folder)["EnvoyFilter", "sessions-stay"]["spec"]["configPatches"]
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}
    backend = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    port = free_port()
    (folder / "envoy.json").write_text(
        json.dumps(_bootstrap([patch["patch"]["value"], router], port, backend.server_port))
    )
    command = [program(), "--config-path", folder / "envoy.json", "--concurrency", "1", "--log-level", "error"]
    command += ["--disable-hot-restart"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: _listens(port, process), f"Envoy to listen at {port}", SECONDS)

        def send(*cookies: str) -> list[str]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            connection.putrequest("GET", "/")
            for cookie in cookies:
                connection.putheader("Cookie", cookie)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.status == 200
            found: list[str] = json.loads(answer.read())
            connection.close()
            return found

        yield send
        process.terminate()
    backend.shutdown()


SESSION = "__Host-GCP_IAP_AUTH_TOKEN_1A2B=eyJhbGciOi.J9+/=="
OF_IAP = [
    SESSION,
    "GCP_IAP_UID=accounts.google.com:1",
    "GCP_IAP_XSRF_NONCE_abc=1",
    "__Host-GCP_IAP_XSRF_NONCE_abc=1",
    "GCP_IAAP_AUTH_TOKEN_1A2B=x",
    "GCP_IAAP_XSRF_NONCE_abc=1",
    "__Host-GCP_IAAP_AUTH_TOKEN_1A2B=x",
    "__Secure-GCP_IAP_AUTH_TOKEN_1A2B=x",
    "GCP_IAP_AUTH_TOKEN_1A2B",
    "GCP_IAP_AUTH_TOKEN_1A2B =x",
]


@pytest.mark.parametrize("cookie", OF_IAP)
def test_a_cookie_of_iap_stays_wherever_it_is_in_the_header(ask: Ask, cookie: str) -> None:
    assert ask(cookie) == []
    assert ask(f"{cookie}; a=b") == ["a=b"]
    assert ask(f"a=b; {cookie}") == ["a=b"]
    assert ask(f"a=b;{cookie};c=d") == ["a=b;c=d"]
    assert ask(f"a=b; {cookie}; {cookie}; c=d") == ["a=b; c=d"]


@pytest.mark.parametrize(
    "header",
    [
        "a=b",
        "a=b; c=d",
        "a=b;c=d;",
        'a="x y"; c=%3B; d=',
        "a==; =b; c",
        "gcp_iap_uid=1; xGCP_IAP_UID=1; GCP_IAPX=1; GCP_IP_=1; __Host-a=GCP_IAP_UID=1",
        "a=b;  c=d ; e",
    ],
)
def test_other_cookies_pass_byte_for_byte(ask: Ask, header: str) -> None:
    assert ask(header) == [header]
    assert ask(f"{header}; {SESSION}") == [header]


def test_a_value_in_quotes_hides_no_session(ask: Ask) -> None:
    """An application may set such cookies around it; browsers and this filter know no quotes."""
    assert ask(f'a="x; {SESSION}; b=y"') == ['a="x; b=y"']


def test_every_cookie_header_is_looked_at(ask: Ask) -> None:
    assert ask("a=b", f"{SESSION}; c=d", SESSION) == ["a=b", "c=d"]
    assert ask() == []


def test_it_comes_after_identity_has_been_judged_and_for_the_gateway_alone(tmp_path: Path) -> None:
    spec = render("ingress", INGRESS, tmp_path)["EnvoyFilter", "sessions-stay"]["spec"]
    assert spec["workloadSelector"] == {"labels": {"istio": "ingressgateway"}}
    (patch,) = spec["configPatches"]
    assert (patch["applyTo"], patch["match"]["context"]) == ("HTTP_FILTER", "GATEWAY")
    assert patch["match"]["listener"]["filterChain"]["filter"]["subFilter"] == {"name": "envoy.filters.http.router"}
    assert patch["patch"]["operation"] == "INSERT_BEFORE"
