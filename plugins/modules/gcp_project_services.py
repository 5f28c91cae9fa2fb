#!/usr/bin/python
"""Ansible module: Google's APIs of a project."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_project_services
short_description: Enables Google APIs in a project
version_added: "0.1.0"
description:
  - Enables the listed APIs, twenty at a time, and waits until they are on.
  - Never disables one; others may need it.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  services:
    description: Names such as V(compute.googleapis.com).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: What a cluster needs
  gcp_project_services:
    project: acme-ml
    services: [compute.googleapis.com, container.googleapis.com]
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
from ..module_utils.gcloud.graphs.identity import services_graph


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: services_graph(options))


if __name__ == "__main__":
    main()
