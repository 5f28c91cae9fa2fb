"""Health checks, backend services and backend buckets: what a load balancer sends to."""

from __future__ import annotations

import hashlib
from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...store import Record
from . import operations
from .generic import apply, check_ready, fetch, save
from .kinds import KINDS, Kind, declare
from .links import Place, key_of, locate, resolve, url, was_not_found

_CHECKS = (
    "httpHealthCheck",
    "httpsHealthCheck",
    "http2HealthCheck",
    "tcpHealthCheck",
    "sslHealthCheck",
    "grpcHealthCheck",
)


def _insert_health_check(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call, place
    kind = body.get("type")
    if not kind:
        raise ApiError(400, "Required field 'resource.type' not specified", "required")
    for name in _CHECKS:
        if name in body and name.lower() != f"{kind.lower()}healthcheck":
            raise ApiError(
                400, f"Invalid value for field 'resource.{name}': ''. It does not match the type {kind}.", "invalid"
            )
    _intervals(body)


def _intervals(body: dict[str, Any]) -> None:
    for name, value in (("checkIntervalSec", 5), ("timeoutSec", 5), ("healthyThreshold", 2), ("unhealthyThreshold", 2)):
        body.setdefault(name, value)
    if body["timeoutSec"] > body["checkIntervalSec"]:
        text = (
            f"Invalid value for field 'resource.timeoutSec': '{body['timeoutSec']}'. "
            f"Must be less than or equal to checkIntervalSec {body['checkIntervalSec']}."
        )
        raise ApiError(400, text, "invalid")


def _change_health_check(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call, before
    _intervals(record.body)


declare(
    Kind(
        "healthChecks",
        "healthCheck",
        "health_check",
        on_insert=_insert_health_check,
        on_change=_change_health_check,
    )
)
declare(Kind("httpHealthChecks", "httpHealthCheck", "http_health_check", defaults={"host": ""}))

_MANAGED = {"affinityCookieTtlSec": 0, "port": 80, "portName": "http", "protocol": "HTTP"}


def _insert_backend_service(call: Call, place: Place, body: dict[str, Any]) -> None:
    """Defaults depend on the scheme (recordings/FACTS.md, backendServices)."""
    if not body.get("healthChecks"):
        body.pop("healthChecks", None)
    scheme = body.setdefault("loadBalancingScheme", "EXTERNAL")
    for name, value in ({"protocol": "TCP"} if scheme == "INTERNAL" else _MANAGED).items():
        body.setdefault(name, value)
    if scheme.startswith("EXTERNAL") and place.region is None:
        body.setdefault("enableCDN", False)
    _settle(call, body, {})


def _settle(call: Call, body: dict[str, Any], before: dict[str, Any]) -> None:
    _settle_iap(body, before)
    settings = body.get("securitySettings", {})
    if policy := settings.get("clientTlsPolicy"):
        settings["clientTlsPolicy"] = str(policy).replace(f"projects/{call.project}/", f"projects/{call.number}/")
    if body.get("securityPolicy") == "":
        del body["securityPolicy"]
    for backend in body.get("backends", []):
        _check_backend(body, backend)


def _settle_iap(body: dict[str, Any], before: dict[str, Any]) -> None:
    """The secret of the OAuth client is never answered, only its hash."""
    iap = body.get("iap")
    if iap is None:
        return
    secret = iap.pop("oauth2ClientSecret", None)
    old = before.get("iap", {})
    if secret is not None:
        iap["oauth2ClientSecretSha256"] = hashlib.sha256(secret.encode()).hexdigest()
        body["__hidden__"] = {"oauth2ClientSecret": secret}
    elif "oauth2ClientSecretSha256" in old:
        iap["oauth2ClientSecretSha256"] = old["oauth2ClientSecretSha256"]


def _check_backend(body: dict[str, Any], backend: dict[str, Any]) -> None:
    if "group" not in backend:
        raise ApiError(400, "Required field 'resource.backends[0].group' not specified", "required")
    mode = backend.get("balancingMode")
    if "/networkEndpointGroups/" in backend["group"] and mode == "UTILIZATION":
        why = "Network endpoint groups take RATE or CONNECTION."
        text = f"Invalid value for field 'resource.backends[0].balancingMode': 'UTILIZATION'. {why}"
        raise ApiError(400, text, "invalid")
    if body["loadBalancingScheme"] == "INTERNAL":
        return
    for name, value in (("capacityScaler", 1.0),):
        backend.setdefault(name, value)
    if not mode:
        backend["balancingMode"] = "UTILIZATION"


def _change_backend_service(call: Call, record: Record, before: dict[str, Any]) -> None:
    if call.method.verb == "update":
        for name in ("protocol", "affinityCookieTtlSec", "port", "portName", "enableCDN"):
            if name in before:
                record.body.setdefault(name, before[name])
    _settle(call, record.body, before)


def _show_users(call: Call, record: Record) -> dict[str, Any]:
    """Once something refers to it, `usedBy` says what."""
    sources = dict.fromkeys(source for source, _ in call.tx.users_of(record.key))
    users = [{"reference": url(source)} for source in sources]
    return {**record.body, **({"usedBy": users} if users else {})}


BACKEND_SERVICE = declare(
    Kind(
        "backendServices",
        "backendService",
        "backend_service",
        references=("healthChecks[]", "backends[].group", "network", "edgeSecurityPolicy", "securityPolicy"),
        defaults={"description": "", "sessionAffinity": "NONE", "timeoutSec": 30},
        output=("usedBy", "signedUrlKeyNames"),
        immutable=("loadBalancingScheme",),
        fingerprint=True,
        on_insert=_insert_backend_service,
        on_change=_change_backend_service,
        show=_show_users,
    )
)


@handles("compute.backendServices.setSecurityPolicy", "compute.backendServices.setEdgeSecurityPolicy")
def set_security_policy(call: Call) -> dict[str, Any]:
    """Attaches a Cloud Armor policy; an empty reference detaches it."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    field = "securityPolicy" if call.method.verb == "setSecurityPolicy" else "edgeSecurityPolicy"
    given = call.body.get("securityPolicy")
    record.body.pop(field, None)
    if given:
        key = resolve(call, "securityPolicy", given)
        if call.tx.get("compute.securityPolicies", key) is None:
            raise was_not_found(key)
        record.body[field] = url(key)
    save(call, BACKEND_SERVICE, record)
    return operations.begin(call, record, call.method.verb, scope=locate(call).scope)


@handles("compute.backendServices.addSignedUrlKey", "compute.backendServices.deleteSignedUrlKey")
def signed_url_key(call: Call) -> dict[str, Any]:
    """Adds or takes away a key for signed URLs; only the names show, in `cdnPolicy`."""
    record = fetch(call, str(locate(call).key))
    policy = record.body.setdefault("cdnPolicy", {"signedUrlCacheMaxAgeSec": "3600"})
    names = [name for name in policy.get("signedUrlKeyNames", []) if name != call.query.get("keyName")]
    if call.method.verb == "addSignedUrlKey":
        names.append(call.body.get("keyName", ""))
    policy["signedUrlKeyNames"] = names
    save(call, BACKEND_SERVICE, record)
    return operations.begin(call, record, call.method.id, scope=locate(call).scope)


@handles("compute.backendServices.getHealth", "compute.regionBackendServices.getHealth")
def get_health(call: Call) -> dict[str, Any]:
    """The health of the endpoints of one backend: attached ones count as healthy, since no prober runs here."""
    record = fetch(call, str(locate(call).key))
    key = resolve(call, "group", str(call.body.get("group", "")))
    groups = [key_of(backend["group"]) for backend in record.body.get("backends", [])]
    if key not in groups:
        text = f"Invalid value for field 'resource.group': '{key}'. It is not a backend of '{record.key}'."
        raise ApiError(400, text, "invalid")
    group = call.tx.find(key)
    endpoints = group.hidden.get("endpoints", []) if group else []
    status = [
        {"healthState": "HEALTHY", "ipAddress": item.get("ipAddress", ""), "port": item.get("port", 0)}
        for item in endpoints
    ]
    result: dict[str, Any] = {"kind": "compute#backendServiceGroupHealth"}
    return {**result, "healthStatus": status} if status else result


def _insert_bucket(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call, place
    if not body.get("bucketName"):
        raise ApiError(400, "Required field 'resource.bucketName' not specified", "required")
    _settle_bucket(body)


def _settle_bucket(body: dict[str, Any]) -> None:
    """Turning the CDN on fills in its policy (recordings/compute/backendBuckets)."""
    if body.get("enableCdn"):
        defaults = {"cacheMode": "CACHE_ALL_STATIC", "clientTtl": 3600, "defaultTtl": 3600, "maxTtl": 86400}
        defaults |= {"negativeCaching": True, "requestCoalescing": True, "serveWhileStale": 86400}
        body["cdnPolicy"] = {**defaults, **body.get("cdnPolicy", {})}


def _change_bucket(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call, before
    _settle_bucket(record.body)


declare(
    Kind(
        "backendBuckets",
        "backendBucket",
        "backend_bucket",
        references=("edgeSecurityPolicy",),
        defaults={"description": "", "enableCdn": False},
        on_insert=_insert_bucket,
        show=_show_users,
        on_change=_change_bucket,
    )
)

__all__ = ["BACKEND_SERVICE", "KINDS", "apply"]
