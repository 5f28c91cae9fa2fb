#!/usr/bin/python
"""Ansible module: service accounts and roles in the project."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_service_accounts
short_description: Service accounts, their roles, and who may act as them
version_added: "0.1.0"
description:
  - Makes service accounts, grants them roles in the project and grants others the use of them (such as Kubernetes
    service accounts by Workload Identity).
  - Grants are additive; roles and members that are not listed are left alone. O(state=absent) takes back exactly what
    is listed and removes the accounts.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether they are wanted.
    type: str
    choices: [present, absent]
    default: present
  accounts:
    description: The accounts.
    type: list
    elements: dict
    suboptions:
      name: {description: "First part of the e-mail address, 6 to 30 characters.", type: str, required: true}
      display_name: {description: Name for people., type: str}
      description: {description: What it is for., type: str}
      roles: {description: Roles in the project., type: list, elements: str}
      users:
        description: Who may use the account.
        type: list
        elements: dict
        suboptions:
          role: {description: "Such as V(roles/iam.workloadIdentityUser).", type: str, required: true}
          members: {description: "Such as V(group:g@example.com).", type: list, elements: str, required: true}
  members:
    description: Roles in the project of others than these accounts.
    type: list
    elements: dict
    suboptions:
      role: {description: The role., type: str, required: true}
      members: {description: "Such as V(group:g@example.com).", type: list, elements: str, required: true}
"""

EXAMPLES = r"""
- name: The account of the nodes, and the operators' right to log in by OS Login
  gcp_service_accounts:
    project: acme-ml
    accounts:
      - name: mlops-nodes
        display_name: GKE nodes
        roles: [roles/container.defaultNodeServiceAccount]
    members:
      - {role: roles/compute.osLogin, members: ["group:platform-admins@example.com"]}
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
from ..module_utils.gcloud.graphs.identity import accounts_graph


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: accounts_graph(options))


if __name__ == "__main__":
    main()
