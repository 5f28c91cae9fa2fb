"""Everything of the platform that the project still holds, asked of the APIs themselves and not of the settings.

A thing is the platform's if it carries the labels, or the mark in its description where Google has no labels, or is in
the platform's network.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .compare import short
from .errors import DISABLED, PlatformError
from .model import MARK, Caller, Spec

WORKERS = 8


@dataclass(frozen=True)
class Listing:
    """How to list one kind of thing. ``items`` is the answer's key; ``scoped``: of each scope of an aggregated list.

    ``costs``: whether Google charges for one that is only there. ``labels``: the key of its labels.
    """

    title: str
    service: str
    method: str
    params: Mapping[str, str]
    costs: bool
    items: str = "items"
    scoped: bool = False
    labels: str = "labels"


PROJECT = {"project": "{project}"}
PARENT = {"parent": "projects/{project}"}
EVERYWHERE = {"parent": "projects/{project}/locations/-"}
LISTINGS = (
    Listing("VM", "compute", "instances.aggregatedList", PROJECT, True, "instances", scoped=True),
    Listing("disk", "compute", "disks.aggregatedList", PROJECT, True, "disks", scoped=True),
    Listing("address", "compute", "addresses.aggregatedList", PROJECT, True, "addresses", scoped=True),
    Listing("router", "compute", "routers.aggregatedList", PROJECT, True, "routers", scoped=True),
    Listing("forwarding rule", "compute", "globalForwardingRules.list", PROJECT, True),
    Listing("security policy", "compute", "securityPolicies.list", PROJECT, True),
    Listing("backend service", "compute", "backendServices.list", PROJECT, False),
    Listing("health check", "compute", "healthChecks.list", PROJECT, False),
    Listing("URL map", "compute", "urlMaps.list", PROJECT, False),
    Listing(
        "network endpoint group", "compute", "networkEndpointGroups.aggregatedList", PROJECT, False,
        "networkEndpointGroups", scoped=True,
    ),
    Listing("firewall rule", "compute", "firewalls.list", PROJECT, False),
    Listing("subnetwork", "compute", "subnetworks.aggregatedList", PROJECT, False, "subnetworks", scoped=True),
    Listing("network", "compute", "networks.list", PROJECT, False),
    Listing("cluster", "container", "listClusters", EVERYWHERE, True, "clusters", labels="resourceLabels"),
    Listing("database instance", "sqladmin", "instances.list", PROJECT, True, labels="settings.userLabels"),
    Listing("bucket", "storage", "buckets.list", PROJECT, True),
    Listing(
        "repository", "artifactregistry", "projects.locations.repositories.list",
        {"parent": "projects/{project}/locations/{region}"}, True, "repositories",
    ),
    Listing("secret", "secretmanager", "projects.secrets.list", PARENT, True, "secrets"),
    Listing("DNS zone", "dns", "managedZones.list", PROJECT, True, "managedZones"),
    Listing(
        "certificate", "certificatemanager", "projects.locations.certificates.list",
        {"parent": "projects/{project}/locations/global"}, True, "certificates",
    ),
)  # fmt: skip


def inventory(api: Caller, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows with ``resource``, ``place``, ``costs`` (bool) and ``why`` it counts as the platform's, by resource.

    Options: ``project``, ``region`` (of the image repository), ``network``, ``labels`` (a thing must carry all).
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda listing: _rows(api, listing, options), LISTINGS)
    return sorted((row for rows in found for row in rows), key=lambda row: row["resource"])


def _rows(api: Caller, listing: Listing, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for entry in _entries(api, listing, options):
        why = _why(entry, listing, options)
        name = str(entry["name"]).rsplit("/", 1)[-1]
        if why:
            # a range that is only reserved inside the network is free
            costs = listing.costs and entry.get("addressType") != "INTERNAL"
            rows.append({"resource": f"{listing.title} {name}", "place": _place(entry), "costs": costs, "why": why})
    return rows


def _place(entry: Spec) -> str:
    if "/locations/" in entry["name"]:
        return str(entry["name"]).split("/locations/", 1)[1].split("/", 1)[0]
    return str(entry.get("zone") or entry.get("region") or entry.get("location") or "global").rsplit("/", 1)[-1].lower()


def _entries(api: Caller, listing: Listing, options: Mapping[str, Any]) -> list[Spec]:
    params = {key: value.format(**options) for key, value in listing.params.items()}
    try:
        if listing.service == "container":
            return list(api.call(listing.service, listing.method, params).get(listing.items) or [])
        key = "items" if listing.scoped else listing.items
        listed = api.pages(listing.service, listing.method, params, key)
    except PlatformError as error:
        if error.reason in DISABLED:
            return []
        raise error.about("list", f"every {listing.title} of project {options['project']}") from error
    return [entry for scope in listed for entry in scope.get(listing.items) or []] if listing.scoped else listed


def _why(entry: Spec, listing: Listing, options: Mapping[str, Any]) -> str:
    labels: Any = entry
    for part in listing.labels.split("."):
        labels = (labels or {}).get(part) or {}
    if options.get("labels") and options["labels"].items() <= labels.items():
        return "labels"
    if MARK in str(entry.get("description", "")):
        return "description"
    network = f"projects/{options['project']}/global/networks/{options['network']}"
    cards = [card.get("network") for card in entry.get("networkInterfaces") or []]
    if network in map(short, [entry.get("network"), entry.get("selfLink"), *cards]):
        return "network"
    return ""
