"""Identities and who may do what. IAM policies are only ever added to or taken from, member by member."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import DISABLED, REVIEWER, PlatformError
from ..model import Caller, Drift, Field, Kind, Resource, RestKind, Spec, Update, lookup
from ..retries import is_conflict, pauses

PATIENCE_SECONDS = 60.0


def _account_patch(resource: Resource, spec: Spec, have: Spec, drifts: Sequence[Drift]) -> Spec:
    changed = {drift.path: lookup(spec, drift.path) for drift in drifts}
    mask = ",".join(sorted("display_name" if path == "displayName" else path for path in changed))
    return {"serviceAccount": {**changed, "etag": have.get("etag", "")}, "updateMask": mask}


SERVICE_ACCOUNT = RestKind(
    name="service_account",
    service="iam",
    collection="projects.serviceAccounts",
    own={"name": "projects/{project}/serviceAccounts/{name}@{project}.iam.gserviceaccount.com"},
    parent={"name": "projects/{project}"},
    link="projects/{project}/serviceAccounts/{name}@{project}.iam.gserviceaccount.com",
    insert="create",
    wrap="serviceAccount",
    named="accountId",
    named_outside=True,
    steady_reads=3,  # a GET right after the POST may alternate between 200 and 404 (FACTS.md, IAM)
    fields=(Field("displayName", default=""), Field("description", default="")),
    updates={"patch": Update(body=_account_patch)},
)


@dataclass(frozen=True, kw_only=True)
class PolicyKind(Kind):
    """The IAM policy of something, of which only the wanted members are ours.

    The wanted spec is ``{"members": ["<role> <member>", ...]}``; what is read is the part of those that the policy
    grants without a condition. Writes read the policy afresh, change these members and send it back with its etag,
    again if somebody else was faster.
    """

    service: str
    method: str  # collection of getIamPolicy and setIamPolicy
    target: Mapping[str, str] = field(default_factory=dict)  # path parameters
    in_body: bool = True  # whether getIamPolicy takes its options in a body
    options: Mapping[str, Any] = field(default_factory=dict)  # else: its query parameters
    wrapped: bool = True  # whether setIamPolicy takes {"policy": ...}
    fields: tuple[Field, ...] = (Field("members", compare="includes"),)

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The wanted members that are granted already; None when there is not one."""
        policy = self._seen(api, resource)
        if policy is None:
            return None
        granted = _pairs(policy)
        held = [pair for pair in resource.spec["members"] if pair in granted]
        return {"members": held} if held else None

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Grant."""
        return self._edit(api, resource, lambda policy: grant(policy, spec["members"]))

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Grant what is missing."""
        return self.create(api, resource, spec)

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Take the wanted members away, and nobody else."""
        return self._edit(api, resource, lambda policy: revoke(policy, resource.spec["members"]))

    def _edit(self, api: Caller, resource: Resource, change: Callable[[Spec], Spec]) -> Spec:
        end = time.monotonic() + PATIENCE_SECONDS
        for pause in pauses():
            policy = change(self._get(api, resource))
            body = {"policy": policy} if self.wrapped else policy
            try:
                return api.call(self.service, f"{self.method}.setIamPolicy", self._params(resource), body)
            except PlatformError as error:
                if not _worth_waiting(error) or time.monotonic() + pause > end:
                    raise
            time.sleep(pause)
        raise AssertionError("pauses() never ends")

    def _seen(self, api: Caller, resource: Resource) -> Spec | None:
        """The policy; None where what it is on is not there."""
        try:
            return self._get(api, resource)
        except PlatformError as error:
            if error.code == 404:
                return None
            if error.code == 403 and not error.permission and error.reason not in DISABLED:
                error.hint = f"Grant the account the right to look at IAM policies, for example by {REVIEWER}."
            raise

    def _get(self, api: Caller, resource: Resource) -> Spec:
        verb = f"{self.method}.getIamPolicy"
        if self.in_body:
            return api.call(self.service, verb, self._params(resource), {"options": {"requestedPolicyVersion": 3}})
        return api.call(self.service, verb, {**self._params(resource), **self.options})

    def _params(self, resource: Resource) -> dict[str, str]:
        return {key: value.format(name=resource.name, **resource.params) for key, value in self.target.items()}


@dataclass(frozen=True, kw_only=True)
class WholeRoleKind(PolicyKind):
    """Who has one role on something of ours: the wanted members and nobody else, since whoever is taken out of the
    settings must lose it.

    A member may be held to a condition: ``<role> <member> if <expression>``.
    """

    role: str
    fields: tuple[Field, ...] = (Field("members", compare="set"),)

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """All who have the role; None where nobody does."""
        policy = self._seen(api, resource)
        if policy is None:
            return None
        held = [
            _conditional(self.role, member, binding.get("condition"))
            for binding in policy.get("bindings") or []
            if binding["role"] == self.role
            for member in binding.get("members") or []
        ]
        return {"members": sorted(held)} if held else None

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Give the role to exactly these."""
        return self._edit(api, resource, lambda policy: give(policy, self.role, spec["members"]))

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Take it from all."""
        return self._edit(api, resource, lambda policy: give(policy, self.role, []))


def _conditional(role: str, member: str, condition: Spec | None) -> str:
    return f"{role} {member}" + (f" if {condition['expression']}" if condition else "")


def give(policy: Spec, role: str, pairs: Sequence[str]) -> Spec:
    """*policy* with *role* held by exactly the members of *pairs*; other roles stay as they are."""
    made = copy.deepcopy(policy)
    made["version"] = 3
    by_condition: dict[str, list[str]] = {}
    for pair in pairs:
        member, _, expression = pair.removeprefix(f"{role} ").partition(" if ")
        by_condition.setdefault(expression, []).append(member)
    others = [binding for binding in made.get("bindings") or [] if binding["role"] != role]
    made["bindings"] = others + [
        {
            "role": role,
            "members": members,
            **({"condition": {"title": "By host", "expression": expression}} if expression else {}),
        }
        for expression, members in by_condition.items()
    ]
    return made


def grant(policy: Spec, pairs: Sequence[str]) -> Spec:
    """*policy* with the "<role> <member>" *pairs* granted, at version 3 so that conditions of others survive."""
    made = copy.deepcopy(policy)
    made["version"] = 3
    bindings = made.setdefault("bindings", [])
    for pair in pairs:
        role, member = pair.split(" ", 1)
        plain = next((b for b in bindings if b["role"] == role and "condition" not in b), None)
        if plain is None:
            plain = {"role": role, "members": []}
            bindings.append(plain)
        if member not in plain.setdefault("members", []):
            plain["members"].append(member)
    return made


def revoke(policy: Spec, pairs: Sequence[str]) -> Spec:
    """*policy* without the "<role> <member>" *pairs*; bindings that become empty go."""
    made = copy.deepcopy(policy)
    made["version"] = 3
    gone = {tuple(pair.split(" ", 1)) for pair in pairs}
    for binding in made.get("bindings", []):
        if "condition" not in binding:
            binding["members"] = [m for m in binding.get("members", []) if (binding["role"], m) not in gone]
    made["bindings"] = [binding for binding in made.get("bindings", []) if binding.get("members")]
    return made


def _pairs(policy: Spec) -> set[str]:
    plain = [binding for binding in policy.get("bindings") or [] if "condition" not in binding]
    return {f"{binding['role']} {member}" for binding in plain for member in binding.get("members") or []}


def _worth_waiting(error: PlatformError) -> bool:
    """Somebody else wrote first, or a service account made just now is not known everywhere yet."""
    unknown = error.code == 400 and "does not exist" in error.message
    return is_conflict(error) or unknown or (error.code == 409 and error.reason in ("ABORTED", "aborted"))


QUERY = {"options_requestedPolicyVersion": 3}
PROJECT_POLICY = PolicyKind(
    name="project_roles",
    service="cloudresourcemanager",
    method="projects",
    target={"resource": "projects/{project}"},
)
ACCOUNT_POLICY = PolicyKind(
    name="service_account_roles",
    service="iam",
    method="projects.serviceAccounts",
    target={"resource": "projects/{project}/serviceAccounts/{name}@{project}.iam.gserviceaccount.com"},
    in_body=False,
    options=QUERY,
)
TUNNEL_POLICY = PolicyKind(
    name="iap_tunnel_access",
    service="iap",
    method="v1",
    target={"resource": "projects/{project}/iap_tunnel/zones/{zone}/instances/{name}"},
)
WEB_POLICY = PolicyKind(
    name="iap_web_access",
    service="iap",
    method="v1",
    target={"resource": "projects/{project}/iap_web/compute/services/{name}"},
)
WEB_ROLE = "roles/iap.httpsResourceAccessor"
SIGN_IN_POLICY = WholeRoleKind(
    name="sign_in",
    service="iap",
    method="v1",
    target={"resource": "projects/{project}/iap_web/compute/services/{name}"},
    role=WEB_ROLE,
)
BUCKET_POLICY = PolicyKind(
    name="bucket_roles",
    service="storage",
    method="buckets",
    target={"bucket": "{name}"},
    in_body=False,
    options={"optionsRequestedPolicyVersion": 3},
    wrapped=False,
)
SECRET_POLICY = PolicyKind(
    name="secret_roles",
    service="secretmanager",
    method="projects.secrets",
    target={"resource": "projects/{project}/secrets/{name}"},
    in_body=False,
    options=QUERY,
)
REPOSITORY_POLICY = PolicyKind(
    name="repository_roles",
    service="artifactregistry",
    method="projects.locations.repositories",
    target={"resource": "projects/{project}/locations/{location}/repositories/{name}"},
    in_body=False,
    options=QUERY,
)
