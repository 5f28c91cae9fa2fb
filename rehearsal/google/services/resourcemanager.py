"""Cloud Resource Manager (v1 and v3) and Cloud Billing: projects, their policies, their billing account."""

from __future__ import annotations

from typing import Any

from .. import lro, seed
from ..core import AUTHORIZERS, Call, Cloud, handles, lineage, new_id, project_resource
from ..errors import ApiError
from ..filters import matches
from ..jobs import WORKS, Work
from ..permissions import known, needed
from ..store import Record, Transaction
from . import policies

_TYPE = "type.googleapis.com/google.cloudresourcemanager"


def _denied() -> ApiError:
    """What a caller without access, and one who asks for a project that does not exist, are told alike."""
    return ApiError(403, "The caller does not have permission", "forbidden")


def _authorize(call: Call, permission: str | None) -> None:
    if call.method.verb in ("create", "list", "search", "testIamPermissions") or ".operations." in call.method.id:
        return
    if call.method.id.startswith("cloudresourcemanager.projects"):
        permission = permission or needed(call.method.id, "resourcemanager")
    if call.tx.get("projects", call.project) is None:
        raise _denied()
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project)):
        raise _denied()


AUTHORIZERS["cloudresourcemanager"] = _authorize
AUTHORIZERS["cloudbilling"] = _authorize


def _v1(body: dict[str, Any]) -> dict[str, Any]:
    kind, _, number = body["parent"].partition("/")
    shown = {
        "projectNumber": body["number"],
        "projectId": body["id"],
        "lifecycleState": body["state"],
        "name": body["displayName"],
        "createTime": body["createTime"],
        "parent": {"type": kind.removesuffix("s"), "id": number},
    }
    return {**shown, **({"labels": body["labels"]} if body["labels"] else {})}


def _v3(body: dict[str, Any]) -> dict[str, Any]:
    shown = {
        "name": f"projects/{body['number']}",
        "parent": body["parent"],
        "projectId": body["id"],
        "state": body["state"],
        "displayName": body["displayName"],
        "createTime": body["createTime"],
        "updateTime": body["updateTime"],
        "etag": f'W/"{body["number"][-8:]}"',
    }
    return {**shown, **({"labels": body["labels"]} if body["labels"] else {})}


def _show(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    return _v1(body) if call.document.version == "v1" else _v3(body)


def _record(call: Call) -> Record:
    record = call.tx.get("projects", call.project)
    if record is None:
        raise _denied()
    return record


@handles("cloudresourcemanager.projects.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a project; one being deleted still shows."""
    return _show(call, _record(call).body)


@handles("cloudresourcemanager.projects.list", "cloudresourcemanager.projects.search")
def list_projects(call: Call) -> dict[str, Any]:
    """The projects that the caller may see."""
    seen = [
        _show(call, record.body)
        for record in call.tx.list("projects")
        if call.access.allowed(call.principal, "resourcemanager.projects.get", lineage(record.key))
    ]
    return {"projects": [item for item in seen if matches(item, call.query.get("filter"))]}


@handles("cloudresourcemanager.projects.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a project: an operation `cp.<number>` (recordings/cloudresourcemanager/projects)."""
    project = str(call.body.get("projectId", ""))
    if call.tx.get("projects", project):
        raise ApiError(409, "Requested entity already exists", "alreadyExists")
    parent = call.body.get("parent", call.cloud.config.organization)
    if isinstance(parent, dict):
        parent = f"{parent['type']}s/{parent['id']}"
    number = new_id(call.tx)[:12]
    record = seed.make_project(call.cloud, call.tx, project, number, parent, "")
    record.body["displayName"] = call.body.get("name") or call.body.get("displayName") or project
    record.body["labels"] = call.body.get("labels", {})
    call.tx.put(record)
    member = f"{'serviceAccount' if call.principal.is_service_account else 'user'}:{call.principal.email}"
    seed.add_binding(call.tx, project_resource(project), "roles/owner", member)
    metadata = {
        "@type": f"{_TYPE}.v1.ProjectCreationStatus",
        "gettable": True,
        "ready": True,
    }
    lro.begin(call, f"operations/cp.{number}", metadata, work="projects.created", arguments={"project": project})
    return {"name": f"operations/cp.{number}"}


def _created(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    del cloud, result
    record = tx.get("projects", arguments["project"])
    shown = _v1(record.body) if record else {}
    return {"@type": f"{_TYPE}.v1.Project", **shown}


WORKS["projects.created"] = Work(finish=_created)


@handles("cloudresourcemanager.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    return lro.get(call)


@handles("cloudresourcemanager.projects.update", "cloudresourcemanager.projects.patch")
def update(call: Call) -> dict[str, Any]:
    """PUT (v1) of the whole project; PATCH (v3) of some members."""
    record = _record(call)
    record.body["displayName"] = call.body.get(
        "name" if call.document.version == "v1" else "displayName", record.body["displayName"]
    )
    if "labels" in call.body or call.method.verb == "update":
        record.body["labels"] = call.body.get("labels") or {}
    record.body["updateTime"] = call.clock.zulu(3)
    call.tx.put(record)
    return _show(call, record.body)


@handles("cloudresourcemanager.projects.delete")
def delete(call: Call) -> dict[str, Any]:
    """Marks the project for deletion; it can be restored for 30 days."""
    record = _record(call)
    record.body["state"] = "DELETE_REQUESTED"
    call.tx.put(record)
    return {}


@handles("cloudresourcemanager.projects.getIamPolicy")
def get_policy(call: Call) -> dict[str, Any]:
    """The project's policy."""
    return policies.read(call, project_resource(_record(call).key))


@handles("cloudresourcemanager.projects.setIamPolicy")
def set_policy(call: Call) -> dict[str, Any]:
    """Replaces the project's policy; nobody may lock all owners out."""
    return policies.write(call, project_resource(_record(call).key), call.body.get("policy", {}))


@handles("cloudresourcemanager.projects.testIamPermissions")
def test_permissions(call: Call) -> dict[str, Any]:
    """Which of the asked permissions the caller has."""
    if call.tx.get("projects", call.project) is None:
        raise _denied()
    asked = call.body.get("permissions", [])
    for name in asked:
        if not known(name):
            raise ApiError(400, f"Permission {name} is not valid for this resource.", "badRequest")
    return policies.test(call, (), asked)


@handles("cloudbilling.projects.getBillingInfo")
def billing(call: Call) -> dict[str, Any]:
    """Which account pays."""
    account = _record(call).body["billing"]
    return {
        "name": f"projects/{call.project}/billingInfo",
        "projectId": call.project,
        "billingAccountName": account,
        "billingEnabled": bool(account),
    }


@handles("cloudbilling.projects.updateBillingInfo")
def set_billing(call: Call) -> dict[str, Any]:
    """Links or unlinks an account."""
    record = _record(call)
    record.body["billing"] = call.body.get("billingAccountName", "")
    call.tx.put(record)
    return billing(call)
