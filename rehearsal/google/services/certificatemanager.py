"""Certificate Manager (recordings/certificatemanager); managed certificates follow what DNS says here."""

from __future__ import annotations

import re
from typing import Any

from .. import lro
from ..core import Call, Cloud, handles
from ..errors import ApiError
from ..jobs import WORKS, Arguments, Work
from ..store import Record, Transaction, public_records
from .collections import Collection, authorize_by_resource
from .masks import apply_mask

_HOST = "certificatemanager.googleapis.com"
_TYPE = "type.googleapis.com/google.cloud.certificatemanager.v1"


def _missing(name: str) -> str:
    return f"Resource '{name}' was not found"


def _collection(segment: str, identifier: str) -> Collection:
    return Collection(f"certificatemanager.{segment}", segment, identifier, segment, _missing, _HOST)


CERTIFICATES = _collection("certificates", "certificateId")
MAPS = _collection("certificateMaps", "certificateMapId")
ENTRIES = _collection("certificateMapEntries", "certificateMapEntryId")
AUTHORIZATIONS = _collection("dnsAuthorizations", "dnsAuthorizationId")
_ALL = {item.segment: item for item in (CERTIFICATES, MAPS, ENTRIES, AUTHORIZATIONS)}
_NOUNS = {
    "certificates": "Certificate",
    "certificateMaps": "CertificateMap",
    "certificateMapEntries": "CertificateMapEntry",
    "dnsAuthorizations": "DnsAuthorization",
}
authorize_by_resource("certificatemanager", _HOST, numbered=False)
_VALID = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")


def _methods(*verbs: str) -> list[str]:
    """The ids of these verbs on all four collections."""
    paths = ("certificates", "certificateMaps", "certificateMaps.certificateMapEntries", "dnsAuthorizations")
    return [f"certificatemanager.projects.locations.{path}.{verb}" for path in paths for verb in verbs]


def _of(call: Call) -> Collection:
    return _ALL[call.method.id.split(".")[-2]]


def _begin(call: Call, target: str, verb: str, work: str, arguments: Arguments) -> dict[str, Any]:
    metadata = {
        "@type": f"{_TYPE}.OperationMetadata",
        "createTime": call.clock.zulu(9),
        "target": target,
        "verb": verb,
        "requestedCancellation": False,
        "apiVersion": "v1",
    }
    location = "/".join(target.split("/")[:4])
    name = f"{location}/operations/{lro.stamped(call)}"
    return lro.begin(call, name, metadata, work=work, arguments=arguments, shows_done=True, end_time=True)


@handles(*_methods("create"))
def create(call: Call) -> dict[str, Any]:
    """POST on any of the collections; an id that cannot be is told by the operation."""
    collection = _of(call)
    if collection is ENTRIES:
        MAPS.find(call, call.path["parent"])
    name = collection.new(call)
    body = {key: value for key, value in call.body.items() if value not in ({}, "", None)}
    hidden: dict[str, Any] = {}
    _FILL[collection.segment](call, body, hidden)
    now = call.clock.zulu(9)
    body |= {"name": name, "createTime": now, "updateTime": now}
    arguments = {"kind": collection.kind, "name": name, "body": body, "hidden": hidden}
    return _begin(call, name, "create", "certificatemanager.create", arguments)


def _fill_certificate(call: Call, body: dict[str, Any], hidden: dict[str, Any]) -> None:
    if ("selfManaged" in body) == ("managed" in body):
        raise ApiError(400, "Exactly one of self_managed and managed must be set.", "badRequest")
    own: dict[str, Any] = body.get("selfManaged", {})
    managed: dict[str, Any] = body.get("managed", {})
    if "selfManaged" in body:
        hidden["privateKey"] = own.get("pemPrivateKey", "")
        _read_certificate(body, own.get("pemCertificate", ""))
        body["selfManaged"] = {}
        return
    if not managed.get("domains"):
        raise ApiError(400, "managed.domains must not be empty.", "badRequest")
    links = [AUTHORIZATIONS.find(call, item).key for item in managed.get("dnsAuthorizations", [])]
    hidden["links"] = {"dnsAuthorizations": links}
    if links:
        managed["dnsAuthorizations"] = [_numbered(call, item) for item in links]
    managed["state"] = "PROVISIONING"
    managed["authorizationAttemptInfo"] = [{"domain": name, "state": "AUTHORIZING"} for name in managed["domains"]]
    body["sanDnsnames"] = list(managed["domains"])


def _read_certificate(body: dict[str, Any], pem: str) -> None:
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificates(pem.encode())[0]
    except (ValueError, IndexError) as error:
        raise ApiError(400, "The certificate could not be parsed.", "badRequest") from error
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except x509.ExtensionNotFound:
        names = [str(item.value) for item in leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    body["pemCertificate"] = pem
    body["sanDnsnames"] = list(names)
    body["expireTime"] = leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def _numbered(call: Call, name: str) -> str:
    parts = name.split("/")
    parts[1] = call.number
    return "/".join(parts)


def _fill_entry(call: Call, body: dict[str, Any], hidden: dict[str, Any]) -> None:
    if ("hostname" in body) == ("matcher" in body):
        raise ApiError(400, "Exactly one of hostname and matcher must be set.", "badRequest")
    _entry_certificates(call, body, hidden)
    body["state"] = "PENDING"


def _entry_certificates(call: Call, body: dict[str, Any], hidden: dict[str, Any]) -> None:
    links = [CERTIFICATES.find(call, item).key for item in body.get("certificates", [])]
    hidden["links"] = {"certificates": links}
    body["certificates"] = [_numbered(call, item) for item in links]


def _fill_authorization(call: Call, body: dict[str, Any], hidden: dict[str, Any]) -> None:
    del hidden
    domain = str(body.get("domain", "")).rstrip(".")
    if "." not in domain or "*" in domain:
        raise ApiError(400, f"Invalid domain: {domain!r}.", "badRequest")
    number = call.tx.next_number("dns_authorizations") % 20
    kind = body.setdefault("type", "FIXED_RECORD")
    label = "_acme-challenge" if kind == "FIXED_RECORD" else f"_acme-challenge_{lro.new_uuid()[:12]}"
    body["dnsResourceRecord"] = {
        "name": f"{label}.{domain}.",
        "type": "CNAME",
        "data": f"{lro.new_uuid()}.{number}.authorize.certificatemanager.goog.",
    }


_FILL = {
    "certificates": _fill_certificate,
    "certificateMaps": lambda call, body, hidden: None,
    "certificateMapEntries": _fill_entry,
    "dnsAuthorizations": _fill_authorization,
}


def _create(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del cloud, result
    # No issuance configuration can exist here, and this is how Google tells of one that does not.
    issued = "issuanceConfig" in arguments["body"].get("managed", {})
    if issued or not _VALID.fullmatch(arguments["name"].rpartition("/")[2]):
        raise ApiError(400, "invalid name", "badRequest")
    tx.put(Record(arguments["kind"], arguments["name"], arguments["body"], arguments["hidden"]))
    tx.link(arguments["name"], arguments["hidden"].get("links", {}))
    return _response(arguments["kind"], arguments["body"])


def _response(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"@type": f"{_TYPE}.{_NOUNS[kind.rpartition('.')[2]]}", **body}


def _update(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del cloud, result
    record = tx.get(arguments["kind"], arguments["name"])
    return _response(arguments["kind"], record.body if record else {})


def _delete(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del cloud, result
    tx.delete(arguments["kind"], arguments["name"])
    return {"@type": "type.googleapis.com/google.protobuf.Empty"}


WORKS["certificatemanager.create"] = Work(finish=_create)
WORKS["certificatemanager.update"] = Work(finish=_update)
WORKS["certificatemanager.delete"] = Work(finish=_delete)


@handles(*_methods("get", "patch", "delete"))
def one(call: Call) -> dict[str, Any]:
    """GET, PATCH and DELETE on any of the collections."""
    collection = _of(call)
    record = collection.find(call, call.path["name"])
    if call.method.verb == "get":
        return show(call, record)
    if call.method.verb == "patch":
        return _patch(call, collection, record)
    users = [source for source, _ in call.tx.users_of(record.key)]
    if collection is MAPS:
        users += [item.key for item in call.tx.list(ENTRIES.kind, f"{record.key}/")]
    if users:
        text = f"can't delete {_noun(collection)} that is referenced by: {', '.join(sorted(users))}"
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    arguments = {"kind": collection.kind, "name": record.key}
    return _begin(call, record.key, "delete", "certificatemanager.delete", arguments)


def _noun(collection: Collection) -> str:
    return re.sub(r"(?<!^)([A-Z])", r" \1", _NOUNS[collection.segment]).lower()


def _patch(call: Call, collection: Collection, record: Record) -> dict[str, Any]:
    """Only some members can change; a certificate's domains cannot."""
    given = dict(call.body)
    if "certificates" in given and collection is ENTRIES:
        _entry_certificates(call, given, record.hidden)
    mask = str(call.query.get("updateMask", ""))
    frozen = {"managed", "domain", "hostname", "matcher", "scope"}
    for name in frozen & set(given):
        if given[name] != record.body.get(name) and (not mask or name in mask):
            raise ApiError(400, f"Field {name} is immutable.", "badRequest")
    apply_mask(record.body, given, mask)
    record.body["updateTime"] = call.clock.zulu(9)
    call.tx.put(record)
    call.tx.link(record.key, record.hidden.get("links", {}))
    arguments = {"kind": collection.kind, "name": record.key}
    return _begin(call, record.key, "update", "certificatemanager.update", arguments)


@handles(*_methods("list"))
def list_all(call: Call) -> dict[str, Any]:
    """Lists of any of the collections."""
    return _of(call).list(call, lambda record: show(call, record))


@handles("certificatemanager.projects.locations.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    return lro.get(call)


def show(call: Call, record: Record) -> dict[str, Any]:
    """A resource with what follows from the rest of the cloud: state of certificates and entries, targets of maps."""
    body = dict(record.body)
    if record.kind == CERTIFICATES.kind and "managed" in body:
        return {**body, "managed": managed_state(call.tx, record)}
    if record.kind == ENTRIES.kind:
        certificates = [call.tx.get(CERTIFICATES.kind, key) for key in record.hidden["links"]["certificates"]]
        attached = bool(call.tx.users_of(record.key.partition("/certificateMapEntries/")[0]))
        if attached and all(item and usable(call.tx, item) for item in certificates):
            body["state"] = "ACTIVE"
    if record.kind == MAPS.kind and (targets := _targets(call, record)):
        body["gclbTargets"] = targets
    return body


def usable(tx: Transaction, certificate: Record) -> bool:
    """Whether a certificate is served: a managed one only once it is ACTIVE."""
    return "managed" not in certificate.body or managed_state(tx, certificate)["state"] == "ACTIVE"


def managed_state(tx: Transaction, record: Record) -> dict[str, Any]:
    """The state of a managed certificate: ACTIVE when every domain has proved itself.

    It does so by the CNAME of its DNS authorization, or, without one, by an address record that points at a load
    balancer that uses the certificate.
    """
    managed = dict(record.body["managed"])
    authorizations = {}
    for key in record.hidden.get("links", {}).get("dnsAuthorizations", []):
        if found := tx.get(AUTHORIZATIONS.kind, key):
            authorizations[found.body["domain"].rstrip(".")] = found.body["dnsResourceRecord"]
    proven = []
    for domain in managed["domains"]:
        wanted = authorizations.get(domain.removeprefix("*."))
        if authorizations:
            proven.append(wanted is not None and wanted["data"] in public_records(tx, wanted["name"], "CNAME"))
        else:
            proven.append(bool(_addresses(tx, record) & set(public_records(tx, f"{domain}.", "A"))))
    managed["authorizationAttemptInfo"] = [
        {"domain": domain, "state": "AUTHORIZED" if done else "AUTHORIZING"}
        for domain, done in zip(managed["domains"], proven, strict=True)
    ]
    managed["state"] = "ACTIVE" if all(proven) else "PROVISIONING"
    if managed["state"] == "ACTIVE":
        del managed["authorizationAttemptInfo"]
    return managed


def _addresses(tx: Transaction, certificate: Record) -> set[str]:
    """The addresses of the load balancers that use a certificate, through a map or directly."""
    maps = [source.partition("/certificateMapEntries/")[0] for source, _ in tx.users_of(certificate.key)]
    proxies = {
        source for key in {certificate.key, *maps} for source, _ in tx.users_of(key) if "/targetHttpsProxies/" in source
    }
    rules = [source for proxy in proxies for source, _ in tx.users_of(proxy)]
    return {str(rule.body.get("IPAddress")) for key in rules if (rule := tx.get("compute.forwardingRules", key))}


def _targets(call: Call, record: Record) -> list[dict[str, Any]]:
    found = []
    for proxy, _ in call.tx.users_of(record.key):
        if "/targetHttpsProxies/" not in proxy:
            continue
        rules = [call.tx.get("compute.forwardingRules", key) for key, _ in call.tx.users_of(proxy)]
        configs = [{"ipAddress": rule.body["IPAddress"], "ports": [443]} for rule in rules if rule]
        name = f"//compute.googleapis.com/{proxy.replace(call.project, call.number, 1)}"
        found.append({"targetHttpsProxy": name, **({"ipConfigs": configs} if configs else {})})
    return found
