"""Cloud Armor's rules on single requests."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.frontdoor.armor import Counters, Web, matches, verdict

ALL: dict[str, Any] = {"match": {"config": {"srcIpRanges": ["*"]}}}


def web(target: str = "/", client: str = "203.0.113.7", agent: str = "Mozilla/5.0") -> Web:
    return Web(client, target, {"user-agent": agent})


def expression(text: str) -> dict[str, Any]:
    return {"match": {"expr": {"expression": text}}}


@pytest.mark.parametrize(
    ("rules", "request_", "expected"),
    [
        ("sqli", web("/?q=1%27%20OR%201=1"), True),
        ("sqli", web("/?q=a%20union%20all%20select%20b"), True),
        ("sqli", web("/api/2.0/mlflow/runs/search?filter=metrics.auc+%3E+0.9"), False),
        ("xss", web("/?q=%3Cscript%3E"), True),
        ("xss", web("/?q=%253Cscript%253E"), True),
        ("lfi", web("/static/../../etc/passwd"), True),
        ("lfi", web("/static/../app.js"), False),
        ("rce", web("/?f=;cat%20/x"), True),
        ("scannerdetection", web(agent="sqlmap/1.7"), True),
        ("scannerdetection", web("/sqlmap"), False),
    ],
)
def test_preconfigured_rules_know_attacks_from_work(rules: str, request_: Web, expected: bool) -> None:
    rule = expression(f"evaluatePreconfiguredWaf('{rules}-v33-stable', {{'sensitivity': 1}})")
    assert matches(rule, request_) is expected


JSON, FORM = "application/json; charset=utf-8", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("rules", "kind", "body", "reads_json", "expected"),
    [
        ("xss", JSON, b'{"name": "<script>"}', True, True),
        ("xss", JSON, rb'{"name": "\u003cscript>"}', True, True),
        ("xss", JSON, rb'{"name": "\u003cscript>"}', False, False),
        ("xss", JSON, rb'{"name": "a \" <script>, cut o', True, True),
        ("xss", JSON, b'{"name": "cut off ' + b"\\", True, False),
        ("xss", JSON, b"\xff{", True, False),
        # why JSON is to be read as such: here the words of two texts, and what stands between them, are no attack
        ("sqli", JSON, b'{"kind": "union", "then": "select"}', True, False),
        ("sqli", JSON, b'{"kind": "union", "then": "select"}', False, True),
        ("sqli", JSON, b'{"kind": "union all select a"}', True, True),
        ("xss", FORM, b"name=%3Cscript%3E", True, True),
        ("lfi", "application/octet-stream", b"\x00../../etc/passwd", True, True),
        ("scannerdetection", JSON, b'{"name": "nikto"}', True, False),
    ],
)
def test_bodies_are_judged_by_what_they_say(
    rules: str, kind: str, body: bytes, reads_json: bool, expected: bool
) -> None:
    rule = expression(f"evaluatePreconfiguredWaf('{rules}-v33-stable')")
    assert matches(rule, Web("203.0.113.7", "/", {"content-type": kind}, body, reads_json)) is expected


@pytest.mark.parametrize(
    ("text", "client", "target", "expected"),
    [
        ("inIpRange(origin.ip, '203.0.113.0/24')", "203.0.113.7", "/", True),
        ("inIpRange(origin.ip, '203.0.113.0/24')", "198.51.100.1", "/", False),
        ("inIpRange(origin.ip, '203.0.113.0/24') && request.path.matches('/admin')", "203.0.113.7", "/admin/x", True),
        (
            "inIpRange(origin.ip, '203.0.113.0/24') && request.path.matches('/admin')",
            "203.0.113.7",
            "/?q=/admin",
            False,
        ),
        ("somethingNew(origin.ip)", "203.0.113.7", "/", False),
    ],
)
def test_expressions(text: str, client: str, target: str, expected: bool) -> None:
    assert matches(expression(text), web(target, client)) is expected


def test_the_best_priority_decides_and_previews_do_not() -> None:
    deny = {"priority": 5, "action": "deny(403)", **ALL}
    rules = [
        {"priority": 9, "action": "allow", **ALL},
        deny,
        {"priority": 1, "action": "deny(404)", "preview": True, **ALL},
    ]
    assert verdict("s", rules, web(), Counters()) == 403
    assert verdict("s", [*rules, {"priority": 2, "action": "allow", **ALL}], web(), Counters()) is None


def test_throttling_counts_each_client_in_a_sliding_window() -> None:
    now = [0.0]
    counters = Counters(clock=lambda: now[0])
    limit = {
        "exceedAction": "deny(429)",
        "rateLimitThreshold": {"count": 3, "intervalSec": 60},
    }
    rules = [{"priority": 1, "action": "throttle", "rateLimitOptions": limit, **ALL}]
    assert [verdict("s", rules, web(), counters) for _ in range(4)] == [None, None, None, 429]
    assert verdict("s", rules, web(client="203.0.113.8"), counters) is None
    now[0] = 61.0
    assert verdict("s", rules, web(), counters) is None
