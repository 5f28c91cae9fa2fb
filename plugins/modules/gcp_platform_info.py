#!/usr/bin/python
"""Ansible module: what of the platform exists."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_platform_info
short_description: Reads what of the platform exists, and its states and addresses
version_added: "0.1.0"
description:
  - Only reads, all at once. What is not asked for is not looked at.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  network:
    description: Name of the network.
    type: str
  known:
    description: "Names of what may be in the network; asks for RV(neighbours)."
    type: list
    elements: str
  instance:
    description: The bastion.
    type: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      zone: {description: Zone., type: str, required: true}
  cluster:
    description: The cluster.
    type: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      location: {description: Region or zone., type: str, required: true}
      node_pools: {description: Names of its pools., type: list, elements: str}
  database:
    description: Name of the Cloud SQL instance.
    type: str
  bucket:
    description: Name of the bucket.
    type: str
  repository:
    description: The Artifact Registry repository.
    type: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      location: {description: Region., type: str, required: true}
  load_balancer:
    description: The load balancer.
    type: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      dns_zone: {description: Name of its DNS zone., type: str, required: true}
"""

EXAMPLES = r"""
- name: Is there a cluster?
  gcp_platform_info:
    project: acme-ml
    cluster: {name: mlops, location: europe-west1}
"""

RETURN = r"""
exists:
  description: Every part that was asked for, with its state, V(present), or V(missing).
  returned: success
  type: dict
instance:
  description: As M(gcp_instance) returns it.
  returned: success
  type: dict
cluster:
  description: As M(gcp_cluster) returns it.
  returned: success
  type: dict
databases:
  description: As M(gcp_data_stores) returns it.
  returned: success
  type: dict
neighbours:
  description:
    - What else is in the network, and the cluster's node pools that O(cluster.node_pools) does not name; each with
      C(resource) and C(made_by). If O(known) is given.
  returned: success
  type: list
  elements: dict
load_balancer:
  description:
    - As M(gcp_https_load_balancer) returns it.
    - C(iap_audience) is what Identity-Aware Proxy's signed headers are for; empty while there is no backend service.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail, make_api
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.survey import survey


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    try:
        module.exit_json(changed=False, **survey(make_api(module), module.params))
    except PlatformError as error:
        fail(module, error)


if __name__ == "__main__":
    main()
