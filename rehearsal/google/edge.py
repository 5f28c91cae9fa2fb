"""What the load balancer's data path asks of the emulated cloud: what is configured, and whom IAP lets in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .core import Cloud, Request, Response, lineage
from .id_tokens import IdTokens
from .services import certificatemanager
from .services.compute.links import key_of
from .services.iap import ancestors
from .store import Record, Transaction

PERMISSION = "iap.webServiceVersions.accessViaIAP"
_EXTERNAL = ("EXTERNAL", "EXTERNAL_MANAGED")


def configuration(cloud: Cloud, request: Request) -> Response:
    """All external forwarding rules with what they lead to; a target that is not there any more is left out."""
    del request
    with cloud.store.transaction() as tx:
        rules = [
            record for record in tx.list("compute.forwardingRules") if record.body["loadBalancingScheme"] in _EXTERNAL
        ]
        fronts = [front for rule in rules if (front := _front(tx, rule))]
        services = {record.key: _service(tx, record) for record in tx.list("compute.backendServices")}
    return Response({"fronts": fronts, "services": services})


def _linked(tx: Transaction, kind: str, link: str | None) -> Record | None:
    return tx.get(f"compute.{kind}", key_of(link)) if link else None


def _front(tx: Transaction, rule: Record) -> dict[str, Any] | None:
    target = tx.find(key_of(rule.body.get("target", "")))
    if target is None or target.kind not in ("compute.targetHttpProxies", "compute.targetHttpsProxies"):
        return None
    routes = _linked(tx, "urlMaps", target.body.get("urlMap"))
    if routes is None:
        return None
    secure = target.kind == "compute.targetHttpsProxies"
    return {
        "name": rule.body["name"],
        "address": rule.body["IPAddress"],
        "port": int(rule.body["portRange"].partition("-")[0]),
        "certificates": _certificates(tx, target) if secure else None,
        "urlMap": routes.body,
    }


def _certificates(tx: Transaction, proxy: Record) -> list[list[str]]:
    """The host names of each certificate that is served now, by the entries of the proxy's map."""
    bundle = str(proxy.body.get("certificateMap", "")).removeprefix("//certificatemanager.googleapis.com/")
    served = []
    for entry in tx.list(certificatemanager.ENTRIES.kind, f"{bundle}/certificateMapEntries/") if bundle else []:
        certificates = [
            tx.get(certificatemanager.CERTIFICATES.kind, key) for key in entry.hidden["links"]["certificates"]
        ]
        if all(item and certificatemanager.usable(tx, item) for item in certificates):
            served.append([entry.body["hostname"]])
    return served


def _service(tx: Transaction, record: Record) -> dict[str, Any]:
    body = record.body
    policy = _linked(tx, "securityPolicies", body.get("securityPolicy"))
    checks = [check.body for link in body.get("healthChecks", []) if (check := _linked(tx, "healthChecks", link))]
    groups = [_linked(tx, "networkEndpointGroups", backend["group"]) for backend in body.get("backends", [])]
    endpoints = [item for group in groups if group for item in group.hidden.get("endpoints", [])]
    project = tx.get("projects", record.key.split("/")[1])
    return {
        "id": str(body["id"]),
        "name": body["name"],
        "project": record.key.split("/")[1],
        "number": str(project.body["number"]) if project else "0",
        "protocol": body.get("protocol", "HTTP"),
        "timeoutSec": body.get("timeoutSec", 30),
        "iap": {key: body.get("iap", {}).get(key) for key in ("enabled", "oauth2ClientId")},
        "rules": policy.body.get("rules", []) if policy else [],
        "readsJson": policy is not None and _json_parsing(policy) in ("STANDARD", "STANDARD_WITH_GRAPHQL"),
        "healthCheck": checks[0] if checks else None,
        "responseHeaders": body.get("customResponseHeaders", []),
        "endpoints": sorted((str(item["ipAddress"]), int(item["port"])) for item in endpoints),
    }


def _json_parsing(policy: Record) -> str:
    return str(policy.body.get("advancedOptionsConfig", {}).get("jsonParsing", "DISABLED"))


def access(cloud: Cloud, request: Request) -> Response:
    """POST {"service", "email", "host", "path"}: whether IAP lets somebody through to a backend service, by its key."""
    given = request.json()
    with cloud.store.transaction() as tx:
        record = tx.get("compute.backendServices", given["service"])
        if record is None:
            return Response({"allowed": False})
        project = given["service"].split("/")[1]
        number = cloud.projects.number(tx, project)
        # Policies may be set by the service's id or its name; IAP counts both.
        chains = [
            ancestors(f"projects/{number}/iap_web/compute/services/{name}")
            for name in (record.body["id"], record.body["name"])
        ]
        web = {"host": str(given["host"]), "path": str(given["path"])}
        caller = cloud.identities.principal(given["email"])
        guard = cloud.access(tx, web)
        allowed = any(guard.allowed(caller, PERMISSION, lineage(project, *chain)) for chain in chains)
    return Response({"allowed": allowed})


def identify(cloud: Cloud, request: Request) -> Response:
    """POST {"token", "client", "url"}: the program that a bearer token belongs to, or why it is none."""
    given: Mapping[str, str] = request.json()
    email, problem = IdTokens(cloud).caller(given["token"], given["client"], given["url"])
    return Response({"email": email} if email else {"problem": problem})


def groups(cloud: Cloud, request: Request) -> Response:
    """PUT {"group", "members"}: who is in a group of the company's directory from now on."""
    given = request.json()
    group, members = given.get("group"), given.get("members")
    if not isinstance(group, str) or "@" not in group or not isinstance(members, list):
        return Response({"error": 'PUT /groups wants {"group": "team@example.com", "members": [addresses]}'}, 400)
    with cloud.store.transaction() as tx:
        tx.put(Record("world.groups", group, {"members": [str(member) for member in members]}))
    return Response({"group": group, "members": members})


def people(cloud: Cloud, request: Request) -> Response:
    """Groups of the company's directory with their members."""
    del request
    with cloud.store.transaction() as tx:
        return Response({"groups": {group.key: group.body["members"] for group in tx.list("world.groups")}})
