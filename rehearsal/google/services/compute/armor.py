"""Cloud Armor: security policies and their rules."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from ...core import Call, handles
from ...errors import ApiError
from ...store import Record
from . import operations
from .generic import check_ready, clean, fetch, merge, save
from .kinds import Kind, declare
from .links import Place, locate

DEFAULT_PRIORITY = 2147483647
_VERBS = ("addRule", "patchRule", "removeRule", "getRule")


def _default_rule() -> dict[str, Any]:
    match = {"config": {"srcIpRanges": ["*"]}, "versionedExpr": "SRC_IPS_V1"}
    return {
        "action": "allow",
        "description": "default rule",
        "match": match,
        "preview": False,
        "priority": DEFAULT_PRIORITY,
    }


def _insert(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call
    rules = body.get("rules", [])
    number = 0
    for rule in rules:
        number += 1
        _settle(rule, number)
    if place.region is None or rules:
        if not any(rule["priority"] == DEFAULT_PRIORITY for rule in rules):
            rules.append(_default_rule())
            _settle(rules[-1], number + 1)
            number += 1
        body["rules"] = _sorted(rules)
    if place.region is None:
        body["selfLinkWithId"] = f"{body['selfLink'].rpartition('/')[0]}/{body['id']}"
    else:
        for rule in body.get("rules", []):
            rule.setdefault("preview", False)
            rule.setdefault("description", "")
    body["__hidden__"] = {"numbers": number}


def _sorted(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules that come with the policy show in the order of their priority."""
    return sorted(rules, key=lambda rule: int(rule["priority"]))


def _settle(rule: dict[str, Any], number: int) -> None:
    """Fills in a rule and refuses what cannot be matched."""
    rule.setdefault("priority", 0)
    rule["kind"] = "compute#securityPolicyRule"
    rule["ruleNumber"] = str(number)
    if not rule.get("action"):
        raise ApiError(400, "Required field 'resource.action' not specified", "required")
    match = rule.get("match", {})
    if not match and "networkMatch" not in rule:
        raise ApiError(400, "Required field 'resource.match' not specified", "required")
    for value in match.get("config", {}).get("srcIpRanges", []):
        try:
            ipaddress.ip_network(value if value != "*" else "0.0.0.0/0", strict=False)
        except ValueError as error:
            text = f"Invalid value for field 'resource.match.config.srcIpRanges[0]': '{value}'. Must be a valid range."
            raise ApiError(400, text, "invalid") from error


def _change(call: Call, record: Record, before: dict[str, Any]) -> None:
    del call
    for index, rule in enumerate(record.body.get("rules", [])):
        _settle(rule, int(rule.get("ruleNumber") or index + 1))
        rule.setdefault("preview", False)
        rule.setdefault("description", "")
    if not record.body.get("rules"):
        record.body["rules"] = before.get("rules", [])


POLICY = declare(
    Kind(
        "securityPolicies",
        "securityPolicy",
        "security_policy",
        defaults={"type": "CLOUD_ARMOR"},
        fingerprint=True,
        labels=True,
        on_insert=_insert,
        on_change=_change,
    )
)


def _rule(call: Call, record: Record) -> dict[str, Any]:
    wanted = int(call.query.get("priority", 0))
    for rule in record.body.get("rules", []):
        if rule["priority"] == wanted:
            return dict(rule)
    what = f"The security policy does not contain a rule at priority {wanted}."
    raise ApiError(400, f"Invalid value for field 'priority': '{wanted}'. {what}", "invalid")


@handles(*(f"compute.{name}.{verb}" for name in ("securityPolicies", "regionSecurityPolicies") for verb in _VERBS))
def rules(call: Call) -> dict[str, Any]:
    """addRule, patchRule, removeRule, getRule."""
    place = locate(call)
    record = fetch(call, str(place.key))
    if call.method.verb == "getRule":
        return _rule(call, record)
    check_ready(call, record.key)
    operation = {"addRule": _add, "patchRule": _patch, "removeRule": _remove}[call.method.verb](call, record)
    save(call, POLICY, record)
    return operations.begin(call, record, operation, scope=place.scope)


def _add(call: Call, record: Record) -> str:
    rule = clean(copy.deepcopy(call.body))
    number = record.hidden.get("numbers", 0) + 1
    _settle(rule, number)
    if any(other["priority"] == rule["priority"] for other in record.body.get("rules", [])):
        why = "Cannot have rules with the same priorities."
        text = f"Invalid value for field 'resource.priority': '{rule['priority']}'. {why}"
        raise ApiError(400, text, "invalid")
    record.body.setdefault("rules", []).append(rule)
    record.hidden["numbers"] = number
    return "AddRule"


def _patch(call: Call, record: Record) -> str:
    old = _rule(call, record)
    index = record.body["rules"].index(old)
    given = {key: value for key, value in call.body.items() if key not in ("kind", "ruleNumber")}
    rule = merge(old, given)
    if old["priority"] == DEFAULT_PRIORITY and rule["priority"] != DEFAULT_PRIORITY:
        raise ApiError(
            400, "Invalid value for field 'resource.priority'. The default rule's priority cannot change.", "invalid"
        )
    _settle(rule, int(old["ruleNumber"]))
    record.body["rules"][index] = rule
    return "PatchRule"


def _remove(call: Call, record: Record) -> str:
    rule = _rule(call, record)
    if rule["priority"] == DEFAULT_PRIORITY:
        text = "Invalid value for field 'priority': '2147483647'. Cannot remove the default rule."
        raise ApiError(400, text, "invalid")
    record.body["rules"].remove(rule)
    return "RemoveRule"
