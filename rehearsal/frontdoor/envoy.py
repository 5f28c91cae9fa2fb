"""From what the emulated load balancer is configured to be, to Envoy's listeners and clusters. Pure.

Envoy does TLS, HTTP, routing, health checks and balancing; what Cloud Armor and IAP decide is asked of the gate
(gate.py) for each request, by Envoy's external authorization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
GATE = ("127.0.0.1", 9902)
ADMIN = ("127.0.0.1", 9901)
# Google's proxies and probers come from 130.211.0.0/22 and 35.191.0.0/16.
PROXY_SOURCE = "35.191.8.10"
# Google probes from several places at once, so that an endpoint is seen sooner than its check's interval says.
PROBE_SECONDS = 1
_TYPE = "type.googleapis.com/envoy"
_HCM = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_AUTHZ = f"{_TYPE}.extensions.filters.http.ext_authz.v3"
UNAVAILABLE = """<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>502 Server Error</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Server Error</h1>
<h2>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.</h2>
<h2></h2>
</body></html>
"""
# How much of a request's body Cloud Armor looks at by default.
JUDGED_BYTES = 8192
# What the gate may set on a request; it overrides what the client sent.
SET_BY_GATE = (
    "x-forwarded-for", "via", "x-cloud-trace-context",
    "x-goog-iap-jwt-assertion", "x-goog-authenticated-user-email", "x-goog-authenticated-user-id",
)  # fmt: skip


def bootstrap(folder: Path) -> Json:
    """Envoy's own configuration; listeners and clusters are read from files in `folder`, again whenever they change."""

    def source(name: str) -> Json:
        path = {"path": str(folder / name), "watched_directory": {"path": str(folder)}}
        return {"path_config_source": path, "resource_api_version": "V3"}

    gate = _cluster("gate", [GATE], "2s")
    return {
        "node": {"id": "front-door", "cluster": "google"},
        "admin": {"address": _address(*ADMIN)},
        "static_resources": {"clusters": [gate]},
        "dynamic_resources": {"lds_config": source("listeners.json"), "cds_config": source("clusters.json")},
    }


def listeners(fronts: Sequence[Json], services: Mapping[str, Json], certificates: Mapping[str, str]) -> list[Json]:
    """A listener for each forwarding rule; `certificates` has the path of a chain with its key by host name.

    A rule that has no certificate yet accepts connections and ends them, as Google's does while one is provisioned.
    """
    return [_listener(front, services, certificates) for front in fronts]


def _address(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}


def _listener(front: Json, services: Mapping[str, Json], certificates: Mapping[str, str]) -> Json:
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": _manager(front, services)}
    common = {
        "@type": f"{_TYPE}.config.listener.v3.Listener",
        "name": front["name"],
        "address": _address(front["address"], front["port"]),
        "per_connection_buffer_limit_bytes": 1 << 20,
    }
    if front["certificates"] is None:
        return {**common, "filter_chains": [{"filters": [manager]}]}
    chains = [
        {
            "name": ",".join(hosts),
            "filter_chain_match": {"server_names": hosts},
            "filters": [manager],
            "transport_socket": _tls([certificates[host] for host in hosts]),
        }
        for hosts in front["certificates"]
    ]
    inspector = {"@type": f"{_TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector"}
    # Envoy refuses a listener without a chain; this one matches no name that can be asked for.
    nobody = {"filter_chain_match": {"server_names": ["no-certificate.invalid"]}, "filters": [manager]}
    return {
        **common,
        "listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}],
        "filter_chains": chains or [nobody],
    }


def _tls(paths: Sequence[str]) -> Json:
    context = {
        "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificates": [
                {"certificate_chain": {"filename": path}, "private_key": {"filename": path}} for path in paths
            ],
        },
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _manager(front: Json, services: Mapping[str, Json]) -> Json:
    router = {"@type": f"{_TYPE}.extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    secure = front["certificates"] is not None
    return {
        "@type": _HCM,
        "stat_prefix": front["name"],
        "use_remote_address": True,
        "server_name": "Google Frontend",
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": {"headers_with_underscores_action": "DROP_HEADER", "idle_timeout": "610s"},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": _routes(front, services),
        "http_filters": [
            *([{"name": "envoy.filters.http.ext_authz", "typed_config": _authorization()}] if secure else []),
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
        "local_reply_config": {"mappers": [_unavailable()]},
    }


def _unavailable() -> Json:
    page = {"text_format_source": {"inline_string": UNAVAILABLE}, "content_type": "text/html; charset=UTF-8"}
    return {
        "filter": {"response_flag_filter": {"flags": ["UH", "UF", "UC", "NC", "NR", "UO"]}},
        "status_code": 502,
        "body_format_override": page,
    }


def _check(prefix: str) -> Json:
    host, port = GATE
    return {
        "server_uri": {"uri": f"http://{host}:{port}", "cluster": "gate", "timeout": "5s"},
        "path_prefix": prefix,
        "authorization_response": {
            "allowed_upstream_headers": {"patterns": [{"exact": name} for name in SET_BY_GATE]},
        },
    }


def _authorization() -> Json:
    everything = {"safe_regex": {"regex": ".*"}}
    return {
        "@type": f"{_AUTHZ}.ExtAuthz",
        "transport_api_version": "V3",
        "http_service": _check("/check/0"),
        "allowed_headers": {"patterns": [everything]},
        "with_request_body": {"max_request_bytes": JUDGED_BYTES, "allow_partial_message": True},
        "status_on_error": {"code": "BadGateway"},
    }


def _routes(front: Json, services: Mapping[str, Json]) -> Json:
    url_map = front["urlMap"]
    matchers = {matcher["name"]: matcher for matcher in url_map.get("pathMatchers", [])}
    hosts = [
        {
            "name": ",".join(rule["hosts"]),
            "domains": rule["hosts"],
            "routes": _matched(matchers[rule["pathMatcher"]], services),
        }
        for rule in url_map.get("hostRules", [])
    ]
    if not any("*" in host["domains"] for host in hosts):
        hosts.append(
            {"name": "everything-else", "domains": ["*"], "routes": [_route({"prefix": "/"}, url_map, services)]}
        )
    return {"name": front["name"], "virtual_hosts": hosts, "ignore_port_in_host_matching": True}


def _matched(matcher: Json, services: Mapping[str, Json]) -> list[Json]:
    rules = [(path, rule) for rule in matcher.get("pathRules", []) for path in rule["paths"]]
    rules.sort(key=lambda entry: (entry[0].endswith("/*"), -len(entry[0])))  # the longest path wins, exact ones first
    routes = [
        _route({"prefix": path[:-1]} if path.endswith("/*") else {"path": path}, rule, services) for path, rule in rules
    ]
    return [*routes, _route({"prefix": "/"}, matcher, services)]


def _route(match: Json, action: Json, services: Mapping[str, Json]) -> Json:
    """The action of a URL map or of a part of one: a redirect, or a backend service."""
    redirect = action.get("urlRedirect") or action.get("defaultUrlRedirect")
    if redirect:
        target: Json = {"https_redirect": bool(redirect.get("httpsRedirect"))}
        target |= {"host_redirect": redirect["hostRedirect"]} if redirect.get("hostRedirect") else {}
        target |= {"path_redirect": redirect["pathRedirect"]} if redirect.get("pathRedirect") else {}
        return {"match": match, "redirect": {**target, "strip_query": bool(redirect.get("stripQuery"))}}
    link = str(action.get("service") or action.get("defaultService") or "")
    key = link[link.find("projects/") :]
    service = services.get(key)
    if service is None:
        return {"match": match, "direct_response": {"status": 502, "body": {"inline_string": UNAVAILABLE}}}
    headers = [header.partition(":") for header in service["responseHeaders"]]
    response = [("via", "1.1 google"), *((name.strip(), value.strip()) for name, _, value in headers)]
    override = {
        "@type": f"{_AUTHZ}.ExtAuthzPerRoute",
        "check_settings": {"http_service": _check(f"/check/{service['id']}")},
    }
    return {
        "match": match,
        "route": {"cluster": service["id"], "timeout": f"{service['timeoutSec']}s"},
        "response_headers_to_add": [{"header": {"key": name, "value": value}} for name, value in response],
        "response_headers_to_remove": ["x-envoy-upstream-service-time"],
        "typed_per_filter_config": {"envoy.filters.http.ext_authz": override},
    }


def _cluster(name: str, endpoints: Sequence[tuple[str, int]], patience: str, probe: int | None = None) -> Json:
    check = {"health_check_config": {"port_value": probe}} if probe else {}
    members = [{"endpoint": {"address": _address(*endpoint), **check}} for endpoint in endpoints]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": patience,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": members}]},
    }


def clusters(services: Mapping[str, Json]) -> list[Json]:
    """A cluster for each backend service; only endpoints that pass its health check get requests."""
    kind = {"@type": f"{_TYPE}.config.cluster.v3.Cluster"}
    return [{**kind, **_backend(service)} for service in services.values()]


def _backend(service: Json) -> Json:
    check = service["healthCheck"] or {}
    http: Json = next(
        (check[name] for name in ("httpHealthCheck", "http2HealthCheck", "httpsHealthCheck") if name in check), {}
    )
    endpoints = [(str(address), int(port)) for address, port in service["endpoints"]]
    cluster = _cluster(str(service["id"]), endpoints, "3s", http.get("port"))
    cluster["upstream_bind_config"] = {"source_address": {"address": PROXY_SOURCE, "port_value": 0}}
    cluster["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}
    if check:
        cluster["health_checks"] = [_probe(check, http)]
    return cluster


def _probe(check: Json, http: Json) -> Json:
    kind = (
        {"http_health_check": {"path": http.get("requestPath", "/"), "host": http.get("host") or "probe"}}
        if http
        else {"tcp_health_check": {}}
    )
    return {
        "timeout": f"{check['timeoutSec']}s",
        "interval": f"{PROBE_SECONDS}s",
        "no_traffic_interval": f"{PROBE_SECONDS}s",
        "healthy_threshold": check["healthyThreshold"],
        "unhealthy_threshold": check["unhealthyThreshold"],
        "reuse_connection": False,
        **kind,
    }
