"""IAM: service accounts with their keys and policies, roles, workload identity pools; and IAM Credentials."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from typing import Any

from google.auth import crypt
from google.auth import jwt as google_jwt

from .. import lro, seed
from ..catalog import SERVICES
from ..core import AUTHORIZERS, Call, handles, hexes, lineage
from ..discovery import Library
from ..errors import ApiError
from ..filters import page
from ..limits import late
from ..permissions import grants, needed, roles
from ..store import Record
from . import policies

ACCOUNTS, KEYS, ROLES = "iam.serviceAccounts", "iam.serviceAccountKeys", "iam.roles"
_ID = re.compile(r"[a-z]([-a-z0-9]{4,28}[a-z0-9])")


def _email(call: Call) -> str:
    name = call.path.get("name") or call.path.get("resource") or ""
    parts = name.split("/")
    return parts[3] if len(parts) > 3 else ""


def resource_of(email: str, project: str) -> str:
    """The full resource name of a service account."""
    return f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"


def _owner(call: Call, email: str) -> str:
    if email.isdigit():
        found = next((item for item in call.tx.list(ACCOUNTS) if item.body["uniqueId"] == email), None)
        return str(found.body["projectId"]) if found else call.project
    named = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    return named if call.tx.get("projects", named) else call.project


def _authorize(call: Call, permission: str | None) -> None:
    email = _email(call)
    project = _owner(call, email) if email else call.project
    resources = (resource_of(email, project),) if email else ()
    if permission and not call.access.allowed(call.principal, permission, lineage(project, *resources)):
        resource = f"projects/{project}" + (f"/serviceAccounts/{email}" if email else "")
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com",
            "metadata": {"permission": permission, "resource": resource},
        }
        text = f"Permission '{permission}' denied on resource (or it may not exist)."
        raise ApiError(403, text, "forbidden", details=[detail])


AUTHORIZERS["iam"] = _authorize
AUTHORIZERS["iamcredentials"] = _authorize


def _account(call: Call) -> Record:
    email = _email(call)
    project = _owner(call, email)
    record = call.tx.get(ACCOUNTS, f"projects/{project}/serviceAccounts/{email}")
    if record is None and email.isdigit():
        record = next((item for item in call.tx.list(ACCOUNTS) if item.body["uniqueId"] == email), None)
    if record is None:
        raise ApiError(404, "Unknown service account", "notFound")
    if late(call.tx, ACCOUNTS, record.key, call.cloud.limits.seconds("accounts"), call.clock.now()):
        raise ApiError(404, f"Service account {record.key} does not exist.", "notFound")
    return record


@handles("iam.projects.serviceAccounts.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a service account; synchronous."""
    account = str(call.body.get("accountId", ""))
    if not _ID.fullmatch(account):
        text = f'Invalid service account ID "{account}": 6 to 30 lower-case letters, digits and hyphens are wanted.'
        raise ApiError(400, text, "badRequest")
    email = f"{account}@{call.project}.iam.gserviceaccount.com"
    if call.tx.get(ACCOUNTS, f"projects/{call.project}/serviceAccounts/{email}"):
        text = f"Service account {account} already exists within project projects/{call.project}."
        raise ApiError(409, text, "alreadyExists")
    record = seed.service_account_record(call.cloud, call.tx, call.project, email, call.body.get("serviceAccount", {}))
    record.hidden["made"] = call.clock.now()
    call.tx.put(record)
    return record.body


@handles("iam.projects.serviceAccounts.get")
def get(call: Call) -> dict[str, Any]:
    """GET; the project may be `-`."""
    return _account(call).body


@handles("iam.projects.serviceAccounts.list")
def list_accounts(call: Call) -> dict[str, Any]:
    """The service accounts of a project."""
    items = [record.body for record in call.tx.list(ACCOUNTS, f"projects/{call.project}/")]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("pageSize") or 100))
    return {**({"accounts": chosen} if chosen else {}), **({"nextPageToken": more} if more else {})}


@handles("iam.projects.serviceAccounts.patch")
def patch(call: Call) -> dict[str, Any]:
    """PATCH answers only what was patched, and the name."""
    record = _account(call)
    given = call.body.get("serviceAccount", {})
    answer = {"name": record.body["name"]}
    for field in str(call.body.get("updateMask", "")).split(","):
        name = {"display_name": "displayName", "displayName": "displayName", "description": "description"}.get(
            field.strip()
        )
        if name is None:
            raise ApiError(400, f"Invalid update mask: {field}", "badRequest")
        record.body.pop(name, None)
        if given.get(name):
            record.body[name] = answer[name] = given[name]
    call.tx.put(record)
    return answer


@handles("iam.projects.serviceAccounts.update")
def update(call: Call) -> dict[str, Any]:
    """PUT of display name and description."""
    record = _account(call)
    for name in ("displayName", "description"):
        if name in call.body:
            record.body[name] = call.body[name]
    call.tx.put(record)
    return record.body


@handles("iam.projects.serviceAccounts.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE, with the keys and the policy."""
    record = _account(call)
    for key in call.tx.list(KEYS, f"{record.key}/keys/"):
        call.tx.delete(KEYS, key.key)
    call.tx.delete(ACCOUNTS, record.key)
    call.tx.delete("iam.policies", resource_of(record.body["email"], record.body["projectId"]))
    return {}


@handles("iam.projects.serviceAccounts.disable", "iam.projects.serviceAccounts.enable")
def set_state(call: Call) -> dict[str, Any]:
    """Disables or enables; a disabled account's tokens are refused."""
    record = _account(call)
    record.body.pop("disabled", None)
    if call.method.verb == "disable":
        record.body["disabled"] = True
    call.tx.put(record)
    return {}


def _policy_resource(call: Call) -> str:
    record = _account(call)
    return resource_of(record.body["email"], record.body["projectId"])


@handles("iam.projects.serviceAccounts.getIamPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """Who may act as the account."""
    return policies.read(call, _policy_resource(call))


@handles("iam.projects.serviceAccounts.setIamPolicy")
def set_policy(call: Call) -> dict[str, Any]:
    """Replaces who may act as the account."""
    return policies.write(call, _policy_resource(call), call.body.get("policy", {}))


@handles("iam.projects.serviceAccounts.testIamPermissions")
def test_permissions(call: Call) -> dict[str, Any]:
    """Which of the asked permissions the caller has on the account."""
    return policies.test(call, (_policy_resource(call),), call.body.get("permissions", []))


@handles("iam.projects.serviceAccounts.keys.create")
def create_key(call: Call) -> dict[str, Any]:
    """A new key; its private half is in this answer and nowhere else."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    record = _account(call)
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    name = f"{record.key}/keys/{hexes(40)}"
    body = {
        "name": name,
        "keyAlgorithm": "KEY_ALG_RSA_2048",
        "keyOrigin": "GOOGLE_PROVIDED",
        "keyType": "USER_MANAGED",
        "validAfterTime": call.clock.zulu(0),
        "validBeforeTime": "9999-12-31T23:59:59Z",
    }
    hidden = {"email": record.body["email"], "public_key_pem": public.decode()}
    call.tx.put(Record(KEYS, name, body, hidden))
    file = {
        "type": "service_account",
        "project_id": call.project,
        "private_key_id": name.rpartition("/")[2],
        "private_key": private.decode(),
        "client_email": record.body["email"],
        "client_id": record.body["uniqueId"],
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    }
    data = base64.b64encode(json.dumps(file, indent=2).encode()).decode()
    return {**body, "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE", "privateKeyData": data}


@handles("iam.projects.serviceAccounts.keys.list")
def list_keys(call: Call) -> dict[str, Any]:
    """The keys of an account."""
    return {"keys": [key.body for key in call.tx.list(KEYS, f"{_account(call).key}/keys/")]}


@handles("iam.projects.serviceAccounts.keys.get", "iam.projects.serviceAccounts.keys.delete")
def one_key(call: Call) -> dict[str, Any]:
    """GET or DELETE of a key."""
    name = f"{_account(call).key}/keys/{call.path['name'].rpartition('/')[2]}"
    record = call.tx.get(KEYS, name)
    if record is None:
        raise ApiError(404, "Service account key does not exist.", "notFound")
    if call.method.verb == "delete":
        call.tx.delete(KEYS, name)
        return {}
    return record.body


@handles("iam.roles.list")
def list_roles(call: Call) -> dict[str, Any]:
    """The predefined roles that are known here."""
    items = [_role(name) for name in sorted(roles())]
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("pageSize") or 300))
    return {"roles": chosen, **({"nextPageToken": more} if more else {})}


def _role(name: str) -> dict[str, Any]:
    return {"name": name, "title": roles()[name]["title"], "stage": "GA", "etag": "AA=="}


@handles("iam.roles.get")
def get_role(call: Call) -> dict[str, Any]:
    """GET of a predefined role with those of its permissions that some method of the emulated services needs."""
    name = call.path["name"]
    if name not in roles():
        raise ApiError(404, f"The role named {name} was not found.", "notFound")
    found = sorted(item for item in _universe(call.cloud.library) if grants(name, item))
    return {**_role(name), "includedPermissions": found}


@cache
def _universe(library: Library) -> frozenset[str]:
    """Every permission that a method of the emulated services needs, and every one that a role names."""
    found = {item for role in roles().values() for item in role["permissions"] if "*" not in item}
    for service in SERVICES:
        for document in service.documents:
            methods = library.document(document).methods
            found |= {item for method in methods if (item := needed(method.id, service.permission_prefix))}
    return frozenset(found)


@handles("iam.projects.roles.create")
def create_role(call: Call) -> dict[str, Any]:
    """A role of the project's own."""
    name = f"projects/{call.project}/roles/{call.body.get('roleId', '')}"
    if call.tx.get(ROLES, name):
        raise ApiError(409, f"A role named {name} already exists.", "alreadyExists")
    body = {**call.body.get("role", {}), "name": name, "etag": "BwYk"}
    call.tx.put(Record(ROLES, name, body))
    return body


@handles("iam.projects.roles.get", "iam.projects.roles.patch", "iam.projects.roles.delete")
def one_role(call: Call) -> dict[str, Any]:
    """GET, PATCH or DELETE of a role of the project's own."""
    record = call.tx.get(ROLES, call.path["name"])
    if record is None:
        raise ApiError(404, f"The role named {call.path['name']} was not found.", "notFound")
    if call.method.verb == "patch":
        record.body |= {key: value for key, value in call.body.items() if key not in ("name", "etag")}
        call.tx.put(record)
    if call.method.verb == "delete":
        call.tx.delete(ROLES, record.key)
    return record.body


@handles("iam.projects.roles.list")
def list_own_roles(call: Call) -> dict[str, Any]:
    """The roles of the project's own."""
    found = [record.body for record in call.tx.list(ROLES, f"projects/{call.project}/")]
    return {"roles": found} if found else {}


@handles("iamcredentials.projects.serviceAccounts.generateAccessToken")
def generate_token(call: Call) -> dict[str, Any]:
    """An access token for a service account that the caller may act as."""
    record = _account(call)
    seconds = int(float(str(call.body.get("lifetime", "3600s")).rstrip("s")))
    token = call.cloud.identities.issue(record.body["email"], seconds)
    from ..clock import zulu

    return {"accessToken": token["access_token"], "expireTime": zulu(call.clock.now() + seconds, 0)}


@handles("iamcredentials.projects.serviceAccounts.signJwt", "iamcredentials.projects.serviceAccounts.signBlob")
def sign(call: Call) -> dict[str, Any]:
    """Signs with a key that Google keeps for the account; it is made when it is first needed."""
    record = _account(call)
    name, pem = _system_key(call, record)
    signer = crypt.RSASigner.from_string(pem, name.rpartition("/")[2])
    if call.method.verb == "signJwt":
        token = google_jwt.encode(signer, json.loads(call.body.get("payload", "{}")))
        return {"keyId": signer.key_id, "signedJwt": token.decode()}
    signed = signer.sign(base64.b64decode(call.body.get("payload", "")))
    return {"keyId": signer.key_id, "signedBlob": base64.b64encode(signed).decode()}


def _system_key(call: Call, account: Record) -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    for key in call.tx.list(KEYS, f"{account.key}/keys/"):
        if key.body["keyType"] == "SYSTEM_MANAGED":
            return key.key, key.hidden["private_key_pem"]
    key_pair = rsa.generate_private_key(65537, 2048)
    private = key_pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    public = key_pair.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name = f"{account.key}/keys/{hexes(40)}"
    body = {
        "name": name,
        "keyAlgorithm": "KEY_ALG_RSA_2048",
        "keyOrigin": "GOOGLE_PROVIDED",
        "keyType": "SYSTEM_MANAGED",
    }
    hidden = {"email": account.body["email"], "public_key_pem": public.decode(), "private_key_pem": private}
    call.tx.put(Record(KEYS, name, body, hidden))
    return name, private


_POOLS = "iam.workloadIdentityPools"


def _pool_key(call: Call, name: str) -> str:
    return f"projects/{call.number}/{name.split('/', 2)[2]}"


@handles(
    "iam.projects.locations.workloadIdentityPools.create",
    "iam.projects.locations.workloadIdentityPools.providers.create",
)
def create_pool(call: Call) -> dict[str, Any]:
    """POST of a pool or provider: an operation below it."""
    providers = ".providers." in call.method.id
    identifier = call.query.get("workloadIdentityPoolProviderId" if providers else "workloadIdentityPoolId")
    word = "providers" if providers else "workloadIdentityPools"
    name = f"{_pool_key(call, call.path['parent'])}/{word}/{identifier}"
    if call.tx.get(_POOLS, name):
        raise ApiError(409, "Requested entity already exists", "alreadyExists")
    body = {key: value for key, value in call.body.items() if value not in (False, "", None)}
    call.tx.put(Record(_POOLS, name, {**body, "name": name, "state": "ACTIVE"}))
    return lro.begin(call, f"{name}/operations/{lro.new_uuid()}", None)


@handles(
    "iam.projects.locations.workloadIdentityPools.get",
    "iam.projects.locations.workloadIdentityPools.providers.get",
    "iam.projects.locations.workloadIdentityPools.patch",
    "iam.projects.locations.workloadIdentityPools.providers.patch",
    "iam.projects.locations.workloadIdentityPools.delete",
    "iam.projects.locations.workloadIdentityPools.providers.delete",
)
def one_pool(call: Call) -> dict[str, Any]:
    """GET, PATCH or DELETE of a pool or provider; a deleted one still shows, as DELETED."""
    name = _pool_key(call, call.path["name"])
    record = call.tx.get(_POOLS, name)
    if record is None:
        raise ApiError(404, "Requested entity was not found.", "notFound")
    if call.method.verb == "get":
        return record.body
    if call.method.verb == "patch":
        from .masks import apply_mask

        apply_mask(record.body, call.body, str(call.query.get("updateMask", "")))
        record.body = {key: value for key, value in record.body.items() if value not in (False, "", None)}
    else:
        record.body["state"] = "DELETED"
    call.tx.put(record)
    return lro.begin(call, f"{name}/operations/{lro.new_uuid()}", None)


@handles(
    "iam.projects.locations.workloadIdentityPools.operations.get",
    "iam.projects.locations.workloadIdentityPools.providers.operations.get",
)
def pool_operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    return lro.get(call)
