#!/usr/bin/python
"""Ansible module: everything of the platform that a project holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_inventory_info
short_description: Lists everything of the platform that a project holds, and what of it costs money
version_added: "0.1.0"
description:
  - Asks the APIs for all there is, whatever the settings name, and keeps what is the platform's - by its labels, by the
    mark in its description, or because it is in the platform's network. Only reads.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  region:
    description: Region of the image repositories.
    type: str
    required: true
  network:
    description: Name of the platform's network.
    type: str
    required: true
  labels:
    description: Labels all of which the platform's things carry.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What is left?
  gcp_inventory_info:
    project: acme-ml
    region: europe-west1
    network: mlops
    labels: {managed-by: mlops-platform, platform: mlops}
"""

RETURN = r"""
inventory:
  description:
    - Rows with C(resource), C(place), C(costs) (whether one that is only there is charged for) and C(why) it counts.
  returned: success
  type: list
  elements: dict
failure:
  description: The error in parts (action, resource, code, reason, message, hint, permission, role).
  returned: failed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail, make_api
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.inventory import inventory


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    try:
        module.exit_json(changed=False, inventory=inventory(make_api(module), module.params))
    except PlatformError as error:
        fail(module, error)


if __name__ == "__main__":
    main()
