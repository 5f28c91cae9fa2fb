"""The first state of a cloud: the company's project, its accounts, groups, policy, and the APIs of a fresh project."""

from __future__ import annotations

from typing import Any

from . import catalog
from .config import Account
from .core import Cloud, new_id, project_resource
from .store import Record, Transaction


def seed(cloud: Cloud) -> None:
    """Fills an empty state; on later starts only brings groups and keys up to the configuration."""
    config = cloud.config
    with cloud.store.transaction() as tx:
        for name, members in config.groups.items():
            _put_if_new(tx, Record("world.groups", name, {"members": sorted(members)}))
        first = tx.get("projects", config.project) is None
        if first:
            make_project(cloud, tx, config.project, config.number, config.organization, config.billing_account)
            for service in config.enabled_services:
                enable(cloud, tx, config.project, service)
        for account in config.accounts:
            if account.email.endswith(".iam.gserviceaccount.com"):
                _service_account(cloud, tx, account)
        if first:
            _grant(tx, config.project, config.accounts)


def _put_if_new(tx: Transaction, record: Record) -> None:
    """Writes only what differs, so that a start without news leaves the file as it is."""
    old = tx.get(record.kind, record.key)
    if old is None or old.body != record.body or old.hidden != record.hidden:
        tx.put(record)


def make_project(cloud: Cloud, tx: Transaction, project: str, number: str, parent: str, billing: str) -> Record:
    """A project as it is when new: with the APIs of a fresh project and an empty policy."""
    body = {
        "id": project,
        "number": number,
        "parent": parent,
        "displayName": project,
        "createTime": cloud.clock.zulu(3),
        "updateTime": cloud.clock.zulu(3),
        "state": "ACTIVE",
        "labels": {},
        "billing": billing,
    }
    record = Record("projects", project, body)
    tx.put(record)
    tx.put(Record("iam.policies", project_resource(project), {"version": 1, "bindings": []}))
    for service in catalog.FRESH:
        enable(cloud, tx, project, service)
    return record


def enable(cloud: Cloud, tx: Transaction, project: str, service: str, made: float = 0.0) -> None:
    """Turns an API on, with those it brings along and the agents that Google makes for it.

    `made` is when (seconds since the epoch); 0: long ago.
    """
    for name in (*catalog.IMPLIED.get(service, ()), service):
        key = f"projects/{project}/services/{name}"
        if tx.get("serviceusage.services", key) is None:
            tx.put(Record("serviceusage.services", key, {"state": "ENABLED"}, {"made": made}))
            _agents(cloud, tx, project, name)


# API -> (local part and domain of its agent's address, the role it gets on the project)
_AGENTS = {
    "compute.googleapis.com": (
        ("service-{}@compute-system.iam.gserviceaccount.com", "roles/compute.serviceAgent"),
        ("{}@cloudservices.gserviceaccount.com", "roles/editor"),
        ("{}-compute@developer.gserviceaccount.com", "roles/editor"),
    ),
    "container.googleapis.com": (
        ("service-{}@container-engine-robot.iam.gserviceaccount.com", "roles/container.serviceAgent"),
    ),
    "servicenetworking.googleapis.com": (
        ("service-{}@service-networking.iam.gserviceaccount.com", "roles/servicenetworking.serviceAgent"),
    ),
}


def _agents(cloud: Cloud, tx: Transaction, project: str, service: str) -> None:
    number = cloud.projects.number(tx, project)
    for address, role in _AGENTS.get(service, ()):
        email = address.format(number)
        add_binding(tx, project_resource(project), role, f"serviceAccount:{email}")
        if email.endswith("@developer.gserviceaccount.com"):
            name = "Compute Engine default service account"
            tx.put(service_account_record(cloud, tx, project, email, {"displayName": name}))


def add_binding(tx: Transaction, resource: str, role: str, member: str) -> None:
    """Grants a role; bindings are sorted by role, a new member comes last."""
    record = tx.get("iam.policies", resource) or Record("iam.policies", resource, {"version": 1, "bindings": []})
    bindings = record.body.setdefault("bindings", [])
    binding = next((item for item in bindings if item["role"] == role and "condition" not in item), None)
    if binding is None:
        binding = {"role": role, "members": []}
        bindings.append(binding)
        bindings.sort(key=lambda item: str(item["role"]))
    if member not in binding["members"]:
        binding["members"].append(member)
        record.hidden["revision"] = record.hidden.get("revision", 0) + 1
        tx.put(record)


def service_account_record(cloud: Cloud, tx: Transaction, project: str, email: str, given: dict[str, Any]) -> Record:
    """A service account (recordings/iam/serviceAccounts)."""
    unique = new_id(tx)
    key = f"projects/{project}/serviceAccounts/{email}"
    body = {
        **{name: value for name, value in given.items() if name in ("displayName", "description") and value},
        "name": key,
        "projectId": project,
        "uniqueId": f"1{unique}"[:21],
        "email": email,
        "etag": "MDEwMjE5MjA=",
        "oauth2ClientId": f"1{unique}"[:21],
    }
    del cloud
    return Record("iam.serviceAccounts", key, body)


def _service_account(cloud: Cloud, tx: Transaction, account: Account) -> None:
    project = account.email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    key = f"projects/{project}/serviceAccounts/{account.email}"
    if tx.get("iam.serviceAccounts", key) is None:
        tx.put(
            service_account_record(cloud, tx, project, account.email, {"displayName": account.email.partition("@")[0]})
        )
    if account.public_key_pem:
        name = f"{key}/keys/{account.key_id or 'seeded'}"
        hidden = {"email": account.email, "public_key_pem": account.public_key_pem}
        body = {
            "name": name,
            "keyAlgorithm": "KEY_ALG_RSA_2048",
            "keyOrigin": "GOOGLE_PROVIDED",
            "keyType": "USER_MANAGED",
            "validAfterTime": "2026-01-05T09:00:00Z",
            "validBeforeTime": "9999-12-31T23:59:59Z",
        }
        _put_if_new(tx, Record("iam.serviceAccountKeys", name, body, hidden))


def _grant(tx: Transaction, project: str, accounts: tuple[Account, ...]) -> None:
    for account in accounts:
        kind = "serviceAccount" if account.email.endswith(".gserviceaccount.com") else "user"
        for role in account.roles:
            add_binding(tx, project_resource(project), role, f"{kind}:{account.email}")
