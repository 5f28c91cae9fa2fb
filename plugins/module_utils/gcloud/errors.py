"""What can go wrong, told so that a reader knows what to do.

Every exception of Google's libraries is turned into a :class:`PlatformError` at the call that raised it. The shapes of
Google's error bodies are those of the recorded traffic: Compute and Storage have ``errors[]`` and no ``status``, Secret
Manager and Certificate Manager ``status`` and no ``errors[]``, Container, IAM and Resource Manager both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# A role that grants a permission to change something, by the permission's longest known prefix: the least powerful
# predefined one.
ROLES_BY_PERMISSION: Mapping[str, str] = {
    "artifactregistry.": "roles/artifactregistry.admin",
    "billing.": "roles/billing.viewer",
    "certificatemanager.": "roles/certificatemanager.owner",
    "cloudsql.": "roles/cloudsql.admin",
    "compute.": "roles/compute.admin",
    "compute.backendServices.": "roles/compute.loadBalancerAdmin",
    "compute.firewalls.": "roles/compute.securityAdmin",
    "compute.globalAddresses.": "roles/compute.networkAdmin",
    "compute.instances.": "roles/compute.instanceAdmin.v1",
    "compute.instances.osAdminLogin": "roles/compute.osAdminLogin",
    "compute.networks.": "roles/compute.networkAdmin",
    "compute.routers.": "roles/compute.networkAdmin",
    "compute.securityPolicies.": "roles/compute.securityAdmin",
    "compute.subnetworks.": "roles/compute.networkAdmin",
    "container.": "roles/container.admin",
    "dns.": "roles/dns.admin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.serviceAccounts.getAccessToken": "roles/iam.serviceAccountTokenCreator",
    "iam.serviceAccounts.": "roles/iam.serviceAccountAdmin",
    "iap.": "roles/iap.admin",
    "iap.tunnelInstances.accessViaIAP": "roles/iap.tunnelResourceAccessor",
    "resourcemanager.projects.setIamPolicy": "roles/resourcemanager.projectIamAdmin",
    "secretmanager.": "roles/secretmanager.admin",
    "servicenetworking.": "roles/servicenetworking.networksAdmin",
    "serviceusage.": "roles/serviceusage.serviceUsageAdmin",
    "storage.": "roles/storage.admin",
}
# The same for permissions to look (get, list). Policies are another matter: REVIEWER has *.getIamPolicy of everything.
READERS_BY_PERMISSION: Mapping[str, str] = {
    "artifactregistry.": "roles/artifactregistry.reader",
    "billing.": "roles/billing.viewer",
    "certificatemanager.": "roles/certificatemanager.viewer",
    "cloudsql.": "roles/cloudsql.viewer",
    "compute.": "roles/compute.viewer",
    "container.": "roles/container.viewer",
    "container.clusters.": "roles/container.clusterViewer",
    "dns.": "roles/dns.reader",
    "iam.serviceAccounts.": "roles/iam.serviceAccountViewer",
    "resourcemanager.projects.": "roles/browser",
    "secretmanager.": "roles/secretmanager.viewer",
    "servicenetworking.": "roles/viewer",  # none narrower has them without the right to change
    "serviceusage.": "roles/serviceusage.serviceUsageViewer",
    "storage.buckets.": "roles/storage.bucketViewer",
    "storage.objects.": "roles/storage.objectViewer",
}
REVIEWER = "roles/iam.securityReviewer"

# reasons that say an API is not enabled in the project
DISABLED = frozenset({"SERVICE_DISABLED", "accessNotConfigured"})
_PERMISSION = re.compile(r"(?:Required|Permission|permission:|requires? the) ['\"]?([a-z]+\.[A-Za-z]+\.[A-Za-z]+)")
_CONSOLE_API = re.compile(r"([a-z0-9-]+\.googleapis\.com)")


class PlatformError(Exception):
    """A failure in the words of the person who has to fix it.

    ``action`` is what was tried ("create"), ``resource`` on what ("subnetwork mlops-europe-west1"), ``code`` the HTTP
    status (0 when there was none), ``reason`` Google's short reason ("notFound", "PERMISSION_DENIED"), ``message`` its
    sentence, ``hint`` what to do, ``permission`` the permission that is missing, if Google named one.
    """

    def __init__(
        self,
        message: str,
        *,
        action: str = "",
        resource: str = "",
        code: int = 0,
        reason: str = "",
        hint: str = "",
        permission: str = "",
        details: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.action = action
        self.resource = resource
        self.code = code
        self.reason = reason
        self.hint = hint
        self.permission = permission
        self.details = details
        self.done: list[str] = []  # what the same task had done before

    def __str__(self) -> str:
        tried = " ".join(part for part in (self.action, self.resource) if part)
        text = f"Failed to {tried}: {self.message}" if tried else self.message
        marks = ", ".join(part for part in (f"HTTP {self.code}" if self.code else "", self.reason) if part)
        text = f"{text.rstrip('.')}{f' ({marks})' if marks else ''}."
        before = f" Done before it: {'; '.join(self.done)}." if self.done else ""
        return f"{text} {self.hint}".rstrip() + before

    def about(self, action: str, resource: str) -> PlatformError:
        """This error, saying what was tried on what, unless it says so already."""
        self.action = self.action or action
        self.resource = self.resource or resource
        return self

    def as_dict(self) -> dict[str, Any]:
        """The same facts for a program: the module's ``failure`` return value."""
        return {
            "action": self.action,
            "resource": self.resource,
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
            "permission": self.permission,
            "role": role_for(self.permission) if self.permission else "",
        }


def role_for(permission: str) -> str:
    """A predefined role that grants *permission*; roles/owner where none is known to be narrower."""
    if permission.endswith(".getIamPolicy"):
        return REVIEWER
    looks = permission.endswith((".get", ".list"))
    for roles in (READERS_BY_PERMISSION, ROLES_BY_PERMISSION) if looks else (ROLES_BY_PERMISSION,):
        if known := [prefix for prefix in roles if permission.startswith(prefix)]:
            return roles[max(known, key=len)]
    return "roles/owner"


def from_body(code: int, body: Any, fallback: str = "") -> PlatformError:
    """Turn Google's JSON error body (bytes, text or the parsed mapping) into a PlatformError."""
    error = _parse(body)
    if isinstance(error, str):
        return _hinted(PlatformError(error, code=code))
    entries = [entry for entry in error.get("errors") or [] if isinstance(entry, Mapping)]
    infos = [entry for entry in error.get("details") or [] if isinstance(entry, Mapping) and entry.get("reason")]
    reason = str(
        (infos[0]["reason"] if infos else "")
        or (entries[0].get("reason") if entries else "")
        or error.get("status")
        or ""
    )
    message = str(error.get("message") or fallback or f"HTTP {code}")
    permission = str((infos[0].get("metadata") or {}).get("permission", "")) if infos else ""
    return _hinted(PlatformError(message, code=code, reason=reason, permission=permission, details=error))


def from_exception(error: Exception) -> PlatformError:
    """Turn whatever google-auth, google-api-core, googleapiclient or requests raised into a PlatformError.

    Works by the shape of the exception, so that this module needs none of those libraries; an exception of an unknown
    kind is a defect and is raised again as it is.
    """
    if isinstance(error, PlatformError):
        return error
    kind, home = type(error).__name__, type(error).__module__
    if home.startswith("googleapiclient."):
        return from_body(int(error.resp.status), error.content)  # type: ignore[attr-defined]  # known by its shape
    if home.startswith("google.api_core."):
        return _from_api_core(error)
    if home.startswith("google.auth."):
        return _from_auth(error)
    if home.startswith(("requests.", "urllib3.")) or isinstance(error, (ConnectionError, TimeoutError)):
        return _unanswered(error)
    if kind == "ParseError" and home.startswith("google.protobuf"):
        return PlatformError(f"the API has no such field: {error}", reason="invalid", code=400)
    raise error


def _parse(body: Any) -> Mapping[str, Any] | str:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return body.strip()[:500] or "empty answer"
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        return inner if isinstance(inner, Mapping) else f"{inner}: {body.get('error_description', '')}".rstrip(": ")
    return str(body)


def _from_api_core(error: Any) -> PlatformError:
    code = int(getattr(error, "code", 0) or 0)
    response = getattr(error, "response", None)
    content = getattr(response, "content", None)
    if content:
        return from_body(code, content, fallback=str(error.message))
    entries = [entry for entry in getattr(error, "errors", None) or [] if isinstance(entry, Mapping)]
    grpc = getattr(error, "grpc_status_code", None)
    listed = entries[0].get("reason") if entries else None
    reason = getattr(error, "reason", None) or listed or getattr(grpc, "name", "")
    message = str(getattr(error, "message", "") or error)
    hinted = PlatformError(message, code=code, reason=str(reason or ""), details=entries)
    if type(error).__name__ == "RetryError":
        hinted.hint = "Google did not answer in time; run it again."
    return _hinted(hinted)


def _unanswered(error: Exception) -> PlatformError:
    return PlatformError(
        f"no answer from Google: {error}",
        reason="connection",
        hint="Check the network path and any proxy (HTTPS_PROXY, NO_PROXY), then run it again.",
    )


def _from_auth(error: Exception) -> PlatformError:
    # A VM's own credentials wrap what happened on the way to the metadata server.
    if "TransportError" in (type(error).__name__, type(error.__cause__).__name__):
        return _unanswered(error)
    if getattr(error, "retryable", False):  # google-auth's word for OAuth's 5xx and 429
        hint = "Google's sign-in is in trouble; run it again."
        return PlatformError(f"no access token: {error}", code=503, reason="UNAVAILABLE", hint=hint)
    if "necessary fields need to refresh" in str(error):  # a bare access token that Google answered with 401
        hint = "It is wrong or has expired: give a new one, or use credentials that renew themselves."
        return PlatformError("Google refused the access token", code=401, reason="credentials", hint=hint)
    if error.args[1:] and (refusal := _parse(error.args[1])) and isinstance(refusal, Mapping) and "code" in refusal:
        return from_body(int(refusal["code"]), refusal)  # of the API that gives tokens to act as somebody else
    hint = (
        "Log in (`gcloud auth application-default login`), or point GOOGLE_APPLICATION_CREDENTIALS or the option "
        "service_account_file at a service account's key file."
    )
    return PlatformError(f"no usable Google credentials: {error}", reason="credentials", hint=hint)


def _hinted(error: PlatformError) -> PlatformError:
    """Add what the reader should do, as far as Google's message tells."""
    text = error.message
    if not error.permission and (found := _PERMISSION.search(text)):
        error.permission = found.group(1)
    if error.reason in DISABLED:
        api = found.group(1) if (found := _CONSOLE_API.search(text)) else "the API"
        error.hint = f"Enable {api} (playbooks/preflight.yml does), or wait a minute if it was enabled just now."
    elif error.permission:
        error.hint = f"Grant the account {error.permission}, for example by {role_for(error.permission)}."
    elif error.code == 401:
        error.hint = "The credentials were refused: log in again, or renew the key file."
    elif "quota" in error.reason.lower() or "quota" in text.lower():
        error.hint = "Ask for more quota (console: IAM & Admin > Quotas), or ask for less in the settings."
    elif error.reason == "resourceInUseByAnotherResource" or error.reason == "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE":
        error.hint = "Remove or detach the resource it names first, then run this again."
    elif error.code == 403:
        error.hint = "The project may not exist, or the account has no role in it: check both."
    return error
