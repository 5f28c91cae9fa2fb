#!/usr/bin/python
"""Ansible module: a local port that leads through IAP and the bastion into the VPC."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_bastion_forward
short_description: A local port that leads through IAP and the bastion into the VPC
version_added: "0.1.0"
description:
  - Starts an SSH client in the background that forwards a port of 127.0.0.1, or finds the one that runs for the same
    target. O(state=absent) ends it.
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
    description: Its numeric id, under which its host key is remembered.
    type: str
    required: true
  user:
    description: User to log in as.
    type: str
    required: true
  key_file:
    description: Private SSH key.
    type: path
    required: true
  host:
    description: Address inside the VPC.
    type: str
    required: true
  port:
    description: Port there.
    type: int
    default: 443
  tunnel_program:
    description: Path of tunnel_cli.py, ssh's way through IAP.
    type: path
    required: true
  stays:
    description:
      - Whether the port stays open when the Ansible run ends. Otherwise it is closed then, also when the run failed or
        was killed (as far as the callback plugin P(run_report#callback) is enabled, which names the run).
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
failure:
  description: The error in parts.
  returned: failed
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.forward import Route, ensure, stop, sweep
from ..module_utils.gcloud.runs import Run, watch


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    options = module.params
    names = ("project", "zone", "instance", "instance_id", "user", "key_file", "host", "port", "known_hosts")
    route = Route(
        **{name: options[name] for name in names},
        program=options["tunnel_program"],
        service_account_file=options["service_account_file"] or "",
        impersonate=options["impersonate_service_account"] or "",
    )
    try:
        Path(route.known_hosts).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if options["state"] == "absent":
            stop(route)
            module.exit_json(changed=False)
        sweep()
        port, started = ensure(route, stays=options["stays"])
        if started and (run := Run.current()) and not options["stays"]:
            watch(run, lambda: stop(route))
    except PlatformError as error:
        fail(module, error)
        return
    module.exit_json(changed=False, local_port=port)


if __name__ == "__main__":
    main()
