#!/usr/bin/python
"""Ansible module: a local port that leads through IAP and the bastion into the VPC."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_bastion_forward
short_description: A local port that leads through IAP and the bastion into the VPC
version_added: "0.1.0"
description:
  - Starts an SSH client in the background that forwards a port of 127.0.0.1, or finds the one that runs for the same
    target; runs share it. O(state=absent) ends those that lead through the bastion and that no other run uses.
  - It belongs to the run, not to the platform, so it never counts as a change.
author: MLOps platform
extends_documentation_fragment: [gcloud]
attributes:
  check_mode:
    description: Forwards in check mode, too, so that later tasks can read what is inside; it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
options:
  state:
    description: Whether it is wanted.
    type: str
    choices: [present, absent]
    default: present
  zone:
    description: Zone of the bastion.
    type: str
    required: true
  instance:
    description: Name of the bastion.
    type: str
    required: true
  instance_id:
    description: Its numeric id, under which its host key is remembered. Needed for O(state=present).
    type: str
  user:
    description: User to log in as. Needed for O(state=present).
    type: str
  key_file:
    description: Private SSH key. Needed for O(state=present).
    type: path
  host:
    description: Address inside the VPC. Needed for O(state=present).
    type: str
  port:
    description: Port there.
    type: int
    default: 443
  tunnel_program:
    description: Path of tunnel_cli.py, ssh's way through IAP. Needed for O(state=present).
    type: path
  stays:
    description:
      - Whether the port stays open when the Ansible run ends. Otherwise it is closed then, also when the run failed or
        was killed (as far as the callback plugin P(run_report#callback) is enabled, which names the run).
      - With O(state=absent), whether what was asked to stay open does; in check mode it does.
    type: bool
    default: false
  known_hosts:
    description: File of the VMs' host keys, as that of the connection plugin P(iap_ssh#connection).
    type: path
    default: ~/.local/state/mlops-platform/known_hosts
"""

EXAMPLES = r"""
- name: Reach the control plane
  gcp_bastion_forward:
    project: acme-ml
    zone: europe-west1-b
    instance: mlops-bastion
    instance_id: "1234567890"
    user: sa_111222333
    key_file: ~/.ssh/key
    host: 172.16.0.2
    tunnel_program: plugins/module_utils/gcloud/tunnel_cli.py
  register: forward
"""

RETURN = r"""
local_port:
  description: The port of 127.0.0.1.
  returned: when O(state=present)
  type: int
closed:
  description: Whether none is left that leads through the bastion.
  returned: when O(state=absent)
  type: bool
failure:
  description: The error in parts.
  returned: failed
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.forward import STAYS, Route, bastion_of, ensure, release
from ..module_utils.gcloud.runs import Run

NEEDED = ("instance_id", "user", "key_file", "host", "tunnel_program")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec(DOCUMENTATION), supports_check_mode=True, required_if=[("state", "present", NEEDED)]
    )
    try:
        if module.params["state"] == "absent":
            bastion = bastion_of(*(module.params[name] for name in ("project", "zone", "instance")))
            mine = str(Run.current())
            owners = [mine] if module.params["stays"] or module.check_mode else [mine, STAYS]
            module.exit_json(changed=False, closed=release(bastion, *owners))
        module.exit_json(changed=False, local_port=_ensure(module))
    except PlatformError as error:
        fail(module, error)


def _ensure(module: AnsibleModule) -> int:
    options = module.params
    names = ("project", "zone", "instance", "instance_id", "user", "key_file", "host", "port", "known_hosts")
    route = Route(
        **{name: options[name] for name in names},
        program=options["tunnel_program"],
        service_account_file=options["service_account_file"] or "",
        impersonate=options["impersonate_service_account"] or "",
    )
    Path(route.known_hosts).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return ensure(route, stays=options["stays"])


if __name__ == "__main__":
    main()
