#!/usr/bin/python
"""Ansible module: a private, hardened GKE cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_cluster
short_description: A private GKE cluster with its node pools
version_added: "0.1.0"
description:
  - Makes a VPC-native cluster with private nodes, Dataplane V2, Workload Identity, shielded nodes, intranode
    visibility, no client certificate, no ABAC and no bindings to all authenticated users; these have no option.
  - O(wait=false) starts it and returns; a later task with O(wait=true) adopts the operation in flight and waits for it.
  - Node pools that are not listed are left alone. What Google fixes when a cluster or pool is made is never changed by
    removing it; the task fails and names the ways out.
  - Another machine type, disk type or disk size replaces the nodes of a pool, one after the other, with the pods moving
    on - a new node comes first, then an old one is drained, for an hour at most. Other zones add and remove nodes.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether the cluster is wanted. V(absent) removes it with all its pools.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name, up to 40 characters.
    type: str
    required: true
  location:
    description: Region (control plane and nodes in three zones) or zone.
    type: str
    required: true
  network:
    description: Name of the VPC network.
    type: str
    required: true
  subnet:
    description: Name of the subnetwork.
    type: str
    required: true
  pods_range:
    description: Name of the secondary range for pods.
    type: str
    default: pods
  services_range:
    description: Name of the secondary range for services.
    type: str
    default: services
  control_plane_range:
    description: "/28 in CIDR form for the control plane."
    type: str
    required: true
  public_endpoint:
    description: Whether the control plane can also be reached from the internet.
    type: bool
    default: false
  authorized_networks:
    description: Who may reach the control plane, exactly these.
    type: list
    elements: dict
    suboptions:
      range: {description: CIDR., type: str, required: true}
      name: {description: What it is., type: str}
  version:
    description: Kubernetes version to start with; the channel decides from then on.
    type: str
  release_channel:
    description: How fast versions come.
    type: str
    choices: [RAPID, REGULAR, STABLE, EXTENDED]
  node_service_account:
    description: E-mail address of the account the nodes run as.
    type: str
  node_tags:
    description: Network tags of the nodes.
    type: list
    elements: str
  node_pools:
    description: Node pools.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      machine_type: {description: "Such as V(e2-standard-4); a change replaces the nodes.", type: str, required: true}
      disk_type: {description: "Such as V(pd-balanced); a change replaces the nodes.", type: str}
      disk_gb: {description: Size of the boot disk in GB; a change replaces the nodes., type: int}
      spot: {description: Whether the nodes are spot VMs., type: bool}
      zones: {description: Zones of the nodes., type: list, elements: str}
      initial_nodes: {description: Nodes in each zone to start with., type: int}
      min_nodes: {description: Least nodes in each zone., type: int}
      max_nodes: {description: Most nodes in each zone; autoscaling is on where it is set., type: int}
      max_pods_per_node: {description: Most pods of a node., type: int}
      labels: {description: Labels of the nodes., type: dict}
      taints:
        description: Taints of the nodes.
        type: list
        elements: dict
        suboptions:
          key: {description: Key., type: str, required: true}
          value: {description: Value., type: str}
          effect:
            description: Effect.
            type: str
            required: true
            choices: [NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE]
  logging:
    description: What is logged, such as V(SYSTEM_COMPONENTS), exactly these.
    type: list
    elements: str
  monitoring:
    description: What is monitored, such as V(SYSTEM_COMPONENTS), exactly these.
    type: list
    elements: str
  managed_prometheus:
    description: Whether Google's managed Prometheus collects metrics.
    type: bool
  maintenance:
    description: When Google may do maintenance.
    type: dict
    suboptions:
      start: {description: "Start of the first window, RFC 3339.", type: str, required: true}
      end: {description: "End of the first window, RFC 3339.", type: str, required: true}
      recurrence: {description: "RFC 5545 rule, such as V(FREQ=WEEKLY;BYDAY=SA,SU).", type: str, required: true}
  secrets_key:
    description: Cloud KMS key that encrypts Kubernetes Secrets.
    type: str
  security_group:
    description: "Google group (gke-security-groups@DOMAIN) whose nested groups RBAC can name."
    type: str
  binary_authorization:
    description: Which images are let in.
    type: str
    choices: [DISABLED, PROJECT_SINGLETON_POLICY_ENFORCE]
  labels:
    description: Labels, exactly these.
    type: dict
  wait:
    description: Whether to wait until it runs.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Start the cluster
  gcp_cluster: &cluster
    project: acme-ml
    name: mlops
    location: europe-west1
    network: mlops
    subnet: mlops-europe-west1
    control_plane_range: 172.16.0.0/28
    node_pools:
      - {name: general, machine_type: e2-standard-4, min_nodes: 1, max_nodes: 3}
    wait: false

- name: Wait for it, where it is needed
  gcp_cluster:
    <<: *cluster
    wait: true
"""

RETURN = r"""
plan:
  description: What was done (in check mode, what would be done), a line for each resource.
  returned: always
  type: list
  elements: str
cluster:
  description: The cluster's C(name), C(status), C(version), private C(endpoint) and C(ca_certificate) (base64).
  returned: success
  type: dict
drift:
  description: What differed, a row for each field with C(resource), C(field), C(google), C(wanted), C(mutable).
  returned: success
  type: list
  elements: dict
timeline:
  description: What was written or waited for, with C(resource), C(action), C(began) and C(ended) in seconds since 1970.
  returned: success
  type: list
  elements: dict
resources:
  description: The title and the state of everything the options name.
  returned: success
  type: list
  elements: dict
failure:
  description: The error in parts (action, resource, code, reason, message, hint, permission, role).
  returned: failed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, run_graph
from ..module_utils.gcloud.graphs.cluster import cluster_graph, cluster_outputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: cluster_graph(options), cluster_outputs)


if __name__ == "__main__":
    main()
