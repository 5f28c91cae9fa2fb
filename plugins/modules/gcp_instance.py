#!/usr/bin/python
"""Ansible module: a virtual machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_instance
short_description: A virtual machine that runs
version_added: "0.1.0"
description:
  - Makes a VM with one network interface and one boot disk, and starts one that was stopped.
  - Image and disk are looked at only when the VM is made; a newer image never replaces a running VM.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether the VM is wanted.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: Name of the VM.
    type: str
    required: true
  zone:
    description: Its zone.
    type: str
    required: true
  machine_type:
    description: "Such as V(e2-small)."
    type: str
    default: e2-small
  image:
    description: "Image or family, such as V(projects/debian-cloud/global/images/family/debian-12)."
    type: str
    default: projects/debian-cloud/global/images/family/debian-12
  disk_gb:
    description: Size of the boot disk in GB; the image's own where unset.
    type: int
  disk_type:
    description: "Such as V(pd-balanced)."
    type: str
  subnet:
    description: Name of the subnetwork, in the zone's region.
    type: str
    required: true
  external_address:
    description: Whether it gets a public address.
    type: bool
    default: false
  service_account:
    description: E-mail address of the account it runs as.
    type: str
  shielded:
    description: Secure boot, virtual TPM and integrity monitoring.
    type: bool
  allow_stop:
    description:
      - Whether the VM may be stopped and started again for a change of O(machine_type), O(service_account) or
        O(shielded), which Google makes only while it is stopped. Without it such a change is refused.
    type: bool
    default: false
  tags:
    description: Network tags, exactly these.
    type: list
    elements: str
  labels:
    description: Labels, exactly these.
    type: dict
  metadata:
    description: Metadata, exactly these.
    type: dict
  wait:
    description: Whether to wait until it runs. Without, a later task with V(true) waits for the same operation.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: A bastion without external address
  gcp_instance:
    project: acme-ml
    name: mlops-bastion
    zone: europe-west1-b
    subnet: mlops-europe-west1
    shielded: true
    metadata: {enable-oslogin: "TRUE"}
"""

RETURN = r"""
plan:
  description: What was done (in check mode, what would be done), a line for each resource.
  returned: always
  type: list
  elements: str
instance:
  description: The VM's C(name), C(id), C(status), C(internal_address), C(external_address); empty while there is none.
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
from ..module_utils.gcloud.graphs.instance import instance_graph, instance_outputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: instance_graph(options), instance_outputs)


if __name__ == "__main__":
    main()
