"""Firewall policies: of a project's networks, and hierarchical ones of an organization."""

from __future__ import annotations

from typing import Any

from ...core import HANDLERS, Call, hexes, new_id
from ...errors import ApiError
from ...store import Record
from . import operations
from .generic import check_fingerprint, fetch, merge, save
from .kinds import Kind, declare, stamp
from .links import Place, locate, resolve, url, was_not_found

_HEAD = "locations/global/firewallPolicies"
_HIERARCHICAL = {
    "insert": "createFirewallPolicy", "patch": "updateFirewallPolicy", "delete": "deleteFirewallPolicy",
    "addRule": "addFirewallRuleToFirewallPolicy", "patchRule": "patchFirewallRuleInFirewallPolicy",
    "removeRule": "removeFirewallRuleFromFirewallPolicy", "addAssociation": "createFirewallPolicyAssociation",
    "removeAssociation": "deleteFirewallPolicyAssociation",
}  # fmt: skip
_NETWORK = {"addAssociation": "attach", "removeAssociation": "detach"}


def _first_rules(*, network: bool) -> list[dict[str, Any]]:
    """The four rules that hand everything on to what comes next."""
    rules = []
    for number, (family, direction) in enumerate(
        (("6", "EGRESS"), ("6", "INGRESS"), ("4", "EGRESS"), ("4", "INGRESS"))
    ):
        everywhere = "::/0" if family == "6" else "0.0.0.0/0"
        suffix = " ipv6" if family == "6" and not network else ""
        rule: dict[str, Any] = {
            "kind": "compute#firewallPolicyRule",
            "action": "goto_next",
            "description": f"default {direction.lower()} rule{suffix}",
            "direction": direction,
            "enableLogging": False,
            "match": {"layer4Configs": [{"ipProtocol": "all"}]},
            "priority": 2147483644 + number,
            "ruleTupleCount": 2,
        }
        rule["match"]["destIpRanges" if direction == "EGRESS" else "srcIpRanges"] = [everywhere]
        if network:
            rule["targetType"] = "INSTANCES"
        rules.append(rule)
    return rules


def _insert(call: Call, place: Place, body: dict[str, Any]) -> None:
    del call, place
    body["rules"] = _first_rules(network=True) + body.get("rules", [])
    body |= {"policySource": "USER_DEFINED", "ruleTupleCount": 2 * len(body["rules"])}
    body["selfLinkWithId"] = f"{body['selfLink'].rpartition('/')[0]}/{body['id']}"


POLICY = declare(
    Kind(
        "firewallPolicies",
        "firewallPolicy",
        "firewall_policy",
        output=("ruleTupleCount", "policySource"),
        fingerprint=True,
        demands_fingerprint=True,
        operations={verb: f"compute.networkFirewallPolicy.{verb}" for verb in ("insert", "patch", "delete")},
        on_insert=_insert,
    )
)


def _policy(call: Call) -> Record:
    if "firewallPolicies" in call.method.id:
        key = f"{_HEAD}/{call.path['firewallPolicy']}"
        record = call.tx.get(POLICY.store, key)
        if record is None:
            raise was_not_found(key)
        return record
    return fetch(call, str(locate(call).key))


def _begin(call: Call, record: Record, verb: str) -> dict[str, Any]:
    if not record.key.startswith("locations/"):
        kind = f"compute.networkFirewallPolicy.{_NETWORK.get(verb, verb)}"
        scope = "/".join(record.key.split("/")[:3])
    else:
        kind, scope = _HIERARCHICAL[verb], "locations/global"
    work = "compute.delete" if verb == "delete" else None
    arguments = {"key": record.key}
    body = operations.begin(call, record, kind, scope=scope, work=work, arguments=arguments, done=verb == "patch")
    if verb == "insert" and scope == "locations/global":
        body = {key: value for key, value in body.items() if key not in ("targetId", "targetLink")}
    return body


def _create(call: Call) -> dict[str, Any]:
    """POST of a hierarchical policy; its number is its name."""
    number = new_id(call.tx)
    rules = _first_rules(network=False)
    body = {
        **{key: value for key, value in call.body.items() if key in ("description", "shortName", "parent")},
        "kind": "compute#firewallPolicy",
        "id": number,
        "name": number,
        "parent": call.query.get("parentId") or call.body.get("parent", ""),
        "displayName": call.body.get("shortName", ""),
        "creationTimestamp": call.clock.pacific(),
        "rules": rules,
        "ruleTupleCount": 2 * len(rules),
        "selfLink": url(f"{_HEAD}/{number}"),
        "selfLinkWithId": url(f"{_HEAD}/{number}/{number}"),
    }
    record = Record(POLICY.store, f"{_HEAD}/{number}", body)
    stamp(POLICY, record.body)
    call.tx.put(record)
    return _begin(call, record, "insert")


def _one(call: Call) -> dict[str, Any]:
    """GET, PATCH and DELETE of a policy."""
    record = _policy(call)
    if call.method.verb == "get":
        return record.body
    if call.method.verb == "delete":
        if record.hidden.get("associations"):
            name = record.hidden["associations"][0]["name"]
            text = f"The firewall_policy resource '{record.key}' is already being used by '{name}'"
            raise ApiError(400, text, "resourceInUseByAnotherResource")
        return _begin(call, record, "delete")
    check_fingerprint(POLICY, record, call.body.get("fingerprint"), demanded=True)
    given = {key: value for key, value in call.body.items() if key in ("description", "shortName")}
    record.body = merge(record.body, given)
    save(call, POLICY, record)
    return _begin(call, record, "patch")


def _rule(call: Call, record: Record) -> dict[str, Any]:
    priority = int(call.query.get("priority", 0))
    found = next((rule for rule in record.body["rules"] if rule["priority"] == priority), None)
    if found is None:
        why = f"The firewall policy does not contain a rule at priority {priority}."
        raise ApiError(400, f"Invalid value for field 'priority': '{priority}'. {why}", "invalid")
    return dict(found)


def _rules(call: Call) -> dict[str, Any]:
    """getRule, addRule, patchRule, removeRule."""
    record, verb = _policy(call), call.method.verb
    if verb == "getRule":
        return _rule(call, record)
    if verb == "addRule":
        given = {key: value for key, value in call.body.items() if key != "firewallPolicy"}
        rule = {"description": "", **given, "kind": "compute#firewallPolicyRule", "ruleTupleCount": 2}
        record.body["rules"].insert(0, rule)
    else:
        old = _rule(call, record)
        index = record.body["rules"].index(old)
        if verb == "patchRule":
            record.body["rules"][index] = merge(old, call.body)
        else:
            del record.body["rules"][index]
    record.body["ruleTupleCount"] = sum(rule["ruleTupleCount"] for rule in record.body["rules"])
    save(call, POLICY, record)
    return _begin(call, record, verb)


def _associations(call: Call) -> dict[str, Any]:
    """getAssociation, addAssociation, removeAssociation."""
    record, verb = _policy(call), call.method.verb
    held: list[dict[str, Any]] = record.hidden.setdefault("associations", [])
    name = str(call.query.get("name") or call.body.get("name") or hexes(8))
    found = next((item for item in held if item["name"] == name), None)
    if verb != "addAssociation" and found is None:
        text = f"Invalid value for field 'name': '{name}'. An association with that name does not exist."
        raise ApiError(400, text, "invalid")
    if verb == "getAssociation":
        return dict(found or {})
    if verb == "addAssociation":
        target = str(call.body.get("attachmentTarget", ""))
        link = url(resolve(call, "attachmentTarget", target)) if "/networks/" in target else target
        held.append({"name": name, "attachmentTarget": link})
    else:
        held.remove(found)  # type: ignore[arg-type]  # it was found in it
    call.tx.put(record)
    return _begin(call, record, verb)


def _operation(call: Call) -> dict[str, Any]:
    """GET of an operation on a hierarchical policy."""
    key = f"locations/global/operations/{call.path['operation']}"
    record = call.tx.get(operations.KIND, key)
    if record is None:
        raise was_not_found(key)
    return record.body


for _kind in ("firewallPolicies", "networkFirewallPolicies"):
    for _verb in ("get", "patch", "delete"):
        HANDLERS[f"compute.{_kind}.{_verb}"] = _one
    for _verb in ("getRule", "addRule", "patchRule", "removeRule"):
        HANDLERS[f"compute.{_kind}.{_verb}"] = _rules
    for _verb in ("getAssociation", "addAssociation", "removeAssociation"):
        HANDLERS[f"compute.{_kind}.{_verb}"] = _associations
HANDLERS["compute.firewallPolicies.insert"] = _create
HANDLERS["compute.globalOrganizationOperations.get"] = _operation
