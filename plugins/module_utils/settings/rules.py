"""What a single setting may look like, by its path. The limits are those of Google's documentation of each resource."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from .spec import shown

Rule = Callable[[Any], str]  # the problem and how to mend it, '' where there is none
Settings = Mapping[str, Any]


def matches(pattern: str, what: str) -> Rule:
    """A text that fully matches *pattern*."""
    compiled = re.compile(pattern)
    return lambda value: "" if compiled.fullmatch(str(value)) else f"{shown(value)} is not {what}"


def name(longest: int = 63, shortest: int = 1) -> Rule:
    """A Google resource name: lower-case letters, digits and hyphens, a letter first and no hyphen last."""

    def rule(value: Any) -> str:
        text = str(value)
        if not shortest <= len(text) <= longest:
            least = f"{shortest} to " if shortest > 1 else "at most "
            return f"{shown(value)} has {len(text)} characters; {least}{longest} are possible"
        if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", text):
            return (
                f"{shown(value)} may hold only lower-case letters, digits and hyphens, "
                "with a letter first and no hyphen last"
            )
        return ""

    return rule


def between(least: float, most: float) -> Rule:
    """A number in a range."""
    return lambda value: "" if least <= float(value) <= most else f"{value} must be from {least:g} to {most:g}"


def domain(value: Any) -> str:
    """A DNS name of at least two labels, written plainly."""
    text = str(value)
    if "://" in text:
        return f"{shown(value)} must be a domain without scheme: write {text.split('://', 1)[1].split('/')[0]}"
    if "/" in text:
        return f"{shown(value)} must be a domain without path: write {text.split('/')[0]}"
    if text != text.lower():
        return f"{shown(value)} must be in lower case: write {text.lower()}"
    if text.endswith("."):
        return f"{shown(value)} must have no dot at the end: write {text.rstrip('.')}"
    if text.startswith("*."):
        return f"{shown(value)} must not be a wildcard: write {text[2:]}"
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if not re.fullmatch(rf"({label}\.)+{label}", text) or len(text) > 253:
        return f"{shown(value)} is no domain such as ml.example.com"
    if len(text) > 62:
        return f"{shown(value)} has {len(text)} characters; certificates take at most 62 here"
    return ""


MEMBER_FORMS = "user:name@example.com, group:name@example.com, serviceAccount:..., domain:example.com"
EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


def member(value: Any) -> str:
    """An IAM member that names somebody."""
    text = str(value)
    if text in ("allUsers", "allAuthenticatedUsers"):
        return f"{text} would open the platform to everybody: name people or groups"
    kind, _, who = text.partition(":")
    if not who:
        guess = f" (user:{text} or group:{text}?)" if "@" in text else ""
        return f"{shown(value)} must say what it is: {MEMBER_FORMS}{guess}"
    if kind in ("principal", "principalSet"):
        return (
            ""
            if who.startswith("//iam.googleapis.com/")
            else f"{shown(value)} must begin with {kind}://iam.googleapis.com/"
        )
    if kind == "domain":
        return domain(who)
    if kind not in ("user", "group", "serviceAccount"):
        return f"{shown(value)} must be one of {MEMBER_FORMS}"
    if kind == "serviceAccount" and ".svc.id.goog[" in who:
        return ""
    if who != who.lower():
        return f"{shown(value)} must be in lower case, as Google stores it"
    return "" if EMAIL.fullmatch(who) else f"{shown(value)} holds no e-mail address"


def moment(value: Any) -> str:
    """A time in RFC 3339."""
    return "" if instant(value) else f"{shown(value)} is no time such as 2026-01-03T02:00:00Z"


def instant(value: Any) -> datetime | None:
    """The time that is written, if it is one."""
    try:
        parsed = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else None


region = matches(r"[a-z]+-[a-z]+\d{1,2}", "a region such as europe-west1")
zone = matches(r"[a-z]+-[a-z]+\d{1,2}-[a-z]", "a zone such as europe-west1-b")
location = matches(r"[a-z]+-[a-z]+\d{1,2}(-[a-z])?", "a region such as europe-west1 or a zone such as europe-west1-b")
account = name(30, 6)
port = between(1, 65535)
clock = matches(r"([01]\d|2[0-3]):[0-5]\d", "a time of day such as 02:00")
label_key = matches(r"[a-z][a-z0-9_-]{0,62}", "a label key: lower-case letters, digits, _ and -, a letter first")
label_value = matches(r"[a-z0-9_-]{0,63}", "a label value: up to 63 lower-case letters, digits, _ and -")
ports = matches(r"\d{1,5}(-\d{1,5})?", "a port such as 443 or a range such as 8000-8100")
machine_type = matches(r"[a-z][a-z0-9]*-[a-z0-9-]+", "a machine type such as e2-standard-4")


def project(value: Any) -> str:
    """A project id that was really set."""
    if str(value) == "your-project-id":
        return "is still the example's; set the id of your project"
    return name(30, 6)(value)


def git_address(value: Any) -> str:
    """An HTTPS address of a repository, without the account."""
    text = str(value)
    if "@" in text.partition("://")[2].partition("/")[0]:
        return "holds an account or its token, which would show in logs; write the address without it"
    if not re.fullmatch(r"https://[a-z0-9.-]+(:\d+)?/\S+", text):
        return f"{shown(value)} is no HTTPS address such as https://git.example.com/platform/mlops-platform.git"
    return ""


def git_token(value: Any) -> str:
    """A token that is there; it is never shown."""
    if not str(value).strip():
        return (
            "is empty; set the environment variable PLATFORM_GIT_TOKEN to the token of the account gitops.username, "
            "which may write to gitops.repository"
        )
    return read_token(value)


def read_token(value: Any) -> str:
    """A token, or none."""
    return "" if str(value) == str(value).strip() else "has spaces or line ends around it, which no token has"


# Paths with [] stand for every item of a list, .* for every value and .*~ for every key of a mapping.
RULES: tuple[tuple[str, Rule], ...] = (
    ("platform_project", project),
    ("platform_name", name(16)),
    ("platform_domain", domain),
    ("platform_region", region),
    ("platform_zone", zone),
    ("platform_timeout", between(60, 7200)),
    ("platform_labels.*~", label_key),
    ("platform_labels.*", label_value),
    ("platform_operators[]", member),
    ("platform_users[]", member),
    ("platform_services[]", matches(r"[a-z0-9-]+\.googleapis\.com", "an API such as compute.googleapis.com")),
    ("platform_secret_locations[]", region),
    ("network.name", name()),
    ("network.mtu", between(1300, 8896)),
    ("network.subnets[].name", name()),
    ("network.subnets[].region", region),
    ("network.subnets[].secondary_ranges.*~", name()),
    ("network.subnets[].flow_logs.sampling", between(0, 1)),
    (
        "network.subnets[].flow_logs.interval",
        matches(r"INTERVAL_(5_SEC|30_SEC|1_MIN|5_MIN|10_MIN|15_MIN)", "an interval such as INTERVAL_5_SEC"),
    ),
    ("network.routers[].name", name()),
    ("network.routers[].region", region),
    ("network.routers[].nats[].name", name()),
    ("network.private_services.name", name()),
    ("network.webhook_ports[]", port),
    ("network.gateway_ports[]", port),
    ("network.firewall_rules[].name", name()),
    ("network.firewall_rules[].priority", between(0, 65535)),
    ("network.firewall_rules[].protocols[].ports[]", ports),
    ("access.operators[]", member),
    ("bastion.name", name()),
    ("bastion.zone", zone),
    ("bastion.machine_type", machine_type),
    ("bastion.disk_gb", between(10, 65536)),
    ("bastion.service_account", account),
    ("bastion.packages[]", matches(r"[a-z0-9][a-z0-9+.-]+", "the name of a Debian package")),
    ("cluster.name", name(40)),
    ("cluster.location", location),
    ("cluster.service_account", account),
    ("cluster.version", matches(r"latest|\d+\.\d+(\.\d+(-gke\.\d+)?)?", "a version such as 1.33 or 1.33.2-gke.1000")),
    (
        "cluster.security_group",
        matches(r"|gke-security-groups@[a-z0-9-]+(\.[a-z0-9-]+)+", "empty or gke-security-groups@ and your domain"),
    ),
    ("cluster.node_pools[].name", name(40)),
    ("cluster.node_pools[].machine_type", machine_type),
    ("cluster.node_pools[].disk_gb", between(10, 65536)),
    ("cluster.node_pools[].zones[]", zone),
    ("cluster.node_pools[].min_nodes", between(0, 1000)),
    ("cluster.node_pools[].max_nodes", between(1, 1000)),
    ("cluster.node_pools[].max_pods_per_node", between(8, 256)),
    ("cluster.maintenance.start", moment),
    ("cluster.maintenance.end", moment),
    ("cluster.maintenance.recurrence", matches(r"FREQ=(DAILY|WEEKLY)(;.+)?", "a rule such as FREQ=WEEKLY;BYDAY=SA,SU")),
    ("data.mlflow_account", account),
    (
        "data.mlflow_kubernetes_account",
        matches(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?", "NAMESPACE/NAME"),
    ),
    (
        "data.bucket.name",
        matches(
            r"(?!goog)[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]", "a bucket name: 3 to 63 lower-case letters, digits, - and _"
        ),
    ),
    ("data.bucket.location", region),
    ("data.bucket.keep_versions_days", between(0, 3650)),
    ("data.repository.name", name()),
    ("data.repository.location", region),
    ("data.database.instance", name(97)),
    ("data.database.version", matches(r"POSTGRES_1[3-8]", "a version such as POSTGRES_15")),
    ("data.database.tier", matches(r"db-[a-z0-9-]+", "a tier such as db-custom-1-3840")),
    ("data.database.disk_gb", between(10, 65536)),
    ("data.database.backup_start", clock),
    ("data.database.name", matches(r"[a-z_][a-z0-9_]{0,62}", "a PostgreSQL name: lower-case letters, digits and _")),
    (
        "data.database.user",
        matches(r"[a-z_][a-z0-9_-]{0,62}", "a PostgreSQL user: lower-case letters, digits, _ and -"),
    ),
    ("data.database.password_secret", matches(r"[A-Za-z0-9_-]{1,255}", "a secret's name: letters, digits, _ and -")),
    ("data.secrets[].name", matches(r"[A-Za-z0-9_-]{1,255}", "a secret's name: letters, digits, _ and -")),
    ("data.secrets[].length", between(16, 256)),
    ("edge.name", name(50)),
    ("edge.domain", domain),
    ("edge.dns_zone", name()),
    ("edge.hosts[]", matches(r"|\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?", "empty, *, or one label such as mlflow")),
    ("edge.users[]", member),
    ("edge.access.*~", matches(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "one label such as argocd")),
    ("edge.access.*[]", member),
    ("ingress.replicas", between(1, 20)),
    ("edge.endpoint_group", name()),
    ("edge.health.port", port),
    ("edge.health.path", matches(r"/\S*", "a path that begins with /")),
    ("edge.requests_per_minute", between(1, 1_000_000)),
    ("edge.protections[]", matches(r"[a-z]+(-[a-z0-9]+)+", "a rule such as sqli-v33-stable")),
    ("gitops.repository", git_address),
    ("gitops.username", matches(r"\S+", "the name of an account")),
    ("gitops.poll_seconds", between(10, 86400)),
    ("gitops.project_prefix", matches(r"[a-z]([a-z0-9-]{0,22})", "up to 23 lower-case letters, digits and hyphens")),
    ("gitops.projects.*~", name(40)),
    ("gitops_token", git_token),
    ("gitops_read_token", read_token),
)


def check_rules(settings: Settings) -> Iterator[str]:
    """Every setting that breaks its rule; values of a wrong type are spec.py's to tell."""
    for pattern, rule in RULES:
        for path, value in expand(settings, pattern):
            if value is None or isinstance(value, (Mapping, list, bool)):
                continue
            try:
                problem = rule(value)
            except ValueError:  # no number where there should be one: told by the spec
                continue
            if problem:
                yield f"{path}: {problem}."


def expand(data: Any, pattern: str) -> Iterator[tuple[str, Any]]:
    """Every (path, value) of *data* that *pattern* stands for."""
    yield from _expand(data, pattern.replace("[]", ".[]").split("."), "")


def _expand(data: Any, parts: list[str], path: str) -> Iterator[tuple[str, Any]]:
    if not parts:
        yield path, data
        return
    head, rest = parts[0], parts[1:]
    if head == "[]":
        for place, item in enumerate(data if isinstance(data, list) else []):
            yield from _expand(item, rest, f"{path}[{place}]")
    elif head in ("*", "*~"):
        for key, value in (data if isinstance(data, Mapping) else {}).items():
            yield from _expand(key if head == "*~" else value, rest, f"{path}.{key}")
    elif isinstance(data, Mapping) and head in data:
        yield from _expand(data[head], rest, f"{path}.{head}" if path else head)
