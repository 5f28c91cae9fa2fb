"""Whether the deploying account can do the whole job, found out by reading only and told all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .clients import Api
from .errors import DISABLED, PlatformError, role_for

TUNNEL = "iap.tunnelInstances.accessViaIAP"
# What the layers need, one permission for each call that makes something, and those to configure the bastion:
# testIamPermissions takes up to 100.
PERMISSIONS: tuple[str, ...] = (
    "artifactregistry.repositories.create",
    "certificatemanager.certs.create",
    "certificatemanager.certmaps.create",
    "certificatemanager.dnsauthorizations.create",
    "cloudsql.instances.create",
    "cloudsql.users.create",
    "compute.backendServices.create",
    "compute.firewalls.create",
    "compute.globalAddresses.create",
    "compute.globalForwardingRules.create",
    "compute.healthChecks.create",
    "compute.instances.create",
    "compute.instances.osAdminLogin",
    "compute.networks.create",
    "compute.routers.create",
    "compute.securityPolicies.create",
    "compute.subnetworks.create",
    "compute.targetHttpsProxies.create",
    "compute.urlMaps.create",
    "container.clusters.create",
    "dns.managedZones.create",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.setIamPolicy",
    TUNNEL,
    "iap.tunnelInstances.setIamPolicy",
    "iap.webServices.setIamPolicy",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "secretmanager.secrets.create",
    "secretmanager.versions.add",
    "servicenetworking.services.addPeering",
    "serviceusage.services.enable",
    "storage.buckets.create",
)
NOT_FOUND = (
    "Check the project's id (the setting platform_project) and that the deploying account has a role in it "
    "(roles/browser shows it)."
)
UNKNOWN = (
    "The credentials do not tell whose they are, and without that nobody can log in to the bastion. Log in with the "
    "scope https://www.googleapis.com/auth/userinfo.email, too (`gcloud auth application-default login` asks for it), "
    "or act as a service account (GCP_IMPERSONATE_SERVICE_ACCOUNT)."
)
RESOURCE_MANAGER = "cloudresourcemanager.googleapis.com"
BILLING = "cloudbilling.googleapis.com"


@dataclass
class Findings:
    """What was found; ``problems`` stop the run, ``notes`` do not."""

    identity: str = ""
    disabled_services: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For Ansible."""
        return {"identity": self.identity, "disabled_services": self.disabled_services, "notes": self.notes}


def examine(
    api: Api, project: str, services: Sequence[str], permissions: Sequence[str], operators: Sequence[str] = ()
) -> Findings:
    """Check credentials, project, APIs, billing and permissions.

    *operators* ("user:...") are given the tunnel by the platform itself, at the bastion alone.
    Raises PlatformError at once where nothing further can be known (credentials, project); the rest is collected. In a
    project in which nothing was done yet the APIs that tell of billing and permissions are off: that becomes a note.
    """
    found = Findings()
    api.access_token()
    on = _enabled(api, project)
    found.identity = api.identity()
    if not found.identity:
        found.problems.append(UNKNOWN)
    if found.identity in [member.partition(":")[2] for member in operators]:
        permissions = [name for name in permissions if name != TUNNEL]
    found.disabled_services = [name for name in services if name not in on]
    checks: list[Callable[[], None]] = []
    if RESOURCE_MANAGER in on:
        checks.append(lambda: _state(api, project))
        checks.append(lambda: _permissions(api, project, permissions, found))
    else:
        found.notes.append(f"Permissions are not checked: {RESOURCE_MANAGER} is not enabled yet.")
    if BILLING in on:
        checks.append(lambda: _billing(api, project, found))
    else:
        found.notes.append(f"Billing is not checked: {BILLING} is not enabled yet.")
    with ThreadPoolExecutor(len(checks) or 1) as pool:
        for done in [pool.submit(check) for check in checks]:
            done.result()
    return found


def _enabled(api: Api, project: str) -> set[str]:
    params = {"parent": f"projects/{project}", "filter": "state:ENABLED", "pageSize": 200}
    try:
        listed = api.pages("serviceusage", "services.list", params, "services")
    except PlatformError as error:
        if error.code in (403, 404) and error.reason not in DISABLED:
            error.hint = NOT_FOUND
        raise error.about("read", f"project {project}") from error
    return {str(entry["name"]).rsplit("/", 1)[-1] for entry in listed}


def _state(api: Api, project: str) -> None:
    try:
        seen = api.call("cloudresourcemanager", "projects.get", {"name": f"projects/{project}"})
    except PlatformError as error:
        if error.code in (403, 404):
            error.hint = NOT_FOUND
        raise error.about("read", f"project {project}") from error
    api.learn(seen)
    if seen.get("state", "ACTIVE") != "ACTIVE":
        raise PlatformError(
            f"it is in the state {seen['state']}",
            action="use",
            resource=f"project {project}",
            reason="state",
            hint=f"Restore it (gcloud projects undelete {project}), or choose another in platform_project.",
        )


def _billing(api: Api, project: str, found: Findings) -> None:
    try:
        info = api.call("cloudbilling", "projects.getBillingInfo", {"name": f"projects/{project}"})
    except PlatformError as error:
        found.notes.append(f"Billing could not be checked ({error.message.rstrip('.')}).")
        return
    if not info.get("billingEnabled"):
        found.problems.append(
            f"Billing is off in project {project}. Link an open billing account to it "
            f"(gcloud billing projects link {project} --billing-account=...)."
        )


def _permissions(api: Api, project: str, permissions: Sequence[str], found: Findings) -> None:
    body = {"permissions": sorted(permissions)}
    answer = api.call("cloudresourcemanager", "projects.testIamPermissions", {"resource": f"projects/{project}"}, body)
    missing = sorted(set(permissions) - set(answer.get("permissions") or []))
    for name in missing:
        found.problems.append(
            f"{found.identity or 'The deploying account'} lacks the permission {name} in project {project}. "
            f"Grant it {role_for(name)} or another role that has it."
        )
