"""URL maps, target proxies, TLS policies and certificates, forwarding rules: where a load balancer is reached."""

from __future__ import annotations

import re
from typing import Any

from ...core import Call, Cloud, handles
from ...errors import ApiError
from ...store import Record, public_records
from . import operations
from .addresses import external_address
from .generic import apply, check_fingerprint, check_ready, fetch, save
from .kinds import Kind, declare
from .links import Place, key_of, locate, resolve, url, was_not_found

_MAP_FORM = "//certificatemanager.googleapis.com/projects/{project}/locations/{location}/certificateMaps/{resourceName}"
_MANAGER = re.compile(r"(?:https:)?//certificatemanager\.googleapis\.com/(?:v1/)?(projects/.+)")


def _check_url_map(body: dict[str, Any]) -> None:
    """Host rules and path matchers fit together; there is something to do with what matches nothing."""
    if not any(name in body for name in ("defaultService", "defaultUrlRedirect", "defaultRouteAction")):
        raise ApiError(400, "Required field 'resource.defaultService' not specified", "required")
    matchers = {item["name"] for item in body.get("pathMatchers", [])}
    for index, rule in enumerate(body.get("hostRules", [])):
        if rule.get("pathMatcher") not in matchers:
            field = f"resource.hostRules[{index}].pathMatcher"
            text = f"Invalid value for field '{field}': '{rule.get('pathMatcher')}'. Path matcher is not defined."
            raise ApiError(400, text, "invalid")
    used = {rule.get("pathMatcher") for rule in body.get("hostRules", [])}
    if unused := sorted(matchers - used):
        text = (
            f"Invalid value for field 'resource.pathMatchers': '{unused[0]}'. No host rule refers to the path matcher."
        )
        raise ApiError(400, text, "invalid")


def _insert_url_map(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call, place
    _check_url_map(body)
    body["status"] = {"quotaUsage": {"forwardingRules": 0, "units": "61"}}


def _change_url_map(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call, before
    _check_url_map(record.body)


declare(
    Kind(
        "urlMaps",
        "urlMap",
        "url_map",
        references=(
            "defaultService",
            "defaultCustomErrorResponsePolicy.errorService",
            "pathMatchers[].defaultService",
            "pathMatchers[].defaultCustomErrorResponsePolicy.errorService",
            "pathMatchers[].pathRules[].service",
            "pathMatchers[].routeRules[].service",
        ),
        output=("status",),
        fingerprint=True,
        on_insert=_insert_url_map,
        on_change=_change_url_map,
    )
)


@handles("compute.urlMaps.validate", "compute.regionUrlMaps.validate")
def validate(call: Call) -> dict[str, Any]:
    """Checks a URL map without keeping it."""
    try:
        _check_url_map(call.body.get("resource", {}))
    except ApiError as error:
        return {"result": {"loadSucceeded": False, "loadErrors": [error.message], "testPassed": False}}
    return {"result": {"loadSucceeded": True, "testPassed": True}}


HTTP_PROXY = declare(
    Kind("targetHttpProxies", "targetHttpProxy", "target_http_proxy", references=("urlMap",), fingerprint=True)
)


def _insert_https_proxy(call: Call, place: Place, body: dict[str, Any]) -> None:
    if (
        not body.get("sslCertificates")
        and not body.get("certificateMap")
        and not body.get("certificateManagerCertificates")
    ):
        raise ApiError(400, "Required field 'resource.sslCertificates' not specified", "required")
    if place.region and "quicOverride" in body:
        raise _quic(body["quicOverride"])
    _settle_proxy(call, body)


def _quic(value: str) -> ApiError:
    why = "QUIC override is supported only with global TargetHttpsProxy."
    return ApiError(400, f"Invalid value for field 'resource.quicOverride': '{value}'. {why}", "invalid")


def _settle_proxy(call: Call, body: dict[str, Any]) -> None:
    """Certificates and maps of Certificate Manager, and who uses them."""
    links = []
    certificates = []
    for value in body.get("sslCertificates", []):
        hit = _MANAGER.fullmatch(value)
        if hit:
            links.append(hit.group(1))
            certificates.append(f"//certificatemanager.googleapis.com/{hit.group(1)}")
        else:
            links.append(key_of(value))
            certificates.append(value)
    if certificates:
        body["sslCertificates"] = certificates
    if given := body.get("certificateMap"):
        links.append(_certificate_map(call, given))
    body["__hidden__"] = {"links": {"certificates": links}}


def _certificate_map(call: Call, given: str) -> str:
    hit = re.fullmatch(
        r"//certificatemanager\.googleapis\.com/projects/([^/]+)/locations/([^/]+)/certificateMaps/([^/]+)", given
    )
    if hit is None:
        what = f"'{given}' is not a valid reference. It should have the format {_MAP_FORM}."
        raise ApiError(400, f"Invalid value for field 'resource.certificateMap': '{given}'. {what}", "invalid")
    project = call.cloud.projects.id(call.tx, hit.group(1)) or hit.group(1)
    key = f"projects/{project}/locations/{hit.group(2)}/certificateMaps/{hit.group(3)}"
    if call.tx.get("certificatemanager.certificateMaps", key) is None:
        raise ApiError(404, f"The resource '{key}' was not found", "notFound")
    return key


def _change_https_proxy(call: Call, record: Record, before: dict[str, Any]) -> None:
    del before
    if "/regions/" in record.key and "quicOverride" in call.body:
        raise _quic(call.body["quicOverride"])
    _settle_proxy(call, record.body)


HTTPS_PROXY = declare(
    Kind(
        "targetHttpsProxies",
        "targetHttpsProxy",
        "target_https_proxy",
        references=("urlMap", "sslPolicy", "sslCertificates[]"),
        defaults={"tlsEarlyData": "DISABLED"},
        fingerprint=True,
        demands_fingerprint=True,
        on_insert=_insert_https_proxy,
        on_change=_change_https_proxy,
    )
)


@handles("compute.targetHttpsProxies.patch", "compute.regionTargetHttpsProxies.patch")
def patch_https_proxy(call: Call) -> dict[str, Any]:
    """PATCH: values are looked at before the fingerprint is asked for (recordings/compute/targetHttpsProxies)."""
    from .generic import change

    place = locate(call)
    record = fetch(call, str(place.key))
    if (given := call.body.get("certificateMap")) and not given.startswith("//certificatemanager."):
        _certificate_map(call, given)
    if place.region and "quicOverride" in call.body:
        raise _quic(call.body["quicOverride"])
    check_fingerprint(HTTPS_PROXY, record, call.body.get("fingerprint"), demanded=True)
    return change(call)


_SETTERS = {
    "setUrlMap": ("urlMap", "SetUrlMap"),
    "setSslPolicy": ("sslPolicy", "setSslPolicy"),
    "setCertificateMap": ("certificateMap", "setCertificateMap"),
    "setQuicOverride": ("quicOverride", "compute.targetHttpsProxies.setQuicOverride"),
    "setSslCertificates": ("sslCertificates", "setSslCertificates"),
}


@handles(
    *(
        f"compute.{name}.setUrlMap"
        for name in ("targetHttpProxies", "targetHttpsProxies", "regionTargetHttpProxies", "regionTargetHttpsProxies")
    ),
    *(f"compute.targetHttpsProxies.{verb}" for verb in _SETTERS if verb != "setUrlMap"),
    "compute.regionTargetHttpsProxies.setSslCertificates",
)
def set_on_proxy(call: Call) -> dict[str, Any]:
    """The verbs that change one member of a proxy."""
    place = locate(call)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    field, operation = _SETTERS[call.method.verb]
    value = call.body.get(field)
    before = dict(record.body)
    record.body.pop(field, None)
    if value and field in ("urlMap", "sslPolicy"):
        key = resolve(call, field, value)
        if call.tx.find(key) is None:
            raise was_not_found(key)
        record.body[field] = url(key)
    elif value and field == "sslCertificates":
        record.body[field] = [item if _MANAGER.fullmatch(item) else url(resolve(call, field, item)) for item in value]
    elif value:
        record.body[field] = value
    kind = HTTPS_PROXY if place.collection == "targetHttpsProxies" else HTTP_PROXY
    return apply(call, kind, record, before, operation)


_FEATURES = {
    "RESTRICTED": ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"),
    "MODERN": (
        "AES_128_CBC_SHA",
        "AES_128_GCM_SHA256",
        "AES_256_CBC_SHA",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305_SHA256",
    ),
}
_COMPATIBLE = ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256",
               "TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_WITH_AES_256_GCM_SHA384")  # fmt: skip


def _features(body: dict[str, Any]) -> None:
    profile = body["profile"]
    if profile == "CUSTOM":
        if not body.get("customFeatures"):
            raise ApiError(
                400,
                "Invalid value for field 'resource.customFeatures': ''. The profile CUSTOM wants features.",
                "invalid",
            )
        body["enabledFeatures"] = sorted(body["customFeatures"])
        return
    suites = _FEATURES.get(profile, _FEATURES["MODERN"])
    names = [f"TLS_ECDHE_{key}_WITH_{suite}" for key in ("ECDSA", "RSA") for suite in suites]
    body["enabledFeatures"] = names + (list(_COMPATIBLE) if profile == "COMPATIBLE" else [])


declare(
    Kind(
        "sslPolicies",
        "sslPolicy",
        "ssl_policy",
        defaults={"profile": "COMPATIBLE", "minTlsVersion": "TLS_1_0"},
        output=("enabledFeatures", "warnings"),
        fingerprint=True,
        demands_fingerprint=True,
        operations={"patch": "compute.sslPolicies.patch"},
        on_insert=lambda call, place, body: _features(body),
        on_change=lambda call, record, before: _features(record.body),
    )
)


def _insert_certificate(call: Call, place: Place, body: dict[str, Any]) -> None:
    del place
    if body["type"] == "MANAGED" or "managed" in body:
        domains = [domain.rstrip(".") for domain in body.get("managed", {}).get("domains", [])]
        body["type"] = "MANAGED"
        body["managed"] = {
            "domains": domains,
            "status": "PROVISIONING",
            "domainStatus": dict.fromkeys(domains, "PROVISIONING"),
        }
        return
    own = body.setdefault("selfManaged", {})
    certificate = own.get("certificate") or body.get("certificate", "")
    secret = own.pop("privateKey", None) or body.pop("privateKey", "")
    body |= {"certificate": certificate, "expireTime": _expiry(call.cloud, certificate)}
    own["certificate"] = certificate
    body.pop("privateKey", None)
    body["__hidden__"] = {"privateKey": secret}


def _show_certificate(call: Call, record: Record) -> dict[str, Any]:
    """A managed certificate becomes ACTIVE when each domain's address record points at a load balancer that uses it."""
    if "managed" not in record.body:
        return record.body
    addresses = {
        str(rule.body.get("IPAddress"))
        for proxy, _ in call.tx.users_of(record.key)
        for key, _ in call.tx.users_of(proxy)
        if (rule := call.tx.get("compute.forwardingRules", key))
    }
    domains: dict[str, str] = {}
    for domain in record.body["managed"]["domains"]:
        seen = set(public_records(call.tx, f"{domain}.", "A"))
        unseen = "FAILED_NOT_VISIBLE" if addresses else "PROVISIONING"  # nothing is tried before it is in use
        domains[domain] = "ACTIVE" if addresses & seen else unseen
    status = "ACTIVE" if set(domains.values()) == {"ACTIVE"} else "PROVISIONING"
    return {**record.body, "managed": {**record.body["managed"], "status": status, "domainStatus": domains}}


def _expiry(cloud: Cloud, pem: str) -> str:
    """When a certificate ends, in Compute's time.

    Raises:
        ApiError: 400, it is no certificate.
    """
    from cryptography import x509

    del cloud
    try:
        end = x509.load_pem_x509_certificates(pem.encode())[0].not_valid_after_utc
    except (ValueError, IndexError) as error:
        text = "The SSL certificate could not be parsed."
        raise ApiError(400, text, "sslCertificateCouldNotBeParsed") from error
    return end.strftime("%Y-%m-%dT%H:%M:%S.000-00:00")


declare(
    Kind(
        "sslCertificates",
        "sslCertificate",
        "ssl_certificate",
        defaults={"type": "SELF_MANAGED"},
        on_insert=_insert_certificate,
        show=_show_certificate,
    )
)


def _insert_rule(call: Call, place: Place, body: dict[str, Any]) -> None:
    if "target" not in body and "backendService" not in body:
        raise ApiError(400, "Required field 'resource.target' not specified", "required")
    scheme = body.setdefault("loadBalancingScheme", "EXTERNAL")
    if port := body.get("portRange"):
        low, _, high = str(port).partition("-")
        body["portRange"] = f"{low}-{high or low}"
    links = _rule_address(call, place, body)
    if scheme == "INTERNAL":
        body.setdefault("network", url(f"projects/{call.project}/global/networks/default"))
        body.setdefault("subnetwork", url(f"{place.scope}/subnetworks/default"))
        body["attachedExtensions"] = []
        body["selfLinkWithId"] = f"{body['selfLink'].rpartition('/')[0]}/{body['id']}"
    body["__hidden__"] = {"links": {"IPAddress": links}}
    if body.get("target"):
        _refuse_double(call, place, body)


def _rule_address(call: Call, place: Place, body: dict[str, Any]) -> list[str]:
    """The address of a rule: reserved (by reference or by its number), or one of Google's choice."""
    given = str(body.get("IPAddress", ""))
    if "/" in given:
        key = resolve(call, "resource.IPAddress", given)
        found = call.tx.get("compute.addresses", key)
        if found is None:
            raise was_not_found(key)
        body["IPAddress"] = found.body["address"]
        return [key]
    if given:
        records = call.tx.list("compute.addresses", f"{place.scope}/")
        return [record.key for record in records if record.body.get("address") == given]
    body["IPAddress"] = external_address(call) if body["loadBalancingScheme"].startswith("EXTERNAL") else "10.128.0.10"
    return []


def _refuse_double(call: Call, place: Place, body: dict[str, Any]) -> None:
    """One address and port belong to one rule."""
    for other in call.tx.list("compute.forwardingRules", f"{place.scope}/"):
        same = all(other.body.get(name) == body.get(name) for name in ("IPAddress", "portRange", "IPProtocol"))
        if same and other.key != place.key and body["IPAddress"] != "0.0.0.0":  # noqa: S104 - Traffic Director's address
            why = "Specified IP address is in-use and would result in a conflict."
            text = f"Invalid value for field 'resource.IPAddress': '{body['IPAddress']}'. {why}"
            raise ApiError(400, text, "invalid")


RULE = declare(
    Kind(
        "forwardingRules",
        "forwardingRule",
        "forwarding_rule",
        references=("target", "backendService", "network", "subnetwork"),
        defaults={"IPProtocol": "TCP", "networkTier": "PREMIUM"},
        dropped=("labels",),
        fingerprint=True,
        labels=True,
        on_insert=_insert_rule,
    )
)


@handles("compute.globalForwardingRules.setTarget", "compute.forwardingRules.setTarget")
def set_target(call: Call) -> dict[str, Any]:
    """Points a rule at another proxy."""
    record = fetch(call, str(locate(call).key))
    check_ready(call, record.key)
    key = resolve(call, "target", str(call.body.get("target", "")))
    if call.tx.find(key) is None:
        raise was_not_found(key)
    record.body["target"] = url(key)
    save(call, RULE, record)
    return operations.begin(call, record, "SetTarget", scope=locate(call).scope)
