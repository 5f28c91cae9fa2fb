"""What the IAP relay asks of the emulated cloud: who calls, who may tunnel, where a machine is, what a firewall admits.

The methods are those of `rehearsal.internet.iap_relay.Directory`. The relay runs in the emulator's event loop, at the
host `tunnel.cloudproxy.app`; every method is quick.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from .core import Cloud, lineage
from .store import Record, Transaction

PERMISSION = "iap.tunnelInstances.accessViaIAP"


@dataclass(frozen=True)
class Machine:
    """What firewall rules look at."""

    project: str
    network: str
    tags: frozenset[str]
    service_account: str


def tunnel_resources(number: str, zone: str, instance: str) -> tuple[str, ...]:
    """The IAP resources that guard an instance, from the instance up."""
    root = f"//iap.googleapis.com/projects/{number}/iap_tunnel"
    return (f"{root}/zones/{zone}/instances/{instance}", f"{root}/zones/{zone}", root)


class CloudDirectory:
    """The directory of an emulated cloud. Projects are taken by id or number."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def principal_of_token(self, token: str) -> str | None:
        """E-mail address of the owner of a bearer token; None if it is unknown or expired."""
        principal = self._cloud.identities.identify(token)
        return principal.email if principal else None

    def may_tunnel(self, principal: str, project: str, zone: str, instance: str, port: int) -> bool:
        """Whether IAM lets the principal reach the instance through IAP, by its policy or one above it."""
        del port
        with self._cloud.store.transaction() as tx:
            name = self._cloud.projects.id(tx, project)
            if name is None:
                return False
            number = self._cloud.projects.number(tx, name)
            resources = tunnel_resources(number, zone, instance)
            record = self._record(tx, project, zone, instance)
            if record:
                resources += tunnel_resources(number, zone, str(record.body["id"]))[:1]
            caller = self._cloud.identities.principal(principal)
            return self._cloud.access(tx).allowed(caller, PERMISSION, lineage(name, *resources))

    def _record(self, tx: Transaction, project: str, zone: str, instance: str) -> Record | None:
        owner = self._cloud.projects.id(tx, project)
        return tx.get("compute.instances", f"projects/{owner}/zones/{zone}/instances/{instance}")

    def interface_address(self, project: str, zone: str, instance: str, interface: str) -> str | None:
        """The address of a running instance's interface (`nic0`); None if there is none, or it does not run."""
        with self._cloud.store.transaction() as tx:
            record = self._record(tx, project, zone, instance)
        if record is None or record.body["status"] != "RUNNING":
            return None
        nics = {nic["name"]: nic["networkIP"] for nic in record.body.get("networkInterfaces", [])}
        return nics.get(interface)

    def admits(self, project: str, zone: str, instance: str, source: str, port: int) -> bool:
        """Whether the firewall of the instance's network lets TCP from the range `source` in to the port."""
        with self._cloud.store.transaction() as tx:
            record = self._record(tx, project, zone, instance)
            if record is None:
                return False
            body = record.body
            accounts = body.get("serviceAccounts") or [{"email": ""}]
            tags = frozenset(body.get("tags", {}).get("items", []))
            network = body["networkInterfaces"][0]["network"]
            machine = Machine(record.key.split("/")[1], network, tags, accounts[0]["email"])
            return allows(tx, machine, ipaddress.IPv4Network(source), port)


def allows(tx: Transaction, machine: Machine, source: ipaddress.IPv4Network, port: int) -> bool:
    """Whether ingress from a whole range reaches a TCP port: the best rule by priority, deny before allow, else no."""
    rules = [
        record.body
        for record in tx.list("compute.firewalls", f"projects/{machine.project}/")
        if record.body["network"] == machine.network and _applies(record.body, machine, source)
    ]
    hits = [
        (rule["priority"], verdict)
        for rule in rules
        for verdict in ("denied", "allowed")
        if _covers(rule, verdict, port)
    ]
    hits.sort(key=lambda hit: (hit[0], hit[1] != "denied"))
    return bool(hits) and hits[0][1] == "allowed"


def _applies(rule: dict[str, Any], machine: Machine, source: ipaddress.IPv4Network) -> bool:
    if rule["direction"] != "INGRESS" or rule.get("disabled"):
        return False
    if "targetTags" in rule and not set(rule["targetTags"]) & machine.tags:
        return False
    if "targetServiceAccounts" in rule and machine.service_account not in rule["targetServiceAccounts"]:
        return False
    ranges = [ipaddress.ip_network(item, strict=False) for item in rule.get("sourceRanges", [])]
    return any(isinstance(item, ipaddress.IPv4Network) and source.subnet_of(item) for item in ranges)


def _covers(rule: dict[str, Any], verdict: str, port: int) -> bool:
    for entry in rule.get(verdict, []):
        if str(entry["IPProtocol"]).lower() not in ("tcp", "all", "6"):
            continue
        ports = entry.get("ports")
        if not ports or any(_in_span(text, port) for text in ports):
            return True
    return False


def _in_span(text: str, port: int) -> bool:
    low, _, high = text.partition("-")
    return int(low) <= port <= int(high or low)
