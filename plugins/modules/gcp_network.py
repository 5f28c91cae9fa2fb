#!/usr/bin/python
"""Ansible module: a VPC with everything that belongs to it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_network
short_description: A custom-mode VPC network with subnetworks, NAT, firewall rules and private services access
version_added: "0.1.0"
description:
  - Makes the whole network layer true in one task; independent parts are made in parallel.
  - What an option leaves unset stays as it is in Google; a list that is set is the whole list of that resource, and an
    empty list clears it. Resources that are not listed (another subnetwork) are left alone, but for firewall rules that
    this module made in the network (their descriptions say so) and that O(firewall_rules) does not list any more.
  - Fields Google cannot change are never changed by removing the resource; the task fails and names the ways out.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether the network is wanted. V(absent) removes everything the options name, last the network.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the network.
    type: str
    required: true
  mtu:
    description: Largest packet in bytes, 1300 to 8896.
    type: int
  routing_mode:
    description: Whether routers announce routes of their own region only.
    type: str
    choices: [REGIONAL, GLOBAL]
  subnets:
    description: Subnetworks.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      region: {description: Region., type: str, required: true}
      range: {description: Primary range in CIDR form., type: str, required: true}
      secondary_ranges: {description: "Secondary ranges, name to CIDR.", type: dict}
      private_google_access: {description: Whether VMs without external address reach Google's APIs., type: bool}
      flow_logs:
        description: VPC flow logs.
        type: dict
        suboptions:
          enabled: {description: Whether to keep them., type: bool, required: true}
          interval: {description: Aggregation interval such as V(INTERVAL_5_SEC)., type: str}
          sampling: {description: Part of the flows that is logged., type: float}
          metadata: {description: Which metadata to add., type: str}
  routers:
    description: Cloud Routers with their NAT gateways.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      region: {description: Region., type: str, required: true}
      nats:
        description: NAT gateways; addresses are allocated by Google, for all subnetworks.
        type: list
        elements: dict
        suboptions:
          name: {description: Name., type: str, required: true}
          dynamic_ports: {description: Whether VMs get more ports as they need them., type: bool}
          min_ports_per_vm: {description: Least ports of a VM., type: int}
          max_ports_per_vm: {description: Most ports of a VM with dynamic ports., type: int}
          log: {description: What is logged., type: str, choices: [ERRORS_ONLY, TRANSLATIONS_ONLY, ALL]}
  firewall_rules:
    description: Firewall rules of this network; each is marked as the platform's in its description.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      description: {description: What it is for., type: str}
      direction: {description: Direction., type: str, choices: [INGRESS, EGRESS], default: INGRESS}
      action: {description: What it does., type: str, choices: [allow, deny], default: allow}
      priority: {description: "Priority, 0 (first) to 65535.", type: int}
      source_ranges: {description: "CIDRs, for ingress.", type: list, elements: str}
      destination_ranges: {description: "CIDRs, for egress.", type: list, elements: str}
      source_tags: {description: Network tags of the senders., type: list, elements: str}
      target_tags: {description: Network tags it holds for., type: list, elements: str}
      target_service_accounts: {description: Service accounts it holds for., type: list, elements: str}
      log: {description: Whether matches are logged., type: bool}
      protocols:
        description: Protocols and ports.
        type: list
        elements: dict
        required: true
        suboptions:
          protocol: {description: "Such as V(tcp), or V(all).", type: str, required: true}
          ports: {description: "Ports and ranges of ports.", type: list, elements: str}
  keep_private_services:
    description:
      - With O(state=absent), whether the network and its peering with Google's managed services stay, for a database
        that is still in use.
    type: bool
    default: false
  private_services:
    description: The range Google's managed services (Cloud SQL) get addresses from, and the peering with them.
    type: dict
    suboptions:
      name: {description: Name of the reserved range., type: str, required: true}
      range: {description: The range in CIDR form., type: str, required: true}
"""

EXAMPLES = r"""
- name: A network with one subnetwork and NAT
  gcp_network:
    project: acme-ml
    name: mlops
    subnets:
      - name: mlops-europe-west1
        region: europe-west1
        range: 10.10.0.0/20
        secondary_ranges: {pods: 10.32.0.0/14, services: 10.36.0.0/20}
        private_google_access: true
    routers:
      - name: mlops-router
        region: europe-west1
        nats: [{name: mlops-nat, log: ERRORS_ONLY}]
"""

RETURN = r"""
plan:
  description: What was done (in check mode, what would be done), a line for each resource.
  returned: always
  type: list
  elements: str
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
from ..module_utils.gcloud.graphs.network import network_graph


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, network_graph)


if __name__ == "__main__":
    main()
