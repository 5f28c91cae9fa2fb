"""The kinds of resources that make a network. Defaults and update calls: recordings/FACTS.md, Compute Engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..compare import short
from ..errors import PlatformError
from ..model import Caller, Drift, Field, Kind, Resource, RestKind, Spec, Update, lookup, patch_with

PROJECT = {"project": "{project}"}
REGION = {"project": "{project}", "region": "{region}"}
RANGES = (
    "Addresses of a subnetwork in use cannot change: name another range, or make a second subnetwork and move to it."
)

PEERING = "servicenetworking-googleapis-com"
HELD = "Producer services"
# APIs of services that may be in a network by its private services access: docs "Private services access", supported
# services.
PRODUCERS = frozenset(
    {
        *("aiplatform", "alloydb", "apigee", "backupdr", "cloudbuild", "file", "ids", "looker", "lustre", "memcache"),
        *("memorystore", "ml", "netapp", "redis", "tpu", "vmwareengine", "workstations"),
    }
)
OTHER_RULE = "Give the rule another name: the new one is made, and the old one removed."

NETWORK = RestKind(
    name="network",
    service="compute",
    collection="networks",
    own={**PROJECT, "network": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/networks/{name}",
    operation="compute",
    fields=(
        Field("autoCreateSubnetworks", update=None, way_out="Use a network that was made in custom mode."),
        Field("routingConfig.routingMode", default="REGIONAL"),
        Field("mtu", default=1460),
        Field("description", update=None),
    ),
    updates={"patch": Update()},
)


def _private_access(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    return {"privateIpGoogleAccess": spec["privateIpGoogleAccess"]}


def _ranges(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    """First without the ranges that go, then with the new ones: Google refuses both in one request."""
    wanted = {item["rangeName"]: item for item in spec["secondaryIpRanges"]}
    there = have.get("secondaryIpRanges") or []
    kept = [item for item in there if item["rangeName"] in wanted]
    send = list(wanted.values()) if len(kept) == len(there) else kept
    return {"secondaryIpRanges": send, "fingerprint": have["fingerprint"]}


SUBNETWORK = RestKind(
    name="subnetwork",
    service="compute",
    collection="subnetworks",
    own={**REGION, "subnetwork": "{name}"},
    parent=REGION,
    link="projects/{project}/regions/{region}/subnetworks/{name}",
    operation="compute",
    fields=(
        Field("network", update=None),
        Field("ipCidrRange", update=None, way_out=RANGES),
        Field("secondaryIpRanges", update="ranges", compare="keyed", key="rangeName"),
        Field("privateIpGoogleAccess", update="private_access", default=False),
        Field("logConfig.enable", default=False),
        Field("logConfig.aggregationInterval"),
        Field("logConfig.flowSampling"),
        Field("logConfig.metadata"),
        Field("description", update=None),
    ),
    repeats=frozenset({"ranges"}),
    updates={
        "patch": Update(body=patch_with("fingerprint")),
        "ranges": Update(body=_ranges),
        "private_access": Update("setPrivateIpGoogleAccess", body=_private_access),
    },
)

ROUTER = RestKind(
    name="router",
    service="compute",
    collection="routers",
    own={**REGION, "router": "{name}"},
    parent=REGION,
    link="projects/{project}/regions/{region}/routers/{name}",
    operation="compute",
    fields=(
        Field("network", update=None),
        Field("nats", compare="keyed"),  # the whole list, and so does PATCH: a NAT that is not in it goes
        Field("description", update=None),
    ),
    updates={"patch": Update()},
)


@dataclass(frozen=True, kw_only=True)
class FirewallKind(RestKind):
    """A firewall rule, with a field ``action`` (allow or deny) that Google keeps as two lists of which one is there."""

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The rule with its action."""
        have = super().read(api, resource)
        return have and {**have, "action": "deny" if have.get("denied") else "allow"}


FIREWALL = FirewallKind(
    name="firewall_rule",
    service="compute",
    collection="firewalls",
    own={**PROJECT, "firewall": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/firewalls/{name}",
    operation="compute",
    fields=(
        Field("network", update=None),
        Field("direction", update=None, default="INGRESS", way_out=OTHER_RULE),
        # "the action on match" cannot be changed: Compute Engine documentation, VPC firewall rules
        Field("action", update=None, on_create=False, way_out=OTHER_RULE),
        Field("priority", default=1000),
        Field("sourceRanges", compare="set"),
        Field("destinationRanges", compare="set"),
        Field("sourceTags", compare="set"),
        Field("targetTags", compare="set"),
        Field("targetServiceAccounts", compare="set"),
        Field("allowed", compare="set"),
        Field("denied", compare="set"),
        Field("disabled", default=False),
        Field("logConfig.enable", default=False),
        Field("description", default=""),
    ),
    updates={"patch": Update()},
)

PEERING_RANGE = RestKind(
    name="private_services_range",
    service="compute",
    collection="globalAddresses",
    own={**PROJECT, "address": "{name}"},
    parent=PROJECT,
    link="projects/{project}/global/addresses/{name}",
    operation="compute",
    fields=(
        Field("network", update=None),
        Field("purpose", update=None),
        Field("addressType", update=None),
        Field("address", update=None, way_out=RANGES),
        Field("prefixLength", update=None, way_out=RANGES),
        Field("description", update=None),
    ),
)


@dataclass(frozen=True, kw_only=True)
class ServiceConnection(Kind):
    """The peering of a network with Google's services (private services access); named after the service.

    Create and update are the same PATCH of `connections/-` (recording servicenetworking/connections/
    private_service_access). Google refuses to remove it while a service uses it, and for up to four days after a Cloud
    SQL instance that did is gone (hashicorp/terraform-provider-google#16275); the peering itself can then be removed.
    """

    name: str = "private_services_connection"
    operation: str = "servicenetworking"
    fields: tuple[Field, ...] = (Field("reservedPeeringRanges", compare="set"),)

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The connection of the network, found in the service's list; None also while the network is not there."""
        parent = f"services/{resource.name}"
        params = {"parent": parent, "network": self._network(api, resource)}
        try:
            found = api.call("servicenetworking", "services.connections.list", params)
        except PlatformError as error:
            if error.code == 404 or (error.code in (400, 403) and self._is_gone(api, resource)):
                return None
            raise
        return next(iter(found.get("connections") or []), None)

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Connect."""
        return self._patch(api, resource, spec["reservedPeeringRanges"])

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Set the ranges."""
        return self._patch(api, resource, spec["reservedPeeringRanges"])

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Disconnect."""
        name = f"services/{resource.name}/connections/{PEERING}"
        body = {"consumerNetwork": self._network(api, resource)}
        return api.call("servicenetworking", "services.connections.deleteConnection", {"name": name}, body)

    def delete_otherwise(self, api: Caller, resource: Resource, error: PlatformError) -> tuple[str, Spec] | None:
        """Take the peering away, where nothing can be found any more that uses it."""
        if HELD not in error.message:
            return None
        try:
            users = self._users(api, resource)
        except PlatformError as unknown:
            error.hint = f"What else uses it could not be found out: {unknown}"
            return None
        if users:
            error.hint = f"Remove what uses it or may do so, then run this again: {', '.join(users)}."
            return None
        place = {"project": resource.params["project"], "network": resource.params["network"]}
        return "compute", api.call("compute", "networks.removePeering", place, {"name": PEERING})

    @staticmethod
    def _users(api: Caller, resource: Resource) -> list[str]:
        """Cloud SQL instances in the network, and APIs that are on of other services which use such connections."""
        project = resource.params["project"]
        network = f"projects/{project}/global/networks/{resource.params['network']}"
        found = [
            f"Cloud SQL instance {entry['name']}"
            for entry in api.pages("sqladmin", "instances.list", {"project": project})
            if short(lookup(entry, "settings.ipConfiguration.privateNetwork", "")) == network
        ]
        on = {"parent": f"projects/{project}", "filter": "state:ENABLED", "pageSize": 200}
        for entry in api.pages("serviceusage", "services.list", on, "services"):
            name = str(entry["name"]).rsplit("/", 1)[-1]
            if name.removesuffix(".googleapis.com") in PRODUCERS:
                found.append(f"{name} (if nothing of it is in this network, switch it off, or take the peering away)")
        return found

    def _patch(self, api: Caller, resource: Resource, ranges: Sequence[str]) -> Spec:
        params = {
            "name": f"services/{resource.name}/connections/-",
            "force": True,
            "updateMask": "reservedPeeringRanges",
        }
        body = {"network": self._network(api, resource), "reservedPeeringRanges": list(ranges)}
        return api.call("servicenetworking", "services.connections.patch", params, body)

    @staticmethod
    def _is_gone(api: Caller, resource: Resource) -> bool:
        """Whether it is the network that is missing, and not a permission."""
        place = {"project": resource.params["project"], "network": resource.params["network"]}
        return api.get("compute", "networks.get", place) is None

    @staticmethod
    def _network(api: Caller, resource: Resource) -> str:
        """The network as Service Networking wants it: by project number."""
        number = api.project_number(resource.params["project"])
        return f"projects/{number}/global/networks/{resource.params['network']}"


CONNECTION = ServiceConnection()
