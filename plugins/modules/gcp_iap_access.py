#!/usr/bin/python
"""Ansible module: who may pass Identity-Aware Proxy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_iap_access
short_description: Who may open IAP tunnels to VMs and pass IAP to web sites
version_added: "0.1.0"
description:
  - Grants roles on IAP's own resources, the tunnel of one VM and one backend service, never on the whole project.
  - Grants are additive; members that are not listed are left alone. O(state=absent) takes back exactly what is listed.
  - Tunnel access can be granted before the VM exists.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether the access is wanted.
    type: str
    choices: [present, absent]
    default: present
  tunnels:
    description: TCP forwarding to VMs (roles/iap.tunnelResourceAccessor).
    type: list
    elements: dict
    suboptions:
      instance: {description: Name of the VM., type: str, required: true}
      zone: {description: Its zone., type: str, required: true}
      members: {description: "Such as V(group:g@example.com).", type: list, elements: str, required: true}
  sites:
    description: Web access through a global backend service (roles/iap.httpsResourceAccessor).
    type: list
    elements: dict
    suboptions:
      backend_service: {description: Name of the backend service., type: str, required: true}
      members: {description: "Such as V(group:g@example.com).", type: list, elements: str, required: true}
"""

EXAMPLES = r"""
- name: Operators may reach the bastion
  gcp_iap_access:
    project: acme-ml
    tunnels:
      - {instance: mlops-bastion, zone: europe-west1-b, members: ["group:platform-admins@example.com"]}
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
from ..module_utils.gcloud.graphs.identity import iap_graph


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: iap_graph(options))


if __name__ == "__main__":
    main()
