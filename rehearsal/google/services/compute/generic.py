"""What all Compute collections have in common, written once: insert, get, list, patch, update, delete, setLabels."""

from __future__ import annotations

import copy
import re
from typing import Any

from ...core import FALLBACKS, HANDLERS, Call, Cloud, new_id
from ...errors import ApiError, not_emulated
from ...filters import matches, page
from ...jobs import WORKS, Work
from ...store import Record, Transaction
from . import operations, places, quotas
from .kinds import KINDS, Kind, stamp
from .links import Place, key_of, locate, replace_at, resolve, url, values_at, was_not_found

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SERVER = (
    "id",
    "kind",
    "selfLink",
    "selfLinkWithId",
    "creationTimestamp",
    "fingerprint",
    "labelFingerprint",
    "region",
    "zone",
)


def kind_of(call: Call, collection: str) -> Kind:
    """The declaration of a collection.

    Raises:
        ApiError: 501, nothing is declared.
    """
    if collection not in KINDS:
        raise not_emulated(f"Method {call.method.id}")
    return KINDS[collection]


def fetch(call: Call, key: str) -> Record:
    """The resource with this key.

    Raises:
        ApiError: 404.
    """
    record = call.tx.get(KINDS[key.split("/")[-2]].store, key)
    if record is None and (by_id := _by_id(call, key)):
        return by_id
    if record is None:
        raise was_not_found(key)
    return record


def _by_id(call: Call, key: str) -> Record | None:
    """Compute takes a resource's number in place of its name."""
    collection, _, name = key.rpartition("/")
    if not name.isdigit():
        return None
    records = call.tx.list(KINDS[collection.rpartition("/")[2]].store, f"{collection}/")
    return next((record for record in records if record.body.get("id") == name), None)


def save(call: Call, kind: Kind, record: Record) -> None:
    """Writes a resource with fresh fingerprints and its links."""
    record.body = without_empty_lists(record.body)
    stamp(kind, record.body)
    call.tx.put(record)
    links = {path: [key_of(value) for value in values_at(record.body, path)] for path in kind.references}
    call.tx.link(record.key, {**links, **record.hidden.get("links", {})})


def without_empty_lists(body: dict[str, Any]) -> dict[str, Any]:
    """As Google answers: an empty list does not show (but for `attachedExtensions`, recordings/FACTS.md)."""
    result: dict[str, Any] = {}
    for key, value in body.items():
        if isinstance(value, dict):
            result[key] = without_empty_lists(value)
        elif value != [] or key == "attachedExtensions":
            result[key] = value
    return result


def shown(call: Call, record: Record) -> dict[str, Any]:
    """A resource as the API shows it."""
    kind = KINDS[record.kind.removeprefix("compute.")]
    return kind.show(call, record) if kind.show else record.body


def resolve_references(call: Call, kind: Kind, body: dict[str, Any]) -> None:
    """Brings the links of a body to full URLs and refuses those to nothing."""
    for path in kind.references:
        replace_at(body, path, lambda value, path=path: _existing(call, f"resource.{path}", value))


def _existing(call: Call, field: str, value: str) -> str:
    """The full URL of a reference within Compute; those to other services stay as they are."""
    if value.startswith(("//", "https://certificatemanager.", "https://networkconnectivity.")):
        return value
    key = resolve(call, field, value)
    collection = key.split("/")[-2]
    if collection in KINDS and call.tx.get(KINDS[collection].store, key) is None:
        raise was_not_found(key)
    return url(key)


def clean(body: dict[str, Any]) -> dict[str, Any]:
    """Without JSON nulls, at any depth."""
    result: dict[str, Any] = {}
    for key, value in body.items():
        if isinstance(value, dict):
            result[key] = clean(value)
        elif isinstance(value, list):
            result[key] = [clean(item) if isinstance(item, dict) else item for item in value]
        elif value is not None:
            result[key] = value
    return result


def with_defaults(defaults: Any, body: dict[str, Any]) -> dict[str, Any]:
    """The body with what the server fills in; nested defaults fill nested members."""
    result = copy.deepcopy(dict(defaults))
    for key, value in body.items():
        result[key] = (
            with_defaults(result[key], value)
            if isinstance(value, dict) and isinstance(result.get(key), dict)
            else value
        )
    return result


def insert(call: Call) -> dict[str, Any]:
    """POST on a collection."""
    place = locate(call)
    kind = kind_of(call, place.collection)
    if earlier := operations.repeated(call):
        return earlier
    body = {key: value for key, value in clean(call.body).items() if key not in (*_SERVER, *kind.output, *kind.dropped)}
    operation = kind.operation("insert", call.method.id)
    if refusal := quotas.exceeded(call, place, body):
        return quotas.refused(call, place, operation, refusal)
    record = create(call, kind, place, body)
    return operations.begin(call, record, operation, scope=place.scope)


def create(call: Call, kind: Kind, place: Place, body: dict[str, Any]) -> Record:
    """Checks a new resource, fills it in and writes it.

    Raises:
        ApiError: 400, 404 (a reference) or 409.
    """
    name = str(body.get("name", ""))
    if not _NAME.fullmatch(name):
        text = f"Invalid value for field 'resource.name': '{name}'. Must be a match of regex '{_NAME.pattern}'"
        raise ApiError(400, text, "invalid")
    key = f"{place.scope}/{place.collection}/{name}"
    if call.tx.get(kind.store, key):
        raise ApiError(409, f"The resource '{key}' already exists", "alreadyExists")
    resolve_references(call, kind, body)
    body = with_defaults(kind.defaults, body)
    body |= {"kind": f"compute#{kind.resource}", "id": new_id(call.tx), "creationTimestamp": call.clock.pacific()}
    body["selfLink"] = url(key)
    if place.region:
        body["region"] = url(place.scope)
    if place.zone:
        body["zone"] = url(place.scope)
    record = Record(kind.store, key, body)
    if kind.on_insert:
        call.body = body
        kind.on_insert(call, Place(place.scope, place.collection, key), body)
    record.hidden |= body.pop("__hidden__", {})
    save(call, kind, record)
    return record


def get(call: Call) -> dict[str, Any]:
    """GET on a resource."""
    place = locate(call)
    kind_of(call, place.collection)
    return shown(call, fetch(call, str(place.key)))


def _limits(call: Call) -> tuple[str | None, int]:
    size = int(call.query.get("maxResults", 500))
    if not 0 <= size <= 500:
        raise ApiError(400, f"Invalid value for field 'maxResults': '{size}'. Must be in [0, 500].", "invalid")
    return call.query.get("pageToken"), size or 500


def list_all(call: Call) -> dict[str, Any]:
    """GET on a collection: filter, order, pages."""
    place = locate(call)
    kind = kind_of(call, place.collection)
    records = call.tx.list(kind.store, f"{place.scope}/{place.collection}/")
    bodies = [shown(call, record) for record in records]
    items = [body for body in bodies if matches(body, call.query.get("filter"))]
    if call.query.get("orderBy") == "creationTimestamp desc":
        items.sort(key=lambda body: str(body["creationTimestamp"]), reverse=True)
    chosen, more = page(items, *_limits(call))
    path = f"{place.scope}/{place.collection}"
    result: dict[str, Any] = {"kind": f"compute#{kind.resource}List", "id": path, "selfLink": url(path)}
    if chosen:
        result["items"] = chosen
    if more:
        result["nextPageToken"] = more
    return result


def aggregated(call: Call) -> dict[str, Any]:
    """GET on aggregated/<collection>: by scope, with Google's warning where a scope has none."""
    collection = locate(call).collection
    kind = kind_of(call, collection)
    head = f"projects/{call.project}/"
    found: dict[str, list[dict[str, Any]]] = {}
    for record in call.tx.list(kind.store, head):
        body = shown(call, record)
        if matches(body, call.query.get("filter")):
            parts = record.key.removeprefix(head).split("/")
            found.setdefault("global" if parts[0] == "global" else "/".join(parts[:2]), []).append(body)
    scopes = ["global", *(f"regions/{name}" for name in places.REGIONS), *(f"zones/{name}" for name in places.ZONES)]
    items = {scope: {collection: found[scope]} if scope in found else _nothing(scope) for scope in scopes}
    path = f"projects/{call.project}/aggregated/{collection}"
    return {
        "kind": f"compute#{kind.resource}AggregatedList",
        "id": path,
        "selfLink": url(path),
        "items": {scope: value for scope, value in items.items() if _has_scope(kind, scope)},
    }


def _has_scope(kind: Kind, scope: str) -> bool:
    zonal = {"instances", "disks", "networkEndpointGroups", "instanceGroups", "machineTypes"}
    return scope.startswith("zones/") == (kind.collection in zonal) or scope == "global"


def _nothing(scope: str) -> dict[str, Any]:
    data = [{"key": "scope", "value": scope}]
    message = f"There are no results for scope '{scope}' on this page."
    return {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": message, "data": data}}


def merge(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """JSON merge patch: objects member by member, lists whole, null clears."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = clean(value) if isinstance(value, dict) else value
    return result


def check_fingerprint(kind: Kind, record: Record, given: Any, *, demanded: bool) -> None:
    """Optimistic locking.

    Raises:
        ApiError: 400 where one is demanded and missing, 412 where it is stale.
    """
    if not kind.fingerprint:
        return
    if given is None and demanded:
        raise ApiError(400, "Required field 'resource.fingerprint' not specified", "required")
    if given is not None and given != record.body["fingerprint"]:
        raise ApiError(412, "Invalid fingerprint.", "conditionNotMet", extra=_IF_MATCH)


_IF_MATCH = {"locationType": "header", "location": "If-Match"}


def check_ready(call: Call, key: str) -> None:
    """Refuses to change what an operation is at work on."""
    if operations.pending_on(call, key):
        raise ApiError(400, f"The resource '{key}' is not ready", "resourceNotReady")


def change(call: Call) -> dict[str, Any]:
    """PATCH (merges) and PUT (replaces) of a resource."""
    place = locate(call)
    kind = kind_of(call, place.collection)
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    patching = call.method.verb == "patch"
    check_fingerprint(kind, record, call.body.get("fingerprint"), demanded=kind.demands_fingerprint and patching)
    given = {key: value for key, value in call.body.items() if key not in (*_SERVER, *kind.output, *kind.dropped)}
    before = copy.deepcopy(record.body)
    if patching:
        resolve_references(call, kind, given)
        record.body = merge(record.body, given)
    else:
        record.body = _replaced(call, kind, before, clean(given))
    _refuse_immutable(kind, before, record.body)
    return apply(call, kind, record, before, kind.operation(call.method.verb))


def _replaced(call: Call, kind: Kind, before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    resolve_references(call, kind, given)
    kept = {key: before[key] for key in (*_SERVER, *kind.output, "name", *kind.immutable) if key in before}
    return {
        **with_defaults(kind.defaults, given),
        **kept,
        **{key: given[key] for key in kind.immutable if key in given},
    }


def _refuse_immutable(kind: Kind, before: dict[str, Any], after: dict[str, Any]) -> None:
    for field in ("name", *kind.immutable):
        if before.get(field) != after.get(field):
            value = after.get(field)
            raise ApiError(
                400, f"Invalid value for field 'resource.{field}': '{value}'. The field is immutable.", "invalid"
            )


def apply(call: Call, kind: Kind, record: Record, before: dict[str, Any], operation: str) -> dict[str, Any]:
    """Writes a changed resource; a hook's refusal may come by the operation (`late_in_use`)."""
    scope = record.key.rpartition(f"/{kind.collection}/")[0]
    if kind.on_change:
        try:
            kind.on_change(call, record, before)
        except ApiError as error:
            if not (kind.late_in_use and error.reason == "resourceInUseByAnotherResource"):
                raise
            arguments = {"code": error.code, "reason": error.reason, "message": error.message}
            return operations.begin(call, record, operation, scope=scope, work="compute.refuse", arguments=arguments)
    record.hidden |= record.body.pop("__hidden__", {})
    save(call, kind, record)
    return operations.begin(call, record, operation, scope=scope)


def in_use(record: Record, kind: Kind, user: str) -> ApiError:
    """400 in Compute's words; health checks have words of their own (recordings/FACTS.md)."""
    name = f"'{record.key}' is already being used by '{user}'"
    return ApiError(400, f"The {kind.noun} resource {name}", "resourceInUseByAnotherResource")


def refuse_if_used(tx: Transaction, cloud: Cloud, record: Record, kind: Kind) -> None:
    """Raises the in-use error if anything refers to the resource."""
    users = tx.users_of(record.key)
    if users and kind.collection in ("healthChecks", "httpHealthChecks"):
        raise _health_check_in_use(tx, cloud, record, users[0][0])
    if users:
        raise in_use(record, kind, users[0][0])


def _health_check_in_use(tx: Transaction, cloud: Cloud, record: Record, user: str) -> ApiError:
    def named(key: str, noun: str) -> str:
        _, project, *rest = key.split("/")
        where = "GLOBAL:global" if rest[0] == "global" else f"REGION:{rest[1]}"
        return f"{where}/PROJECT:{cloud.projects.number(tx, project)}/{noun}:{rest[-1]}"

    text = (
        f"The health_check resource '{named(record.key, 'HEALTH_CHECK')}' is already being used by "
        f"'{named(user, 'BACKEND_SERVICE')}'"
    )
    return ApiError(400, text, "resourceInUseByAnotherResource")


def delete(call: Call) -> dict[str, Any]:
    """DELETE of a resource."""
    place = locate(call)
    kind = kind_of(call, place.collection)
    if earlier := operations.repeated(call):
        return earlier
    record = fetch(call, str(place.key))
    check_ready(call, record.key)
    if not kind.late_in_use:
        refuse_if_used(call.tx, call.cloud, record, kind)
    if kind.on_delete:
        kind.on_delete(call, record)
    arguments = {"key": record.key}
    return operations.begin(
        call,
        record,
        kind.operation("delete", call.method.id),
        scope=place.scope,
        work="compute.delete",
        arguments=arguments,
    )


def _delete(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> None:
    del result
    kind = KINDS[arguments["key"].split("/")[-2]]
    if record := tx.get(kind.store, arguments["key"]):
        refuse_if_used(tx, cloud, record, kind)
        tx.delete(kind.store, record.key)
        tx.delete("iam.policies", f"//compute.googleapis.com/{record.key}")


def _refuse(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> None:
    del cloud, tx, result
    raise ApiError(arguments["code"], arguments["message"], arguments["reason"], details=arguments.get("details"))


WORKS["compute.delete"] = Work(finish=_delete)
WORKS["compute.refuse"] = Work(finish=_refuse)


def set_labels(call: Call) -> dict[str, Any]:
    """POST .../setLabels: all labels, by their fingerprint."""
    place = locate(call)
    kind = kind_of(call, place.collection)
    record = fetch(call, str(place.key))
    given = call.body.get("labelFingerprint")
    if given is not None and given != record.body.get("labelFingerprint"):
        raise ApiError(
            412, "Labels fingerprint either invalid or resource labels have changed", "conditionNotMet", extra=_IF_MATCH
        )
    record.body["labels"] = clean(call.body).get("labels", {})
    if not record.body["labels"]:
        del record.body["labels"]
    save(call, kind, record)
    done = kind.collection != "instances"
    operation = "setLabels" if done else "compute.instance.setLabels"
    return operations.begin(call, record, operation, scope=place.scope, done=done)


_VERBS = {
    "insert": insert, "get": get, "list": list_all, "aggregatedList": aggregated, "patch": change, "update": change,
    "delete": delete, "setLabels": set_labels,
}  # fmt: skip


def fallback(call: Call) -> Any:
    """Compute methods without a behaviour of their own."""
    handler = HANDLERS.get(call.method.id) or _VERBS.get(call.method.verb)
    if handler is None or locate(call).collection not in KINDS:
        raise not_emulated(f"Method {call.method.id}")
    result = handler(call)
    return result


FALLBACKS["compute"] = fallback
