"""What counts as the same, and what as drift."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.module_utils.gcloud.compare import drifts, same, short, undeclared
from plugins.module_utils.gcloud.graphs.cluster import cluster_graph
from plugins.module_utils.gcloud.graphs.instance import instance_graph
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gcloud.model import Field, Spec, patch_body

from .fakes import FakeApi, kind, thing

URL = "https://www.googleapis.com/compute/v1/projects/p/global/networks/n"


@pytest.mark.parametrize(
    ("want", "have"),
    [
        ("projects/p/global/networks/n", URL),
        ("projects/p/global/networks/n", "https://compute.googleapis.com/compute/v1/projects/p/global/networks/n"),
        ("//certificatemanager.googleapis.com/projects/p/locations/global/certificates/c",
         "projects/123/locations/global/certificates/c"),
        (10, "10"),
        (0.5, 0.5),
        (False, None),
        ([], None),
        ({"enable": False}, None),
        ({"a": 1}, {"a": 1, "filled by Google": 2}),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
    ],
)  # fmt: skip
def test_the_same_in_other_words(want: Any, have: Any) -> None:
    assert same(want, have)


@pytest.mark.parametrize(
    ("want", "have"),
    [
        ("projects/p/global/networks/n", "projects/p/global/networks/m"),
        ("projects/p/global/networks/n", "projects/q/global/networks/n"),
        (True, None),
        (True, "true"),
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ({"a": True}, {}),
        ("10", "11"),
        (10, "ten"),
    ],
)
def test_not_the_same(want: Any, have: Any) -> None:
    assert not same(want, have)


def test_short_keeps_what_is_no_reference() -> None:
    assert short(URL) == "projects/p/global/networks/n"
    assert short("https://example.com/projects/x") == "https://example.com/projects/x"
    assert short(7) == 7


def changed(spec: Spec, have: Spec) -> list[str]:
    return [drift.path for drift in drifts(thing("a", spec), spec, have)]


def test_unset_is_left_alone_and_empty_clears() -> None:
    have = {"size": 3, "ranges": ["10.0.0.0/8"], "ports": [{"name": "a", "port": 1}]}
    assert changed({}, have) == []
    assert changed({"ranges": []}, have) == ["ranges"]
    assert changed({"ports": []}, have) == ["ports"]


def test_sets_have_no_order_and_keyed_lists_are_whole() -> None:
    assert changed({"ranges": ["b", "a"]}, {"ranges": ["a", "b"]}) == []
    assert changed({"ranges": ["a", "a"]}, {"ranges": ["a", "b"]}) == ["ranges"]
    have = {"ports": [{"name": "b", "port": 2}, {"name": "a", "port": 1, "id": 9}]}
    assert changed({"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}, have) == []
    assert changed({"ports": [{"name": "a", "port": 1}]}, have) == ["ports"]


def test_labels_are_exact_but_for_googles_own() -> None:
    assert changed({"labels": {"a": "1"}}, {"labels": {"a": "1", "goog-managed": "x"}}) == []
    assert changed({"labels": {"a": "1"}}, {"labels": {"a": "1", "b": "2"}}) == ["labels"]


def test_defaults_speak_where_google_is_silent() -> None:
    spec = {"mode": "REGIONAL"}
    wanted = thing("a", spec, of=kind(fields=(Field("mode", default="REGIONAL"),)))
    assert drifts(wanted, spec, {}) == []


def test_patch_keeps_what_google_filled_in_of_the_items_it_keeps() -> None:
    spec = {"ports": [{"name": "a", "port": 5}]}
    have = {"ports": [{"name": "a", "port": 1, "type": "PUBLIC"}, {"name": "old"}]}
    wanted = thing("a", spec)
    assert patch_body(wanted, spec, have, drifts(wanted, spec, have)) == {
        "ports": [{"name": "a", "port": 5, "type": "PUBLIC"}]
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_everything_is_the_same_as_itself(value: Any) -> None:
    assert same(value, value)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(), max_size=6), st.randoms())
def test_a_set_is_the_same_in_any_order(values: list[int], random: Any) -> None:
    other = list(values)
    random.shuffle(other)
    assert changed({"ranges": values}, {"ranges": other}) == []


NETWORK = {
    "project": "p",
    "name": "n",
    "mtu": 1460,
    "routing_mode": "REGIONAL",
    "subnets": [
        {
            "name": "s",
            "region": "r",
            "range": "10.0.0.0/20",
            "secondary_ranges": {"pods": "10.32.0.0/14"},
            "private_google_access": True,
            "flow_logs": {"enabled": True, "interval": "INTERVAL_5_SEC", "sampling": 0.5, "metadata": "M"},
        }
    ],
    "routers": [{"name": "r", "region": "r", "nats": [{"name": "n", "dynamic_ports": True, "log": "ALL"}]}],
    "firewall_rules": [
        {
            "name": "f",
            "description": "d",
            "direction": "INGRESS",
            "priority": 1,
            "source_ranges": ["10.0.0.0/8"],
            "destination_ranges": ["10.0.0.0/8"],
            "source_tags": ["t"],
            "target_tags": ["t"],
            "target_service_accounts": ["a"],
            "action": action,
            "protocols": [{"protocol": "tcp", "ports": ["22"]}],
            "log": True,
        }
        for action in ("allow", "deny")
    ],
    "private_services": {"name": "psa", "range": "10.40.0.0/20"},
}
INSTANCE = {
    "project": "p",
    "name": "i",
    "zone": "europe-west1-b",
    "machine_type": "e2-small",
    "image": "projects/debian-cloud/global/images/family/debian-12",
    "disk_gb": 20,
    "disk_type": "pd-balanced",
    "subnet": "s",
    "service_account": "a@p.iam.gserviceaccount.com",
    "shielded": True,
    "tags": ["t"],
    "labels": {"a": "b"},
    "metadata": {"enable-oslogin": "TRUE"},
}
CLUSTER = {
    "project": "p",
    "name": "c",
    "location": "europe-west1",
    "network": "n",
    "subnet": "s",
    "pods_range": "pods",
    "services_range": "services",
    "control_plane_range": "172.16.0.0/28",
    "authorized_networks": [{"range": "10.0.0.0/20", "name": "bastion"}],
    "version": "1.33",
    "release_channel": "REGULAR",
    "node_service_account": "a",
    "node_tags": ["t"],
    "node_pools": [
        {
            "name": "general",
            "machine_type": "e2-standard-4",
            "disk_type": "pd-balanced",
            "disk_gb": 100,
            "spot": False,
            "zones": ["europe-west1-b"],
            "initial_nodes": 1,
            "min_nodes": 1,
            "max_nodes": 3,
            "max_pods_per_node": 64,
            "labels": {"a": "b"},
            "taints": [{"key": "k", "effect": "NO_SCHEDULE"}],
        }
    ],
    "logging": ["SYSTEM_COMPONENTS"],
    "monitoring": ["SYSTEM_COMPONENTS"],
    "managed_prometheus": False,
    "maintenance": {"start": "s", "end": "e", "recurrence": "FREQ=DAILY"},
    "secrets_key": "k",
    "security_group": "g",
    "binary_authorization": "DISABLED",
    "labels": {"a": "b"},
}


@pytest.mark.parametrize(
    "graph",
    [network_graph(NETWORK, FakeApi()), instance_graph(INSTANCE), cluster_graph(CLUSTER)],
    ids=["net", "vm", "gke"],
)
def test_every_wanted_field_is_declared_so_that_no_change_goes_unseen(graph: Any) -> None:
    assert {resource.key: undeclared(resource) for resource in graph if undeclared(resource)} == {}
