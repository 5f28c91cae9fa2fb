#!/usr/bin/python
"""Ansible module: can the deploying account do the job?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_preflight
short_description: Checks credentials, project, billing, permissions and APIs before anything is made
version_added: "0.1.0"
description:
  - Only reads. Fails with every problem at once; each names what is missing and what to do.
  - Billing and permissions can only be read where the APIs that tell them are enabled; a note says so where not.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  services:
    description: APIs that will be needed; those that are off are returned, not a failure.
    type: list
    elements: str
    default: []
  permissions:
    description: Permissions in the project that the account must have; unset, those that the platform's layers need.
    type: list
    elements: str
  operators:
    description:
      - Who is given the tunnel to the bastion by the platform itself, as C(user:...) and the like; the account need not
        have it already if it is among these.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: May we begin?
  gcp_preflight:
    project: acme-ml
    services: [compute.googleapis.com]
"""

RETURN = r"""
preflight:
  description: C(identity) of the deploying account, C(disabled_services), C(notes) on what could not be checked.
  returned: success
  type: dict
problems:
  description: What has to be mended first.
  returned: failed
  type: list
  elements: str
failure:
  description: The error in parts, when it is one of Google's.
  returned: failed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail, make_api
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.preflight import PERMISSIONS, examine


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    options = module.params
    try:
        wanted = options["permissions"] or PERMISSIONS
        found = examine(make_api(module), options["project"], options["services"], wanted, options["operators"])
    except PlatformError as error:
        fail(module, error)
        return
    if found.problems:
        module.fail_json(msg="\n".join(found.problems), problems=found.problems, preflight=found.as_dict())
    module.exit_json(changed=False, preflight=found.as_dict())


if __name__ == "__main__":
    main()
