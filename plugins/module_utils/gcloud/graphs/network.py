"""From the options of gcp_network to the resources they ask for."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ..compare import short
from ..kinds.network import CONNECTION, FIREWALL, NETWORK, PEERING_RANGE, ROUTER, SUBNETWORK
from ..model import MARK, Caller, Resource, Spec
from .listing import listed

PRIVATE_SERVICES = "servicenetworking.googleapis.com"


def network_graph(options: Mapping[str, Any], api: Caller) -> list[Resource]:
    """VPC, subnetworks, routers with NAT, firewall rules, and the range for Google's private services.

    Firewall rules of the network that carry the mark and are not among the options any more are there as unwanted.
    """
    project, name = options["project"], options["name"]
    network = Resource(
        NETWORK,
        name,
        given(
            {
                "autoCreateSubnetworks": False,
                "description": MARK,
                "mtu": options.get("mtu"),
                "routingConfig": given({"routingMode": options.get("routing_mode")}) or None,
            }
        ),
        {"project": project},
    )
    graph = [network]
    graph += [_subnetwork(network, subnet) for subnet in options.get("subnets") or []]
    graph += [_router(network, router) for router in options.get("routers") or []]
    graph += [_firewall(network, rule) for rule in options.get("firewall_rules") or []]
    if options.get("firewall_rules") is not None:
        named = {resource.name for resource in graph if resource.kind is FIREWALL}
        graph += [
            Resource(FIREWALL, rule["name"], {}, network.params, after=(network.key,), unwanted=True)
            for rule in rules_in(api, network)
            if MARK in rule.get("description", "") and rule["name"] not in named
        ]
    if options.get("state") == "absent" and options.get("keep_private_services"):
        return [resource for resource in graph if resource is not network]
    if options.get("private_services"):
        graph += _private_services(network, options["private_services"])
    return graph


def rules_in(api: Caller, network: Resource) -> list[Spec]:
    """All firewall rules of *network*, whoever made them; none while the API is off."""
    params = {"project": network.params["project"]}
    rules = listed(api, f"firewall rules of {network.title}", "compute", "firewalls.list", params)
    return [rule for rule in rules if short(rule["network"]) == network.link]


def given(values: Mapping[str, Any]) -> Spec:
    """*values* without those that were not set: what is unset is left alone."""
    return {key: value for key, value in values.items() if value is not None}


def _subnetwork(network: Resource, subnet: Mapping[str, Any]) -> Resource:
    spec = given(
        {
            "network": network.link,
            "description": MARK,
            "ipCidrRange": subnet["range"],
            "privateIpGoogleAccess": subnet.get("private_google_access"),
        }
    )
    if subnet.get("secondary_ranges") is not None:
        ranges = sorted(subnet["secondary_ranges"].items())
        spec["secondaryIpRanges"] = [{"rangeName": key, "ipCidrRange": value} for key, value in ranges]
    logs = subnet.get("flow_logs")
    if logs is not None:
        spec["logConfig"] = {"enable": bool(logs["enabled"])}
        if logs["enabled"]:
            fine = {
                "aggregationInterval": logs.get("interval"),
                "flowSampling": logs.get("sampling"),
                "metadata": logs.get("metadata"),
            }
            spec["logConfig"].update(given(fine))
    return Resource(SUBNETWORK, subnet["name"], spec, {**network.params, "region": subnet["region"]})


def _router(network: Resource, router: Mapping[str, Any]) -> Resource:
    spec: Spec = {"network": network.link, "description": MARK}
    if router.get("nats") is not None:
        spec["nats"] = [_nat(nat) for nat in router["nats"]]
    return Resource(ROUTER, router["name"], spec, {**network.params, "region": router["region"]})


def _nat(nat: Mapping[str, Any]) -> Spec:
    dynamic = nat.get("dynamic_ports")
    return given(
        {
            "name": nat["name"],
            "natIpAllocateOption": "AUTO_ONLY",
            "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
            "enableDynamicPortAllocation": dynamic,
            # Google refuses dynamic ports together with endpoint-independent mapping
            "enableEndpointIndependentMapping": False if dynamic else None,
            "minPortsPerVm": nat.get("min_ports_per_vm"),
            "maxPortsPerVm": nat.get("max_ports_per_vm"),
            "logConfig": {"enable": True, "filter": nat["log"]} if nat.get("log") else None,
        }
    )


def _firewall(network: Resource, rule: Mapping[str, Any]) -> Resource:
    action = "denied" if rule.get("action") == "deny" else "allowed"
    spec = given(
        {
            "network": network.link,
            "description": f"{rule['description']} ({MARK})" if rule.get("description") else MARK,
            "action": rule.get("action") or "allow",
            "direction": rule.get("direction"),
            "priority": rule.get("priority"),
            "sourceRanges": rule.get("source_ranges"),
            "destinationRanges": rule.get("destination_ranges"),
            "sourceTags": rule.get("source_tags"),
            "targetTags": rule.get("target_tags"),
            "targetServiceAccounts": rule.get("target_service_accounts"),
            action: [_protocol(entry) for entry in rule["protocols"]],
            "logConfig": None if rule.get("log") is None else {"enable": rule["log"]},
        }
    )
    return Resource(FIREWALL, rule["name"], spec, network.params)


def _protocol(entry: Mapping[str, Any]) -> Spec:
    """No ports means all of them, so that is compared, too."""
    return {"IPProtocol": entry["protocol"], "ports": entry.get("ports") or []}


def _private_services(network: Resource, wanted: Mapping[str, Any]) -> list[Resource]:
    reserved = ipaddress.ip_network(wanted["range"])
    peering = Resource(
        PEERING_RANGE,
        wanted["name"],
        {
            "network": network.link,
            "purpose": "VPC_PEERING",
            "addressType": "INTERNAL",
            "address": str(reserved.network_address),
            "prefixLength": reserved.prefixlen,
            "description": MARK,
        },
        network.params,
    )
    connection = Resource(
        CONNECTION,
        PRIVATE_SERVICES,
        {"reservedPeeringRanges": [wanted["name"]]},
        {**network.params, "network": network.name},
        after=(network.key, peering.key),
    )
    return [peering, connection]
