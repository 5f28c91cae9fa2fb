"""From the emulated load balancer's configuration to Envoy's, and that Envoy itself takes it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme

from rehearsal.frontdoor import envoy
from rehearsal.toolchain.envoy import program

BASE = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices"
CHECK = {
    "checkIntervalSec": 10, "timeoutSec": 5, "healthyThreshold": 2, "unhealthyThreshold": 3,
    "httpHealthCheck": {"port": 15021, "requestPath": "/healthz/ready"},
}  # fmt: skip


def service(number: int, **more: Any) -> dict[str, Any]:
    made = {
        "id": str(number),
        "timeoutSec": 30,
        "healthCheck": CHECK,
        "responseHeaders": ["X-A: b: c"],
        "endpoints": [],
    }
    return {**made, **more}


SERVICES = {f"projects/p/global/backendServices/{name}": service(n) for n, name in enumerate(("main", "api", "v2"), 1)}
URL_MAP = {
    "defaultService": f"{BASE}/main",
    "hostRules": [{"hosts": ["api.example.com"], "pathMatcher": "api"}],
    "pathMatchers": [
        {
            "name": "api",
            "defaultService": f"{BASE}/api",
            "pathRules": [
                {"paths": ["/*"], "service": f"{BASE}/api"},
                {"paths": ["/v2/*", "/v2"], "service": f"{BASE}/v2"},
                {"paths": ["/gone"], "urlRedirect": {"pathRedirect": "/v2", "stripQuery": True}},
            ],
        }
    ],
}


def front(**more: Any) -> dict[str, Any]:
    return {"name": "web", "address": "127.0.0.1", "port": 443, "certificates": [], "urlMap": URL_MAP, **more}


def hosts(**more: Any) -> dict[str, list[dict[str, Any]]]:
    """Routes by host name."""
    (listener,) = envoy.listeners([front(**more)], SERVICES, {"*.example.com": "/c.pem"})
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return {domain: host["routes"] for host in manager["route_config"]["virtual_hosts"] for domain in host["domains"]}


def target(routes: list[dict[str, Any]], path: str) -> Any:
    """Where the first route that matches leads."""
    for route in routes:
        match = route["match"]
        if match.get("path") == path or path.startswith(match.get("prefix", "\0")):
            return route["route"]["cluster"] if "route" in route else route["redirect"]
    return None


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("*", "/anything", "1"),
        ("api.example.com", "/", "2"),
        ("api.example.com", "/v2", "3"),
        ("api.example.com", "/v2/x", "3"),
        ("api.example.com", "/v20", "2"),
    ],
)
def test_hosts_and_paths_lead_where_the_url_map_says(host: str, path: str, expected: str) -> None:
    assert target(hosts()[host], path) == expected


def test_a_redirect_of_a_path_is_one() -> None:
    assert target(hosts()["api.example.com"], "/gone")["path_redirect"] == "/v2"


def test_a_route_to_a_service_that_is_gone_is_502() -> None:
    (route,) = hosts(urlMap={"defaultService": f"{BASE}/gone"})["*"]
    assert route["direct_response"]["status"] == 502


def test_without_a_certificate_no_name_is_served() -> None:
    (listener,) = envoy.listeners([front()], SERVICES, {})
    (chain,) = listener["filter_chains"]
    assert chain["filter_chain_match"]["server_names"] == ["no-certificate.invalid"]


def test_requests_and_probes_come_from_googles_range_and_nobody_is_tried_without_health() -> None:
    (cluster, *_) = envoy.clusters({"k": service(9, endpoints=[["10.0.0.1", 80]])})
    assert cluster["upstream_bind_config"]["source_address"]["address"].startswith("35.191.")
    assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}
    (member,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert member["endpoint"]["health_check_config"] == {"port_value": 15021}


def test_envoy_itself_takes_it(tmp_path: Path) -> None:
    if not program().exists():
        pytest.skip("the toolchain has not been built: python -m rehearsal.toolchain")
    pem = tmp_path / "c.pem"
    trustme.CA().issue_cert("*.example.com").private_key_and_cert_chain_pem.write_to_path(str(pem))
    fronts = [
        front(certificates=[["*.example.com"]], port=18443),
        front(name="none", port=18444),
        front(name="plain", certificates=None, port=18080, urlMap={"defaultUrlRedirect": {"httpsRedirect": True}}),
    ]
    resources = {
        "listeners": envoy.listeners(fronts, SERVICES, {"*.example.com": str(pem)}),
        "clusters": envoy.clusters({**SERVICES, "k": service(9, endpoints=[["10.0.0.1", 80]])}),
    }
    config = envoy.bootstrap(tmp_path)
    for name, found in resources.items():
        plain = [{key: value for key, value in item.items() if key != "@type"} for item in found]
        config["static_resources"].setdefault(name, []).extend(plain)
    del config["dynamic_resources"]
    (tmp_path / "all.json").write_text(json.dumps(config))
    done = subprocess.run(
        [program(), "--mode", "validate", "--config-path", tmp_path / "all.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
