"""Cloud Armor: the rules of a security policy, best priority first, on one request.

Known are address ranges, the preconfigured rule sets (by a few telling signatures of each, in path, query and the
body's beginning: Google's are the whole OWASP core rule set), `inIpRange`, `request.path.matches`, joined by `&&`, and
throttling by client address.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

log = logging.getLogger(__name__)
_SIGNATURES = {
    "sqli": r"(?i)\bunion\b.+\bselect\b|'\s*or\s+'?\d+'?\s*=\s*'?\d|;\s*drop\s+table\b|\bsleep\s*\(\s*\d+\s*\)",
    "xss": r"(?i)<script\b|javascript:|\bonerror\s*=|<svg[^>]*\bonload\b",
    "lfi": r"(?:\.\./){2,}|(?:\.\.\\){2,}|/etc/(?:passwd|shadow)\b|/proc/self/",
    "rce": r"(?i)[;|`]\s*(?:cat|wget|curl|bash|sh|nc)\s|\$\((?:cat|wget|curl|bash|id)\b|/bin/(?:ba)?sh\b",
    "rfi": r"(?i)=(?:https?|ftp)://\d{1,3}(?:\.\d{1,3}){3}/",
    "scannerdetection": r"(?i)\b(?:sqlmap|nikto|nessus|masscan|w3af|acunetix|dirbuster)\b",
}
# A text in JSON; the last one may be cut off, where the body goes on after what is judged.
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL)
_EXPRESSION = (
    (re.compile(r"evaluatePreconfigured(?:Waf|Expr)\('(?P<set>[a-z]+)[-\w]*'.*\)"), "_preconfigured"),
    (re.compile(r"inIpRange\(origin\.ip,\s*'(?P<range>[^']+)'\)"), "_in_range"),
    (re.compile(r"request\.path\.matches\('(?P<pattern>.*)'\)"), "_path"),
)


@dataclass(frozen=True)
class Web:
    """What rules look at: client's address, path with query as sent, headers by lower-case name, the body's beginning.

    `reads_json`: whether the policy has bodies in JSON read as such.
    """

    client: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    reads_json: bool = False

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]

    @property
    def texts(self) -> list[str]:
        """What signatures are looked for in: the target, and the body or, of JSON that is read as such, its texts."""
        found = [unquote_plus(self.target), unquote_plus(unquote_plus(self.target))]
        body = self.body.decode(errors="replace")
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.reads_json and kind == "application/json":
            return found + [_plain(text) for text in _TEXT.findall(body)]
        return [*found, body, unquote_plus(body)]


def _plain(text: str) -> str:
    """What a text of JSON says; as written where it cannot be read, as when it is cut off."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _preconfigured(match: re.Match[str], web: Web) -> bool:
    pattern = _SIGNATURES.get(match["set"])
    if pattern is None:
        return False
    agent = web.headers.get("user-agent", "")
    texts = [agent] if match["set"] == "scannerdetection" else web.texts
    return any(re.search(pattern, text) for text in texts)


def _in_range(match: re.Match[str], web: Web) -> bool:
    return ipaddress.ip_address(web.client) in ipaddress.ip_network(match["range"], strict=False)


def _path(match: re.Match[str], web: Web) -> bool:
    return re.search(match["pattern"], web.path) is not None


_TESTS: Mapping[str, Callable[[re.Match[str], Web], bool]] = {
    "_preconfigured": _preconfigured,
    "_in_range": _in_range,
    "_path": _path,
}


def matches(rule: Mapping[str, Any], web: Web) -> bool:
    """Whether a rule is about this request. An expression that is not known here is about none, and is logged."""
    match = rule["match"]
    ranges = match.get("config", {}).get("srcIpRanges", [])
    if ranges:
        return any(_covers(item, web.client) for item in ranges)
    expression = str(match.get("expr", {}).get("expression", ""))
    return bool(expression) and all(_term(term.strip(), web) for term in expression.split("&&"))


def _covers(item: str, client: str) -> bool:
    return item == "*" or ipaddress.ip_address(client) in ipaddress.ip_network(item, strict=False)


def _term(term: str, web: Web) -> bool:
    for pattern, test in _EXPRESSION:
        if hit := pattern.fullmatch(term):
            return _TESTS[test](hit, web)
    log.warning("the Cloud Armor expression %r is not known here and matches nothing", term)
    return False


@dataclass
class Counters:
    """When each client's latest requests came, by rule; in this process's memory, as Google's are in its proxies'."""

    clock: Callable[[], float] = time.monotonic
    _seen: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def exceeds(self, rule: str, client: str, count: int, seconds: float) -> bool:
        """Counts one request, and tells whether it is above `count` in the last `seconds`."""
        times, now = self._seen[rule, client], self.clock()
        while times and times[0] <= now - seconds:
            times.popleft()
        if len(times) >= count:
            return True
        times.append(now)
        return False


def verdict(service: str, rules: Sequence[Mapping[str, Any]], web: Web, counters: Counters) -> int | None:
    """The status that the policy answers the request with; None lets it through. A preview rule only logs."""
    for rule in sorted(rules, key=lambda item: int(item["priority"])):
        if rule.get("preview") or not matches(rule, web):
            continue
        action = str(rule["action"])
        if action in ("throttle", "rate_based_ban"):
            limit = rule["rateLimitOptions"]
            threshold = limit["rateLimitThreshold"]
            name = f"{service}/{rule['priority']}"
            if counters.exceeds(name, web.client, int(threshold["count"]), float(threshold["intervalSec"])):
                return _status(str(limit["exceedAction"]))
            return None
        return _status(action)
    return None


def _status(action: str) -> int | None:
    found = re.fullmatch(r"deny\((\d+)\)", action)
    return int(found[1]) if found else None
