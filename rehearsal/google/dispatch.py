"""From an HTTP request to an answer of one of the emulated services."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import unquote

from . import catalog, fields
from .catalog import Service
from .core import AUTHORIZERS, FALLBACKS, HANDLERS, LOG, Call, Cloud, Request, Response, lineage
from .discovery import Match
from .errors import ApiError, Family, not_emulated
from .faults import Fault
from .limits import late
from .permissions import needed
from .schema import check_path, numbered, prune, read_body, read_query
from .store import LoggedCall

_UPLOAD_PREFIXES = ("/upload", "/resumable/upload")
_MEDIA_PREFIXES = (*_UPLOAD_PREFIXES, "/download")
# These are charged to the caller's project, the rest to the resource's.
_CALLERS_PROJECT = ("cloudresourcemanager", "cloudbilling", "serviceusage", "iam", "oslogin")
# They answer enum values as numbers where asked to; those of the others have gaps that the documents do not show.
_NUMBERED_ENUMS = ("secretmanager", "iap", "certificatemanager", "cloudresourcemanager")
_OWN_PARAMETERS = ("access_token", "upload_id")
# Google's own projects, whose images anybody may read.
_PUBLIC_PROJECTS = ("debian-cloud", "ubuntu-os-cloud", "cos-cloud")


def candidates(host: str) -> tuple[Service, ...]:
    """The services that may answer at a host; a loopback address or www.googleapis.com may be any."""
    name = host.partition(":")[0]
    api = name.removesuffix(".googleapis.com")
    if api != name and api in catalog.BY_API:
        return (catalog.BY_API[api],)
    return catalog.SERVICES


def find(cloud: Cloud, request: Request) -> tuple[Service, Match] | None:
    """The service and method that a request calls; one that has a behaviour comes before one that has none."""
    path, http = request.path, request.http
    for prefix in _MEDIA_PREFIXES:
        path = path.removeprefix(prefix)
    if http == "PUT" and _is_upload(request):
        http = "POST"  # the pieces of a resumable upload
    fallback = None
    for service in candidates(request.host):
        for name in service.documents:
            if hit := cloud.library.document(name).match(http, path):
                if hit.method.id in HANDLERS or service.api in FALLBACKS:
                    return service, hit
                fallback = fallback or (service, hit)
    return fallback


def _is_upload(request: Request) -> bool:
    return request.path.startswith(_UPLOAD_PREFIXES)


def answer(cloud: Cloud, request: Request) -> Response:
    """Acts a request out, whole, in one transaction, and writes it to the call log."""
    start = time.perf_counter()
    found = find(cloud, request)
    family = found[0].family if found else Family.BOTH
    who: list[str] = []
    path = unquote(request.path)
    fault = cloud.faults.strike(found[1].method.id, path) if found else None
    try:
        if found is None:
            raise ApiError(404, "Method not found.", always_status=True)
        if fault and (refusal := fault.refusal()):
            raise refusal
        response = Response(status=0, reset=True)
        if fault is None or fault.kind != "reset-before":
            response = _answer(cloud, request, found, who, fault)
    except ApiError as error:
        cloud.jobs.forget()
        response = Response(error.body(family), error.code, dict(getattr(error, "headers", {})))
    except Exception:
        cloud.jobs.forget()
        LOG.exception("%s %s%s", request.http, request.host, request.path)
        broken = ApiError(500, "Internal error encountered. The emulator's log has the reason.", always_status=True)
        response = Response(broken.body(family), 500)
    cloud.jobs.spawn()
    method = found[1].method.id if found else "unknown"
    milliseconds = round(1000 * (time.perf_counter() - start), 3)
    struck = f"{fault.id}: {fault.kind}" if fault else ""
    if fault:
        LOG.warning("fault %s hits %s %s", struck, method, path)
    cloud.calls.add(LoggedCall(cloud.clock.now(), method, path, response.status, milliseconds, "".join(who), struck))
    return response


def _answer(
    cloud: Cloud, request: Request, found: tuple[Service, Match], who: list[str], fault: Fault | None
) -> Response:
    """Acts the call out, with what a fault does to its operation, its answer or its connection."""
    cloud.jobs.spoil((fault.parts["code"] or ("stuck" if fault.kind == "stuck" else None)) if fault else None)
    with cloud.store.transaction() as tx:
        call = _prepare(cloud, tx, request, found, who)
        if fault:
            tx.mark()
        response = _act(call)
        cloud.jobs.end_spoiled(tx)
    cloud.jobs.spoil(None)
    if fault:
        response.delay, response.reset = float(fault.parts["seconds"] or 0), fault.kind == "reset-after"
    return response


def _prepare(cloud: Cloud, tx: Any, request: Request, found: tuple[Service, Match], who: list[str]) -> Call:
    service, match = found
    token = request.parameter("access_token")
    header = request.headers.get("authorization") or (f"Bearer {token}" if token else None)
    principal = cloud.identities.require(header)
    who.append(principal.email)
    method = match.method
    query = read_query(match.document, method, [item for item in request.query if item[0] not in _OWN_PARAMETERS])
    call = Call(cloud, tx, service, match.document, method, match.path, query, {}, request, principal, "")
    call.project = _project(call)
    if service.needs_enabling:
        _require_enabled(call)
    cloud.limits.count(service.name, lambda: cloud.projects.number(tx, _home(call)))
    if service.api == "compute":
        check_path(method, match.path)
    if method.request and not _is_upload(request):
        call.body = read_body(match.document, method, request.json())
    return call


def _act(call: Call) -> Response:
    handler = HANDLERS.get(call.method.id) or FALLBACKS.get(call.service.api)
    if handler is None:
        raise not_emulated(f"Method {call.method.id}")
    authorize(call)
    result = handler(call)
    if isinstance(result, Response):
        return result
    body = prune(call.document, call.method.response, result)
    if call.service.api in _NUMBERED_ENUMS and "enum-encoding=int" in (call.request.parameter("$alt") or ""):
        body = numbered(call.document, {"$ref": call.method.response}, body)
    if selector := call.query.get("fields"):
        body = fields.select(body, fields.parse(str(selector)))
    response = Response(body)
    if call.service.api == "compute" and call.document.version != "v1":
        response.body = _in_version(response.content(), call.document.version)
    return response


def _in_version(content: bytes, version: str) -> bytes:
    """Compute writes links in the version that was called; the state holds those of v1."""
    base = b"https://www.googleapis.com/compute/"
    return content.replace(base + b"v1/", base + version.encode() + b"/")


def authorize(call: Call) -> None:
    """Checks the method's permission, on the project unless the service has its own way.

    Raises:
        ApiError: 403 with the service's text.
    """
    permission = needed(call.method.id, call.service.permission_prefix)
    if own := AUTHORIZERS.get(call.service.api):
        own(call, permission)
    elif permission and not call.access.allowed(call.principal, permission, lineage(call.project)):
        raise permission_denied(permission, f"projects/{call.project}")


def permission_denied(permission: str, resource: str) -> ApiError:
    """403 of the services with google.rpc errors."""
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "IAM_PERMISSION_DENIED",
        "domain": "iam.googleapis.com",
        "metadata": {"permission": permission, "resource": resource},
    }
    message = f"Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
    return ApiError(403, message, "forbidden", details=[detail])


def _project(call: Call) -> str:
    """The id of the project a call is about: that of its path, else the caller's.

    Raises:
        ApiError: the project does not exist.
    """
    named = _project_name(call)
    if named in (None, "-", *_PUBLIC_PROJECTS):
        return _home(call)
    project = call.cloud.projects.id(call.tx, str(named))
    if project is None and call.service.api == "compute":
        raise ApiError(404, f"The resource 'projects/{named}' was not found", "notFound")
    if project is None and call.service.api not in ("cloudresourcemanager", "cloudbilling"):
        raise ApiError(
            403, f"Permission denied on resource project {named}.", "forbidden", details=_invalid(str(named))
        )
    return project or str(named)


def _project_name(call: Call) -> str | None:
    for name in ("project", "projectId"):
        if name in call.path:
            return call.path[name]
    for value in call.path.values():
        parts = value.split("/")
        if parts[0] == "projects" and len(parts) > 1:
            return parts[1]
    project = call.query.get("project")
    return str(project) if project else None


def _invalid(project: str) -> list[dict[str, Any]]:
    return [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "CONSUMER_INVALID",
            "domain": "googleapis.com",
            "metadata": {"consumer": f"projects/{project}"},
        }
    ]


def _home(call: Call) -> str:
    """The project that pays for the call: the header's, that of the service account, the company's."""
    header = call.request.headers.get("x-goog-user-project")
    own = call.principal.email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    for name in (header, own):
        if name and (project := call.cloud.projects.id(call.tx, name)):
            return project
    return call.cloud.config.project


def _require_enabled(call: Call) -> None:
    """403 SERVICE_DISABLED in Google's words unless the API is on in the project."""
    name = call.service.name
    own = name.partition(".")[0] in _CALLERS_PROJECT or call.tx.get("projects", call.project) is None
    project = _home(call) if own else call.project
    key = f"projects/{project}/services/{name}"
    fresh = late(call.tx, "serviceusage.services", key, call.cloud.limits.seconds("apis"), call.clock.now())
    if not fresh and call.tx.get("serviceusage.services", key):
        return
    number, title = call.cloud.projects.number(call.tx, project), catalog.title(name)
    url = f"https://console.developers.google.com/apis/api/{name}/overview?project={number}"
    message = (
        f"{title} has not been used in project {number} before or it is disabled. Enable it by visiting {url} then "
        "retry. If you enabled this API recently, wait a few minutes for the action to propagate to our "
        "systems and retry."
    )
    metadata = {
        "service": name,
        "serviceTitle": title,
        "consumer": f"projects/{number}",
        "containerInfo": number,
        "activationUrl": url,
    }
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": metadata,
        },
        {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US", "message": message},
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console API activation", "url": url}],
        },
    ]
    extra = {"extendedHelp": "https://console.developers.google.com"}
    raise ApiError(
        403, message, "accessNotConfigured", domain="usageLimits", details=details, always_status=True, extra=extra
    )
