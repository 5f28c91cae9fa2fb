"""Where a cluster lives: network, ranges, endpoints."""

from __future__ import annotations

import ipaddress
from typing import Any

from ...core import Call, hexes
from ...errors import ApiError
from ...store import Record
from ..compute import places
from ..compute.addresses import external_address, internal_address
from . import defaults
from .operations import is_zone


def region_of(location: str) -> str:
    """The region of a zone or region."""
    return places.region_of(location) if is_zone(location) else location


def bad(text: str) -> ApiError:
    """400 in GKE's shape."""
    return ApiError(400, text, "badRequest")


def short(name: str) -> str:
    """The last segment of a reference."""
    return name.rstrip("/").rpartition("/")[2]


def subnetwork(call: Call, location: str, cluster: dict[str, Any]) -> Record:
    """The subnetwork of a cluster; fills in `network`, `subnetwork` and `networkConfig`.

    Raises:
        ApiError: 400, network or subnetwork do not exist.
    """
    network, region = short(cluster.get("network") or "default"), region_of(location)
    key = f"projects/{call.project}/global/networks/{network}"
    owner = call.tx.get("compute.networks", key)
    if owner is None:
        raise bad(f'Network "{network}" does not exist.')
    name = short(cluster.get("subnetwork") or network)
    path = f"projects/{call.project}/regions/{region}/subnetworks/{name}"
    found = call.tx.get("compute.subnetworks", path)
    if found is None and not owner.body["autoCreateSubnetworks"]:
        raise bad(f'Subnetwork "{name}" does not exist in region "{region}" of network "{network}".')
    cluster["network"], cluster["subnetwork"] = network, name
    cluster.setdefault("networkConfig", {}).update(network=key, subnetwork=path)
    return found or _auto(region, path)


def _auto(region: str, path: str) -> Record:
    block = ipaddress.IPv4Address("10.128.0.0") + 4096 * 4 * places.REGIONS.index(region)
    return Record("compute.subnetworks", path, {"ipCidrRange": f"{block}/20", "gatewayAddress": str(block + 1)})


def ranges(call: Call, cluster: dict[str, Any], home: Record) -> list[str]:
    """Fills in the pod and service ranges; returns the names of the secondary ranges that are used.

    Raises:
        ApiError: 400, a named range does not exist or both names are the same.
    """
    policy = cluster["ipAllocationPolicy"]
    policy["useIpAliases"] = True
    known = {item["rangeName"]: item["ipCidrRange"] for item in home.body.get("secondaryIpRanges", [])}
    used = []
    pods, services = policy.get("clusterSecondaryRangeName"), policy.get("servicesSecondaryRangeName")
    if pods and pods == services:
        raise bad("Cluster and services secondary ranges must be different.")
    for name, kind in ((pods, "cluster"), (services, "services")):
        if name:
            used.append(name)
            policy[f"{kind}Ipv4CidrBlock"] = _known_range(known, name, kind, cluster)
    if not pods:
        policy["clusterIpv4CidrBlock"] = _pod_range(call, policy.get("clusterIpv4CidrBlock") or "/14")
        policy["clusterSecondaryRangeName"] = f"gke-{cluster['name']}-pods-{hexes(8)}"
    if policy.get("servicesIpv4CidrBlock", "/").startswith("/"):  # only a size: the range that GKE manages
        policy["servicesIpv4CidrBlock"] = defaults.MANAGED_SERVICES_RANGE
    policy["clusterIpv4Cidr"], policy["servicesIpv4Cidr"] = (
        policy["clusterIpv4CidrBlock"],
        policy["servicesIpv4CidrBlock"],
    )
    cluster["clusterIpv4Cidr"], cluster["servicesIpv4Cidr"] = policy["clusterIpv4Cidr"], policy["servicesIpv4Cidr"]
    return used


def _known_range(known: dict[str, str], name: str, kind: str, cluster: dict[str, Any]) -> str:
    if name not in known:
        where = f'network "{cluster["network"]}", subnetwork "{cluster["subnetwork"]}"'
        raise bad(f'Secondary range "{name}" ({kind}) does not exist in {where}.')
    return known[name]


def _pod_range(call: Call, wanted: str) -> str:
    """The pod range: as given, or the next free one where only a size is (`/14`).

    Raises:
        ApiError: 400, neither.
    """
    try:
        if not wanted.startswith("/"):
            return str(ipaddress.IPv4Network(wanted))
        number = call.tx.next_number("pod_ranges")
        block = int(ipaddress.IPv4Address("10.64.0.0")) + number * 2**18
        return str(ipaddress.IPv4Network((block, int(wanted[1:]))))
    except ValueError as error:
        raise bad(f'Invalid CIDR: "{wanted}".') from error


def endpoints(call: Call, location: str, cluster: dict[str, Any], home: Record) -> None:
    """Fills in the control plane's endpoints in all the places where GKE shows them.

    Raises:
        ApiError: 400, the settings contradict each other.
    """
    private = dict(cluster.get("privateClusterConfig", {}))
    config = cluster.setdefault("controlPlaneEndpointsConfig", {})
    addresses = config.setdefault("ipEndpointsConfig", {})
    if "enablePrivateEndpoint" in private and "enablePublicEndpoint" not in addresses:
        addresses["enablePublicEndpoint"] = not private["enablePrivateEndpoint"]
    addresses.setdefault("enablePublicEndpoint", True)
    addresses["enabled"] = True
    inner = private_address(call, cluster, private, addresses, home)
    addresses["privateEndpoint"] = inner
    public = addresses.get("publicEndpoint") or private.get("publicEndpoint") or external_address(call)
    dns = config.setdefault("dnsEndpointConfig", {})
    for name in ("allowExternalTraffic", "enableK8sCertsViaDns", "enableK8sTokensViaDns"):
        dns.setdefault(name, False)
    dns["endpoint"] = f"gke-{hexes(36)}-{call.number}.{location}.gke.goog"
    if "enablePrivateNodes" in private:
        cluster["networkConfig"].setdefault("defaultEnablePrivateNodes", private["enablePrivateNodes"])
    cluster["privateClusterConfig"] = private | {"privateEndpoint": inner, "publicEndpoint": public}
    cluster["privateCluster"] = True
    addresses["publicEndpoint"] = public
    mirror(cluster)


def private_address(
    call: Call, cluster: dict[str, Any], private: dict[str, Any], addresses: dict[str, Any], home: Record
) -> str:
    """The private endpoint: .2 of `masterIpv4CidrBlock`, or an address of a subnetwork."""
    block = private.get("masterIpv4CidrBlock")
    own = addresses.get("privateEndpointSubnetwork") or private.get("privateEndpointSubnetwork")
    if block and own:
        raise bad("Master IPv4 CIDR and private endpoint subnetwork cannot both be set.")
    if block:
        network = _master_block(block)
        _refuse_overlap(home, cluster, network)
        name = f"gke-{cluster['name']}-{hexes(8)}-pe-subnet"
        addresses["privateEndpointSubnetwork"] = f"{home.key.rpartition('/')[0]}/{name}"
        return str(network.network_address + 2)
    if own:
        key = f"{home.key.rpartition('/')[0]}/{short(own)}"
        found = call.tx.get("compute.subnetworks", key)
        if found is None:
            raise bad(f'Private endpoint subnetwork "{own}" does not exist.')
        addresses["privateEndpointSubnetwork"] = key
        return internal_address(call, found)
    return internal_address(call, home)


def _master_block(block: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        raise bad(f'Invalid value for master IPv4 CIDR block: "{block}".') from error
    if network.prefixlen != 28:
        raise bad(f'Invalid master IPv4 CIDR block size /{network.prefixlen}: "{block}". It must be a /28.')
    return network


def _refuse_overlap(home: Record, cluster: dict[str, Any], network: ipaddress.IPv4Network) -> None:
    others = [home.body["ipCidrRange"], cluster["clusterIpv4Cidr"], cluster["servicesIpv4Cidr"]]
    for other in others:
        if network.overlaps(ipaddress.IPv4Network(other)):
            raise bad(f"The given master_ipv4_cidr {network} overlaps with an existing network {other}.")


def mirror(cluster: dict[str, Any]) -> None:
    """Old and new places of the same settings agree; the top-level endpoint follows which endpoints are on."""
    addresses = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    authorized = cluster.get("masterAuthorizedNetworksConfig") or addresses.get("authorizedNetworksConfig") or {}
    authorized = dict(authorized)
    if cluster["networkConfig"].get("defaultEnablePrivateNodes"):
        authorized["privateEndpointEnforcementEnabled"] = True
    elif not authorized:
        authorized["gcpPublicCidrsAccessEnabled"] = True
    addresses["authorizedNetworksConfig"] = cluster["masterAuthorizedNetworksConfig"] = authorized
    private = cluster.get("privateClusterConfig")
    public = addresses.get("publicEndpoint") or (private or {}).get("publicEndpoint", "")
    if addresses["enablePublicEndpoint"]:
        addresses["publicEndpoint"] = cluster["endpoint"] = public
    else:
        addresses.pop("publicEndpoint", None)
        cluster["endpoint"] = addresses["privateEndpoint"]
    if private is not None:
        private["publicEndpoint"] = public
        private["enablePrivateEndpoint"] = not addresses["enablePublicEndpoint"]
        if addresses.get("globalAccess"):
            private["masterGlobalAccessConfig"] = {"enabled": True}
