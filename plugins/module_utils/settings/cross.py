"""What settings must be to one another: ranges that do not overlap, places that fit, names that exist once."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .rules import expand

Settings = Mapping[str, Any]
Network = ipaddress.IPv4Network

# Google's own use of private addresses: Cloud SQL's and Docker's bridge.
TAKEN: Mapping[str, str] = {"172.17.0.0/16": "Cloud SQL and Docker use it inside their machines"}
# Google's limit on logical operators in a condition, of which there is one for each host.
MOST_HOSTS = 12
KNOWN_BY = ("managed-by", "mlops-platform")
# path, what it is, shortest and longest prefix Google allows there
RANGES: tuple[tuple[str, int, int], ...] = (
    ("network.subnets[].range", 4, 29),
    ("network.subnets[].secondary_ranges.*", 4, 29),
    ("network.private_services.range", 8, 24),
    ("cluster.control_plane_range", 28, 28),
)
UNIQUE: tuple[str, ...] = (
    "network.subnets[].name",
    "network.routers[].name",
    "network.firewall_rules[].name",
    "cluster.node_pools[].name",
    "data.secrets[].name",
    "edge.hosts[]",
    "edge.protections[]",
    "edge.preview[]",
    "platform_services[]",
    "platform_operators[]",
    "platform_users[]",
    "network.webhook_ports[]",
    "network.gateway_ports[]",
)


def check_cross(settings: Settings) -> Iterator[str]:
    """Every problem between settings."""
    for check in CHECKS:
        yield from check(settings)


def _ranges(settings: Settings) -> Iterator[str]:
    good: list[tuple[str, Network]] = []
    for pattern, shortest, longest in RANGES:
        for path, value in expand(settings, pattern):
            network, problem = parse_range(value)
            if network is None:
                yield f"{path}: {problem}."
                continue
            if not shortest <= network.prefixlen <= longest:
                sizes = f"exactly /{longest}" if shortest == longest else f"from /{shortest} to /{longest}"
                yield f"{path}: {value} must be {sizes}; write for example {network.network_address}/{longest}."
            if not network.is_private:
                yield f"{path}: {value} is not private; choose it from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
            for taken, why in TAKEN.items():
                if network.overlaps(ipaddress.IPv4Network(taken)):
                    yield f"{path}: {value} overlaps {taken}; {why}. Choose another range."
            good.append((path, network))
    for place, (path, network) in enumerate(good):
        for other, second in good[:place]:
            if network.overlaps(second):
                yield f"{path}: {network} overlaps {other} ({second}); choose ranges that have no address in common."


def parse_range(value: Any) -> tuple[Network | None, str]:
    """An IPv4 network, or what is wrong with it."""
    text = str(value)
    if "/" not in text:
        return None, f"{text!r} has no prefix length; write for example {text}/24"
    try:
        return ipaddress.IPv4Network(text), ""
    except ValueError:
        pass
    try:
        fitting = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None, f"{text!r} is no IPv4 range such as 10.10.0.0/20"
    return None, f"{text!r} begins within the range; write {fitting}"


def _other_ranges(settings: Settings) -> Iterator[str]:
    for pattern in (
        "cluster.authorized_networks[].range",
        "network.firewall_rules[].source_ranges[]",
        "network.firewall_rules[].destination_ranges[]",
    ):
        for path, value in expand(settings, pattern):
            network, problem = parse_range(value)
            if network is None:
                yield f"{path}: {problem}."
            elif pattern.startswith("cluster") and network.prefixlen == 0:
                yield f"{path}: {value} would let in everybody; name the ranges that need the control plane."


def _places(settings: Settings) -> Iterator[str]:
    home = settings.get("platform_region")
    for path, zone in (*expand(settings, "platform_zone"), *expand(settings, "bastion.zone")):
        if str(zone).rsplit("-", 1)[0] != home:
            yield f"{path}: {zone} is not in platform_region {home}; write for example {home}-b."
    for path, location in expand(settings, "cluster.location"):
        if location != home and str(location).rsplit("-", 1)[0] != home:
            yield f"{path}: {location} is neither platform_region {home} nor a zone of it."
    for pattern in ("network.subnets[].region", "network.routers[].region"):
        found = list(expand(settings, pattern))
        if found and all(region != home for _, region in found):
            yield f"{found[0][0]}: none is in platform_region {home}, where the platform lives; one must be."
    for path, zone in expand(settings, "cluster.node_pools[].zones[]"):
        if str(zone).rsplit("-", 1)[0] != home:
            yield f"{path}: {zone} is not in platform_region {home}."


def _references(settings: Settings) -> Iterator[str]:
    cluster = settings.get("cluster") or {}
    subnets = {subnet.get("name"): subnet for _, subnet in expand(settings, "network.subnets[]")}
    wanted = cluster.get("subnet")
    if wanted and wanted not in subnets:
        yield f"cluster.subnet: there is no subnetwork {wanted} in network.subnets ({', '.join(map(str, subnets))})."
    ranges = (subnets.get(wanted) or {}).get("secondary_ranges") or {}
    for key in ("pods_range", "services_range"):
        if wanted in subnets and cluster.get(key) not in ranges:
            known = ", ".join(map(str, ranges)) or "none"
            yield f"cluster.{key}: subnetwork {wanted} has no secondary range {cluster.get(key)} (it has {known})."
    if cluster.get("pods_range") is not None and cluster.get("pods_range") == cluster.get("services_range"):
        yield "cluster.services_range: must be another range than cluster.pods_range."


def _labels(settings: Settings) -> Iterator[str]:
    """What has no description is known as the platform's by its labels, of which one must stay when others change."""
    for path, labels in expand(settings, "platform_labels"):
        if isinstance(labels, dict) and labels.get(KNOWN_BY[0]) != KNOWN_BY[1]:
            yield f"{path}: must have {KNOWN_BY[0]}: {KNOWN_BY[1]}, by which the platform knows its own; add it."


def _unique(settings: Settings) -> Iterator[str]:
    for pattern in UNIQUE:
        found = list(expand(settings, pattern))
        counts = Counter(str(value) for _, value in found)
        for path, value in reversed(found):
            if counts[str(value)] > 1:
                counts[str(value)] = 1
                yield f"{path}: {value!r} is there more than once; remove one."


def _nodes(settings: Settings) -> Iterator[str]:
    pools = list(expand(settings, "cluster.node_pools[]"))
    if isinstance((settings.get("cluster") or {}).get("node_pools"), list) and not pools:
        yield "cluster.node_pools: is empty; the platform needs at least one node pool."
    for path, pool in pools:
        least, most = _number(pool.get("min_nodes")), _number(pool.get("max_nodes"))
        if least is not None and most is None:
            yield f"{path}.max_nodes: must be set where min_nodes is."
        if least is not None and most is not None and least > most:
            yield f"{path}.min_nodes: {least} is more than max_nodes {most}."
        first = _number(pool.get("initial_nodes"))
        if first is not None and most is not None and first > most:
            yield f"{path}.initial_nodes: {first} is more than max_nodes {most}."


def _ports(settings: Settings) -> Iterator[str]:
    for path, nat in expand(settings, "network.routers[].nats[]"):
        least, most = _number(nat.get("min_ports_per_vm")), _number(nat.get("max_ports_per_vm"))
        if nat.get("dynamic_ports"):
            for key, value in (("min_ports_per_vm", least), ("max_ports_per_vm", most)):
                if value is not None and (value < 32 or value & (value - 1)):
                    yield f"{path}.{key}: {value} must be a power of two from 32 up, because dynamic_ports is true."
        elif most is not None:
            yield f"{path}.max_ports_per_vm: has no meaning unless dynamic_ports is true; remove it."
        if least is not None and most is not None and least > most:
            yield f"{path}.min_ports_per_vm: {least} is more than max_ports_per_vm {most}."
    health = _number(((settings.get("edge") or {}).get("health") or {}).get("port"))
    gateway = [_number(value) for _, value in expand(settings, "network.gateway_ports[]")]
    if health is not None and gateway and health not in gateway:
        yield f"edge.health.port: {health} is not in network.gateway_ports; Google's health checks could not reach it."


def _sign_in(settings: Settings) -> Iterator[str]:
    edge = settings.get("edge") or {}
    own = edge.get("access")
    if isinstance(own, Mapping) and len(own) > MOST_HOSTS:
        yield (
            f"edge.access: has {len(own)} hosts, and a condition of IAM can tell {MOST_HOSTS} apart; take out those "
            "where `who` of the application (ingress.applications, routes.yaml) can say who comes."
        )
    for have, lack in (("client_id", "client_secret"), ("client_secret", "client_id")):
        if edge.get(have) and not edge.get(lack):
            yield f"edge.{lack}: must be set where edge.{have} is; or leave out both and Google manages a client."
    for key in ("platform_operators", "platform_users"):
        if settings.get(key) == []:
            yield f"{key}: is empty; name at least one group, such as group:team@example.com."


def _watched(settings: Settings) -> Iterator[str]:
    protections = [str(value) for _, value in expand(settings, "edge.protections[]")]
    for path, name in expand(settings, "edge.preview[]"):
        if str(name) not in protections:
            yield f"{path}: {name} is not in edge.protections ({', '.join(protections) or 'none'}); add it there, too."


def _database(settings: Settings) -> Iterator[str]:
    database = (settings.get("data") or {}).get("database") or {}
    instance, project = str(database.get("instance", "")), str(settings.get("platform_project", ""))
    if len(f"{project}:{instance}") > 98:
        yield f"data.database.instance: with the project id it has more than 98 characters; shorten {instance}."
    if str(database.get("user")) in ("postgres", "cloudsqladmin"):
        yield f"data.database.user: {database['user']} is Google's; choose another name."


def _number(value: Any) -> int | None:
    try:
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        return None


CHECKS: tuple[Callable[[Settings], Iterator[str]], ...] = (
    _ranges,
    _other_ranges,
    _places,
    _references,
    _labels,
    _unique,
    _nodes,
    _ports,
    _sign_in,
    _watched,
    _database,
)
