"""The cluster through IAP and the bastion: what Argo CD deployed, who may do what, what pods may reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

PROJECT_NAMESPACE = "project-sandbox"
EDITOR, ADMIN, NOBODY = "bob@acme.example", "alice@acme.example", "eve@acme.example"
As = Callable[[str], client.ApiClient]
PodSays = Callable[[str, str], str]


def test_the_nodes_are_ready(cluster: client.ApiClient) -> None:
    nodes = client.CoreV1Api(cluster).list_node().items
    ready = [condition.status for node in nodes for condition in node.status.conditions if condition.type == "Ready"]
    assert ready
    assert set(ready) == {"True"}


def test_argo_cd_has_deployed_everything(cluster: client.ApiClient) -> None:
    found = client.CustomObjectsApi(cluster).list_namespaced_custom_object(
        "argoproj.io", "v1alpha1", "argocd", "applications"
    )
    states = {
        item["metadata"]["name"]: (item["status"]["sync"]["status"], item["status"]["health"]["status"])
        for item in found["items"]
    }
    assert set(states) >= {"platform", "argocd", "policies", "mlflow", PROJECT_NAMESPACE}
    assert {name: state for name, state in states.items() if state != ("Synced", "Healthy")} == {}


def test_mlflows_database_was_brought_to_the_servers_version(cluster: client.ApiClient) -> None:
    assert client.BatchV1Api(cluster).read_namespaced_job("mlflow-upgrade", "mlflow").status.succeeded == 1


def may(person: client.ApiClient, verb: str, resource: str, namespace: str) -> bool:
    """Whether the API server would let that person do it; resources are written as kubectl writes them."""
    kind, _, part = resource.partition("/")
    name, _, group = kind.partition(".")
    attributes = {"verb": verb, "resource": name, "group": group, "subresource": part, "namespace": namespace}
    review = {"spec": {"resourceAttributes": attributes}}
    answer = client.AuthorizationV1Api(person).create_self_subject_access_review(review)
    return bool(answer.status.allowed)


ALLOWED_TO_EDITORS = [
    ("list", "pods"),
    ("create", "pods"),
    ("get", "pods/log"),
    ("create", "pods/exec"),
    ("create", "deployments.apps"),
    ("delete", "jobs.batch"),
    ("create", "secrets"),
    ("get", "resourcequotas"),
    ("get", "networkpolicies.networking.k8s.io"),
]
REFUSED_TO_EDITORS = [
    ("get", "secrets", PROJECT_NAMESPACE),
    ("list", "secrets", PROJECT_NAMESPACE),
    ("create", "networkpolicies.networking.k8s.io", PROJECT_NAMESPACE),
    ("delete", "networkpolicies.networking.k8s.io", PROJECT_NAMESPACE),
    ("delete", "resourcequotas", PROJECT_NAMESPACE),
    ("update", "limitranges", PROJECT_NAMESPACE),
    ("create", "rolebindings.rbac.authorization.k8s.io", PROJECT_NAMESPACE),
    ("impersonate", "serviceaccounts", PROJECT_NAMESPACE),
    ("create", "serviceaccounts/token", PROJECT_NAMESPACE),
    ("list", "pods", "mlflow"),
    ("create", "pods", "argocd"),
    ("get", "secrets", "argocd"),
    ("list", "nodes", ""),
    ("create", "namespaces", ""),
    ("patch", "namespaces", ""),
    ("create", "applications.argoproj.io", "argocd"),
]


def test_an_editor_of_a_project_may_work_in_it(cluster_as: As) -> None:
    bob = cluster_as(EDITOR)
    refused = [entry for entry in ALLOWED_TO_EDITORS if not may(bob, *entry, PROJECT_NAMESPACE)]
    assert refused == []


def test_an_editor_of_a_project_may_not_change_its_limits_or_look_elsewhere(cluster_as: As) -> None:
    bob = cluster_as(EDITOR)
    assert [entry for entry in REFUSED_TO_EDITORS if may(bob, *entry)] == []


def test_an_admin_of_a_project_reads_its_secrets_but_not_the_platforms(cluster_as: As) -> None:
    alice = cluster_as(ADMIN)
    assert may(alice, "get", "secrets", PROJECT_NAMESPACE)
    assert not may(alice, "get", "secrets", "argocd")
    assert not may(alice, "delete", "resourcequotas", PROJECT_NAMESPACE)


def test_who_has_no_project_may_nothing(cluster_as: As) -> None:
    eve = cluster_as(NOBODY)
    assert [entry for entry in ALLOWED_TO_EDITORS if may(eve, *entry, PROJECT_NAMESPACE)] == []


def test_an_editors_secret_cannot_be_read_back(cluster_as: As) -> None:
    core = client.CoreV1Api(cluster_as(EDITOR))
    core.create_namespaced_secret(PROJECT_NAMESPACE, {"metadata": {"name": "probe"}, "stringData": {"key": "value"}})
    try:
        with pytest.raises(client.ApiException, match="403"):
            core.read_namespaced_secret("probe", PROJECT_NAMESPACE)
    finally:
        core.delete_namespaced_secret("probe", PROJECT_NAMESPACE)


def test_a_token_that_google_did_not_make_is_refused(cluster_as: As) -> None:
    stranger = cluster_as(EDITOR)
    token = stranger.configuration.api_key["authorization"]
    stranger.configuration.api_key["authorization"] = f"{token[:-12]}{token[-12:].swapcase()}"
    with pytest.raises(client.ApiException, match="401"):
        client.CoreV1Api(stranger).list_namespaced_pod(PROJECT_NAMESPACE)


def test_the_projects_quota_holds(cluster_as: As) -> None:
    core = client.CoreV1Api(cluster_as(EDITOR))
    container = {"name": "a", "image": "example.invalid/a", "resources": {"requests": {"cpu": "5"}}}
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    restricted = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"metadata": {"name": "greedy"}, "spec": {"containers": [container], "securityContext": restricted}}
    with pytest.raises(client.ApiException, match=r"exceeded quota: project, requested: requests\.cpu=5"):
        core.create_namespaced_pod(PROJECT_NAMESPACE, pod)
    public = {"metadata": {"name": "public"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    with pytest.raises(client.ApiException, match=r"services\.loadbalancers"):
        core.create_namespaced_service(PROJECT_NAMESPACE, public)


ALIAS = {"type": "ExternalName", "externalName": "argocd-server.argocd.svc.cluster.local", "ports": [{"port": 80}]}
CLAIM = {"externalIPs": ["192.0.2.1"], "ports": [{"port": 80}]}


@pytest.mark.parametrize(("spec", "said"), [(ALIAS, "may not be an alias"), (CLAIM, "may not claim addresses")])
def test_a_projects_service_leads_to_its_own_pods(cluster_as: As, spec: dict[str, Any], said: str) -> None:
    """The ingress gateway follows a Service wherever it leads, and Argo CD's server believes the gateway's headers."""
    core = client.CoreV1Api(cluster_as(EDITOR))
    with pytest.raises(client.ApiException, match=said):
        core.create_namespaced_service(PROJECT_NAMESPACE, {"metadata": {"name": "cd"}, "spec": spec})
    plain = {"metadata": {"name": "cd"}, "spec": {"selector": {"app": "cd"}, "ports": [{"port": 80}]}}
    core.create_namespaced_service(PROJECT_NAMESPACE, plain)
    try:
        with pytest.raises(client.ApiException, match=said):
            core.patch_namespaced_service("cd", PROJECT_NAMESPACE, {"spec": spec})
    finally:
        core.delete_namespaced_service("cd", PROJECT_NAMESPACE)


def test_a_projects_pods_must_be_harmless(cluster_as: As) -> None:
    container = {"name": "a", "image": "example.invalid/a", "securityContext": {"privileged": True}}
    pod = {"metadata": {"name": "mighty"}, "spec": {"containers": [container]}}
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        client.CoreV1Api(cluster_as(EDITOR)).create_namespaced_pod(PROJECT_NAMESPACE, pod)


# The name resolves either way, so that what is refused is the connection. A new pod's policies take effect a moment
# after it has started, so it asks until it sees what is expected, or its time is up.
PROBE = """
import socket, time, urllib.request
name, expected, end = "mlflow.mlflow.svc.cluster.local", {expected!r}, time.monotonic() + 20
def mlflow():
    try:
        return urllib.request.urlopen(f"http://{{name}}/health", timeout=4).read().decode()
    except OSError:
        return "refused"
def control_plane():
    try:
        socket.create_connection(("kubernetes.default.svc.cluster.local", 443), timeout=4).close()
        return "connected"
    except OSError:
        return "refused"
while True:
    seen = ["resolved" if socket.gethostbyname(name) else "", mlflow(), control_plane()]
    if seen == expected or time.monotonic() > end:
        break
    time.sleep(0.5)
print(*seen, sep="\\n")
"""


def reaches(pod_says: PodSays, namespace: str, expected: list[str]) -> bool:
    """Whether a pod of `namespace` sees the name, MLflow and the control plane as `expected`."""
    return pod_says(namespace, PROBE.format(expected=expected)).splitlines() == expected


def test_a_projects_pod_reaches_mlflow_and_not_the_control_plane(pod_says: PodSays) -> None:
    assert reaches(pod_says, PROJECT_NAMESPACE, ["resolved", "OK", "refused"])


def test_another_namespaces_pod_does_not_reach_mlflow(pod_says: PodSays, elsewhere: str) -> None:
    assert reaches(pod_says, elsewhere, ["resolved", "refused", "connected"])
