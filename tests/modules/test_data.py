"""gcp_data_stores against the emulator."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.graphs.data import data_graph
from plugins.module_utils.gcloud.graphs.network import network_graph
from plugins.module_utils.gitops.errors import HandOffError
from plugins.module_utils.gitops.secrets import read_secret

from .conftest import Google

SECRET = "mlops-mlflow-database-password"
NETWORK = {"name": "mlops", "private_services": {"name": "mlops-private-services", "range": "10.40.0.0/20"}}
ALICE = "user:alice@acme.example"


def graph(options: Mapping[str, Any], api: Any) -> Any:
    return data_graph(options)


@pytest.fixture
def place(google: Google) -> Google:
    google.apply(network_graph, NETWORK)
    return google


def bucket(**more: Any) -> dict[str, Any]:
    wanted = {"name": "acme-mlops-artifacts", "location": "europe-west1", "keep_versions_days": 30, **more}
    return {"buckets": [wanted], "labels": {"platform": "mlops"}}


def database(**more: Any) -> dict[str, Any]:
    wanted = {
        "name": "mlops-mlflow",
        "region": "europe-west1",
        "network": "mlops",
        "version": "POSTGRES_15",
        "tier": "db-custom-1-3840",
        "availability": "ZONAL",
        "disk_gb": 20,
        "deletion_protection": False,
        "backup_start": "02:00",
        "flags": [{"name": "log_connections", "value": "on"}],
        "databases": ["mlflow"],
        "users": [{"name": "mlflow", "password_secret": SECRET}],
        **more,
    }
    return {"databases": [wanted], "labels": {"platform": "mlops"}}


def test_a_bucket_from_nothing_to_nothing(google: Google) -> None:
    wanted = bucket(members=[{"role": "roles/storage.objectUser", "members": [ALICE]}])
    assert len(google.lifecycle(graph, wanted)) == 2
    assert len(google.gone(graph, wanted)) == 2


@pytest.mark.parametrize(
    ("changes", "line"),
    [({"keep_versions_days": 60}, "lifecycle.rule"), ({"keep_versions_days": 0}, "versioning.enabled: true -> false")],
)
def test_fields_of_a_bucket_change(google: Google, changes: dict[str, Any], line: str) -> None:
    google.apply(graph, bucket())
    (done,) = google.lifecycle(graph, bucket(**changes))
    assert line in done


def test_labels_that_are_not_wanted_go(google: Google) -> None:
    google.apply(graph, {**bucket(), "labels": {"a": "1", "b": "2"}})
    (done,) = google.lifecycle(graph, {**bucket(), "labels": {"a": "1"}})
    assert "labels" in done


def test_a_bucket_cannot_move(google: Google) -> None:
    google.apply(graph, bucket())
    with pytest.raises(PlatformError, match="copy the data"):
        google.apply(graph, bucket(location="europe-west4"))


def test_a_repository_from_nothing_to_nothing(google: Google) -> None:
    wanted = {"repositories": [{"name": "mlops", "location": "europe-west1", "format": "DOCKER"}], "labels": {"a": "b"}}
    assert len(google.lifecycle(graph, wanted)) == 1
    (done,) = google.lifecycle(graph, {**wanted, "labels": {"a": "c"}})
    assert "labels" in done
    assert len(google.gone(graph, wanted)) == 1


def test_a_secret_gets_a_random_value_once(google: Google) -> None:
    wanted = {"secrets": [{"name": "mlops-key", "length": 40}]}
    assert len(google.lifecycle(graph, wanted)) == 2
    assert len(value(google, "mlops-key")) == 40
    google.gone(graph, wanted)


def test_secrets_are_kept_where_the_organisation_allows(place: Google) -> None:
    """What failed: a policy on locations refuses automatic replication, and every secret had that."""
    wanted = {**database(), "secrets": [{"name": "second"}], "secret_locations": ["europe-west1", "europe-west4"]}
    place.lifecycle(graph, wanted)
    for name in (SECRET, "second"):
        kept = place.api.call(
            "secretmanager", "projects.secrets.get", {"name": f"projects/{place.project}/secrets/{name}"}
        )
        assert kept["replication"] == {
            "userManaged": {"replicas": [{"location": "europe-west1"}, {"location": "europe-west4"}]}
        }
    assert place.apply(graph, {**wanted, "secret_locations": ["europe-west4", "europe-west1"]}) == []
    assert place.apply(graph, {**wanted, "secret_locations": []}) == []  # what is there already stays
    with pytest.raises(
        PlatformError, match=r"cannot change .*secret second: replication.userManaged.replicas"
    ) as caught:
        place.apply(graph, {**wanted, "secret_locations": ["europe-west1"]})
    assert "platform_secret_locations" in caught.value.hint


def test_a_database_with_its_password_from_nothing_to_nothing(place: Google) -> None:
    done = place.lifecycle(graph, database())
    assert sorted(done) == [
        "create database instance mlops-mlflow",
        "create database mlflow",
        "create database user mlflow",
        f"create secret {SECRET}",
        f"create secret value {SECRET}",
    ]
    password = value(place, SECRET)
    assert len(password) == 32
    assert password not in str(place.plan(graph, database()).differences()) + str(done)
    place.gone(graph, database())


def test_a_database_is_started_and_completed_by_the_task_that_waits(place: Google) -> None:
    assert place.apply(graph, {**database(), "wait": False}) == ["create database instance mlops-mlflow"]
    assert place.apply(graph, {**database(), "wait": False}) == []
    assert len(place.apply(graph, database())) == 4
    assert place.apply(graph, database()) == []


def test_a_new_version_of_the_secret_becomes_the_password(place: Google) -> None:
    place.apply(graph, database())
    body = {"payload": {"data": base64.b64encode(b"another-password").decode()}}
    place.api.call("secretmanager", "projects.secrets.addVersion", {"parent": secret(place, SECRET)}, body)
    (done,) = place.lifecycle(graph, database())
    assert done == "update database user mlflow: passwordVersion: '1' -> '2'"


def test_the_cluster_gets_the_version_that_is_the_password(place: Google) -> None:
    """Google refuses `latest` while the newest version is disabled, which is how a rotation is taken back."""
    place.apply(graph, database())
    first = value(place, SECRET).encode()
    value_then, version_then = read_secret(place.api, place.project, SECRET)
    assert (value_then, version_then.partition(" ")[0]) == (first, f"{SECRET}/1")
    body = {"payload": {"data": base64.b64encode(b"another-password").decode()}}
    place.api.call("secretmanager", "projects.secrets.addVersion", {"parent": secret(place, SECRET)}, body)
    value_now, version_now = read_secret(place.api, place.project, SECRET)
    assert (value_now, version_now.partition(" ")[0]) == (b"another-password", f"{SECRET}/2")
    place.apply(graph, database())
    newest = {"name": f"{secret(place, SECRET)}/versions/2"}
    place.api.call("secretmanager", "projects.secrets.versions.disable", newest, {})
    (done,) = place.lifecycle(graph, database())
    assert done == "update database user mlflow: passwordVersion: '2' -> '1'"
    value_then, version_then = read_secret(place.api, place.project, SECRET)
    assert (value_then, version_then.partition(" ")[0]) == (first, f"{SECRET}/1")
    only = {"name": f"{secret(place, SECRET)}/versions/1"}
    place.api.call("secretmanager", "projects.secrets.versions.disable", only, {})
    for name in (SECRET, "no-such-secret"):
        with pytest.raises(HandOffError, match=f"no value for {name}"):
            read_secret(place.api, place.project, name)


def test_two_instances_may_hold_databases_and_users_of_one_name(place: Google) -> None:
    first, second = database(), database(name="mlops-other", users=[{"name": "mlflow", "password_secret": "other"}])
    both = {**first, "databases": [*first["databases"], *second["databases"]]}
    done = place.apply(graph, both)
    for name in ("mlops-mlflow", "mlops-other"):
        assert f"create database mlflow in {name}" in done
        assert f"create database user mlflow in {name}" in done
    assert place.apply(graph, both) == []


def test_a_secret_that_is_named_twice_and_differently_is_refused(place: Google) -> None:
    role = "roles/secretmanager.secretAccessor"
    alices, bobs = ([{"role": role, "members": [f"user:{name}@acme.example"]}] for name in ("alice", "bob"))
    users = [{"name": "mlflow", "password_secret": SECRET, "secret_members": bobs}]
    wanted = {**database(users=users), "secrets": [{"name": SECRET, "members": alices}]}
    with pytest.raises(PlatformError, match=f"secret.* {SECRET}.*twice, and differently"):
        place.plan(graph, wanted)


def test_a_password_that_google_did_not_set_is_set_by_the_next_run(place: Google) -> None:
    place.apply(graph, database())
    body = {"payload": {"data": base64.b64encode(b"another-password").decode()}}
    place.api.call("secretmanager", "projects.secrets.addVersion", {"parent": secret(place, SECRET)}, body)
    fault = {"pattern": "*.users.update", "kind": "operation-error:INTERNAL_ERROR"}
    assert place.emulator.request("POST", "/faults", fault)[0] == 200
    with pytest.raises(PlatformError, match="update database user mlflow"):
        place.apply(graph, database())
    (done,) = place.lifecycle(graph, database())
    assert done == "update database user mlflow: passwordVersion: '1' -> '2'"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"tier": "db-custom-2-7680"}, "settings.tier"),
        ({"availability": "REGIONAL"}, "settings.availabilityType: ZONAL -> REGIONAL"),
        ({"flags": []}, "settings.databaseFlags"),
        ({"backup_start": "03:00"}, "settings.backupConfiguration.startTime: 02:00 -> 03:00"),
        ({"deletion_protection": True}, "settings.deletionProtectionEnabled: false -> true"),
        ({"databases": ["mlflow", "more"]}, "create database more"),
    ],
)
def test_fields_of_a_database_change(place: Google, changes: dict[str, Any], line: str) -> None:
    place.apply(graph, database())
    (done,) = place.lifecycle(graph, database(**changes))
    assert line in done


def test_a_protected_database_is_not_removed(place: Google) -> None:
    place.apply(graph, database(deletion_protection=True))
    with pytest.raises(PlatformError, match="delete database instance mlops-mlflow"):
        place.apply(graph, database(deletion_protection=True), absent=True)
    assert place.apply(graph, database(deletion_protection=True)) == []  # nor was anything in it, or its password


def test_a_bucket_with_data_stops_a_teardown_before_it_removes_anything(place: Google) -> None:
    wanted = {**database(), **bucket()}
    place.apply(graph, wanted)
    place.upload("acme-mlops-artifacts", "model.bin", b"weights")
    for carry_out in (place.plan, place.apply):  # check mode says so too
        with pytest.raises(PlatformError, match=r"holds objects.*gcloud storage rm -r gs://acme-mlops-artifacts"):
            carry_out(graph, wanted, absent=True)
    assert place.apply(graph, wanted) == []


def secret(google: Google, name: str) -> str:
    return f"projects/{google.project}/secrets/{name}"


def value(google: Google, name: str) -> str:
    path = {"name": f"{secret(google, name)}/versions/latest"}
    found = google.api.call("secretmanager", "projects.secrets.versions.access", path)
    return base64.b64decode(found["payload"]["data"]).decode()


def test_a_bucket_or_an_instance_of_others_is_neither_changed_nor_removed(place: Google) -> None:
    where = {"project": place.project}
    theirs = {"name": "acme-mlops-artifacts", "location": "EUROPE-WEST1", "labels": {"team": "web"}}
    place.api.call("storage", "buckets.insert", where, theirs)
    place.apply(graph, {**database(), "labels": {"team": "web"}})
    for wanted in (
        bucket(),
        {**bucket(), "labels": {"platform": "mlops", "team": "web"}},
        database(tier="db-custom-2-7680"),
    ):
        for absent in (False, True):
            with pytest.raises(PlatformError, match="does not look like the platform's"):
                place.apply(graph, {**wanted, "purge": True}, absent=absent)
