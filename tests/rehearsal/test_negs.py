"""The NEG controller's reading of Services and their endpoints."""

from __future__ import annotations

from typing import Any

from rehearsal.cluster.negs import Endpoint, endpoints_by_zone

SERVICE: dict[str, Any] = {"spec": {"ports": [{"name": "http", "port": 80}, {"name": "status", "port": 15021}]}}
ZONES = {"node-b": "europe-west1-b", "node-c": "europe-west1-c", "lost": ""}


def piece(*endpoints: dict[str, Any]) -> dict[str, Any]:
    ports = [{"name": "http", "port": 8080}, {"name": "status", "port": 15021}]
    return {"ports": ports, "endpoints": list(endpoints)}


def endpoint(address: str, node: str, ready: bool | None = True) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": {} if ready is None else {"ready": ready}}


def test_endpoints_are_grouped_by_the_zone_of_their_node() -> None:
    slices = [piece(endpoint("10.0.0.1", "node-b")), piece(endpoint("10.0.1.1", "node-c", None))]
    assert endpoints_by_zone(SERVICE, slices, "80", ZONES) == {
        "europe-west1-b": {Endpoint("10.0.0.1", 8080, "node-b")},
        "europe-west1-c": {Endpoint("10.0.1.1", 8080, "node-c")},
    }


def test_a_zone_without_pods_has_no_group() -> None:
    """Lesson 16: the NEG of a zone without pods does not exist."""
    assert list(endpoints_by_zone(SERVICE, [piece(endpoint("10.0.0.1", "node-b"))], "80", ZONES)) == ["europe-west1-b"]


def test_pods_that_are_not_ready_or_nowhere_are_left_out() -> None:
    slices = [piece(endpoint("10.0.0.1", "node-b", False), endpoint("10.0.0.2", "lost"), endpoint("10.0.0.3", "gone"))]
    assert endpoints_by_zone(SERVICE, slices, "80", ZONES) == {}


def test_each_port_of_the_service_has_its_own() -> None:
    slices = [piece(endpoint("10.0.0.1", "node-b"))]
    assert endpoints_by_zone(SERVICE, slices, "15021", ZONES) == {
        "europe-west1-b": {Endpoint("10.0.0.1", 15021, "node-b")}
    }
    assert endpoints_by_zone(SERVICE, slices, "9999", ZONES) == {}
