"""Jinja filters for Kubernetes manifests that come from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # seven times as fast where PyYAML has libyaml
# Kinds none of whose lists has a merge key in Kubernetes' API.
WHOLE_LISTS = {"NetworkPolicy"}


def verified(text: str, sha256: str, name: str) -> str:
    """`text` itself, if its SHA-256 is `sha256`; AnsibleFilterError naming `name` otherwise."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != sha256:
        raise AnsibleFilterError(
            f"{name} has the digest {digest}, not the pinned {sha256}. Do not use it: find out why it changed, "
            "then correct platform/pins.yaml."
        )
    return text


def patched_manifests(text: str, *patches: str) -> list[dict[str, Any]]:
    """The objects of the YAML stream `text` with strategic-merge `patches` (YAML streams too) laid over them.

    Does what Kustomize does for the forms that the platform's patches have: mappings merged key by key,
    `$patch: delete` for a whole object, and lists of kinds that replace lists as a whole (WHOLE_LISTS).
    AnsibleFilterError for a patch of an object that isn't there, or with any other list.
    """
    objects = [item for item in yaml.load_all(text, Loader=LOADER) if item]  # a safe loader, see above
    found = {_key(item): item for item in objects}
    for patch in (item for stream in patches for item in yaml.safe_load_all(stream) if item):
        key = _key(patch)
        if key not in found:
            raise AnsibleFilterError(f"a patch changes {'/'.join(key)}, which the manifest doesn't have")
        if patch.get("$patch") == "delete":
            del found[key]
        else:
            _merge(found[key], patch, "/".join(key), key[0] in WHOLE_LISTS)
    return list(found.values())


def _key(item: dict[str, Any]) -> tuple[str, str]:
    return str(item["kind"]), str(item["metadata"]["name"])


def _merge(target: dict[str, Any], patch: dict[str, Any], where: str, lists: bool) -> None:
    for name, value in patch.items():
        if isinstance(value, list) and not lists:
            raise AnsibleFilterError(f"{where}.{name}: patches with lists are not supported here")
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value, f"{where}.{name}", lists)
        else:
            target[name] = value


def without_condition(objects: Iterable[dict[str, Any]], condition: str) -> list[str]:
    """Names of the objects whose status doesn't say that `condition` is true."""
    return [
        item["metadata"]["name"]
        for item in objects
        if not any(
            entry["type"] == condition and entry["status"] == "True"
            for entry in item.get("status", {}).get("conditions", [])
        )
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """By the names under which templates call them."""
        return {
            "verified": verified,
            "patched_manifests": patched_manifests,
            "without_condition": without_condition,
        }
