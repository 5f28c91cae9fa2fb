"""The kinds of resources that make an external HTTPS load balancer.

Defaults and update calls: recordings/FACTS.md (Compute Engine, Cloud DNS, Certificate Manager).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..compare import same
from ..model import Caller, Drift, Field, Kind, Resource, RestKind, Spec, Update, patch_with, whole_with

PROJECT = {"project": "{project}"}
CERTIFICATES = "projects/{project}/locations/global"


def _labels(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    return {"labels": spec["labels"], "labelFingerprint": have.get("labelFingerprint", "")}


SET_LABELS = Update("setLabels", body=_labels, own={"project": "{project}", "resource": "{name}"})


def _compute(name: str, collection: str, own: str, fields: tuple[Field, ...], updates: dict[str, Update]) -> RestKind:
    return RestKind(
        name=name,
        service="compute",
        collection=collection,
        own={**PROJECT, own: "{name}"},
        parent=PROJECT,
        link=f"projects/{{project}}/global/{LINKS.get(collection, collection)}/{{name}}",
        operation="compute",
        fields=fields,
        updates=updates,
    )


LINKS = {"globalAddresses": "addresses", "globalForwardingRules": "forwardingRules"}


ADDRESS = RestKind(
    name="address",
    service="compute",
    collection="globalAddresses",
    own={**PROJECT, "address": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/addresses/{name}",
    operation="compute",
    fields=(
        Field("addressType", update=None, default="EXTERNAL"),
        Field("ipVersion", update=None, default="IPV4"),
        Field("description", update=None),
        Field("labels", update="labels", compare="map", on_create=False),  # insert ignores labels
    ),
    updates={"labels": SET_LABELS},
)

HEALTH_CHECK = _compute(
    "health_check",
    "healthChecks",
    "healthCheck",
    (
        Field("type", update="put"),
        Field("checkIntervalSec", update="put", default=5),
        Field("timeoutSec", update="put", default=5),
        Field("healthyThreshold", update="put", default=2),
        Field("unhealthyThreshold", update="put", default=2),
        Field("httpHealthCheck", update="put"),
        Field("logConfig.enable", update="put", default=False),
        Field("description", update="put", default=""),
    ),
    {"put": Update("update", body=whole_with())},
)


@dataclass(frozen=True, kw_only=True)
class SecurityPolicy(RestKind):
    """A Cloud Armor policy; its rules change one by one, and the last one (2147483647) exists from the start."""

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Patch the policy's own fields; of the rules, make one change: add, patch or remove by priority."""
        if name != "rules":
            return super().update(api, resource, spec, have, name, drifts)
        there = {int(rule["priority"]): rule for rule in have.get("rules") or []}
        wanted = {int(rule["priority"]): rule for rule in spec["rules"]}
        own = {"project": resource.params["project"], "securityPolicy": resource.name}
        for priority, rule in wanted.items():
            if priority not in there:
                return api.call("compute", "securityPolicies.addRule", own, rule)
            if not same(rule, there[priority]):
                return api.call("compute", "securityPolicies.patchRule", {**own, "priority": priority}, rule)
        gone = next(priority for priority in sorted(there) if priority not in wanted)
        return api.call("compute", "securityPolicies.removeRule", {**own, "priority": gone})


SECURITY_POLICY = SecurityPolicy(
    name="security_policy",
    service="compute",
    collection="securityPolicies",
    own={**PROJECT, "securityPolicy": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/securityPolicies/{name}",
    operation="compute",
    fields=(
        Field("type", update=None, default="CLOUD_ARMOR"),
        Field("description", default=""),
        Field("advancedOptionsConfig.jsonParsing", default="DISABLED"),
        Field("rules", update="rules", compare="keyed", key="priority"),
    ),
    updates={"patch": Update(body=patch_with("fingerprint"))},
    repeats=frozenset({"rules"}),
)

BACKEND_SERVICE = _compute(
    "backend_service",
    "backendServices",
    "backendService",
    (
        Field("protocol", default="HTTP"),
        Field("loadBalancingScheme", update=None, default="EXTERNAL"),
        Field("timeoutSec", default=30),
        Field("healthChecks", compare="set"),
        Field("securityPolicy", update="policy", on_create=False),  # insert ignores it
        Field("backends", compare="keyed", key="group"),
        Field("iap.enabled", default=False),
        Field("iap.oauth2ClientId", default=""),
        Field("iap.oauth2ClientSecret", compare="sha256", secret=True),
        Field("logConfig.enable", default=False),
        Field("logConfig.sampleRate", default=1.0),
        Field("connectionDraining.drainingTimeoutSec", default=0),
        Field("customResponseHeaders", compare="set"),
        Field("description", default=""),
    ),
    {
        "patch": Update(body=patch_with("fingerprint")),
        "policy": Update(
            "setSecurityPolicy",
            body=lambda resource, spec, have, drifts: {"securityPolicy": spec["securityPolicy"]},
        ),
    },
)

URL_MAP = _compute(
    "url_map",
    "urlMaps",
    "urlMap",
    (
        Field("defaultService", update="put"),
        Field("defaultUrlRedirect", update="put"),
        Field("description", update="put", default=""),
    ),
    {"put": Update("update", body=whole_with("status"))},
)

HTTP_PROXY = _compute(
    "http_proxy",
    "targetHttpProxies",
    "targetHttpProxy",
    (Field("urlMap", update="url_map"), Field("description", update=None)),
    {"url_map": Update("setUrlMap", body=lambda resource, spec, have, drifts: {"urlMap": spec["urlMap"]})},
)

HTTPS_PROXY = _compute(
    "https_proxy",
    "targetHttpsProxies",
    "targetHttpsProxy",
    (
        Field("urlMap", update="url_map"),
        Field("certificateMap", update="certificates"),
        Field("sslPolicy", update="ssl_policy"),
        Field("description", update=None),
    ),
    {
        "url_map": Update("setUrlMap", body=lambda resource, spec, have, drifts: {"urlMap": spec["urlMap"]}),
        "certificates": Update(
            "setCertificateMap",
            body=lambda resource, spec, have, drifts: {"certificateMap": spec["certificateMap"]},
        ),
        "ssl_policy": Update(
            "setSslPolicy", body=lambda resource, spec, have, drifts: {"sslPolicy": spec["sslPolicy"]}
        ),
    },
)

SSL_POLICY = _compute(
    "ssl_policy",
    "sslPolicies",
    "sslPolicy",
    (Field("profile"), Field("minTlsVersion"), Field("description", update=None)),
    {"patch": Update(body=patch_with("fingerprint"))},
)

FORWARDING_RULE = RestKind(
    name="forwarding_rule",
    service="compute",
    collection="globalForwardingRules",
    own={**PROJECT, "forwardingRule": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/forwardingRules/{name}",
    operation="compute",
    fields=(
        Field("target", update="target"),
        Field("IPAddress", update=None, compare="create"),
        Field("IPProtocol", update=None, default="TCP"),
        Field("portRange", update=None, compare="create"),
        Field("description", update=None, compare="create"),  # not in rules of earlier versions
        Field("loadBalancingScheme", update=None),
        Field("labels", update="labels", compare="map", on_create=False),
    ),
    updates={
        "labels": SET_LABELS,
        "target": Update("setTarget", body=lambda resource, spec, have, drifts: {"target": spec["target"]}),
    },
)

ZONE = RestKind(
    name="dns_zone",
    service="dns",
    collection="managedZones",
    own={**PROJECT, "managedZone": "{name}"},
    parent=PROJECT,
    insert="create",
    fields=(
        Field("dnsName", update=None),
        Field("description"),
        Field("visibility", update=None, default="public"),
        Field("labels", compare="map"),
    ),
    updates={"patch": Update()},
)


@dataclass(frozen=True, kw_only=True)
class RecordSet(Kind):
    """One DNS record set, named "<type> <name>"; changed as Cloud DNS wants it, by one change with the old record."""

    name: str = "dns_record"
    fields: tuple[Field, ...] = (Field("ttl", update="change"), Field("rrdatas", update="change", compare="set"))

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The record set as the zone lists it."""
        kind, name = resource.name.split(" ")
        where = {"project": resource.params["project"], "managedZone": resource.params["zone"]}
        listed = api.get("dns", "resourceRecordSets.list", {**where, "name": name, "type": kind}) or {}
        return next((entry for entry in listed.get("rrsets") or [] if entry["name"] == name), None)

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Add it."""
        return self._change(api, resource, {"additions": [self._record(resource, spec)]})

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Replace the observed record by the wanted."""
        return self._change(
            api, resource, {"deletions": [self._exact(have)], "additions": [self._record(resource, spec)]}
        )

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Remove it."""
        return self._change(api, resource, {"deletions": [self._exact(have)]})

    @staticmethod
    def _change(api: Caller, resource: Resource, body: Spec) -> Spec:
        where = {"project": resource.params["project"], "managedZone": resource.params["zone"]}
        api.call("dns", "changes.create", where, body)
        return {}

    @staticmethod
    def _record(resource: Resource, spec: Spec) -> Spec:
        kind, name = resource.name.split(" ")
        return {"name": name, "type": kind, "ttl": spec["ttl"], "rrdatas": spec["rrdatas"]}

    @staticmethod
    def _exact(have: Spec) -> Spec:
        return {key: have[key] for key in ("name", "type", "ttl", "rrdatas")}


RECORD = RecordSet()


def _certificates(name: str, collection: str, identifier: str, fields: tuple[Field, ...]) -> RestKind:
    leaf = collection.rsplit(".", 1)[-1]
    return RestKind(
        name=name,
        service="certificatemanager",
        collection=f"projects.locations.{collection}",
        own={"name": f"{CERTIFICATES}/{leaf}/{{name}}"},
        parent={"parent": CERTIFICATES},
        link=f"{CERTIFICATES}/{leaf}/{{name}}",
        insert="create",
        insert_params={identifier: "{name}"},
        named=None,
        operation="certificatemanager",
        fields=fields,
        updates={"patch": Update(mask=True)},
    )


DNS_AUTHORIZATION = _certificates(
    "dns_authorization",
    "dnsAuthorizations",
    "dnsAuthorizationId",
    (Field("domain", update=None), Field("description", default=""), Field("labels", compare="map")),
)
CERTIFICATE = _certificates(
    "certificate",
    "certificates",
    "certificateId",
    (
        Field(
            "managed.domains", update=None, compare="set", way_out="Give the certificate another name and swap it in."
        ),
        Field("managed.dnsAuthorizations", update=None, compare="set"),
        Field("scope", update=None, default="DEFAULT"),
        Field("description", default=""),
        Field("labels", compare="map"),
    ),
)
CERTIFICATE_MAP = _certificates(
    "certificate_map",
    "certificateMaps",
    "certificateMapId",
    (Field("description", default=""), Field("labels", compare="map")),
)
MAP_ENTRY = RestKind(
    name="certificate_map_entry",
    service="certificatemanager",
    collection="projects.locations.certificateMaps.certificateMapEntries",
    own={"name": f"{CERTIFICATES}/certificateMaps/{{map}}/certificateMapEntries/{{name}}"},
    parent={"parent": f"{CERTIFICATES}/certificateMaps/{{map}}"},
    insert="create",
    insert_params={"certificateMapEntryId": "{name}"},
    named=None,
    operation="certificatemanager",
    fields=(
        Field("hostname", update=None),
        Field("matcher", update=None),
        Field("certificates", compare="set"),
        Field("description", default=""),
        Field("labels", compare="map"),
    ),
    updates={"patch": Update(mask=True)},
)
