"""The emulator's whole state, without what differs between two runs that do the same: numbers, times, chance."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

# What Google chooses anew each time.
CHOSEN = re.compile(
    r"(id|Id|Ids|uid|etag|[fF]ingerprint|[tT]ime|[tT]imestamp|password|checksum|generation|metageneration|serverCaCert"
    r"|networkIP|ipAddress|address|natIP|endpoint|privateEndpoint|publicEndpoint|IPAddress|rrdatas|instanceGroupUrls"
    r"|peering|nameServers|resourceVersion|version|creationTimestamp|clusterCaCertificate|sshPublicKeys|hash|serial"
    r"|initialClusterVersion|modulus|data|dnsResourceRecord)$"
)
PATTERNS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+(Z|[-+]\d\d:\d\d)"), "TIME"),
    (re.compile(r"-[0-9a-f]{8}(?=-|$)"), "-HASH"),
    (re.compile(r"\bp\d+-[0-9a-f]{6}@gcp-sa"), "pNUMBER@gcp-sa"),
    (re.compile(r"\b\d{9,}\b"), "NUMBER"),
    (re.compile(r"\b(10\.(10|40)|34\.120)\.\d+\.\d+\b(?!/)"), "ADDRESS"),
)
PASSING = re.compile(
    r"operations?$|^lro$|dns\.changes$|Keys$|tokens?$|oslogin|calls$|jobs$"
)  # kinds that are no resource of the platform
LOCK = "/secrets/mlops-run"


def state(dump: str) -> dict[str, Any]:
    """Resources by kind and key, both masked; a resource that is there twice has a number at the end of its key."""
    found: dict[str, Any] = {}
    seen: Counter[str] = Counter()
    for entry in json.loads(dump)["resources"]:
        if PASSING.search(entry["kind"]) or LOCK in entry["key"]:
            continue
        name = masked(f"{entry['kind']} {entry['key']}")
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = masked(entry["body"])
    return found


def masked(value: Any) -> Any:
    """*value* without what is chosen anew."""
    if isinstance(value, dict):
        return {masked(key): "CHOSEN" if CHOSEN.search(key) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((masked(item) for item in value), key=str)
    if isinstance(value, str):
        for pattern, word in PATTERNS:
            value = pattern.sub(word, value)
    return value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two states differ, for people."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{path}/{key}")]
    return [] if one == other else [f"{path}: {str(one)[:200]} is now {str(other)[:200]}"]
