"""Service Usage: which APIs a project has turned on (recordings/serviceusage/services)."""

from __future__ import annotations

from typing import Any

from .. import catalog, lro, seed
from ..core import AUTHORIZERS, Call, Cloud, handles, lineage
from ..errors import ApiError
from ..filters import page
from ..jobs import WORKS, Work
from ..store import Transaction

_PAGE = 50
_TYPE = "type.googleapis.com/google.api.serviceusage.v1"


def _authorize(call: Call, permission: str | None) -> None:
    if permission and not call.access.allowed(call.principal, permission, lineage(call.project)):
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "AUTH_PERMISSION_DENIED",
            "domain": "serviceusage.googleapis.com",
            "metadata": {"permission": permission},
        }
        what = f"Permission denied to {call.method.verb} service [{call.path.get('name', '').rpartition('/')[2]}]"
        raise ApiError(403, what, "forbidden", details=[detail])


AUTHORIZERS["serviceusage"] = _authorize


def _key(project: str, name: str) -> str:
    return f"projects/{project}/services/{name}"


def show(cloud: Cloud, tx: Transaction, project: str, name: str) -> dict[str, Any]:
    """A service as the API writes it."""
    number = cloud.projects.number(tx, project)
    return {
        "name": f"projects/{number}/services/{name}",
        "parent": f"projects/{number}",
        "config": {
            "name": name,
            "title": catalog.title(name),
            "documentation": {},
            "quota": {},
            "authentication": {},
            "usage": {"requirements": ["serviceusage.googleapis.com/tos/cloud"]},
        },
        "state": "ENABLED" if tx.get("serviceusage.services", _key(project, name)) else "DISABLED",
    }


def _named(call: Call) -> str:
    name = (call.path.get("name") or call.path.get("parent", "")).rpartition("/")[2]
    _check(call, name)
    return name


def _check(call: Call, name: str) -> None:
    if not catalog.exists(name):
        detail = {
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{"type": "googleapis.com", "subject": name}],
        }
        raise ApiError(403, f"Not found or permission denied for service(s): {name}.", "forbidden", details=[detail])
    if call.tx.get("projects", call.project) is None:
        raise ApiError(403, f"Permission denied on resource project {call.project}.", "forbidden")


def _operation(call: Call, kind: str, names: list[str], work: str) -> dict[str, Any]:
    arguments = {
        "project": call.project,
        "names": names,
        "disable_dependents": bool(call.body.get("disableDependentServices")),
    }
    metadata = {"@type": "type.googleapis.com/google.protobuf.Empty"}
    name = f"operations/acat.{kind}-{call.number}-{lro.new_uuid()}"
    lro.begin(call, name, metadata, work=work, arguments=arguments)
    return {"name": name}


@handles("serviceusage.services.enable")
def enable(call: Call) -> dict[str, Any]:
    """Turns one API on."""
    return _operation(call, "p2", [_named(call)], "services.enable")


@handles("serviceusage.services.batchEnable")
def batch_enable(call: Call) -> dict[str, Any]:
    """Turns up to 20 APIs on, all or none."""
    names = call.body.get("serviceIds", [])
    if not names or len(names) > 20:
        raise ApiError(400, "Request must contain between 1 and 20 service ids.", "badRequest")
    for name in names:
        _check(call, name)
    return _operation(call, "p2", names, "services.batchEnable")


@handles("serviceusage.services.disable")
def disable(call: Call) -> dict[str, Any]:
    """Turns one API off."""
    name = _named(call)
    used_by = [
        item
        for item, needs in catalog.IMPLIED.items()
        if name in needs and call.tx.get("serviceusage.services", _key(call.project, item))
    ]
    if used_by and not call.body.get("disableDependentServices"):
        text = (
            f"The service {name} is depended on by the following active service(s): {','.join(used_by)}; "
            "Please specify disable_dependent_services=true if you want to proceed with disabling all services."
        )
        raise ApiError(400, text, "failedPrecondition", status="FAILED_PRECONDITION")
    return _operation(call, "p17", [*used_by, name], "services.disable")


def _enable(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    del result
    for name in arguments["names"]:
        seed.enable(cloud, tx, arguments["project"], name, cloud.clock.now())
    service = show(cloud, tx, arguments["project"], arguments["names"][0])
    return {"@type": f"{_TYPE}.EnableServiceResponse", "service": service}


def _enable_many(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    _enable(cloud, tx, arguments, result)
    services = [show(cloud, tx, arguments["project"], name) for name in arguments["names"]]
    return {"@type": f"{_TYPE}.BatchEnableServicesResponse", "services": services}


def _disable(cloud: Cloud, tx: Transaction, arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    del result
    for name in arguments["names"]:
        tx.delete("serviceusage.services", _key(arguments["project"], name))
    service = show(cloud, tx, arguments["project"], arguments["names"][-1])
    return {"@type": f"{_TYPE}.DisableServiceResponse", "service": service}


WORKS["services.enable"] = Work(finish=_enable)
WORKS["services.batchEnable"] = Work(finish=_enable_many)
WORKS["services.disable"] = Work(finish=_disable)


@handles("serviceusage.services.get")
def get(call: Call) -> dict[str, Any]:
    """GET of one service, on or off."""
    return show(call.cloud, call.tx, call.project, _named(call))


@handles("serviceusage.services.batchGet")
def batch_get(call: Call) -> dict[str, Any]:
    """GET of several services."""
    names = [str(name).rpartition("/")[2] for name in call.query.get("names", [])]
    for name in names:
        _check(call, name)
    return {"services": [show(call.cloud, call.tx, call.project, name) for name in names]}


@handles("serviceusage.services.list")
def list_services(call: Call) -> dict[str, Any]:
    """The services of a project; `filter=state:ENABLED` leaves only those that are on."""
    wanted = str(call.query.get("filter", "")).replace(" ", "").upper()
    names = sorted(
        {*catalog.TITLES, *catalog.FRESH, *catalog.OTHERS, *(service.name for service in catalog.SERVICES)}
        - {"oauth2.googleapis.com"}
    )
    services = [show(call.cloud, call.tx, call.project, name) for name in names]
    if wanted in ("STATE:ENABLED", "STATE=ENABLED", "STATE:DISABLED", "STATE=DISABLED"):
        services = [item for item in services if item["state"] == wanted[6:]]
    size = min(int(call.query.get("pageSize") or _PAGE), 200)
    chosen, more = page(services, call.query.get("pageToken"), size)
    return {"services": chosen, **({"nextPageToken": more} if more else {})}


@handles("serviceusage.operations.get")
def operation(call: Call) -> dict[str, Any]:
    """GET of an operation; on a loopback address, where all services share one host, of any service."""
    return lro.get(call)


@handles("serviceusage.services.generateServiceIdentity")
def identity(call: Call) -> dict[str, Any]:
    """Makes the agent of a service; done at once."""
    service = _named(call).partition(".")[0]
    email = f"service-{call.number}@gcp-sa-{service}.iam.gserviceaccount.com"
    name = f"operations/finished.DONE_OPERATION.{lro.new_uuid()}"
    response = {
        "@type": "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity",
        "email": email,
        "uniqueId": "1" + call.number.rjust(20, "0"),
    }
    return {"name": name, "done": True, "response": response}
