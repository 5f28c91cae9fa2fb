"""From the options of gcp_https_load_balancer to resources."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..kinds import edge as kinds
from ..kinds.iam import SIGN_IN_POLICY, WEB_ROLE
from ..model import MARK, Caller, Output, Resource, Spec
from ..plan import make_step, refuse_foreign
from .dns import stale_records
from .identity import unique
from .listing import listed
from .network import given

LAST_PRIORITY = 2147483647
RECORD_SECONDS = 300
DIGEST = 8  # characters
HSTS = "Strict-Transport-Security: max-age=31536000; includeSubDomains"


def edge_graph(options: Mapping[str, Any], api: Caller) -> list[Resource]:
    """Everything between a browser and the ingress gateway's pods."""
    front = _front(options)
    names = _names(options, front[0])
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(endpoint_groups, api, options) if options.get("endpoint_group") else None
        outdated = pool.submit(_outdated, api, options, names)
        stale = pool.submit(stale_records, api, options, front[0], names)
        groups = asked.result() if asked else None
        names += [*outdated.result(), *stale.result()]
    graph = [*front, *names, *_backend(options, groups), *_routes(options)]
    if options.get("state") == "absent" and options.get("keep_zone"):
        return _without_zones(api, options, graph)
    return graph


def _without_zones(api: Caller, options: Mapping[str, Any], graph: Sequence[Resource]) -> list[Resource]:
    """All but the zones, which stay without records: whoever else made one of that name could answer for it.

    Raises PlatformError for a zone that is not the platform's, as if it were to go: neither are the records in it.
    """
    params = {"project": options["project"]}
    seen = {zone["name"]: zone for zone in listed(api, "DNS zones", "dns", "managedZones.list", params, "managedZones")}
    zones = [resource for resource in graph if resource.kind is kinds.ZONE]
    refuse_foreign([make_step(zone, {zone.key: seen.get(zone.name)}, absent=True) for zone in zones])
    return [resource for resource in graph if resource.kind is not kinds.ZONE]


def endpoint_groups(api: Caller, options: Mapping[str, Any]) -> list[str]:
    """The zonal network endpoint groups of the wanted name that exist now, as links; one for each zone with pods."""
    params = {"project": options["project"], "filter": f'name = "{options["endpoint_group"]}"'}
    what = f"network endpoint groups {options['endpoint_group']}"
    scopes = listed(api, what, "compute", "networkEndpointGroups.aggregatedList", params)
    found = [group for scope in scopes for group in scope.get("networkEndpointGroups") or []]
    project = f"projects/{options['project']}"
    return sorted(
        f"{project}/zones/{group['zone'].rsplit('/', 1)[-1]}/networkEndpointGroups/{group['name']}" for group in found
    )


def edge_outputs(seen: Mapping[str, Spec | None]) -> dict[str, Any]:
    """What the module returns: address, name servers, the backend service's id, joined endpoint groups."""

    def of(kind: str) -> Spec:
        return next((have for key, have in seen.items() if key.startswith(f"{kind}/") and have), {})

    backend = of("backend_service")
    certificate = of("certificate")
    return {
        "load_balancer": {
            "address": of("address").get("address", ""),
            "name_servers": of("dns_zone").get("nameServers", []),
            "backend_service_id": str(backend.get("id", "")),
            "endpoint_groups": [entry.get("group") for entry in backend.get("backends") or []],
            "certificate_state": (certificate.get("managed") or {}).get("state", ""),
        }
    }


def _front(options: Mapping[str, Any]) -> list[Resource]:
    params = {"project": options["project"]}
    spec = given({"addressType": "EXTERNAL", "ipVersion": "IPV4", "description": MARK, "labels": options.get("labels")})
    return [Resource(kinds.ADDRESS, options["name"], spec, params)]


def _names(options: Mapping[str, Any], address: Resource) -> list[Resource]:
    """DNS zone and records, and the certificate that DNS proves."""
    project, labels, domain = options["project"], options.get("labels"), options["domain"]
    params = {"project": project}
    zone = Resource(
        kinds.ZONE,
        options["dns_zone"],
        given({"dnsName": f"{domain}.", "description": MARK, "visibility": "public", "labels": labels}),
        params,
    )
    records = []
    for host in options["hosts"]:
        name = f"A {host}.{domain}." if host else f"A {domain}."
        spec = {"ttl": RECORD_SECONDS, "rrdatas": [Output(address.key, "address")]}
        records.append(_record(zone, name, spec))
    proof = Resource(
        kinds.DNS_AUTHORIZATION,
        f"{options['name']}-{_digest(domain)}",
        given({"domain": domain, "description": MARK, "labels": labels}),
        params,
    )
    data = Output(proof.key, "dnsResourceRecord.data")
    records.append(_record(zone, f"CNAME _acme-challenge.{domain}.", {"ttl": RECORD_SECONDS, "rrdatas": [data]}))
    return [zone, *records, proof, *_certificate(options, proof)]


def _record(zone: Resource, name: str, spec: Spec) -> Resource:
    return Resource(kinds.RECORD, name, spec, {**zone.params, "zone": zone.name}, (zone.key,))


def _certificate(options: Mapping[str, Any], proof: Resource) -> list[Resource]:
    """A certificate for the domain and all under it; its name follows the domain, for one in use cannot change."""
    params, labels, domain = {"project": options["project"]}, options.get("labels"), options["domain"]
    stem = f"{options['name']}-{_digest(domain)}"
    certificate = Resource(
        kinds.CERTIFICATE,
        stem,
        given(
            {
                "description": MARK,
                "labels": labels,
                "managed": {"domains": [domain, f"*.{domain}"], "dnsAuthorizations": [proof.link]},
            }
        ),
        params,
    )
    bundle = Resource(kinds.CERTIFICATE_MAP, options["name"], given({"description": MARK, "labels": labels}), params)
    entries = [
        Resource(
            kinds.MAP_ENTRY,
            f"{stem}-{part}",
            given({"hostname": host, "certificates": [certificate.link], "description": MARK, "labels": labels}),
            {**params, "map": bundle.name},
            (bundle.key,),
        )
        for part, host in (("domain", domain), ("hosts", f"*.{domain}"))
    ]
    return [certificate, bundle, *entries]


def _digest(domain: str) -> str:
    """Part of the names of what cannot change its domain: with another one, another is made and the old one removed."""
    return hashlib.sha256(domain.encode()).hexdigest()[:DIGEST]


def _outdated(api: Caller, options: Mapping[str, Any], wanted: Sequence[Resource]) -> list[Resource]:
    """Certificate, proof and map entries of a domain that the load balancer had before, to go once it has the new ones.

    Google removes a certificate only when no entry names it, and a proof only when no certificate does. A graph that is
    to be absent goes backwards, so there they are chained the other way.
    """
    parent = kinds.CERTIFICATES.format(project=options["project"])
    bundle = {"project": options["project"], "map": options["name"]}
    asked = (
        (kinds.MAP_ENTRY, f"{parent}/certificateMaps/{options['name']}", "certificateMapEntries", bundle),
        (kinds.CERTIFICATE, parent, "certificates", {"project": options["project"]}),
        (kinds.DNS_AUTHORIZATION, parent, "dnsAuthorizations", {"project": options["project"]}),
    )
    # exactly what _certificate and its proof are called: another platform's name may begin with this one's
    ours = re.compile(rf"{re.escape(options['name'])}-[0-9a-f]{{{DIGEST}}}(-domain|-hosts)?")
    with ThreadPoolExecutor() as pool:
        there_are = pool.map(lambda row: _marked(api, f"{row[0].collection}.list", row[1], row[2]), asked)
    found: list[Resource] = []
    rows = list(zip(asked, there_are, strict=True))
    before = tuple(resource.key for resource in wanted if resource.kind is kinds.MAP_ENTRY)
    if options.get("state") == "absent":
        rows.reverse()
        before = tuple(resource.key for resource in wanted if resource.kind is kinds.CERTIFICATE_MAP)
    for (kind, _, _, params), there in rows:
        names = {resource.name for resource in wanted if resource.kind is kind}
        old = [
            Resource(kind, name, {}, dict(params), before, unwanted=True)
            for name in there
            if ours.fullmatch(name) and name not in names
        ]
        found += old
        before = tuple(resource.key for resource in old) or before
    return found


def _marked(api: Caller, method: str, parent: str, items: str) -> list[str]:
    """Names of the platform's own in a listing of Certificate Manager."""
    entries = listed(api, f"{items} of {parent}", "certificatemanager", method, {"parent": parent}, items)
    return [str(entry["name"]).rsplit("/", 1)[-1] for entry in entries if MARK in entry.get("description", "")]


def _backend(options: Mapping[str, Any], groups: Sequence[str] | None) -> list[Resource]:
    params = {"project": options["project"]}
    health = options["health"]
    check = Resource(
        kinds.HEALTH_CHECK,
        options["name"],
        {
            "type": "HTTP",
            "checkIntervalSec": 10,
            "timeoutSec": 5,
            "healthyThreshold": 2,
            "unhealthyThreshold": 3,
            "httpHealthCheck": {"port": health["port"], "requestPath": health["path"]},
            "logConfig": {"enable": True},
            "description": MARK,
        },
        params,
    )
    armor = Resource(
        kinds.SECURITY_POLICY,
        options["name"],
        {
            "type": "CLOUD_ARMOR",
            "description": MARK,
            # Else bodies in JSON are read as plain text, and their own signs are taken for attacks.
            "advancedOptionsConfig": {"jsonParsing": "STANDARD"},
            "rules": armor_rules(options),
        },
        params,
    )
    spec = {
        "protocol": "HTTP",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        "timeoutSec": options["timeout_seconds"],
        "healthChecks": [check.link],
        "securityPolicy": armor.link,
        "iap": _iap(options["iap"]),
        "logConfig": {"enable": True, "sampleRate": 1.0},
        "connectionDraining": {"drainingTimeoutSec": 60},
        "customResponseHeaders": [HSTS],
        "description": MARK,
    }
    if groups:
        rate = options["requests_per_endpoint"]
        spec["backends"] = [
            {"group": group, "balancingMode": "RATE", "maxRatePerEndpoint": rate, "capacityScaler": 1.0}
            for group in groups
        ]
    service = Resource(kinds.BACKEND_SERVICE, options["name"], spec, params)
    return [check, armor, service, *_sign_in(options, service)]


def _sign_in(options: Mapping[str, Any], service: Resource) -> Iterator[Resource]:
    """Who may come, where the options say it; nobody, where they say that."""
    if options.get("users") is not None or options.get("access") is not None:
        members = _admitted(options)
        yield Resource(
            SIGN_IN_POLICY, service.name, {"members": members}, service.params, (service.key,), unwanted=not members
        )


def _admitted(options: Mapping[str, Any]) -> list[str]:
    """Who passes the sign-in: the users everywhere, but at hosts that have people of their own only these.

    Such a host is kept from the others by how the requested one begins, so that writing a port or a dot behind it does
    not get around this. One negation for all of them: IAM takes 12 logical operators in a condition, and so 12 hosts.
    """
    own = {f"{host}.{options['domain']}": members for host, members in (options.get("access") or {}).items()}
    theirs = " || ".join(f'request.host.startsWith("{host}")' for host in own)
    elsewhere = f"!({theirs})" if len(own) > 1 else f"!{theirs}"
    pairs = [f"{WEB_ROLE} {member}" + (f" if {elsewhere}" if own else "") for member in options.get("users") or []]
    pairs += [f'{WEB_ROLE} {member} if request.host == "{host}"' for host in own for member in own[host]]
    return unique(pairs)


def _iap(wanted: Mapping[str, Any]) -> Spec:
    """Without a client Google manages one, for the organisation's own people."""
    return given(
        {
            "enabled": wanted["enabled"],
            "oauth2ClientId": wanted.get("client_id"),
            "oauth2ClientSecret": wanted.get("client_secret"),
        }
    )


def armor_rules(options: Mapping[str, Any]) -> list[Spec]:
    """Google's preconfigured rules first, then the rate limit, then everybody else."""
    watched = options.get("preview") or []
    rules: list[Spec] = [
        {
            "priority": 1000 + place * 10,
            "description": f"Preconfigured rule {name}",
            "action": "deny(403)",
            "preview": name in watched,
            "match": {"expr": {"expression": f"evaluatePreconfiguredWaf('{name}', {{'sensitivity': 1}})"}},
        }
        for place, name in enumerate(options.get("protections") or [])
    ]
    everybody = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}}
    rules.append(
        {
            "priority": 9000,
            "description": "Requests of one address in a minute",
            "action": "throttle",
            "match": everybody,
            "rateLimitOptions": {
                "conformAction": "allow",
                "exceedAction": "deny(429)",
                "enforceOnKey": "IP",
                "rateLimitThreshold": {"count": options["requests_per_minute"], "intervalSec": 60},
            },
        }
    )
    rules.append(
        {"priority": LAST_PRIORITY, "description": "Everybody else", "action": "allow", "match": dict(everybody)}
    )
    return rules


def _routes(options: Mapping[str, Any]) -> list[Resource]:
    project, name, labels = options["project"], options["name"], options.get("labels")
    params = {"project": project}
    link = f"projects/{project}/global"
    plain = f"{name}-redirect"
    service = f"{link}/backendServices/{name}"
    bundle = f"//certificatemanager.googleapis.com/projects/{project}/locations/global/certificateMaps/{name}"
    redirect = {"httpsRedirect": True, "redirectResponseCode": "MOVED_PERMANENTLY_DEFAULT", "stripQuery": False}
    tls = Resource(
        kinds.SSL_POLICY, name, {"profile": "MODERN", "minTlsVersion": "TLS_1_2", "description": MARK}, params
    )
    routes = Resource(kinds.URL_MAP, name, {"defaultService": service, "description": MARK}, params)
    bounce = Resource(kinds.URL_MAP, plain, {"defaultUrlRedirect": redirect, "description": MARK}, params)
    https = Resource(
        kinds.HTTPS_PROXY,
        name,
        {"urlMap": routes.link, "certificateMap": bundle, "sslPolicy": tls.link, "description": MARK},
        params,
    )
    http = Resource(kinds.HTTP_PROXY, plain, {"urlMap": bounce.link, "description": MARK}, params)
    rules = [
        Resource(
            kinds.FORWARDING_RULE,
            label,
            given(
                {
                    "target": proxy.link,
                    "IPAddress": f"{link}/addresses/{name}",
                    "IPProtocol": "TCP",
                    "portRange": port,
                    "loadBalancingScheme": "EXTERNAL_MANAGED",
                    "description": MARK,
                    "labels": labels,
                }
            ),
            params,
        )
        for label, proxy, port in ((name, https, "443-443"), (plain, http, "80-80"))
    ]
    return [tls, routes, bounce, https, http, *rules]
