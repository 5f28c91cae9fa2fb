"""From the options of gcp_project_services, gcp_service_accounts and gcp_iap_access to resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..kinds.iam import ACCOUNT_POLICY, PROJECT_POLICY, SERVICE_ACCOUNT, TUNNEL_POLICY, WEB_POLICY, WEB_ROLE
from ..kinds.services import BATCH, PROJECT_SERVICES
from ..model import MARK, Resource
from .network import given

TUNNEL_ROLE = "roles/iap.tunnelResourceAccessor"


def services_graph(options: Mapping[str, Any]) -> list[Resource]:
    """The APIs of a project, in groups as large as Google enables at once, one after the other."""
    names = list(dict.fromkeys(options["services"]))
    graph: list[Resource] = []
    for start in range(0, len(names), BATCH):
        label = options["project"] if not graph else f"{options['project']} ({len(graph) + 1})"
        before = (graph[-1].key,) if graph else ()
        spec = {"enabled": names[start : start + BATCH]}
        graph.append(Resource(PROJECT_SERVICES, label, spec, {"project": options["project"]}, before))
    return graph


def accounts_graph(options: Mapping[str, Any]) -> list[Resource]:
    """Service accounts, what they may do in the project, who may act as them, and project roles of others."""
    params = {"project": options["project"]}
    graph: list[Resource] = []
    pairs: list[str] = []
    for account in options.get("accounts") or []:
        text = account.get("description")
        spec = given({"displayName": account.get("display_name"), "description": f"{text} ({MARK})" if text else MARK})
        made = Resource(SERVICE_ACCOUNT, account["name"], spec, params)
        graph.append(made)
        member = f"serviceAccount:{account['name']}@{options['project']}.iam.gserviceaccount.com"
        pairs += [f"{role} {member}" for role in account.get("roles") or []]
        users = role_pairs(account.get("users"))
        if users:
            graph.append(Resource(ACCOUNT_POLICY, account["name"], {"members": users}, params, (made.key,)))
    pairs += role_pairs(options.get("members"))
    if pairs:
        accounts = tuple(item.key for item in graph if item.kind is SERVICE_ACCOUNT)
        graph.append(Resource(PROJECT_POLICY, options["project"], {"members": unique(pairs)}, params, accounts))
    return graph


def iap_graph(options: Mapping[str, Any]) -> list[Resource]:
    """Who may open tunnels to VMs, and who may pass IAP to a load balancer's backend service."""
    graph = []
    for tunnel in options.get("tunnels") or []:
        spec = {"members": unique(f"{TUNNEL_ROLE} {member}" for member in tunnel["members"])}
        params = {"project": options["project"], "zone": tunnel["zone"]}
        graph.append(Resource(TUNNEL_POLICY, tunnel["instance"], spec, params, where=tunnel["zone"]))
    for site in options.get("sites") or []:
        spec = {"members": unique(f"{WEB_ROLE} {member}" for member in site["members"])}
        graph.append(Resource(WEB_POLICY, site["backend_service"], spec, {"project": options["project"]}))
    return [resource for resource in graph if resource.spec["members"]]


def role_pairs(grants: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """``[{role, members}]`` as the "<role> <member>" pairs a policy kind wants."""
    return unique(f"{entry['role']} {member}" for entry in grants or [] for member in entry["members"])


def unique(values: Any) -> list[str]:
    """*values* as a list, each once, in order."""
    return list(dict.fromkeys(values))
