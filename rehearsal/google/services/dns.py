"""Cloud DNS: zones, record sets and changes (recordings/dns); the world's name server answers from these zones."""

from __future__ import annotations

from typing import Any

from ..core import Call, handles, new_id
from ..errors import ApiError
from ..filters import page
from ..store import Record

ZONES, SETS, CHANGES = "dns.managedZones", "dns.rrsets", "dns.changes"
_SERVERS = [f"ns-cloud-a{number}.googledomains.com." for number in range(1, 5)]


def _zone(call: Call) -> Record:
    name = call.path["managedZone"]
    records = call.tx.list(ZONES, f"projects/{call.project}/managedZones/")
    found = next((item for item in records if name in (item.body["name"], item.body["id"])), None)
    if found is None:
        raise ApiError(404, f"The 'parameters.managedZone' resource named '{name}' does not exist.", "notFound")
    return found


def _set_key(zone: Record, name: str, kind: str) -> str:
    return f"{zone.key}/{name.lower()}/{kind}"


def _put_set(call: Call, zone: Record, given: dict[str, Any]) -> dict[str, Any]:
    body = {"kind": "dns#resourceRecordSet", "ttl": 0, "signatureRrdatas": [], **given}
    call.tx.put(Record(SETS, _set_key(zone, body["name"], body["type"]), body))
    return body


@handles("dns.managedZones.create")
def create_zone(call: Call) -> dict[str, Any]:
    """POST of a zone; synchronous. It starts with its NS and SOA records."""
    name, dns_name = str(call.body.get("name", "")), str(call.body.get("dnsName", ""))
    for field, value in (("name", name), ("dnsName", dns_name)):
        if not value:
            text = f"The 'entity.managedZone.{field}' parameter is required but was missing."
            raise ApiError(400, text, "required")
    if not dns_name.endswith("."):
        text = f"Invalid value for 'entity.managedZone.dnsName': '{dns_name}'"
        raise ApiError(400, text, "invalid")
    key = f"projects/{call.project}/managedZones/{name}"
    if call.tx.get(ZONES, key):
        text = f"The resource 'entity.managedZone' named '{name}' already exists"
        raise ApiError(409, text, "alreadyExists")
    body = {
        "description": "",
        "visibility": "public",
        **{field: value for field, value in call.body.items() if value not in ({}, None, {"networks": []})},
        "kind": "dns#managedZone",
        "id": new_id(call.tx),
        "creationTime": call.clock.zulu(3),
        "nameServers": _SERVERS,
    }
    body["cloudLoggingConfig"] = {"kind": "dns#managedZoneCloudLoggingConfig", **body.get("cloudLoggingConfig", {})}
    zone = Record(ZONES, key, body, {"changes": 0})
    call.tx.put(zone)
    _put_set(call, zone, {"name": dns_name, "type": "NS", "ttl": 21600, "rrdatas": _SERVERS})
    soa = f"{_SERVERS[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"
    _put_set(call, zone, {"name": dns_name, "type": "SOA", "ttl": 21600, "rrdatas": [soa]})
    return body


@handles("dns.managedZones.get")
def get_zone(call: Call) -> dict[str, Any]:
    """GET of a zone."""
    return _zone(call).body


@handles("dns.managedZones.list")
def list_zones(call: Call) -> dict[str, Any]:
    """The zones of a project, by name if asked."""
    items = [record.body for record in call.tx.list(ZONES, f"projects/{call.project}/")]
    if wanted := call.query.get("dnsName"):
        items = [item for item in items if item["dnsName"] == wanted]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("maxResults") or 100))
    answer = {"kind": "dns#managedZonesListResponse", "managedZones": chosen}
    return {**answer, **({"nextPageToken": more} if more else {})}


@handles("dns.managedZones.patch", "dns.managedZones.update")
def patch_zone(call: Call) -> dict[str, Any]:
    """PATCH or PUT: an operation that is done at once."""
    zone = _zone(call)
    old = dict(zone.body)
    if call.body.get("dnsName", old["dnsName"]) != old["dnsName"]:
        raise ApiError(400, "The 'entity.managedZone.dnsName' field cannot be changed.", "invalid")
    zone.body |= {key: value for key, value in call.body.items() if key not in ("id", "kind", "nameServers")}
    call.tx.put(zone)
    context = {"oldValue": old, "newValue": zone.body}
    return {
        "kind": "dns#operation",
        "id": new_id(call.tx),
        "startTime": call.clock.zulu(3),
        "status": "done",
        "user": call.principal.email,
        "type": "update",
        "zoneContext": context,
    }


@handles("dns.managedZones.delete")
def delete_zone(call: Call) -> dict[str, Any]:
    """DELETE of a zone that holds nothing but NS and SOA."""
    zone = _zone(call)
    records = call.tx.list(SETS, f"{zone.key}/")
    if any(item.body["type"] not in ("NS", "SOA") or item.body["name"] != zone.body["dnsName"] for item in records):
        why = "it contains one or more 'resource records'"
        text = f"The resource named '{zone.body['name']}' cannot be deleted because {why}."
        raise ApiError(400, text, "containerNotEmpty")
    for record in records:
        call.tx.delete(SETS, record.key)
    for change in call.tx.list(CHANGES, f"{zone.key}/"):
        call.tx.delete(CHANGES, change.key)
    call.tx.delete(ZONES, zone.key)
    return {}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("name", "type", "ttl", "rrdatas"))


def _check_addition(zone: Record, given: dict[str, Any], index: int) -> None:
    name = str(given.get("name", ""))
    if not (name == zone.body["dnsName"] or name.endswith(f".{zone.body['dnsName']}")):
        raise ApiError(400, f"Invalid value for 'entity.change.additions[{index}].name': '{name}'", "invalid")
    if not given.get("rrdatas") and not given.get("routingPolicy"):
        raise ApiError(400, f"Invalid value for 'entity.change.additions[{index}].rrdata': ''", "invalid")


@handles("dns.changes.create")
def create_change(call: Call) -> dict[str, Any]:
    """Applies deletions, each exactly as the record is, then additions."""
    zone = _zone(call)
    for index, given in enumerate(call.body.get("deletions", [])):
        record = call.tx.get(SETS, _set_key(zone, given.get("name", ""), given.get("type", "")))
        where = f"entity.change.deletions[{index}]"
        named = f"'{given.get('name')} ({given.get('type')})'"
        if record is None:
            raise ApiError(404, f"The '{where}' resource named {named} does not exist.", "notFound")
        if not _same(record.body, given):
            text = f"Precondition not met for '{where}'"
            raise ApiError(412, text, "conditionNotMet")
        call.tx.delete(SETS, record.key)
    for index, given in enumerate(call.body.get("additions", [])):
        _check_addition(zone, given, index)
        if call.tx.get(SETS, _set_key(zone, given["name"], given["type"])):
            where, named = f"entity.change.additions[{index}]", f"{given['name']} ({given['type']})"
            raise ApiError(409, f"The resource '{where}' named '{named}' already exists", "alreadyExists")
        _put_set(call, zone, given)
    return _changed(call, zone, call.body)


def _changed(call: Call, zone: Record, given: dict[str, Any]) -> dict[str, Any]:
    """Writes a change down; its first answer is pending, all later ones done."""
    number = zone.hidden["changes"] = zone.hidden["changes"] + 1
    call.tx.put(zone)
    body: dict[str, Any] = {"kind": "dns#change", "id": str(number), "startTime": call.clock.zulu(3), "status": "done"}
    full = {"kind": "dns#resourceRecordSet", "signatureRrdatas": []}
    for name in ("additions", "deletions"):
        body[name] = [{**full, **item} for item in given.get(name, [])]
    call.tx.put(Record(CHANGES, f"{zone.key}/{number}", body))
    return {**body, "status": "pending"}


@handles("dns.changes.get")
def get_change(call: Call) -> dict[str, Any]:
    """GET of a change."""
    zone = _zone(call)
    record = call.tx.get(CHANGES, f"{zone.key}/{call.path['changeId']}")
    if record is None:
        text = f"The 'parameters.changeId' resource named '{call.path['changeId']}' does not exist."
        raise ApiError(404, text, "notFound")
    return record.body


@handles("dns.changes.list")
def list_changes(call: Call) -> dict[str, Any]:
    """The changes of a zone, the newest first."""
    records = sorted(call.tx.list(CHANGES, f"{_zone(call).key}/"), key=lambda item: -int(item.body["id"]))
    return {"kind": "dns#changesListResponse", "changes": [record.body for record in records]}


@handles("dns.resourceRecordSets.list")
def list_sets(call: Call) -> dict[str, Any]:
    """The records of a zone, by name and type if asked."""
    items = [record.body for record in call.tx.list(SETS, f"{_zone(call).key}/")]
    for field in ("name", "type"):
        if wanted := call.query.get(field):
            items = [item for item in items if item[field] == wanted]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("maxResults") or 100))
    answer = {"kind": "dns#resourceRecordSetsListResponse", "rrsets": chosen}
    return {**answer, **({"nextPageToken": more} if more else {})}


@handles("dns.resourceRecordSets.create")
def create_set(call: Call) -> dict[str, Any]:
    """POST of a record set by itself; it counts as a change too."""
    zone = _zone(call)
    _check_addition(zone, call.body, 0)
    if call.tx.get(SETS, _set_key(zone, call.body["name"], call.body["type"])):
        text = f"The resource 'entity.rrset' named '{call.body['name']} ({call.body['type']})' already exists"
        raise ApiError(409, text, "alreadyExists")
    body = _put_set(call, zone, call.body)
    _changed(call, zone, {"additions": [call.body]})
    return body


def _set(call: Call) -> tuple[Record, Record]:
    zone = _zone(call)
    record = call.tx.get(SETS, _set_key(zone, call.path["name"], call.path["type"]))
    if record is None:
        named = f"{call.path['name']} ({call.path['type']})"
        raise ApiError(404, f"The 'parameters.name' resource named '{named}' does not exist.", "notFound")
    return zone, record


@handles("dns.resourceRecordSets.get")
def get_set(call: Call) -> dict[str, Any]:
    """GET of a record set."""
    return _set(call)[1].body


@handles("dns.resourceRecordSets.patch")
def patch_set(call: Call) -> dict[str, Any]:
    """PATCH of a record set."""
    zone, record = _set(call)
    old = dict(record.body)
    record.body |= {key: value for key, value in call.body.items() if key in ("ttl", "rrdatas", "routingPolicy")}
    call.tx.put(record)
    _changed(call, zone, {"additions": [record.body], "deletions": [old]})
    return record.body


@handles("dns.resourceRecordSets.delete")
def delete_set(call: Call) -> dict[str, Any]:
    """DELETE of a record set; NS and SOA of the zone itself stay."""
    zone, record = _set(call)
    if record.body["type"] in ("NS", "SOA") and record.body["name"] == zone.body["dnsName"]:
        text = (
            f"The resource record set 'entity.rrset' is invalid because the DNS name '{record.body['name']}' needs it."
        )
        raise ApiError(400, text, "invalidZoneApex")
    call.tx.delete(SETS, record.key)
    _changed(call, zone, {"deletions": [record.body]})
    return {}


@handles("dns.projects.get")
def get_project(call: Call) -> dict[str, Any]:
    """The project as Cloud DNS sees it."""
    quota = {"kind": "dns#quota", "managedZones": 10000, "resourceRecordsPerRrset": 100, "rrsetsPerManagedZone": 10000}
    return {"kind": "dns#project", "id": call.project, "number": call.number, "quota": quota}
