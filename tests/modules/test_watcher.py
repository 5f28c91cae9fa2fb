"""What somebody needs who only looks: the roles that docs/guide.md names, and what is said where one is missing."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.module_utils.gcloud.errors import PlatformError, role_for
from plugins.module_utils.gcloud.execute import Executor
from plugins.module_utils.gcloud.graphs.identity import services_graph
from plugins.module_utils.gcloud.operations import Patience
from plugins.module_utils.gcloud.survey import survey
from rehearsal.google.permissions import grants

from .conftest import SERVICES, Google
from .matrix import wanted
from .test_identity import ALICE, BOB, accounts, iap

BASTION = {"tunnels": [{"instance": "mlops-bastion", "zone": "europe-west1-b", "members": [BOB]}]}
PARTS: dict[str, Any] = {
    "network": "mlops",
    "known": [],
    "instance": {"name": "mlops-bastion", "zone": "europe-west1-b"},
    "cluster": {"name": "mlops", "location": "europe-west1", "node_pools": ["general"]},
    "database": "mlops-mlflow",
    "bucket": "acme-mlops-artifacts",
    "repository": {"name": "mlops", "location": "europe-west1"},
    "load_balancer": {"name": "mlops", "dns_zone": "ml-acme-example"},
}


@pytest.fixture
def made(google: Google) -> Google:
    """A project with one of each kind."""
    for graph in wanted(google.api):
        executor = Executor(google.api, Patience(120))
        executor.apply(executor.plan(graph))
    google.apply(iap, BASTION)
    return google


def look(google: Google) -> list[str]:
    """All that playbooks/status.yml reads; what differs."""
    options = {"project": google.project, "services": SERVICES}
    lists = [services_graph(options), iap({"project": google.project, **BASTION}, google.api), *wanted(google.api)]
    found = []
    for graph in lists:
        found += Executor(google.api, Patience(120), look_only=True).plan(graph, refuse=False).drift()
    survey(google.api, {"project": google.project, **PARTS})
    return [f"{row['resource']} {row['field']}" for row in found]


def test_a_watcher_needs_two_roles_that_change_nothing(made: Google) -> None:
    watcher = made.as_person("alice@acme.example")  # who has roles/viewer
    with pytest.raises(PlatformError) as caught:
        look(watcher)
    assert "roles/iam.securityReviewer" in caught.value.hint
    made.apply(accounts, {"members": [{"role": "roles/iam.securityReviewer", "members": [ALICE]}]})
    assert look(watcher) == look(made)


@pytest.mark.parametrize(
    "permission",
    [
        "artifactregistry.repositories.get",
        "artifactregistry.repositories.getIamPolicy",
        "certificatemanager.certs.list",
        "cloudsql.users.list",
        "compute.backendServices.get",
        "container.clusters.get",
        "container.operations.list",
        "dns.resourceRecordSets.list",
        "iam.serviceAccounts.get",
        "iap.tunnelInstances.getIamPolicy",
        "iap.webServices.getIamPolicy",
        "resourcemanager.projects.get",
        "secretmanager.versions.list",
        "servicenetworking.services.get",
        "serviceusage.services.list",
        "storage.buckets.get",
        "storage.buckets.getIamPolicy",
        "storage.objects.list",
    ],
)
def test_the_role_that_is_named_has_the_permission_and_changes_nothing(permission: str) -> None:
    resource = permission.rpartition(".")[0]
    assert grants(role_for(permission), permission)
    assert not any(grants(role_for(permission), f"{resource}.{verb}") for verb in ("update", "delete", "setIamPolicy"))
