"""The metadata server at 169.254.169.254: identity of machines, nodes and pods, told by the caller's address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .core import Cloud, Request, Response, lineage
from .services import oslogin
from .store import Record, Transaction
from .substrate import PodIdentity, SubstrateError

_FLAVOR = {"metadata-flavor": "Google", "server": "Metadata Server for VM"}
_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@dataclass(frozen=True)
class _Caller:
    """Who asks: its token is for `email`; `tree` is what the server shows of the instance."""

    email: str
    project: str
    tree: dict[str, Any]


def answer(cloud: Cloud, request: Request, pod: PodIdentity | None) -> Response:
    """Answers one request; `pod` is what the hypervisor knows of the caller's address."""
    if request.path == "/":
        return _text("computeMetadata/\n")
    if request.headers.get("metadata-flavor") != "Google":
        text = "Missing Metadata-Flavor:Google header.\n"
        return Response(text.encode(), 403, {**_FLAVOR}, "text/html; charset=UTF-8")
    with cloud.store.transaction() as tx:
        caller = _pod(cloud, tx, pod) if pod else _machine(cloud, tx, request.peer)
        if caller is None:
            return _missing(f"no instance, node or pod has the address {request.peer}")
        path = request.path.removeprefix("/computeMetadata/v1").strip("/")
        if path.startswith("oslogin/"):
            return _json(oslogin.for_instance(tx, caller.tree["instance"], path, dict(request.query)))
    return _serve(cloud, request, caller, path)


def is_machine(cloud: Cloud, address: str) -> bool:
    """Whether a virtual machine has `address`."""
    with cloud.store.transaction() as tx:
        return _machine(cloud, tx, address) is not None


def _serve(cloud: Cloud, request: Request, caller: _Caller, path: str) -> Response:
    parts = [part for part in path.split("/") if part]
    if parts[:2] == ["instance", "service-accounts"] and len(parts) == 4:
        parts[2] = "default" if parts[2] == caller.email else parts[2]
        if parts[2:] == ["default", "token"]:
            return _json(cloud.identities.issue(caller.email))
    value: Any = caller.tree
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return _missing(f"nothing at {request.path}")
        value = value[part]
    if isinstance(value, dict) and request.parameter("recursive") in ("true", "True", "TRUE"):
        return _json(value)
    if isinstance(value, dict):
        return _text("".join(f"{key}/\n" if isinstance(item, dict) else f"{key}\n" for key, item in value.items()))
    if isinstance(value, list):
        return _text("\n".join(str(item) for item in value) + "\n")
    return _text(str(value))


def _text(text: str) -> Response:
    return Response(text.encode(), 200, {**_FLAVOR}, "application/text")


def _json(value: Any) -> Response:
    return Response(value, 200, {**_FLAVOR}, "application/json")


def unavailable(error: SubstrateError) -> Response:
    """503 while nobody can say who owns the caller's address; clients ask again."""
    return Response(f"503: {error}\n".encode(), 503, {**_FLAVOR}, "text/html; charset=UTF-8")


def _missing(why: str) -> Response:
    return Response(f"404: {why}\n".encode(), 404, {**_FLAVOR}, "text/html; charset=UTF-8")


def _accounts(email: str) -> dict[str, Any]:
    account = {"aliases": ["default"], "email": email, "scopes": _SCOPES}
    return {"default": account, email: account}


def _project(cloud: Cloud, tx: Transaction, project: str) -> dict[str, Any]:
    record = tx.get("compute.projects", f"projects/{project}")
    items = record.body["commonInstanceMetadata"].get("items", []) if record else []
    return {
        "attributes": {item["key"]: item.get("value", "") for item in items},
        "numeric-project-id": cloud.projects.number(tx, project),
        "project-id": project,
    }


def _machine(cloud: Cloud, tx: Transaction, address: str) -> _Caller | None:
    """A virtual machine, or a node of a cluster, by its internal address."""
    for record in tx.list("compute.instances"):
        if any(nic.get("networkIP") == address for nic in record.body.get("networkInterfaces", [])):
            return _instance(cloud, tx, record)
    for pool in tx.list("container.nodePools"):
        for node in pool.hidden.get("nodes", []):
            if node["address"] == address:
                return _node(cloud, tx, pool, node)
    return None


def _instance(cloud: Cloud, tx: Transaction, record: Record) -> _Caller | None:
    project, zone, body = record.key.split("/")[1], record.key.split("/")[3], record.body
    accounts = body.get("serviceAccounts", [])
    email = accounts[0]["email"] if accounts else ""
    items = body.get("metadata", {}).get("items", [])
    number = cloud.projects.number(tx, project)
    tree = {
        "attributes": {item["key"]: item.get("value", "") for item in items},
        "hostname": f"{body['name']}.{zone}.c.{project}.internal",
        "id": body["id"],
        "key": record.key,
        "machine-type": f"projects/{number}/machineTypes/{body['machineType'].rpartition('/')[2]}",
        "name": body["name"],
        "network-interfaces": {
            str(index): {"ip": nic["networkIP"], "network": nic["network"].partition("/v1/")[2]}
            for index, nic in enumerate(body["networkInterfaces"])
        },
        "service-accounts": _accounts(email) if email else {},
        "tags": body.get("tags", {}).get("items", []),
        "zone": f"projects/{cloud.projects.number(tx, project)}/zones/{zone}",
    }
    return _Caller(email, project, {"instance": tree, "project": _project(cloud, tx, project)})


def _cluster_tree(cloud: Cloud, tx: Transaction, cluster: str, email: str) -> dict[str, Any]:
    _, project, _, location, _, name = cluster.split("/")
    zone = location if location.count("-") == 2 else f"{location}-b"
    instance = {
        "attributes": {"cluster-location": location, "cluster-name": name},
        "service-accounts": _accounts(email),
        "zone": f"projects/{cloud.projects.number(tx, project)}/zones/{zone}",
    }
    return {"instance": instance, "project": _project(cloud, tx, project)}


def _node(cloud: Cloud, tx: Transaction, pool: Record, node: dict[str, Any]) -> _Caller:
    cluster = pool.key.rpartition("/nodePools/")[0]
    project = cluster.split("/")[1]
    email = pool.body["config"].get("serviceAccount", "default")
    if email == "default":
        email = f"{cloud.projects.number(tx, project)}-compute@developer.gserviceaccount.com"
    tree = _cluster_tree(cloud, tx, cluster, email)
    tree["instance"] |= {"name": node["name"], "hostname": node["name"]}
    return _Caller(email, project, tree)


def _pod(cloud: Cloud, tx: Transaction, pod: PodIdentity) -> _Caller | None:
    """GKE's metadata server: the Google account that the Kubernetes one may act as, else the Kubernetes one itself."""
    project = pod["cluster_key"].split("/")[1]
    number, pool = cloud.projects.number(tx, project), f"{project}.svc.id.goog"
    subject = f"ns/{pod['namespace']}/sa/{pod['service_account']}"
    identity = f"principal://iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/subject/{subject}"
    email = pod["annotations"].get("iam.gke.io/gcp-service-account", "")
    if email:
        owner = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
        resource = f"//iam.googleapis.com/projects/{owner}/serviceAccounts/{email}"
        principal = cloud.identities.principal(identity)
        if not cloud.access(tx).allowed(principal, "iam.serviceAccounts.getAccessToken", lineage(owner, resource)):
            return None
    return _Caller(email or identity, project, _cluster_tree(cloud, tx, pod["cluster_key"], email or f"{pool}"))
