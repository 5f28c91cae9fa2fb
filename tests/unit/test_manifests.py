"""The filters that lay the platform's settings over an upstream manifest."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

FILE = Path(__file__).resolve().parents[2] / "plugins/filter/manifests.py"
MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {kept: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dex}
"""


@pytest.fixture(scope="module")
def filters() -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("manifests", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.FilterModule().filters()
    return found


def test_mappings_are_merged_and_objects_deleted(filters: dict[str, Any]) -> None:
    patches = (
        "kind: ConfigMap\nmetadata: {name: settings}\ndata: {added: '2'}",
        "kind: Deployment\nmetadata: {name: dex}\n$patch: delete",
    )
    assert filters["patched_manifests"](MANIFEST, *patches) == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"kept": "1", "added": "2"}}
    ]


def test_lists_of_a_network_policy_are_replaced(filters: dict[str, Any]) -> None:
    """They have no merge key, so that Kustomize replaces them, too."""
    manifest = "kind: NetworkPolicy\nmetadata: {name: n}\nspec: {ingress: [{}], podSelector: {}}"
    patch = "kind: NetworkPolicy\nmetadata: {name: n}\nspec: {ingress: [{from: []}]}"
    (found,) = filters["patched_manifests"](manifest, patch)
    assert found["spec"] == {"ingress": [{"from": []}], "podSelector": {}}


def test_a_patch_of_nothing_is_refused(filters: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match="Service/dex, which the manifest doesn't have"):
        filters["patched_manifests"](MANIFEST, "kind: Service\nmetadata: {name: dex}\n$patch: delete")


def test_lists_are_refused_rather_than_replaced(filters: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match=r"ConfigMap/settings\.data\.kept: patches with lists"):
        filters["patched_manifests"](MANIFEST, "kind: ConfigMap\nmetadata: {name: settings}\ndata: {kept: [1]}")


def test_another_digest_is_refused(filters: dict[str, Any]) -> None:
    assert filters["verified"]("text", hashlib.sha256(b"text").hexdigest(), "x") == "text"
    with pytest.raises(AnsibleFilterError, match="Do not use it"):
        filters["verified"]("text", "0" * 64, "https://example.com/x")


def test_objects_without_a_condition_are_named(filters: dict[str, Any]) -> None:
    ready = {"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    unready = {"metadata": {"name": "b"}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
    silent = {"metadata": {"name": "c"}}
    assert filters["without_condition"]([ready, unready, silent], "Ready") == ["b", "c"]
