"""What GKE itself puts into a cluster, as far as the world needs it: its DNS."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.cluster.control_plane import ControlPlane
from rehearsal.hypervisor.processes import call
from rehearsal.toolchain.catalog import COREDNS
from rehearsal.world import addresses

COREFILE = f""".:53 {{
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }}
    forward . {addresses.DNS}
    cache 5
    loop
    reload
}}
"""
NAME, NAMESPACE = "kube-dns", "kube-system"


def _object(kind: str, api: str, **fields: Any) -> dict[str, Any]:
    namespaced = {} if kind.startswith("Cluster") else {"namespace": NAMESPACE}
    metadata = {"name": NAME, "labels": {"k8s-app": NAME}, **namespaced}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def _deployment() -> dict[str, Any]:
    container = {
        "name": "dns",
        "image": f"registry.k8s.io/coredns/coredns:{COREDNS}",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "40Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsUser": 0,
        },
    }
    pod = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }
    selector = {"k8s-app": NAME}
    template = {"metadata": {"labels": selector}, "spec": pod}
    return _object("Deployment", "apps/v1", spec={"selector": {"matchLabels": selector}, "template": template})


def manifests(dns_address: str) -> list[dict[str, Any]]:
    """The objects of the cluster's DNS, whose Service has `dns_address`."""
    rbac = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME}
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    return [
        _object("ServiceAccount", "v1"),
        _object("ClusterRole", f"{rbac}/v1", rules=rules),
        _object("ClusterRoleBinding", f"{rbac}/v1", roleRef=role, subjects=[subject]),
        _object("ConfigMap", "v1", data={"Corefile": COREFILE}),
        _object("Service", "v1", spec={"clusterIP": dns_address, "selector": {"k8s-app": NAME}, "ports": ports}),
        _deployment(),
    ]


async def install(cluster: ControlPlane) -> None:
    """Applies them to `cluster`. Raises StartError with the API server's answer if it refuses."""
    content = {"apiVersion": "v1", "kind": "List", "items": manifests(cluster.dns_address)}
    await call(*cluster.kubectl, "apply", "--server-side", "-f", "-", given=json.dumps(content).encode())
