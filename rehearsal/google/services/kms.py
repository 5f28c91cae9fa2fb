"""Cloud KMS: key rings, keys, their versions and policies (recordings/kms); everything is synchronous."""

from __future__ import annotations

from typing import Any

from ..clock import zulu
from ..core import Call, handles
from ..store import Record
from .collections import Collection, authorize_by_resource
from .masks import apply_mask

_HOST = "cloudkms.googleapis.com"
RINGS = Collection(
    "cloudkms.keyRings", "keyRings", "keyRingId", "keyRings", lambda name: f"KeyRing {name} not found.", _HOST
)
KEYS = Collection(
    "cloudkms.cryptoKeys", "cryptoKeys", "cryptoKeyId", "cryptoKeys", lambda name: f"CryptoKey {name} not found.", _HOST
)
VERSIONS = Collection(
    "cloudkms.cryptoKeyVersions",
    "cryptoKeyVersions",
    "",
    "cryptoKeyVersions",
    lambda name: f"CryptoKeyVersion {name} not found.",
    _HOST,
)
authorize_by_resource("cloudkms", _HOST, numbered=False)
_PREFIX = "cloudkms.projects.locations.keyRings"
_THIRTY_DAYS = 2592000


@handles(f"{_PREFIX}.create")
def create_ring(call: Call) -> dict[str, Any]:
    """POST of a key ring; it can never be deleted."""
    name = RINGS.new(call)
    body = {"name": name, "createTime": call.clock.zulu(9)}
    call.tx.put(Record(RINGS.kind, name, body))
    return body


@handles(f"{_PREFIX}.get")
def get_ring(call: Call) -> dict[str, Any]:
    """GET of a key ring."""
    return RINGS.find(call, call.path["name"]).body


@handles(f"{_PREFIX}.list")
def list_rings(call: Call) -> dict[str, Any]:
    """The key rings at a location."""
    answer = RINGS.list(call, lambda record: record.body)
    return {**answer, "totalSize": len(answer.get("keyRings", []))}


@handles(f"{_PREFIX}.cryptoKeys.create")
def create_key(call: Call) -> dict[str, Any]:
    """POST of a key, with its first version."""
    RINGS.find(call, call.path["parent"])
    name = KEYS.new(call)
    now = call.clock.zulu(9)
    body = {
        "destroyScheduledDuration": f"{_THIRTY_DAYS}s",
        "versionTemplate": {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION", "protectionLevel": "SOFTWARE"},
        **call.body,
        "name": name,
        "createTime": now,
    }
    call.tx.put(Record(KEYS.kind, name, body))
    if not call.query.get("skipInitialVersionCreation"):
        _new_version(call, name, 1)
    return _show(call, name)


def _new_version(call: Call, key: str, number: int) -> Record:
    now = call.clock.zulu(9)
    name = f"{key}/cryptoKeyVersions/{number}"
    body = {"name": name, "state": "ENABLED", "createTime": now, "generateTime": now}
    body |= {"protectionLevel": "SOFTWARE", "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}
    record = Record(VERSIONS.kind, name, body)
    call.tx.put(record)
    return record


def _show(call: Call, name: str) -> dict[str, Any]:
    record = KEYS.find(call, name)
    primary = call.tx.get(VERSIONS.kind, f"{name}/cryptoKeyVersions/{record.hidden.get('primary', 1)}")
    return {**record.body, **({"primary": primary.body} if primary else {})}


@handles(f"{_PREFIX}.cryptoKeys.get")
def get_key(call: Call) -> dict[str, Any]:
    """GET of a key."""
    return _show(call, KEYS.name(call, call.path["name"]))


@handles(f"{_PREFIX}.cryptoKeys.list")
def list_keys(call: Call) -> dict[str, Any]:
    """The keys of a ring."""
    answer = KEYS.list(call, lambda record: _show(call, record.key))
    return {**answer, "totalSize": len(answer.get("cryptoKeys", []))}


@handles(f"{_PREFIX}.cryptoKeys.patch")
def patch_key(call: Call) -> dict[str, Any]:
    """PATCH by mask."""
    record = KEYS.find(call, call.path["name"])
    apply_mask(record.body, call.body, str(call.query.get("updateMask", "")))
    call.tx.put(record)
    return _show(call, record.key)


@handles(f"{_PREFIX}.cryptoKeys.cryptoKeyVersions.list")
def list_versions(call: Call) -> dict[str, Any]:
    """The versions of a key."""
    answer = VERSIONS.list(call, lambda record: record.body)
    return {**answer, "totalSize": len(answer.get("cryptoKeyVersions", []))}


@handles(f"{_PREFIX}.cryptoKeys.cryptoKeyVersions.get")
def get_version(call: Call) -> dict[str, Any]:
    """GET of a version."""
    return VERSIONS.find(call, call.path["name"]).body


@handles(f"{_PREFIX}.cryptoKeys.cryptoKeyVersions.create")
def create_version(call: Call) -> dict[str, Any]:
    """POST of a version."""
    key = KEYS.find(call, call.path["parent"])
    return _new_version(call, key.key, len(call.tx.list(VERSIONS.kind, f"{key.key}/")) + 1).body


@handles(f"{_PREFIX}.cryptoKeys.cryptoKeyVersions.destroy", f"{_PREFIX}.cryptoKeys.cryptoKeyVersions.restore")
def destroy(call: Call) -> dict[str, Any]:
    """Schedules the destruction of a version, or takes it back."""
    record = VERSIONS.find(call, call.path["name"])
    if call.method.verb == "destroy":
        record.body |= {"state": "DESTROY_SCHEDULED", "destroyTime": zulu(call.clock.now() + _THIRTY_DAYS, 9)}
    else:
        record.body["state"] = "DISABLED"
        record.body.pop("destroyTime", None)
    call.tx.put(record)
    return record.body


@handles(*(f"{_PREFIX}.cryptoKeys.{verb}" for verb in ("getIamPolicy", "setIamPolicy", "testIamPermissions")))
def key_policy(call: Call) -> dict[str, Any]:
    """Who may use a key."""
    return KEYS.policy(call)


@handles(*(f"{_PREFIX}.{verb}" for verb in ("getIamPolicy", "setIamPolicy", "testIamPermissions")))
def ring_policy(call: Call) -> dict[str, Any]:
    """Who may use the keys of a ring."""
    return RINGS.policy(call)
