"""Twenty and more behaviours broken on purpose: the replay must notice each, or its tolerances are too wide."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.google import lro, services
from rehearsal.google.clock import Clock
from rehearsal.google.core import FALLBACKS, HANDLERS, Call, Response
from rehearsal.google.errors import ApiError
from rehearsal.google.services import secretmanager
from rehearsal.google.services.compute import generic, kinds, links, operations
from rehearsal.google.services.compute.kinds import KINDS
from rehearsal.google.services.container import networking
from tests.google.replay import replay
from tests.google.shared import recordings

services.load()
Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


def changed(method: str, change: Callable[[dict[str, Any]], Any]) -> Break:
    """The answers of one method are changed."""

    def break_it(patch: Patch) -> None:
        real = HANDLERS.get(method) or FALLBACKS[method.partition(".")[0]]

        def wrong(call: Call) -> Any:
            answer = real(call)
            if isinstance(answer, dict):
                answer = dict(answer)
                change(answer)
            return answer

        patch.setitem(HANDLERS, method, wrong)

    return break_it


def refused(method: str, message: str) -> Break:
    """The refusals of one method have another text."""

    def break_it(patch: Patch) -> None:
        real = HANDLERS.get(method) or FALLBACKS[method.partition(".")[0]]

        def wrong(call: Call) -> Any:
            try:
                return real(call)
            except ApiError as error:
                raise ApiError(error.code, message, error.reason) from error

        patch.setitem(HANDLERS, method, wrong)

    return break_it


def default(collection: str, name: str, value: Any) -> Break:
    """A kind's default is another."""
    return lambda patch: patch.setitem(KINDS[collection].defaults, name, value)  # type: ignore[arg-type]  # a dict in fact


def kind(collection: str, **more: Any) -> Break:
    """A kind is declared in another way."""
    return lambda patch: patch.setitem(KINDS, collection, dataclasses.replace(KINDS[collection], **more))


def attribute(owner: Any, name: str, value: Any) -> Break:
    """A function or constant is another."""
    return lambda patch: patch.setattr(owner, name, value)


def _no_404_for_deleted(patch: Patch) -> None:
    real = HANDLERS["storage.buckets.delete"]
    patch.setitem(
        HANDLERS, "storage.buckets.delete", lambda call: Response({}, 200, {}) if not real(call) else Response({})
    )


MUTATIONS: dict[str, tuple[str, Break]] = {
    "another default": ("compute/globalAddresses/vpc_peering_range", default("addresses", "networkTier", "STANDARD")),
    "a default is missing": ("compute/sslCertificates/self_managed_global", kind("sslCertificates", defaults={})),
    "operation type": ("compute/sslPolicies/create_patch_delete", kind("sslPolicies", operations={})),
    "labels arrive in insert": ("compute/addresses/regional_internal", kind("addresses", dropped=())),
    "no fingerprint": ("compute/urlMaps/create_put_additive", kind("urlMaps", fingerprint=False)),
    "fingerprint's form": (
        "compute/backendServices/regional_with_fingerprint",
        attribute(kinds, "digest", lambda value: "1"),
    ),
    "text of a missing fingerprint": (
        "compute/targetHttpsProxies/patch_400_missing_fingerprint",
        refused("compute.targetHttpsProxies.patch", "Fingerprint missing"),
    ),
    "in use is not noticed": (
        "compute/urlMaps/global_in_use_400_on_delete",
        attribute(generic, "refuse_if_used", lambda *_: None),
    ),
    "in-use text of health checks": (
        "compute/urlMaps/global_in_use_400_on_delete",
        attribute(
            generic,
            "_health_check_in_use",
            lambda tx, cloud, record, user: generic.in_use(record, KINDS["healthChecks"], user),
        ),
    ),
    "in use told at once, not late": (
        "compute/networks/delete_retry_400_resource_not_ready",
        kind("networks", late_in_use=False),
    ),
    "404 text": (
        "compute/networks/add_remove_peering",
        attribute(generic, "was_not_found", lambda key: ApiError(404, f"{key} not found", "notFound")),
    ),
    "links of another host": (
        "compute/subnetworks/create_setpga_delete",
        attribute(links, "BASE", "https://compute.googleapis.com/compute/v1/"),
    ),
    "ids are numbers": ("compute/healthChecks/global_tcp_put", attribute(generic, "new_id", lambda tx: 7)),
    "operation's name": ("compute/healthChecks/regional_put", attribute(operations, "_name", lambda clock: "op-1")),
    "setLabels is not done at once": (
        "compute/globalAddresses/vpc_peering_range_with_operation_polls",
        changed("compute.globalAddresses.setLabels", lambda body: body.update(status="RUNNING")),
    ),
    "times in UTC": (
        "compute/globalForwardingRules/http_lb_whole_stack",
        attribute(Clock, "pacific", lambda self: self.zulu(3)),
    ),
    "error of an operation": (
        "certificatemanager/maps_entries_certificates/create_operation_error_invalid_name",
        changed("certificatemanager.projects.locations.operations.get", lambda body: body.pop("error", None)),
    ),
    "done is not written out": (
        "certificatemanager/maps_entries_certificates/map_entry",
        changed("certificatemanager.projects.locations.certificateMaps.create", lambda body: body.update(done=True)),
    ),
    "references in full in GKE": (
        "container/clusters/minimal_regional",
        changed(
            "container.projects.locations.clusters.get",
            lambda body: body.update(network=f"projects/p/global/networks/{body['network']}"),
        ),
    ),
    "GKE's 404 text": (
        "container/clusters/maintenance_policy",
        refused("container.projects.locations.clusters.get", "Cluster not found."),
    ),
    "GKE's managed range": (
        "container/clusters/database_encryption",
        attribute(networking, "_pod_range", lambda call, wanted: wanted),
    ),
    "error shape of a family": (
        "secretmanager/secrets/auto_replication",
        lambda patch: patch.setattr(ApiError, "body", lambda self, family: {"error": {"message": self.message}}),
    ),
    "secret's 404 text": (
        "secretmanager/secrets/auto_replication",
        refused("secretmanager.projects.secrets.get", "Secret not found."),
    ),
    "secret's etag": (
        "secretmanager/versions/add_enable_access_disable",
        attribute(secretmanager, "_etag", lambda: ""),
    ),
    "DELETE of a bucket has a body": ("storage/buckets/basic", _no_404_for_deleted),
    "a bucket's default": ("storage/buckets/basic", changed("storage.buckets.get", lambda body: body.pop("rpo"))),
    "no SOA record in a new zone": (
        "dns/managedZones_and_rrsets/zone_create_records_delete",
        changed("dns.resourceRecordSets.list", lambda body: body.update(rrsets=body["rrsets"][:1])),
    ),
    "PATCH of an account answers all": (
        "iam/serviceAccounts/create_patch_delete_full",
        changed("iam.projects.serviceAccounts.patch", lambda body: body.update(email="x@y.z")),
    ),
    "policy version": (
        "kms/keyrings_cryptokeys/iam_policy_get_set_remove",
        changed("cloudkms.projects.locations.keyRings.cryptoKeys.getIamPolicy", lambda body: body.update(version=3)),
    ),
    "response of an LRO": (
        "serviceusage/services/enable_disable_list",
        attribute(lro, "get", lambda call: {"name": call.path["name"], "done": True}),
    ),
    "unsettled IAP names": (
        "iap/settings/project_settings",
        changed("iap.getIapSettings", lambda body: body.update(name="projects/acme-mlops/iap_web")),
    ),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_replay_notices(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, break_it = MUTATIONS[what]
    path = recordings() / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    break_it(monkeypatch)
    assert not replay(path, name).passed, f"the replay of {name} does not notice: {what}"
