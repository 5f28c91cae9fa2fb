"""Quotas: what is used of them, and the operation that fails because one is exceeded."""

from __future__ import annotations

from typing import Any

from ...core import Call, new_id
from ...errors import ApiError
from ...store import Record
from . import operations, places
from .links import BASE, Place

# metric -> the limit that a new project has (a region's are those of `REGIONAL`)
PROJECT = {
    "NETWORKS": 15.0, "SUBNETWORKS": 175.0, "FIREWALLS": 200.0, "ROUTERS": 20.0, "STATIC_ADDRESSES": 69.0,
    "IN_USE_ADDRESSES": 69.0, "FORWARDING_RULES": 45.0, "BACKEND_SERVICES": 50.0, "URL_MAPS": 30.0,
    "HEALTH_CHECKS": 75.0, "SSL_CERTIFICATES": 30.0, "SECURITY_POLICIES": 10.0, "IMAGES": 2000.0,
}  # fmt: skip
REGIONAL = {
    "CPUS": 72.0, "IN_USE_ADDRESSES": 69.0, "STATIC_ADDRESSES": 69.0, "SSD_TOTAL_GB": 500.0,
    "DISKS_TOTAL_GB": 4096.0, "INSTANCES": 720.0,
}  # fmt: skip
_COUNTED = {
    "networks": "NETWORKS", "subnetworks": "SUBNETWORKS", "firewalls": "FIREWALLS", "routers": "ROUTERS",
    "addresses": "STATIC_ADDRESSES", "forwardingRules": "FORWARDING_RULES", "backendServices": "BACKEND_SERVICES",
    "urlMaps": "URL_MAPS", "healthChecks": "HEALTH_CHECKS", "sslCertificates": "SSL_CERTIFICATES",
    "securityPolicies": "SECURITY_POLICIES", "instances": "INSTANCES",
}  # fmt: skip

_COLLECTION = {metric: collection for collection, metric in _COUNTED.items()}


def _needs(call: Call, place: Place, body: dict[str, Any]) -> dict[str, float]:
    """How much of which metric a new resource takes."""
    found = {_COUNTED[place.collection]: 1.0} if place.collection in _COUNTED else {}
    if place.collection == "instances":
        name = str(body.get("machineType", "")).rpartition("/")[2]
        shape = places.machine_type(BASE, call.project, str(place.zone), name)
        found["CPUS"] = float(shape["guestCpus"]) if shape else 0.0
    if place.collection == "disks":
        found[_disk_metric(body)] = float(body.get("sizeGb") or 10)
    return found


def _disk_metric(body: dict[str, Any]) -> str:
    return "DISKS_TOTAL_GB" if str(body.get("type", "pd-standard")).endswith("pd-standard") else "SSD_TOTAL_GB"


def used(call: Call, metric: str, region: str | None) -> float:
    """How much of a metric the project uses, in all or in a region."""
    total = 0.0
    head = f"projects/{call.project}/"
    if region is None and metric in _COLLECTION:
        return float(call.tx.count(f"compute.{_COLLECTION[metric]}", head))
    for collection in ("addresses", "instances", "disks"):
        for record in call.tx.list(f"compute.{collection}", head):
            parts = record.key.split("/")
            place = Place("/".join(parts[:-2]), collection, record.key)
            if region is None or _region(place) == region:
                total += _needs(call, place, record.body).get(metric, 0.0)
    return total


def _region(place: Place) -> str | None:
    return places.region_of(place.zone) if place.zone else place.region


def limit(call: Call, metric: str, region: str | None) -> float:
    """The limit of a metric, in the project or in a region."""
    return call.cloud.limits.quota(metric, (REGIONAL if region else PROJECT).get(metric, float("inf")))


def shown(call: Call, region: str | None) -> list[dict[str, Any]]:
    """The quotas of the project or of a region, as `projects.get` and `regions.get` list them."""
    return [
        {"metric": metric, "limit": limit(call, metric, region), "usage": used(call, metric, region)}
        for metric in (REGIONAL if region else PROJECT)
    ]


def exceeded(call: Call, place: Place, body: dict[str, Any]) -> ApiError | None:
    """Why a new resource is too much, if it is.

    The error's details say metric, limit and region as the operation's `errorDetails` do.
    """
    for metric, amount in _needs(call, place, body).items():
        region = _region(place) if metric in REGIONAL and metric not in ("FORWARDING_RULES",) else None
        most = limit(call, metric, region)
        if used(call, metric, region) + amount <= most:
            continue
        where = f"in region {region}." if region else "globally."
        info = {
            "metricName": f"compute.googleapis.com/{metric.lower()}",
            "limitName": f"{metric.replace('_', '-')}-per-project{'-region' if region else ''}",
            "dimensions": {"region": region} if region else {"global": "global"},
            "limit": most,
        }
        text = f"Quota '{metric}' exceeded.  Limit: {most} {where}"
        return ApiError(403, text, "QUOTA_EXCEEDED", details=[{"quotaInfo": info}])
    return None


def refused(call: Call, place: Place, kind: str, error: ApiError) -> dict[str, Any]:
    """The insert's operation, which ends with the error; nothing is made."""
    target = Record(f"compute.{place.collection}", f"{place.scope}/{place.collection}/{call.body.get('name')}", {})
    target.body["id"] = new_id(call.tx)
    arguments = {"code": error.code, "reason": error.reason, "message": error.message, "details": error.details}
    return operations.begin(call, target, kind, scope=place.scope, work="compute.refuse", arguments=arguments)
