"""Artifact Registry: repositories and their policies (recordings/artifactregistry)."""

from __future__ import annotations

from typing import Any

from .. import lro
from ..core import Call, Cloud, handles
from ..errors import ApiError
from ..jobs import WORKS, Arguments, Work
from ..store import Record, Transaction
from .collections import Collection, authorize_by_resource
from .masks import apply_mask

_HOST = "artifactregistry.googleapis.com"
_TYPE = "type.googleapis.com/google.devtools.artifactregistry.v1"
REPOSITORIES = Collection(
    "artifactregistry.repositories",
    "repositories",
    "repositoryId",
    "repositories",
    lambda name: "Requested entity was not found.",
    _HOST,
)
authorize_by_resource("artifactregistry", _HOST, numbered=False)


def _begin(call: Call, name: str, work: str, arguments: Arguments) -> dict[str, Any]:
    head = name.partition("/repositories/")[0]
    metadata = {"@type": f"{_TYPE}.OperationMetadata"}
    return lro.begin(call, f"{head}/operations/{lro.new_uuid()}", metadata, work=work, arguments=arguments)


@handles("artifactregistry.projects.locations.repositories.create")
def create(call: Call) -> dict[str, Any]:
    """POST of a repository."""
    if not call.body.get("format"):
        raise ApiError(400, "Request contains an invalid argument: format is required.", "badRequest")
    name = REPOSITORIES.new(call)
    body = {"mode": "STANDARD_REPOSITORY", **call.body, "name": name}
    body = {key: value for key, value in body.items() if value not in ({}, "", False, None)}
    now = call.clock.zulu()
    location, identifier = name.split("/")[3], name.rpartition("/")[2]
    registry = f"{location}-{str(body['format']).lower()}.pkg.dev/{call.project}/{identifier}"
    stored = {**body, "createTime": now, "updateTime": now, "registryUri": registry}
    call.tx.put(Record(REPOSITORIES.kind, name, stored))
    return _begin(call, name, "artifactregistry.created", {"body": {**body, "registryUri": registry}})


def _created(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del cloud, tx, result
    return {"@type": f"{_TYPE}.Repository", **arguments["body"]}


def _deleted(cloud: Cloud, tx: Transaction, arguments: Arguments, result: Any) -> dict[str, Any]:
    del cloud, result
    tx.delete(REPOSITORIES.kind, arguments["name"])
    tx.delete("iam.policies", f"//{_HOST}/{arguments['name']}")
    return {"@type": "type.googleapis.com/google.protobuf.Empty"}


WORKS["artifactregistry.created"] = Work(finish=_created)
WORKS["artifactregistry.deleted"] = Work(finish=_deleted)


@handles("artifactregistry.projects.locations.repositories.get")
def get(call: Call) -> dict[str, Any]:
    """GET of a repository."""
    return REPOSITORIES.find(call, call.path["name"]).body


@handles("artifactregistry.projects.locations.repositories.list")
def list_repositories(call: Call) -> dict[str, Any]:
    """The repositories at a location."""
    return REPOSITORIES.list(call, lambda record: record.body)


@handles("artifactregistry.projects.locations.repositories.patch")
def patch(call: Call) -> dict[str, Any]:
    """PATCH by mask; synchronous."""
    record = REPOSITORIES.find(call, call.path["name"])
    for name in ("format", "mode"):
        if call.body.get(name) not in (None, record.body.get(name)):
            raise ApiError(400, f"Field {name} is immutable.", "badRequest")
    apply_mask(record.body, call.body, str(call.query.get("updateMask", "")))
    record.body = {key: value for key, value in record.body.items() if value not in ({}, "", False, None)}
    record.body["updateTime"] = call.clock.zulu()
    call.tx.put(record)
    return record.body


@handles("artifactregistry.projects.locations.repositories.delete")
def delete(call: Call) -> dict[str, Any]:
    """DELETE of a repository."""
    record = REPOSITORIES.find(call, call.path["name"])
    return _begin(call, record.key, "artifactregistry.deleted", {"name": record.key})


@handles(
    *(
        f"artifactregistry.projects.locations.repositories.{verb}"
        for verb in ("getIamPolicy", "setIamPolicy", "testIamPermissions")
    )
)
def policy(call: Call) -> dict[str, Any]:
    """Who may read and write a repository."""
    return REPOSITORIES.policy(call)


@handles("artifactregistry.projects.locations.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation."""
    return lro.get(call)
