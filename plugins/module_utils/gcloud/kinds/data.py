"""Kinds of resources that hold data: buckets, image repositories, databases, secrets.

Defaults and update calls: recordings/FACTS.md (Cloud Storage, Secret Manager, Artifact Registry) and the discovery
document of sqladmin v1.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..errors import PlatformError
from ..model import Caller, Drift, Field, Kind, Resource, RestKind, Spec, Update, lookup
from ..operations import Patience, wait
from ..retries import is_conflict

MOVE = "Google fixes this when it is made: make another beside it and copy the data."
GO_WITH_IT = "If you mean it, let the data go with it (-e keep_data=no)"
EMPTYING_SECONDS = 7200.0  # about a million objects
WORKERS = 24
PROTECTION_SECONDS = 600.0
PURGE = "purge"  # a param of resources whose data is to go with them


def _bucket_is_empty(api: Caller, resource: Resource, have: Spec) -> str:
    if resource.params.get(PURGE):
        return ""
    held = api.call("storage", "objects.list", {"bucket": resource.name, "versions": True, "maxResults": 1})
    if not held.get("items"):
        return ""
    way = f"gcloud storage rm -r gs://{resource.name}/**"
    return f"it holds objects, and nothing was removed. {GO_WITH_IT}, or empty it: {way}"


def _database_is_free(api: Caller, resource: Resource, have: Spec) -> str:
    if resource.params.get(PURGE) or not have.get("settings", {}).get("deletionProtectionEnabled"):
        return ""
    return (
        f"it is protected against deletion, and nothing was removed. {GO_WITH_IT}, or set "
        "data.database.deletion_protection to false and run playbooks/data.yml"
    )


def _replacing(have: Mapping[str, str] | None, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """What PATCH needs to make a map exactly *wanted*: it merges maps, and a key goes only when it is set to null."""
    return {**dict.fromkeys(have or {}), **wanted}


@dataclass(frozen=True, kw_only=True)
class BucketKind(RestKind):
    """A bucket; one that is to be purged is emptied before it is removed, all versions of all objects."""

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Remove it; Google refuses while it holds anything."""
        if resource.params.get(PURGE):
            self._empty(api, resource)
        return super().delete(api, resource, have)

    @staticmethod
    def _empty(api: Caller, resource: Resource) -> None:
        """Page by page, many at once. One that is gone meanwhile (the bucket's own rules remove some) is no failure."""
        place = {"bucket": resource.name}

        def remove(held: Spec) -> None:
            try:
                api.call(
                    "storage", "objects.delete", {**place, "object": held["name"], "generation": held["generation"]}
                )
            except PlatformError as error:
                if error.code != 404:
                    raise error.about("delete", f"object {held['name']} of {resource.title}") from error

        polls = Patience(EMPTYING_SECONDS).polls(resource.title, {"state": "being emptied"})
        listing = {**place, "versions": True, "maxResults": 1000}
        while page := api.call("storage", "objects.list", listing).get("items"):
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(remove, page))
            next(polls)


@dataclass(frozen=True, kw_only=True)
class SqlInstanceKind(RestKind):
    """A Cloud SQL instance; for one that is to be purged the protection is lifted first."""

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Remove it; Google refuses while it is protected."""
        if resource.params.get(PURGE) and lookup(have, "settings.deletionProtectionEnabled", False):
            place = {"project": resource.params["project"], "instance": resource.name}
            lifted = api.call("sqladmin", "instances.patch", place, {"settings": {"deletionProtectionEnabled": False}})
            wait(api, self.operation, lifted, resource.params, resource.title, Patience(PROTECTION_SECONDS))
        return super().delete(api, resource, have)


BUCKET = BucketKind(
    name="bucket",
    guard=_bucket_is_empty,
    service="storage",
    collection="buckets",
    own={"bucket": "{name}"},
    parent={"project": "{project}"},
    fields=(
        Field("location", update=None, compare="caseless", way_out=MOVE),
        Field("storageClass"),
        Field("iamConfiguration.uniformBucketLevelAccess.enabled", default=False),
        Field("iamConfiguration.publicAccessPrevention", default="inherited"),
        Field("versioning.enabled", default=False),
        Field("lifecycle.rule", compare="set"),
        Field("labels", compare="map", update="labels"),
    ),
    updates={
        "patch": Update(),
        "labels": Update(
            body=lambda resource, spec, have, drifts: {"labels": _replacing(have.get("labels"), spec["labels"])}
        ),
    },
)

REPOSITORY = RestKind(
    name="repository",
    service="artifactregistry",
    collection="projects.locations.repositories",
    own={"name": "projects/{project}/locations/{location}/repositories/{name}"},
    parent={"parent": "projects/{project}/locations/{location}"},
    insert="create",
    insert_params={"repositoryId": "{name}"},
    named=None,
    link="projects/{project}/locations/{location}/repositories/{name}",
    operation="artifactregistry",
    fields=(
        Field("format", update=None, way_out=MOVE),
        Field("description", default=""),
        Field("labels", compare="map"),
    ),
    updates={"patch": Update(mask=True)},
)

SECRET_NAME = "projects/{project}/secrets/{name}"  # noqa: S105 - a template of a resource name
REPLICATED = (
    "Google fixes where a secret is kept when it is made: leave out the locations (platform_secret_locations), or "
    "remove the secret (gcloud secrets delete NAME) and run this again, which makes a new value and sets it for the "
    "database user."
)


def replication(locations: Sequence[str] | None) -> Spec:
    """Where a new secret is kept: in these regions alone, or where Google likes if there is none."""
    if not locations:
        return {"automatic": {}}
    return {"userManaged": {"replicas": [{"location": location} for location in dict.fromkeys(locations)]}}


SECRET = RestKind(
    name="secret",
    service="secretmanager",
    collection="projects.secrets",
    own={"name": SECRET_NAME},
    parent={"parent": "projects/{project}"},
    insert="create",
    insert_params={"secretId": "{name}"},
    named=None,
    link=SECRET_NAME,
    fields=(
        Field("replication.automatic", update=None, compare="create"),
        Field("replication.userManaged.replicas", update=None, compare="keyed", key="location", way_out=REPLICATED),
        Field("labels", compare="map"),
    ),
    updates={"patch": Update(mask=True)},
)

SQL_INSTANCE = SqlInstanceKind(
    name="database_instance",
    guard=_database_is_free,
    service="sqladmin",
    collection="instances",
    own={"project": "{project}", "instance": "{name}"},
    parent={"project": "{project}"},
    link="projects/{project}/instances/{name}",
    operation="sql",
    pending={"state": frozenset({"PENDING_CREATE", "PENDING_DELETE", "MAINTENANCE"})},
    failed={"state": frozenset({"FAILED"})},
    busy=frozenset({"MAINTENANCE"}),
    fields=(
        Field("databaseVersion", update=None, way_out="Upgrade a major version by hand, by Google's guide."),
        Field("region", update=None, way_out=MOVE),
        Field("settings.tier"),
        Field("settings.edition", compare="create"),
        Field("settings.availabilityType", default="ZONAL"),
        Field("settings.dataDiskSizeGb", compare="create"),  # it grows by itself, and never shrinks
        Field("settings.dataDiskType", update=None, default="PD_SSD", way_out=MOVE),
        Field("settings.storageAutoResize", default=True),
        Field("settings.deletionProtectionEnabled", default=False),
        Field("settings.activationPolicy", default="ALWAYS"),
        Field("settings.ipConfiguration.ipv4Enabled", default=False),
        Field("settings.ipConfiguration.privateNetwork", update=None, way_out=MOVE),
        Field("settings.ipConfiguration.sslMode"),
        Field("settings.backupConfiguration.enabled", default=False),
        Field("settings.backupConfiguration.startTime"),
        Field("settings.backupConfiguration.pointInTimeRecoveryEnabled", default=False),
        Field("settings.databaseFlags", compare="keyed"),
        Field("settings.userLabels", update="labels", compare="map"),
    ),
    updates={
        "patch": Update(),
        "labels": Update(
            body=lambda resource, spec, have, drifts: {
                "settings": {"userLabels": _replacing(lookup(have, "settings.userLabels", {}), drifts[0].after)}
            }
        ),
    },
)

DATABASE = RestKind(
    name="database",
    service="sqladmin",
    collection="databases",
    own={"project": "{project}", "instance": "{instance}", "database": "{name}"},
    parent={"project": "{project}", "instance": "{instance}"},
    operation="sql",
    fields=(Field("charset", update=None, way_out=MOVE), Field("collation", update=None, way_out=MOVE)),
)


@dataclass(frozen=True, kw_only=True)
class SecretValue(Kind):
    """The random value of a secret, made once and never read back to Ansible.

    The wanted spec is ``{"length": 32}``. A secret that has an enabled version has a value, whoever put it there.
    """

    name: str = "secret_value"
    fields: tuple[Field, ...] = (Field("length", compare="create"),)

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The number of the newest enabled version, not the value."""
        version = newest_version(api, _secret(resource))
        return {"version": version} if version else None

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Add a version with a new random value."""
        value = random_value(int(spec["length"]))
        body = {"payload": {"data": base64.b64encode(value.encode()).decode()}}
        api.call("secretmanager", "projects.secrets.addVersion", {"parent": _secret(resource)}, body)
        return {}

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Not called: a value is never compared."""
        raise PlatformError("a secret's value is never changed", action="update", resource=resource.title)

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Nothing: the value goes with the secret."""
        return {}


@dataclass(frozen=True, kw_only=True)
class DatabaseUser(Kind):
    """A Cloud SQL user whose password is the newest version of a secret.

    Cloud SQL tells nothing about passwords, so the number of the version that was set last is kept as an annotation of
    the secret. A new version of the secret is set at the next run; a run that was killed between the two is finished.
    """

    name: str = "database_user"
    operation: str = "sql"
    fields: tuple[Field, ...] = (Field("passwordVersion", update="password"),)

    def read(self, api: Caller, resource: Resource) -> Spec | None:
        """The user and the version of the secret that was set; None when there is no such user."""
        place = {"project": resource.params["project"], "instance": resource.params["instance"]}
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(api.get, "secretmanager", "projects.secrets.get", {"name": self._secret(resource)})
            try:
                listed = api.call("sqladmin", "users.list", place).get("items") or []
            except PlatformError as error:
                if error.code in (400, 403, 404):  # no instance, or one that is being made
                    return None
                raise
        if not any(user.get("name") == resource.name for user in listed):
            return None
        return {"passwordVersion": lookup(asked.result() or {}, f"annotations.{self._mark(resource)}", "")}

    def create(self, api: Caller, resource: Resource, spec: Spec) -> Spec:
        """Make the user with the secret's value."""
        body = {"name": resource.name, "password": self._password(api, resource, spec)}
        place = {"project": resource.params["project"], "instance": resource.params["instance"]}
        return api.call("sqladmin", "users.insert", place, body)

    def update(
        self, api: Caller, resource: Resource, spec: Spec, have: Spec, name: str, drifts: Sequence[Drift]
    ) -> Spec:
        """Set the password to the secret's value."""
        place = {"project": resource.params["project"], "instance": resource.params["instance"], "name": resource.name}
        body = {"name": resource.name, "password": self._password(api, resource, spec)}
        return api.call("sqladmin", "users.update", place, body)

    def delete(self, api: Caller, resource: Resource, have: Spec) -> Spec:
        """Remove the user."""
        place = {"project": resource.params["project"], "instance": resource.params["instance"], "name": resource.name}
        return api.call("sqladmin", "users.delete", place)

    def _password(self, api: Caller, resource: Resource, spec: Spec) -> str:
        name = f"{self._secret(resource)}/versions/{spec['passwordVersion']}"
        found = api.call("secretmanager", "projects.secrets.versions.access", {"name": name})
        return base64.b64decode(found["payload"]["data"]).decode()

    def note(self, api: Caller, resource: Resource, spec: Spec) -> None:
        """Keep which version is the password now."""
        name, mark, version = self._secret(resource), self._mark(resource), str(spec["passwordVersion"])
        for last in (False, False, True):
            secret = api.call("secretmanager", "projects.secrets.get", {"name": name})
            notes = secret.get("annotations") or {}
            if notes.get(mark) == version:
                return
            body = {"annotations": {**notes, mark: version}, "etag": secret["etag"]}
            try:
                api.call("secretmanager", "projects.secrets.patch", {"name": name, "updateMask": "annotations"}, body)
                return
            except PlatformError as error:  # somebody else changed it, or this very change was sent twice
                if last or not is_conflict(error):
                    raise

    @staticmethod
    def _secret(resource: Resource) -> str:
        return f"projects/{resource.params['project']}/secrets/{resource.params['secret']}"

    @staticmethod
    def _mark(resource: Resource) -> str:
        return f"set-for-{resource.params['instance']}-{resource.name}"


def newest_version(api: Caller, secret: str) -> str:
    """The number of a secret's newest enabled version; empty where there is none."""
    return str(version_in_use(api, secret).get("name", "")).rsplit("/", 1)[-1]


def version_in_use(api: Caller, secret: str) -> Spec:
    """A secret's newest enabled version; empty where there is none.

    Google's own `latest` is the newest of all, and refused while that one is disabled.
    """
    params = {"parent": secret, "filter": "state:ENABLED", "pageSize": 1}
    found = (api.get("secretmanager", "projects.secrets.versions.list", params) or {}).get("versions") or []
    return dict(found[0]) if found else {}


SECRET_VALUE = SecretValue()
DATABASE_USER = DatabaseUser()


def random_value(length: int) -> str:
    """*length* random letters and digits, from the operating system's generator."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def _secret(resource: Resource) -> str:
    return SECRET_NAME.format(project=resource.params["project"], name=resource.name)
