"""The load balancer's graph: what refers to what, what blocks what, and what follows from it elsewhere."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from rehearsal.google.testing import NUMBER, PROJECT, Emulator
from tests.google.test_core import enable

BASE = f"/compute/v1/projects/{PROJECT}/global"
ZONE = f"/compute/v1/projects/{PROJECT}/zones/europe-west1-b"
MANAGER = "certificatemanager.googleapis.com"


def made(cloud: Emulator, path: str, body: dict[str, Any]) -> None:
    """Makes a Compute resource and holds its operation to success."""
    status, operation = cloud.request("POST", path, body)
    assert status == 200, operation
    read = operation["selfLink"].partition("googleapis.com")[2]
    ended = cloud.request("GET", read)[1]
    assert ended["status"] == "DONE"
    assert "error" not in ended, ended


def managed(cloud: Emulator, path: str, body: dict[str, Any]) -> None:
    """Makes a resource of Certificate Manager."""
    status, operation = cloud.request("POST", f"/v1/projects/{PROJECT}/locations/global/{path}", body, host=MANAGER)
    assert status == 200, operation


@pytest.fixture
def cloud(emulator: Emulator) -> Emulator:
    """A whole HTTPS load balancer in front of a network endpoint group."""
    enable(emulator, *(f"{name}.googleapis.com" for name in ("compute", "certificatemanager", "dns", "iap")))
    made(emulator, f"{BASE}/networks", {"name": "n", "autoCreateSubnetworks": False})
    region = f"/compute/v1/projects/{PROJECT}/regions/europe-west1"
    made(
        emulator, f"{region}/subnetworks", {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.10.0.0/20"}
    )
    made(emulator, f"{BASE}/addresses", {"name": "lb"})
    made(emulator, f"{BASE}/healthChecks", {"name": "hc", "type": "HTTP", "httpHealthCheck": {"port": 15021}})
    made(emulator, f"{BASE}/securityPolicies", {"name": "armor"})
    group = {"name": "neg", "network": "global/networks/n", "subnetwork": "regions/europe-west1/subnetworks/s"}
    made(emulator, f"{ZONE}/networkEndpointGroups", {**group, "defaultPort": 8443})
    backend = {
        "group": "zones/europe-west1-b/networkEndpointGroups/neg",
        "balancingMode": "RATE",
        "maxRatePerEndpoint": 100,
    }
    service = {"name": "be", "loadBalancingScheme": "EXTERNAL_MANAGED", "protocol": "HTTPS", "backends": [backend]}
    made(
        emulator,
        f"{BASE}/backendServices",
        {**service, "healthChecks": ["global/healthChecks/hc"], "iap": {"enabled": True}},
    )
    made(emulator, f"{BASE}/backendServices/be/setSecurityPolicy", {"securityPolicy": "global/securityPolicies/armor"})
    made(emulator, f"{BASE}/urlMaps", {"name": "um", "defaultService": "global/backendServices/be"})
    managed(emulator, "certificates?certificateId=c", {"managed": {"domains": ["ml.acme.example"]}})
    managed(emulator, "certificateMaps?certificateMapId=m", {})
    entry = {"hostname": "ml.acme.example", "certificates": [f"projects/{PROJECT}/locations/global/certificates/c"]}
    managed(emulator, "certificateMaps/m/certificateMapEntries?certificateMapEntryId=e", entry)
    certificates = f"//{MANAGER}/projects/{PROJECT}/locations/global/certificateMaps/m"
    made(
        emulator,
        f"{BASE}/targetHttpsProxies",
        {"name": "tp", "urlMap": "global/urlMaps/um", "certificateMap": certificates},
    )
    rule = {
        "name": "fr",
        "target": "global/targetHttpsProxies/tp",
        "IPAddress": "global/addresses/lb",
        "portRange": "443",
    }
    made(emulator, f"{BASE}/forwardingRules", {**rule, "loadBalancingScheme": "EXTERNAL_MANAGED"})
    return emulator


def test_what_the_server_fills_in(cloud: Emulator) -> None:
    service = cloud.request("GET", f"{BASE}/backendServices/be")[1]
    assert (service["port"], service["sessionAffinity"], service["timeoutSec"]) == (80, "NONE", 30)
    assert service["iap"] == {"enabled": True}
    assert service["securityPolicy"].endswith("/global/securityPolicies/armor")
    assert service["usedBy"] == [
        {"reference": f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/urlMaps/um"}
    ]
    rule = cloud.request("GET", f"{BASE}/forwardingRules/fr")[1]
    address = cloud.request("GET", f"{BASE}/addresses/lb")[1]
    assert (rule["IPAddress"], rule["portRange"]) == (address["address"], "443-443")
    assert (address["status"], address["users"]) == ("IN_USE", [rule["selfLink"]])
    policy = cloud.request("GET", f"{BASE}/securityPolicies/armor")[1]
    assert [(item["priority"], item["action"]) for item in policy["rules"]] == [(2147483647, "allow")]


@pytest.mark.parametrize(
    ("path", "noun"),
    [
        ("addresses/lb", "address"),
        ("targetHttpsProxies/tp", "target_https_proxy"),
        ("urlMaps/um", "url_map"),
        ("backendServices/be", "backend_service"),
        ("healthChecks/hc", "health_check"),
        ("securityPolicies/armor", "security_policy"),
    ],
)
def test_what_is_in_use_stays(cloud: Emulator, path: str, noun: str) -> None:
    status, body = cloud.request("DELETE", f"{BASE}/{path}")
    assert (status, body["error"]["errors"][0]["reason"]) == (400, "resourceInUseByAnotherResource")
    assert f"The {noun} resource" in body["error"]["message"]


def test_top_down_it_all_goes(cloud: Emulator) -> None:
    for path in ("forwardingRules/fr", "targetHttpsProxies/tp", "urlMaps/um", "backendServices/be", "healthChecks/hc"):
        assert cloud.request("DELETE", f"{BASE}/{path}")[0] == 200, path
        assert cloud.request("GET", f"{BASE}/{path}")[0] == 404
    assert cloud.request("GET", f"{BASE}/addresses/lb")[1]["status"] == "RESERVED"


def test_rules_of_a_security_policy(cloud: Emulator) -> None:
    path = f"{BASE}/securityPolicies/armor"
    match = {"config": {"srcIpRanges": ["198.51.100.0/24"]}, "versionedExpr": "SRC_IPS_V1"}
    made(cloud, f"{path}/addRule", {"priority": 1000, "action": "deny(403)", "match": match})
    assert cloud.request("POST", f"{path}/addRule", {"priority": 1000, "action": "allow", "match": match})[0] == 400
    made(cloud, f"{path}/patchRule?priority=2147483647", {"action": "deny(404)"})
    found = cloud.request("GET", f"{path}/getRule?priority=2147483647")[1]
    assert (found["action"], found["match"]["config"]["srcIpRanges"]) == ("deny(404)", ["*"])
    assert cloud.request("POST", f"{path}/removeRule?priority=2147483647")[0] == 400
    assert cloud.request("POST", f"{path}/removeRule?priority=7")[0] == 400


def test_endpoints_come_and_go(cloud: Emulator) -> None:
    path = f"{ZONE}/networkEndpointGroups/neg"
    endpoint = {"ipAddress": "10.32.0.5", "port": 8443}
    made(cloud, f"{path}/attachNetworkEndpoints", {"networkEndpoints": [endpoint]})
    assert cloud.request("POST", f"{path}/listNetworkEndpoints")[1]["items"] == [{"networkEndpoint": endpoint}]
    assert cloud.request("GET", path)[1]["size"] == 1
    group = {"group": f"projects/{PROJECT}/zones/europe-west1-b/networkEndpointGroups/neg"}
    health = cloud.request("POST", f"{BASE}/backendServices/be/getHealth", group)[1]
    assert health["healthStatus"][0]["healthState"] == "HEALTHY"
    made(cloud, f"{path}/detachNetworkEndpoints", {"networkEndpoints": [endpoint]})
    assert "items" not in cloud.request("POST", f"{path}/listNetworkEndpoints")[1]
    found = cloud.request("GET", f"/compute/v1/projects/{PROJECT}/aggregated/networkEndpointGroups")[1]["items"]
    assert [item["name"] for item in found["zones/europe-west1-b"]["networkEndpointGroups"]] == ["neg"]


def test_a_certificate_without_authorization_waits_for_the_address_record(cloud: Emulator) -> None:
    path = f"/v1/projects/{PROJECT}/locations/global/certificates/c"
    assert cloud.request("GET", path, host=MANAGER)[1]["managed"]["state"] == "PROVISIONING"
    zones = f"/dns/v1/projects/{PROJECT}/managedZones"
    cloud.request("POST", zones, {"name": "z", "dnsName": "ml.acme.example.", "description": ""})
    address = cloud.request("GET", f"{BASE}/addresses/lb")[1]["address"]
    record = {"name": "ml.acme.example.", "type": "A", "ttl": 300, "rrdatas": [address]}
    assert cloud.request("POST", f"{zones}/z/rrsets", record)[0] == 200
    assert cloud.request("GET", path, host=MANAGER)[1]["managed"]["state"] == "ACTIVE"


@pytest.mark.parametrize(("terms", "expected"), [(13, 200), (14, 400)])
def test_a_condition_takes_twelve_logical_operators(cloud: Emulator, terms: int, expected: int) -> None:
    expression = " || ".join(f'request.host == "{number}.acme.example"' for number in range(terms))
    binding = {
        "role": "roles/iap.httpsResourceAccessor",
        "members": ["user:bob@acme.example"],
        "condition": {"title": "By host", "expression": expression},
    }
    path = f"/v1/projects/{NUMBER}/iap_web/compute/services/be"
    status, answer = cloud.request("POST", f"{path}:setIamPolicy", {"policy": {"version": 3, "bindings": [binding]}})
    assert status == expected
    if status == 400:
        assert answer["error"]["status"] == "INVALID_ARGUMENT"
        assert "13 logical operators" in answer["error"]["message"]


def test_the_iap_policy_of_a_backend(cloud: Emulator) -> None:
    path = f"/v1/projects/{NUMBER}/iap_web/compute/services/be"
    binding = {"role": "roles/iap.httpsResourceAccessor", "members": ["group:ml-team-fraud@acme.example"]}
    status, policy = cloud.request("POST", f"{path}:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert (status, policy["bindings"]) == (200, [binding])
    asked = {"permissions": ["iap.webServiceVersions.accessViaIAP"]}
    assert cloud.request("POST", f"{path}:testIamPermissions", asked, email="bob@acme.example")[1] == asked
    assert cloud.request("POST", f"{path}:testIamPermissions", asked, email="eve@acme.example")[1] == {}
    assert cloud.request("POST", f"/v1/projects/{NUMBER}/iap_web/compute/services/none:getIamPolicy", {})[0] == 404


def test_a_secret_of_an_oauth_client_is_never_told(cloud: Emulator) -> None:
    client = {"iap": {"enabled": True, "oauth2ClientId": "id", "oauth2ClientSecret": "hush"}}
    made_status, _ = cloud.request("PATCH", f"{BASE}/backendServices/be", client)
    assert made_status == 200
    found = cloud.request("GET", f"{BASE}/backendServices/be")[1]
    assert "oauth2ClientSecret" not in found["iap"]
    assert found["iap"]["oauth2ClientSecretSha256"] == hashlib.sha256(b"hush").hexdigest()
    assert "hush" not in str(cloud.request("GET", "/state/dump")[1])


def test_a_stale_fingerprint_is_refused(cloud: Emulator) -> None:
    status, body = cloud.request("PATCH", f"{BASE}/urlMaps/um", {"description": "x", "fingerprint": "AAAAAAAAAAA="})
    assert (status, body["error"]["errors"][0]["reason"]) == (412, "conditionNotMet")
    status, body = cloud.request("PATCH", f"{BASE}/targetHttpsProxies/tp", {"description": "x"})
    assert (status, body["error"]["message"]) == (400, "Required field 'resource.fingerprint' not specified")
