#!/usr/bin/python
"""Ansible module: what a cluster that is gone has left behind."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_gke_leftovers
short_description: Removes what a GKE cluster that is gone has left in its network
version_added: "0.1.0"
description:
  - GKE's controllers make firewall rules, network endpoint groups and disks by themselves. Those of a cluster that was
    deleted before its Services and volumes stay; they block the network's removal, or cost money.
  - Firewall rules are told by GKE's and its controllers' names and the network, groups by GKE's description and the
    network, volumes by GKE's label with the cluster's name. Nothing else is touched, and nothing while the cluster, or
    another in this network, is there.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  network:
    description: Name of the network the cluster was in.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  volumes:
    description: Whether the disks of its persistent volumes go too, with the data on them.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Clear the network
  gcp_gke_leftovers:
    project: acme-ml
    network: mlops
    cluster: mlops
"""

RETURN = r"""
plan:
  description: What was removed (in check mode, what would be), a line for each resource.
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
from ..module_utils.gcloud.graphs.leftovers import leftovers_graph


def main() -> None:
    """Run the module."""
    run_graph(AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True), leftovers_graph)


if __name__ == "__main__":
    main()
