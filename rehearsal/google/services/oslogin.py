"""OS Login: POSIX accounts and SSH keys of people and service accounts."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ..auth import Principal
from ..core import AUTHORIZERS, Call, handles, lineage
from ..errors import ApiError
from ..permissions import Access
from ..store import Record, Transaction

_KIND = "oslogin.profiles"


def _authorize(call: Call, permission: str | None) -> None:
    """Everybody reads and writes only their own profile."""
    del permission
    account = _account(call)
    if account != call.principal.email:
        raise ApiError(403, "The caller does not have permission", "forbidden")


AUTHORIZERS["oslogin"] = _authorize


def _account(call: Call) -> str:
    for value in call.path.values():
        parts = value.split("/")
        if parts[0] == "users" and len(parts) > 1:
            return parts[1]
    raise ApiError(400, "Request contains an invalid argument.", "badRequest")


def username(email: str, unique: str = "") -> str:
    """The POSIX name: `sa_<unique id>` for service accounts, else the address with `_` where needed."""
    if email.endswith(".gserviceaccount.com"):
        return f"sa_{unique}"
    return re.sub(r"[^a-z0-9_-]", "_", email.lower())[:32]


def _uid(email: str) -> int:
    return 1_000_000_000 + int(hashlib.sha256(email.encode()).hexdigest()[:8], 16) % 1_000_000_000


def profile(tx: Transaction, email: str, project: str) -> Record:
    """The profile of an account, made when it is first asked for; only an import keeps it."""
    if found := tx.get(_KIND, email):
        return found
    owner = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    account = tx.get("iam.serviceAccounts", f"projects/{owner}/serviceAccounts/{email}")
    name = username(email, account.body["uniqueId"] if account else "")
    uid = str(_uid(email))
    posix = {
        "primary": True,
        "username": name,
        "uid": uid,
        "gid": uid,
        "homeDirectory": f"/home/{name}",
        "shell": "/bin/bash",
        "gecos": "",
        "operatingSystemType": "LINUX",
        "accountId": project,
        "name": f"users/{email}/projects/{project}",
    }
    return Record(_KIND, email, {"name": str(_uid(email) * 7), "posixAccounts": [posix]})


@handles("oslogin.users.getLoginProfile")
def get(call: Call) -> dict[str, Any]:
    """GET users/<account>/loginProfile."""
    return profile(call.tx, _account(call), call.project).body


def fingerprint(key: str) -> str:
    """Under which name a public key is kept: the SHA-256 of its text."""
    return hashlib.sha256(key.strip().encode()).hexdigest()


@handles("oslogin.users.importSshPublicKey")
def import_key(call: Call) -> dict[str, Any]:
    """Adds a key to the caller's profile; the same key again renews its expiry."""
    text = str(call.body.get("key", "")).strip()
    if not re.match(r"(ssh-(rsa|ed25519|dss)|ecdsa-sha2-\S+|sk-\S+) \S+", text):
        raise ApiError(400, "Invalid argument: SSH public key is malformed.", "badRequest")
    record = profile(call.tx, _account(call), call.project)
    key = {
        "key": text,
        "fingerprint": fingerprint(text),
        "name": f"users/{_account(call)}/sshPublicKeys/{fingerprint(text)}",
    }
    if expiry := call.body.get("expirationTimeUsec"):
        key["expirationTimeUsec"] = str(expiry)
    record.body.setdefault("sshPublicKeys", {})[fingerprint(text)] = key
    call.tx.put(record)
    return {"loginProfile": record.body}


@handles("oslogin.users.sshPublicKeys.create")
def create_key(call: Call) -> dict[str, Any]:
    """POST of a key."""
    import_key(call)
    return get_stored(call, fingerprint(str(call.body["key"])))


def get_stored(call: Call, name: str) -> dict[str, Any]:
    """One key of a profile.

    Raises:
        ApiError: 404.
    """
    record = profile(call.tx, _account(call), call.project)
    found = record.body.get("sshPublicKeys", {}).get(name)
    if found is None:
        raise ApiError(404, "Requested entity was not found.", "notFound")
    return dict(found)


@handles("oslogin.users.sshPublicKeys.get")
def get_key(call: Call) -> dict[str, Any]:
    """GET of a key."""
    return get_stored(call, call.path["name"].rpartition("/")[2])


@handles("oslogin.users.sshPublicKeys.delete")
def delete_key(call: Call) -> dict[str, Any]:
    """DELETE of a key."""
    name = call.path["name"].rpartition("/")[2]
    get_stored(call, name)
    record = profile(call.tx, _account(call), call.project)
    del record.body["sshPublicKeys"][name]
    call.tx.put(record)
    return {}


def for_instance(tx: Transaction, instance: dict[str, Any], path: str, query: dict[str, str]) -> dict[str, Any]:
    """What the metadata server tells the OS Login module of a machine: users by name, and who may log in."""
    project = str(instance.get("key", "")).split("/")[1] if instance.get("key") else ""
    found = [record for record in tx.list(_KIND) if _matches(record, query)]
    if path.startswith("oslogin/users"):
        # Here, unlike in the public API, the profile's name is the e-mail address; Google's guest software needs it.
        return {"loginProfiles": [{**record.body, "name": record.key} for record in found]}
    policy = "compute.instances.osAdminLogin" if query.get("policy") == "adminLogin" else "compute.instances.osLogin"
    groups = [group.key for group in tx.list("world.groups") if found and found[0].key in group.body["members"]]
    resource = f"//compute.googleapis.com/{instance.get('key')}"
    allowed = bool(found) and Access(tx).allowed(
        Principal(found[0].key, tuple(groups)), policy, lineage(project, resource)
    )
    return {"success": allowed}


def _matches(record: Record, query: dict[str, str]) -> bool:
    """Whether a guest's question (by user name, number or e-mail address, or for all) is about this profile."""
    posix = record.body["posixAccounts"][0]
    for name, value in (("username", posix["username"]), ("uid", posix["uid"]), ("email", record.key)):
        if name in query:
            return bool(query[name] == value)
    return "pagesize" in query
