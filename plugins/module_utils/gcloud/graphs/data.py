"""From the options of gcp_data_stores to resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kinds.data import (
    BUCKET,
    DATABASE,
    DATABASE_USER,
    PURGE,
    REPOSITORY,
    SECRET,
    SECRET_VALUE,
    SQL_INSTANCE,
    replication,
)
from ..kinds.iam import BUCKET_POLICY, REPOSITORY_POLICY, SECRET_POLICY, PolicyKind
from ..kinds.network import CONNECTION
from ..model import MARK, Output, Resource, Spec
from .identity import role_pairs
from .network import PRIVATE_SERVICES, given

SECRET_LENGTH = 32


def data_graph(options: Mapping[str, Any]) -> list[Resource]:
    """Buckets, repositories, secrets and databases.

    When the task does not wait, a database instance is only started: what lives in it comes with the task that waits.
    """
    labels = options.get("labels")
    project = {"project": options["project"], **({PURGE: "yes"} if options.get("purge") else {})}
    graph: list[Resource] = []
    for bucket in options.get("buckets") or []:
        graph += _with_policy(_bucket(bucket, labels, project), BUCKET_POLICY, bucket.get("members"))
    for repository in options.get("repositories") or []:
        graph += _with_policy(_repository(repository, labels, project), REPOSITORY_POLICY, repository.get("members"))
    for secret in options.get("secrets") or []:
        graph += _secret(secret, labels, project, options)
    for instance in options.get("databases") or []:
        graph += _database(instance, labels, project, options)
    return graph


def data_outputs(seen: Mapping[str, Spec | None]) -> dict[str, Any]:
    """The database instances by name, with state and private address; never a secret's value."""
    found = {}
    for key, have in seen.items():
        if key.startswith("database_instance/") and have:
            addresses = {entry.get("type"): entry.get("ipAddress") for entry in have.get("ipAddresses") or []}
            found[key.split("/", 1)[1]] = {
                "state": have.get("state"),
                "private_address": addresses.get("PRIVATE", ""),
                "connection_name": have.get("connectionName", ""),
            }
    return {"databases": found}


def _with_policy(made: Resource, kind: PolicyKind, members: Any) -> list[Resource]:
    pairs = role_pairs(members)
    if not pairs:
        return [made]
    return [made, Resource(kind, made.name, {"members": pairs}, made.params, (made.key,))]


def _bucket(bucket: Mapping[str, Any], labels: Any, params: dict[str, str]) -> Resource:
    days = bucket.get("keep_versions_days")
    spec = given(
        {
            "location": bucket["location"],
            "storageClass": "STANDARD",
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "versioning": {"enabled": bool(days)} if days is not None else None,
            "labels": labels,
        }
    )
    if days:
        condition = {"daysSinceNoncurrentTime": days}
        spec["lifecycle"] = {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}
    return Resource(BUCKET, bucket["name"], spec, params)


def _repository(repository: Mapping[str, Any], labels: Any, params: dict[str, str]) -> Resource:
    spec = given({"format": repository.get("format") or "DOCKER", "description": MARK, "labels": labels})
    return Resource(REPOSITORY, repository["name"], spec, {**params, "location": repository["location"]})


def _secret(
    secret: Mapping[str, Any], labels: Any, params: dict[str, str], options: Mapping[str, Any]
) -> list[Resource]:
    spec = given({"replication": replication(options.get("secret_locations")), "labels": labels})
    made = Resource(SECRET, secret["name"], spec, params)
    length = secret.get("length") or SECRET_LENGTH
    value = Resource(SECRET_VALUE, secret["name"], {"length": length}, params, (made.key,))
    policy = _with_policy(made, SECRET_POLICY, secret.get("members"))
    return [*policy, value]


def _database(
    instance: Mapping[str, Any], labels: Any, params: dict[str, str], options: Mapping[str, Any]
) -> list[Resource]:
    project, wait = params["project"], options.get("wait", True)
    settings = given(
        {
            "tier": instance["tier"],
            "edition": "ENTERPRISE",
            "availabilityType": instance.get("availability"),
            "dataDiskSizeGb": None if instance.get("disk_gb") is None else str(instance["disk_gb"]),
            "storageAutoResize": True,
            "deletionProtectionEnabled": instance.get("deletion_protection"),
            "ipConfiguration": {
                "ipv4Enabled": False,
                "privateNetwork": f"projects/{project}/global/networks/{instance['network']}",
                "sslMode": instance.get("ssl_mode") or "ENCRYPTED_ONLY",
            },
            "backupConfiguration": _backups(instance.get("backup_start")),
            "databaseFlags": instance.get("flags"),
            "userLabels": labels,
        }
    )
    spec = {"databaseVersion": instance["version"], "region": instance["region"], "settings": settings}
    reached = (f"{CONNECTION.name}/{PRIVATE_SERVICES}",)  # the network layer makes it
    made = Resource(SQL_INSTANCE, instance["name"], spec, params, reached, wait)
    inside: list[Resource] = []
    where = instance["name"] if len(options["databases"]) > 1 else ""
    place = {**params, "instance": instance["name"]}
    turn: tuple[str, ...] = (made.key,)  # an instance refuses what comes while it is at something else
    for name in instance.get("databases") or []:
        inside.append(Resource(DATABASE, name, {"charset": "UTF8"}, place, turn, where=where))
        turn = (made.key, inside[-1].key)
    for user in instance.get("users") or []:
        secret = user["password_secret"]
        secret_parts = _secret({"name": secret, "members": user.get("secret_members")}, labels, params, options)
        version = Output(f"secret_value/{secret}", "version")
        spec = {"passwordVersion": version}
        made_with = {**place, "secret": secret}
        inside += [*secret_parts, Resource(DATABASE_USER, user["name"], spec, made_with, turn, where=where)]
        turn = (made.key, inside[-1].key)
    if options.get("state") == "absent":  # databases and users go with their instance, or stay with it
        return [made, *(part for part in inside if part.kind not in (DATABASE, DATABASE_USER))]
    return [made, *inside] if wait else [made]


def _backups(start: str | None) -> Spec | None:
    if start is None:
        return None
    return {"enabled": True, "startTime": start, "pointInTimeRecoveryEnabled": True}
