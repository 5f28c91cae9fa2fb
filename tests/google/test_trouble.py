"""What breaks playbooks at Google breaks them here: refusals, late effects, limits, leftovers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rehearsal.google.testing import NUMBER, PROJECT, Emulator, running
from tests.google.test_core import enable
from tests.waiting import until

COMPUTE = f"/compute/v1/projects/{PROJECT}"
REGION = f"{COMPUTE}/regions/europe-west1"
CLUSTERS = f"/v1/projects/{PROJECT}/locations/europe-west1/clusters"
ALICE = "alice@acme.example"
_soon = partial(until, what="what comes late", seconds=10.0, every=0.02)


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator with the APIs on and a network `n` with a subnetwork `s`."""
    with running(tmp_path) as started:
        names = ("compute", "container", "iam", "dns", "secretmanager", "storage")
        enable(started, *(f"{name}.googleapis.com" for name in names))
        ok(started, "POST", f"{COMPUTE}/global/networks", {"name": "n", "autoCreateSubnetworks": False})
        subnetwork = {"name": "s", "network": f"projects/{PROJECT}/global/networks/n", "ipCidrRange": "10.0.0.0/20"}
        ok(started, "POST", f"{REGION}/subnetworks", subnetwork)
        yield started


def ok(cloud: Emulator, http: str, path: str, body: Any = None) -> Any:
    """A call that must be answered with 200; the answer."""
    status, answer = cloud.request(http, path, body)
    assert status == 200, answer
    return answer


def error_of(answer: Any) -> dict[str, Any]:
    """The error of a refusal."""
    found: dict[str, Any] = answer["error"]
    return found


def limits(cloud: Emulator, **given: Any) -> None:
    """Sets limits by the emulator's own API."""
    ok(cloud, "PUT", "/limits", given)


def done(cloud: Emulator, operation: dict[str, Any]) -> dict[str, Any]:
    """A Compute operation as it is now."""
    found: dict[str, Any] = ok(cloud, "GET", operation["selfLink"].removeprefix("https://www.googleapis.com"))
    return found


def test_network_in_use_is_told_by_the_operation(google: Emulator) -> None:
    operation = done(google, ok(google, "DELETE", f"{COMPUTE}/global/networks/n"))
    text = "The network resource 'projects/acme-mlops/global/networks/n' is already being used by "
    assert operation["error"]["errors"][0]["code"] == "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"
    assert operation["error"]["errors"][0]["message"].startswith(text)
    assert operation["httpErrorStatusCode"] == 400


def test_address_in_use_is_told_at_once(google: Emulator) -> None:
    ok(google, "POST", f"{REGION}/addresses", {"name": "a"})
    router = {
        "name": "r",
        "network": f"projects/{PROJECT}/global/networks/n",
        "nats": [
            {
                "name": "nat",
                "natIpAllocateOption": "MANUAL_ONLY",
                "natIps": [f"projects/{PROJECT}/regions/europe-west1/addresses/a"],
                "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
            }
        ],
    }
    ok(google, "POST", f"{REGION}/routers", router)
    status, answer = google.request("DELETE", f"{REGION}/addresses/a")
    assert (status, error_of(answer)["errors"][0]["reason"]) == (400, "resourceInUseByAnotherResource")


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        (
            f"{COMPUTE}/global/networks",
            {"name": "n"},
            f"The resource 'projects/{PROJECT}/global/networks/n' already exists",
        ),
        (
            f"/v1/projects/{PROJECT}/serviceAccounts",
            {"accountId": "deployer"},
            f"Service account deployer already exists within project projects/{PROJECT}.",
        ),
        (
            f"/v1/projects/{PROJECT}/secrets?secretId=s",
            {"replication": {"automatic": {}}},
            f"Secret [projects/{NUMBER}/secrets/s] already exists.",
        ),
    ],
)
def test_409(google: Emulator, path: str, body: dict[str, Any], text: str) -> None:
    google.request("POST", path, body)
    status, answer = google.request("POST", path, body)
    assert (status, error_of(answer)["message"]) == (409, text)


def test_stale_fingerprint_is_412(google: Emulator) -> None:
    ok(google, "POST", f"{COMPUTE}/global/securityPolicies", {"name": "p"})
    path = f"{COMPUTE}/global/securityPolicies/p"
    status, answer = google.request("PATCH", path, {"description": "x", "fingerprint": "AAAAAAAAAAA="})
    assert (status, error_of(answer)["errors"][0]["reason"]) == (412, "conditionNotMet")


def test_concurrent_policy_change_is_409_aborted(google: Emulator) -> None:
    path = f"/v1/projects/{PROJECT}"
    policy = ok(google, "POST", f"{path}:getIamPolicy", {})
    ok(google, "POST", f"{path}:setIamPolicy", {"policy": policy})
    status, answer = google.request("POST", f"{path}:setIamPolicy", {"policy": policy})
    assert (status, error_of(answer)["status"]) == (409, "ABORTED")
    assert error_of(answer)["message"].startswith("There were concurrent policy changes.")


def test_one_operation_at_a_time_on_a_router_and_a_cluster(google: Emulator) -> None:
    ok(google, "POST", f"{REGION}/routers", {"name": "r", "network": f"projects/{PROJECT}/global/networks/n"})
    ok(google, "PUT", "/time", {"scale": 10})
    ok(google, "PATCH", f"{REGION}/routers/r", {"description": "one"})
    status, answer = google.request("PATCH", f"{REGION}/routers/r", {"description": "two"})
    assert (status, error_of(answer)["errors"][0]["reason"]) == (400, "resourceNotReady")
    cluster = {"name": "c", "network": "n", "subnetwork": "s", "initialNodeCount": 1}
    ok(google, "POST", CLUSTERS, {"cluster": cluster})
    status, answer = google.request("DELETE", f"{CLUSTERS}/c")
    assert (status, error_of(answer)["status"]) == (400, "FAILED_PRECONDITION")
    assert "is currently creating cluster c" in error_of(answer)["message"]


def test_operations_last_as_long_as_at_google(google: Emulator) -> None:
    ok(google, "PUT", "/time", {"scale": 0.02})
    start = time.monotonic()
    operation = ok(google, "POST", f"{COMPUTE}/global/networks", {"name": "slow", "autoCreateSubnetworks": False})
    assert done(google, operation)["status"] == "RUNNING"
    path = operation["selfLink"].removeprefix("https://www.googleapis.com")
    assert ok(google, "POST", f"{path}/wait")["status"] == "DONE"
    assert 0.15 < time.monotonic() - start < 5.0


def test_new_account_is_seen_late(google: Emulator) -> None:
    limits(google, accounts_seconds=3.0)
    path = f"/v1/projects/{PROJECT}/serviceAccounts"
    account = ok(google, "POST", path, {"accountId": "fresh-account"})
    status, answer = google.request("GET", f"{path}/{account['email']}")
    assert (status, error_of(answer)["message"]) == (404, f"Service account {account['name']} does not exist.")
    binding = {"role": "roles/viewer", "members": [f"serviceAccount:{account['email']}"]}
    policy = ok(google, "POST", f"/v1/projects/{PROJECT}:getIamPolicy", {})
    policy["bindings"].append(binding)
    status, answer = google.request("POST", f"/v1/projects/{PROJECT}:setIamPolicy", {"policy": policy})
    assert (status, error_of(answer)["message"]) == (400, f"Service account {account['email']} does not exist.")
    _soon(lambda: google.request("GET", f"{path}/{account['email']}")[0] == 200)


def test_policy_takes_effect_late(google: Emulator) -> None:
    limits(google, policies_seconds=3.0)
    _grant(google, {"role": "roles/compute.networkAdmin", "members": [f"user:{ALICE}"]})
    body = {"name": "by-alice", "autoCreateSubnetworks": False}
    status, answer = google.request("POST", f"{COMPUTE}/global/networks", body, email=ALICE)
    assert status == 403
    text = "Required 'compute.networks.create' permission for 'projects/acme-mlops'"
    assert error_of(answer)["message"] == text
    _soon(lambda: google.request("POST", f"{COMPUTE}/global/networks", body, email=ALICE)[0] in (200, 409))


def _grant(cloud: Emulator, binding: dict[str, Any]) -> None:
    policy = ok(cloud, "POST", f"/v1/projects/{PROJECT}:getIamPolicy", {})
    policy["bindings"].append(binding)
    ok(cloud, "POST", f"/v1/projects/{PROJECT}:setIamPolicy", {"policy": {**policy, "version": 3}})


@pytest.mark.parametrize(
    ("expression", "status"),
    [
        ('resource.name.startsWith("projects/acme-mlops/global/networks/n")', 200),
        ('resource.name.startsWith("projects/acme-mlops/global/networks/other")', 403),
        ('request.time < timestamp("2020-01-01T00:00:00Z")', 403),
        ('resource.service == "compute.googleapis.com" && request.time > timestamp("2020-01-01T00:00:00Z")', 200),
    ],
)
def test_conditions_are_evaluated(google: Emulator, expression: str, status: int) -> None:
    condition = {"title": "t", "expression": expression}
    binding = {"role": "roles/compute.networkAdmin", "members": ["user:eve@acme.example"], "condition": condition}
    _grant(google, binding)
    assert google.request("GET", f"{COMPUTE}/global/networks/n", email="eve@acme.example")[0] == status


def test_condition_that_is_none(google: Emulator) -> None:
    policy = ok(google, "POST", f"/v1/projects/{PROJECT}:getIamPolicy", {})
    condition = {"title": "t", "expression": "resource.name.startsWith("}
    policy["bindings"].append({"role": "roles/viewer", "members": [f"user:{ALICE}"], "condition": condition})
    status, answer = google.request("POST", f"/v1/projects/{PROJECT}:setIamPolicy", {"policy": policy})
    assert status == 400
    assert "Condition expression compilation failed" in error_of(answer)["message"]


def test_api_that_is_off_and_one_that_is_on_late(google: Emulator) -> None:
    status, answer = google.request("GET", f"/v1/projects/{PROJECT}/locations/global/keyRings")
    assert (status, error_of(answer)["details"][0]["reason"]) == (403, "SERVICE_DISABLED")
    limits(google, apis_seconds=3.0)
    enable(google, "cloudkms.googleapis.com")
    assert google.request("GET", f"/v1/projects/{PROJECT}/locations/global/keyRings")[0] == 403
    _soon(lambda: google.request("GET", f"/v1/projects/{PROJECT}/locations/global/keyRings")[0] == 200)


def test_quota_exceeded_is_an_operation_that_fails(google: Emulator) -> None:
    limits(google, quotas={"NETWORKS": 1, "CPUS": 1})
    operation = done(google, ok(google, "POST", f"{COMPUTE}/global/networks", {"name": "m"}))
    failure = operation["error"]["errors"][0]
    assert (failure["code"], failure["message"]) == (
        "QUOTA_EXCEEDED",
        "Quota 'NETWORKS' exceeded.  Limit: 1.0 globally.",
    )
    assert operation["httpErrorStatusCode"] == 403
    assert google.request("GET", f"{COMPUTE}/global/networks/m")[0] == 404
    image = "projects/debian-cloud/global/images/family/debian-12"
    machine = {
        "name": "i",
        "machineType": "zones/europe-west1-b/machineTypes/n1-standard-4",
        "disks": [{"boot": True, "initializeParams": {"sourceImage": image}}],
        "networkInterfaces": [{"subnetwork": f"projects/{PROJECT}/regions/europe-west1/subnetworks/s"}],
    }
    operation = done(google, ok(google, "POST", f"{COMPUTE}/zones/europe-west1-b/instances", machine))
    info = operation["error"]["errors"][0]["errorDetails"][0]["quotaInfo"]
    assert info["limitName"] == "CPUS-per-project-region"
    assert info["dimensions"] == {"region": "europe-west1"}
    quotas = {item["metric"]: item for item in ok(google, "GET", COMPUTE)["quotas"]}
    assert quotas["NETWORKS"] == {"metric": "NETWORKS", "limit": 1.0, "usage": 1.0}


@pytest.mark.parametrize("status", [429, 403])
def test_rate_limits(google: Emulator, status: int) -> None:
    limits(google, calls_per_minute=2, rate_status=status)
    answers = [google.request("GET", f"{COMPUTE}/global/networks") for _ in range(3)]
    assert [item[0] for item in answers] == [200, 200, status]
    assert error_of(answers[2][1])["errors"][0]["reason"] == "rateLimitExceeded"
    assert error_of(answers[2][1])["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"


def test_permission_denied_names_the_permission(google: Emulator) -> None:
    status, answer = google.request("DELETE", f"{COMPUTE}/global/networks/n", email=ALICE)
    assert status == 403
    text = f"Required 'compute.networks.delete' permission for 'projects/{PROJECT}/global/networks/n'"
    assert error_of(answer)["message"] == text
    asked = {"permissions": ["compute.networks.delete", "compute.networks.get"]}
    status, answer = google.request("POST", f"/v1/projects/{PROJECT}:testIamPermissions", asked, email=ALICE)
    assert (status, answer) == (200, {"permissions": ["compute.networks.get"]})


def test_managed_certificate_follows_dns(google: Emulator) -> None:
    base = f"projects/{PROJECT}/global"
    ok(google, "POST", f"{COMPUTE}/global/sslCertificates", {"name": "c", "managed": {"domains": ["ml.acme.example"]}})
    ok(google, "POST", f"{COMPUTE}/global/healthChecks", {"name": "h", "type": "HTTP", "httpHealthCheck": {"port": 80}})
    ok(google, "POST", f"{COMPUTE}/global/backendServices", {"name": "b", "healthChecks": [f"{base}/healthChecks/h"]})
    ok(google, "POST", f"{COMPUTE}/global/urlMaps", {"name": "u", "defaultService": f"{base}/backendServices/b"})
    proxy = {"name": "p", "urlMap": f"{base}/urlMaps/u", "sslCertificates": [f"{base}/sslCertificates/c"]}
    ok(google, "POST", f"{COMPUTE}/global/targetHttpsProxies", proxy)
    assert _domain(google) == "PROVISIONING"
    rule = {"name": "f", "target": f"{base}/targetHttpsProxies/p", "portRange": "443"}
    ok(google, "POST", f"{COMPUTE}/global/forwardingRules", rule)
    assert _domain(google) == "FAILED_NOT_VISIBLE"
    address = ok(google, "GET", f"{COMPUTE}/global/forwardingRules/f")["IPAddress"]
    zones = f"/dns/v1/projects/{PROJECT}/managedZones"
    ok(google, "POST", zones, {"name": "z", "dnsName": "ml.acme.example.", "description": "z"})
    record = {"name": "ml.acme.example.", "type": "A", "ttl": 60, "rrdatas": [address]}
    ok(google, "POST", f"{zones}/z/changes", {"additions": [record]})
    assert _domain(google) == "ACTIVE"
    assert ok(google, "GET", f"{COMPUTE}/global/sslCertificates/c")["managed"]["status"] == "ACTIVE"


def _domain(cloud: Emulator) -> str:
    managed = ok(cloud, "GET", f"{COMPUTE}/global/sslCertificates/c")["managed"]
    return str(managed["domainStatus"]["ml.acme.example"])


def test_a_cluster_leaves_a_rule_behind_that_blocks_the_network(google: Emulator) -> None:
    limits(google, leftovers=True)
    _cluster(google)
    rules = [item["name"] for item in ok(google, "GET", f"{COMPUTE}/global/firewalls")["items"]]
    assert [name.rpartition("-")[2] for name in rules] == ["all", "vms"]
    _await_operation(google, ok(google, "DELETE", f"{CLUSTERS}/c"))
    (left,) = (item["name"] for item in ok(google, "GET", f"{COMPUTE}/global/firewalls")["items"])
    assert left.startswith("k8s-fw-")
    ok(google, "DELETE", f"{REGION}/subnetworks/s")
    operation = done(google, ok(google, "DELETE", f"{COMPUTE}/global/networks/n"))
    assert f"/firewalls/{left}'" in operation["error"]["errors"][0]["message"]
    ok(google, "DELETE", f"{COMPUTE}/global/firewalls/{left}")
    assert "error" not in done(google, ok(google, "DELETE", f"{COMPUTE}/global/networks/n"))


def _cluster(cloud: Emulator) -> None:
    cluster = {"name": "c", "network": "n", "subnetwork": "s", "initialNodeCount": 1}
    _await_operation(cloud, ok(cloud, "POST", CLUSTERS, {"cluster": cluster}))


def _await_operation(cloud: Emulator, operation: dict[str, Any]) -> None:
    path = f"/v1/projects/{PROJECT}/locations/europe-west1/operations/{operation['name']}"
    _soon(lambda: ok(cloud, "GET", path)["status"] == "DONE")


def test_groups_of_endpoints_appear_late_and_stay(google: Emulator) -> None:
    agent = f"service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com"
    path = f"{COMPUTE}/zones/europe-west1-b/networkEndpointGroups"
    _cluster(google)
    assert google.request("GET", f"{path}/gateway")[0] == 404
    group = {
        "name": "gateway",
        "networkEndpointType": "GCE_VM_IP_PORT",
        "network": f"projects/{PROJECT}/global/networks/n",
        "subnetwork": f"projects/{PROJECT}/regions/europe-west1/subnetworks/s",
    }
    status, answer = google.request("POST", path, group, email=agent)
    assert status == 200, answer
    _await_operation(google, ok(google, "DELETE", f"{CLUSTERS}/c"))
    assert ok(google, "GET", f"{path}/gateway")["size"] == 0
    operation = done(google, ok(google, "DELETE", f"{REGION}/subnetworks/s"))
    assert "/networkEndpointGroups/gateway'" in operation["error"]["errors"][0]["message"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"quota": {}}, "'quota' is no limit; there are accounts_seconds"),
        ({"rate_status": 500}, "rate_status is 403 or 429"),
        ({"leftovers": 1}, "leftovers is true or false"),
        ({"quotas": {"CPUS": "many"}}, "quotas is an object of metrics and numbers"),
        ([], "limits are an object"),
    ],
)
def test_wrong_limits_are_refused(google: Emulator, given: Any, text: str) -> None:
    status, answer = google.request("PUT", "/limits", given)
    assert status == 400
    assert text in answer["error"]


def test_more_pod_ranges_for_a_cluster(google: Emulator) -> None:
    ranges = [{"rangeName": "more", "ipCidrRange": "10.64.0.0/16"}]
    more = {"name": "s2", "network": f"projects/{PROJECT}/global/networks/n", "ipCidrRange": "10.1.0.0/20"}
    ok(google, "POST", f"{REGION}/subnetworks", {**more, "secondaryIpRanges": ranges})
    _cluster(google)

    def updated(value: list[dict[str, Any]]) -> Any:
        update = {"desiredAdditionalIpRangesConfig": {"additionalIpRangesConfigs": value}}
        _await_operation(google, ok(google, "PUT", f"{CLUSTERS}/c", {"update": update}))
        return ok(google, "GET", f"{CLUSTERS}/c")["ipAllocationPolicy"].get("additionalIpRangesConfigs")

    key = f"projects/{PROJECT}/regions/europe-west1/subnetworks/s2"
    wanted = [{"subnetwork": key, "podIpv4RangeNames": ["more"]}]
    assert updated([{"subnetwork": "s2", "podIpv4RangeNames": ["more"]}]) == wanted
    assert updated([]) is None
    wrong = [{**wanted[0], "podIpv4RangeNames": ["x"]}]
    update = {"desiredAdditionalIpRangesConfig": {"additionalIpRangesConfigs": wrong}}
    status, answer = google.request("PUT", f"{CLUSTERS}/c", {"update": update})
    assert (status, error_of(answer)["status"]) == (400, "INVALID_ARGUMENT")
