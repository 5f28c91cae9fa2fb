"""Cloud SQL: instances, databases, users; a PostgreSQL server of the hypervisor is behind each instance."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

from .. import core
from ..core import AUTHORIZERS, Call, Cloud, handles, hexes, lineage
from ..errors import ApiError
from ..jobs import STYLES, WORKS, Arguments, Failure, Work
from ..store import Record, Transaction, canonical
from ..substrate import DatabaseSpec
from . import servicenetworking
from .compute.generic import merge, with_defaults

INSTANCES, DATABASES, USERS, OPERATIONS = "sql.instances", "sql.databases", "sql.users", "sql.operations"
_BASE = "https://sqladmin.googleapis.com/sql/v1beta4/"
_SETTINGS: dict[str, Any] = {
    "kind": "sql#settings",
    "activationPolicy": "ALWAYS",
    "availabilityType": "ZONAL",
    "backupConfiguration": {
        "kind": "sql#backupConfiguration",
        "enabled": False,
        "startTime": "08:00",
        "backupRetentionSettings": {"retentionUnit": "COUNT", "retainedBackups": 7},
        "transactionLogRetentionDays": 7,
    },
    "connectorEnforcement": "NOT_REQUIRED",
    "dataDiskSizeGb": "10",
    "dataDiskType": "PD_SSD",
    "deletionProtectionEnabled": False,
    "edition": "ENTERPRISE",
    "ipConfiguration": {"ipv4Enabled": True, "sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED"},
    "pricingPlan": "PER_USE",
    "replicationType": "SYNCHRONOUS",
    "storageAutoResize": True,
    "storageAutoResizeLimit": "0",
}


def _authorize(call: Call, permission: str | None) -> None:
    """Cloud SQL does not say which permission is missing in the message."""
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project)):
        raise ApiError(403, "The client is not authorized to make this request.", "notAuthorized")


AUTHORIZERS["sqladmin"] = _authorize


def _key(call: Call) -> str:
    return f"projects/{call.project}/instances/{call.path['instance']}"


def _instance(call: Call) -> Record:
    record = call.tx.get(INSTANCES, _key(call))
    if record is None:
        raise ApiError(404, "The Cloud SQL instance does not exist.", "instanceDoesNotExist")
    return record


def _begin(call: Call, target: str, kind: str, work: str | None, arguments: Arguments) -> dict[str, Any]:
    """Starts an operation on an instance (its key) and returns the first answer."""
    name = str(uuid.uuid4())
    instance = target.rpartition("/")[2]
    body = {
        "kind": "sql#operation",
        "targetLink": f"{_BASE}{target}",
        "status": "PENDING",
        "user": call.principal.email,
        "insertTime": call.clock.zulu(3),
        "operationType": kind,
        "name": name,
        "targetId": instance,
        "selfLink": f"{_BASE}projects/{call.project}/operations/{name}",
        "targetProject": call.project,
    }
    key = f"projects/{call.project}/operations/{name}"
    operation = Record(OPERATIONS, key, body, {"instance": target})
    call.cloud.jobs.start(call.tx, operation, work, arguments, call.clock.delay(call.method.id))
    return body


def _end(cloud: Cloud, operation: Record, failure: Failure | None, response: Any) -> None:
    del response
    now = cloud.clock.zulu(3)
    operation.body |= {"status": "DONE", "startTime": operation.body["insertTime"], "endTime": now}
    if failure:
        error = {"kind": "sql#operationError", "code": failure.reason.upper(), "message": failure.message}
        operation.body["error"] = {"kind": "sql#operationErrors", "errors": [error]}


STYLES[OPERATIONS] = _end


def _refuse_if_busy(call: Call, key: str) -> None:
    for job in call.tx.list("world.jobs"):
        operation = call.tx.get(OPERATIONS, job.key) if job.hidden["kind"] == OPERATIONS else None
        if operation and operation.hidden["instance"] == key:
            text = (
                "Operation failed because another operation was already in progress. Try your request after the "
                "current operation is complete."
            )
            raise ApiError(409, text, "operationInProgress")


@handles("sql.instances.insert")
def insert(call: Call) -> dict[str, Any]:
    """POST of an instance: DONE when its server answers."""
    name = str(call.body.get("name", ""))
    key = f"projects/{call.project}/instances/{name}"
    _check_new(call, name, key)
    region = call.body.get("region") or call.cloud.config.region
    body = with_defaults({"settings": _SETTINGS}, {k: v for k, v in call.body.items() if k != "rootPassword"})
    settings = body["settings"]
    settings["settingsVersion"] = "1"
    settings.setdefault("locationPreference", {"kind": "sql#locationPreference", "zone": f"{region}-b"})
    body |= {
        "kind": "sql#instance",
        "name": name,
        "project": call.project,
        "region": region,
        "gceZone": settings["locationPreference"].get("zone", f"{region}-b"),
        "connectionName": f"{call.project}:{region}:{name}",
        "backendType": "SECOND_GEN",
        "instanceType": "CLOUD_SQL_INSTANCE",
        "state": "PENDING_CREATE",
        "createTime": call.clock.zulu(3),
        "databaseInstalledVersion": f"{body['databaseVersion']}_14",
        "maintenanceVersion": f"{body['databaseVersion']}_14.R20261004.00_06",
        "serviceAccountEmailAddress": f"p{call.number}-{hexes(6)}@gcp-sa-cloud-sql.iam.gserviceaccount.com",
        "sqlNetworkArchitecture": "NEW_NETWORK_ARCHITECTURE",
        "selfLink": f"{_BASE}{key}",
    }
    record = Record(INSTANCES, key, body, {"network": _network(call, settings)})
    _stamp(record)
    call.tx.put(record)
    _first_users(call, record)
    arguments = {"key": key, "fresh": True}
    return _begin(call, key, "CREATE", "sql.ensure", arguments)


def _check_new(call: Call, name: str, key: str) -> None:
    if not name or len(name) > 98:
        raise ApiError(400, "Invalid request: Invalid name: the instance name must be 1 to 98 characters.", "invalid")
    if call.tx.get(INSTANCES, key):
        text = (
            "The Cloud SQL instance already exists. When you delete an instance, you can't reuse the name of the "
            "deleted instance until one week from the deletion date."
        )
        raise ApiError(409, text, "instanceAlreadyExists")
    if not str(call.body.get("databaseVersion", "")).startswith("POSTGRES_"):
        text = f"Database version {call.body.get('databaseVersion')!r}: only PostgreSQL is emulated in this world."
        raise ApiError(501, text, "notImplemented")
    if not call.body.get("settings", {}).get("tier"):
        raise ApiError(400, "Invalid request: Missing parameter: tier.", "required")


def _network(call: Call, settings: dict[str, Any]) -> str:
    """The key of the network an instance is in; `""` without a private address."""
    given = settings["ipConfiguration"].get("privateNetwork", "")
    if not given:
        return ""
    key = given.partition("/v1/")[2] or given
    parts = key.split("/")
    project = call.cloud.projects.id(call.tx, parts[1]) if len(parts) > 4 else None
    key = f"projects/{project}/global/networks/{parts[-1]}"
    if call.tx.get("compute.networks", key) is None:
        raise ApiError(400, f"Invalid request: Incorrect Service Networking config for instance: {given}.", "invalid")
    settings["ipConfiguration"]["privateNetwork"] = key
    return key


def _stamp(record: Record) -> None:
    shown = {name: value for name, value in record.body.items() if name != "etag"}
    record.body["etag"] = hashlib.sha256(canonical(shown).encode()).hexdigest()


def _first_users(call: Call, record: Record) -> None:
    """What every PostgreSQL instance starts with: the user and the database `postgres`."""
    password = call.body.get("rootPassword") or core.hexes(32)
    _put_user(call, record, "postgres", password)
    _put_database(call, record, {"name": "postgres", "charset": "UTF8", "collation": "en_US.UTF8"})


def database_spec(tx: Transaction, record: Record) -> DatabaseSpec:
    """The server behind an instance, with all its databases and users."""
    address = next((item["ipAddress"] for item in record.body.get("ipAddresses", [])), "")
    return {
        "key": record.key,
        "version": record.body["databaseVersion"],
        "address": address,
        "databases": [item.body["name"] for item in tx.list(DATABASES, f"{record.key}/")],
        "users": [
            {"name": item.body["name"], "password": item.hidden["password"]}
            for item in tx.list(USERS, f"{record.key}/")
        ],
    }


def _give_address(cloud: Cloud, tx: Transaction, record: Record) -> None:
    """A private address from the range of private services access, a public one from Google's.

    Raises:
        ApiError: the network has no connection to Google's services.
    """
    if record.body.get("ipAddresses"):
        return
    del cloud
    addresses = []
    taken = {item["ipAddress"] for other in tx.list(INSTANCES) for item in other.body.get("ipAddresses", [])}
    if record.hidden["network"]:
        private = servicenetworking.allocate(tx, record.hidden["network"], taken)
        if private is None:
            _, project, _, _, network = record.hidden["network"].split("/")
            text = (
                "Failed to create subnetwork. Please create Service Networking connection with service "
                f"'servicenetworking.googleapis.com' from consumer project '{project}' network '{network}' again."
            )
            raise ApiError(400, text, "NETWORK_NOT_PEERED")
        addresses.append({"type": "PRIVATE", "ipAddress": private})
    if record.body["settings"]["ipConfiguration"].get("ipv4Enabled"):
        addresses.append({"type": "PRIMARY", "ipAddress": f"34.120.254.{1 + len(taken) % 250}"})
    record.body["ipAddresses"] = addresses
    tx.put(record)


def _prepare(cloud: Cloud, tx: Transaction, arguments: Arguments) -> Callable[[], Any] | None:
    record = tx.get(INSTANCES, arguments["key"])
    if record is None:
        return None
    try:
        _give_address(cloud, tx, record)
    except ApiError as error:
        arguments["refused"] = {"code": error.code, "reason": error.reason, "message": error.message}
        return None
    wanted = database_spec(tx, record)
    return lambda: cloud.substrate.ensure_database(wanted)


def _finish(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del result
    record = tx.get(INSTANCES, arguments["key"])
    if record is None:
        return
    if refused := arguments.get("refused"):
        record.body["state"] = "FAILED"
        tx.put(record)
        raise ApiError(refused["code"], refused["message"], refused["reason"])
    if "serverCaCert" not in record.body:
        record.body["serverCaCert"] = _authority(cloud, record)
    record.body["state"] = "RUNNABLE"
    _stamp(record)
    tx.put(record)


def _fail(cloud: Cloud, tx: Transaction, arguments: Arguments, failure: Failure) -> None:
    del cloud, failure
    record = tx.get(INSTANCES, arguments["key"])
    if record and arguments.get("fresh"):
        record.body["state"] = "FAILED"
        tx.put(record)


def _authority(cloud: Cloud, record: Record) -> dict[str, Any]:
    """The certificate that clients verify the server by: the world's own authority, where there is one."""
    if cloud.config.ca_cert is None:
        return {}
    pem = cloud.config.ca_cert.read_text()
    return {
        "kind": "sql#sslCert",
        "instance": record.body["name"],
        "cert": pem,
        "commonName": "C=US,O=Google\\, Inc,CN=Google Cloud SQL Server CA",
        "sha1Fingerprint": hashlib.sha256(pem.encode()).hexdigest()[:40],
    }


def _remove(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> None:
    del result
    if (instance := tx.get(INSTANCES, arguments["key"])) and (network := instance.hidden.get("network")):
        servicenetworking.release(cloud, tx, network)
    for kind in (DATABASES, USERS):
        for item in tx.list(kind, f"{arguments['key']}/"):
            tx.delete(kind, item.key)
    tx.delete(INSTANCES, arguments["key"])


WORKS["sql.ensure"] = Work(prepare=_prepare, finish=_finish, fail=_fail)
WORKS["sql.remove"] = Work(
    prepare=lambda cloud, tx, arguments: lambda: cloud.substrate.remove_database(arguments["key"]), finish=_remove
)


@handles("sql.instances.get")
def get(call: Call) -> dict[str, Any]:
    """GET of an instance."""
    return _instance(call).body


@handles("sql.instances.list")
def list_instances(call: Call) -> dict[str, Any]:
    """The instances of a project."""
    items = [record.body for record in call.tx.list(INSTANCES, f"projects/{call.project}/")]
    return {"kind": "sql#instancesList", **({"items": items} if items else {})}


@handles("sql.instances.patch", "sql.instances.update")
def patch(call: Call) -> dict[str, Any]:
    """PATCH or PUT of an instance."""
    record = _instance(call)
    _refuse_if_busy(call, record.key)
    version = call.body.get("settings", {}).get("settingsVersion")
    if version and version != record.body["settings"]["settingsVersion"]:
        raise ApiError(412, "Condition does not match.", "conditionNotMet")
    for name in ("name", "region"):
        if call.body.get(name) not in (None, record.body[name]):
            raise ApiError(400, f"Invalid request: {name} cannot be changed.", "invalid")
    given = {
        key: value for key, value in call.body.items() if key in ("settings", "databaseVersion", "maintenanceVersion")
    }
    record.body = merge(record.body, given)
    record.body["settings"]["settingsVersion"] = str(int(record.body["settings"]["settingsVersion"]) + 1)
    record.hidden["network"] = _network(call, record.body["settings"])
    _stamp(record)
    call.tx.put(record)
    return _begin(call, record.key, "UPDATE", "sql.ensure", {"key": record.key})


@handles("sql.instances.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE, unless the instance is protected."""
    record = _instance(call)
    _refuse_if_busy(call, record.key)
    if record.body["settings"].get("deletionProtectionEnabled"):
        text = (
            "The instance is protected. Please disable the deletion protection and try again. To disable deletion "
            "protection, update the instance settings with deletionProtectionEnabled set to false."
        )
        raise ApiError(400, text, "deletionProtectionEnabled")
    record.body["state"] = "PENDING_DELETE"
    call.tx.put(record)
    return _begin(call, record.key, "DELETE", "sql.remove", {"key": record.key})


@handles("sql.instances.restart")
def restart(call: Call) -> dict[str, Any]:
    """Restarts the server (which is only looked after: it must run)."""
    record = _instance(call)
    _refuse_if_busy(call, record.key)
    return _begin(call, record.key, "RESTART", "sql.ensure", {"key": record.key})


@handles("sql.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    record = call.tx.get(OPERATIONS, f"projects/{call.project}/operations/{call.path['operation']}")
    if record is None:
        raise ApiError(404, "The Cloud SQL instance operation does not exist.", "operationDoesNotExist")
    return record.body


@handles("sql.operations.list")
def list_operations(call: Call) -> dict[str, Any]:
    """The operations of a project or instance, the newest first."""
    items = [record.body for record in call.tx.list(OPERATIONS, f"projects/{call.project}/")]
    if wanted := call.query.get("instance"):
        items = [item for item in items if item["targetId"] == wanted]
    items.sort(key=lambda item: str(item["insertTime"]), reverse=True)
    return {"kind": "sql#operationsList", "items": items}


def _put_database(call: Call, instance: Record, given: dict[str, Any]) -> Record:
    name = given["name"]
    key = f"{instance.key}/databases/{name}"
    body = {
        "charset": "UTF8",
        "collation": "en_US.UTF8",
        **given,
        "kind": "sql#database",
        "instance": instance.body["name"],
        "project": call.project,
        "selfLink": f"{_BASE}{key}",
    }
    body["etag"] = hashlib.sha256(canonical(body).encode()).hexdigest()
    record = Record(DATABASES, key, body)
    call.tx.put(record)
    return record


@handles("sql.databases.insert")
def insert_database(call: Call) -> dict[str, Any]:
    """POST of a database."""
    instance = _instance(call)
    _refuse_if_busy(call, instance.key)
    name = str(call.body.get("name", ""))
    if not name:
        raise ApiError(400, "Invalid request: Missing parameter: name.", "required")
    if call.tx.get(DATABASES, f"{instance.key}/databases/{name}"):
        raise ApiError(400, f'Invalid request: database "{name}" already exists.', "invalid")
    _put_database(call, instance, call.body)
    return _begin(call, instance.key, "CREATE_DATABASE", "sql.ensure", {"key": instance.key})


def _database(call: Call) -> Record:
    record = call.tx.get(DATABASES, f"{_instance(call).key}/databases/{call.path['database']}")
    if record is None:
        raise ApiError(404, f'Not Found: database "{call.path["database"]}" does not exist.', "notFound")
    return record


@handles("sql.databases.get")
def get_database(call: Call) -> dict[str, Any]:
    """GET of a database."""
    return _database(call).body


@handles("sql.databases.list")
def list_databases(call: Call) -> dict[str, Any]:
    """The databases of an instance."""
    items = [record.body for record in call.tx.list(DATABASES, f"{_instance(call).key}/")]
    return {"kind": "sql#databasesList", "items": items}


@handles("sql.databases.delete")
def delete_database(call: Call) -> dict[str, Any]:
    """DELETE of a database."""
    instance, record = _instance(call), _database(call)
    _refuse_if_busy(call, instance.key)
    call.tx.delete(DATABASES, record.key)
    return _begin(call, instance.key, "DELETE_DATABASE", "sql.ensure", {"key": instance.key})


def _put_user(call: Call, instance: Record, name: str, password: str) -> None:
    key = f"{instance.key}/users/{name}"
    body = {
        "kind": "sql#user",
        "name": name,
        "host": "",
        "instance": instance.body["name"],
        "project": call.project,
        "type": "BUILT_IN",
    }
    call.tx.put(Record(USERS, key, body, {"password": password}))


@handles("sql.users.insert")
def insert_user(call: Call) -> dict[str, Any]:
    """POST of a user."""
    instance = _instance(call)
    _refuse_if_busy(call, instance.key)
    name = str(call.body.get("name", ""))
    if not name:
        raise ApiError(400, "Invalid request: Missing parameter: name.", "required")
    if call.tx.get(USERS, f"{instance.key}/users/{name}"):
        raise ApiError(400, f'Invalid request: User "{name}" already exists.', "invalid")
    _put_user(call, instance, name, str(call.body.get("password", "")))
    return _begin(call, instance.key, "CREATE_USER", "sql.ensure", {"key": instance.key})


@handles("sql.users.get")
def get_user(call: Call) -> dict[str, Any]:
    """GET of a user, without the password."""
    record = call.tx.get(USERS, f"{_instance(call).key}/users/{call.path['name']}")
    if record is None:
        raise ApiError(404, "User does not exist.", "userDoesNotExist")
    return record.body


@handles("sql.users.list")
def list_users(call: Call) -> dict[str, Any]:
    """The users of an instance, without their passwords."""
    items = [record.body for record in call.tx.list(USERS, f"{_instance(call).key}/")]
    return {"kind": "sql#usersList", "items": items}


@handles("sql.users.update")
def update_user(call: Call) -> dict[str, Any]:
    """A new password."""
    instance = _instance(call)
    _refuse_if_busy(call, instance.key)
    record = call.tx.get(USERS, f"{instance.key}/users/{call.query.get('name', '')}")
    if record is None:
        raise ApiError(404, "User does not exist.", "userDoesNotExist")
    record.hidden["password"] = str(call.body.get("password", ""))
    call.tx.put(record)
    return _begin(call, instance.key, "UPDATE_USER", "sql.ensure", {"key": instance.key})


@handles("sql.users.delete")
def delete_user(call: Call) -> dict[str, Any]:
    """DELETE of a user."""
    instance = _instance(call)
    _refuse_if_busy(call, instance.key)
    key = f"{instance.key}/users/{call.query.get('name', '')}"
    if call.tx.get(USERS, key) is None:
        raise ApiError(404, "User does not exist.", "userDoesNotExist")
    call.tx.delete(USERS, key)
    return _begin(call, instance.key, "DELETE_USER", "sql.ensure", {"key": instance.key})
