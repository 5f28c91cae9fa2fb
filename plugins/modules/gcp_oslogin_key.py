#!/usr/bin/python
"""Ansible module: a short-lived SSH key in the caller's OS Login profile."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_oslogin_key
short_description: A short-lived SSH key for logging in to VMs by OS Login
version_added: "0.1.0"
description:
  - Makes an SSH key pair outside the repository, unless there is one, and puts the public key into the caller's
    OS Login profile for a limited time. The private key never leaves the file.
  - A key that OS Login has, and that is valid for long enough, is left alone, so that a second run changes nothing.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  account:
    description:
      - E-mail address of the account to log in as, who must be the caller.
      - Unset, Google is asked whose the credentials are, where they do not tell it.
    type: str
  key_file:
    description: Path of the private key; by default a file in the user's state folder (E(XDG_STATE_HOME)).
    type: path
  lifetime:
    description: For how many seconds the key is imported.
    type: int
    default: 43200
  renew_before:
    description: A key that expires in less than this many seconds is renewed.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: A key to log in to the bastion with
  gcp_oslogin_key:
    project: acme-ml
  register: login

- name: Use it
  ansible.builtin.add_host:
    name: bastion
    ansible_user: "{{ login.username }}"
    ansible_ssh_private_key_file: "{{ login.key_file }}"
"""

RETURN = r"""
username:
  description: The Linux user of the account.
  returned: success
  type: str
key_file:
  description: Path of the private key.
  returned: success
  type: str
plan:
  description: What was done (in check mode, what would be done), a line for each step.
  returned: success
  type: list
  elements: str
failure:
  description: The error in parts (action, resource, code, reason, message, hint, permission, role).
  returned: failed
  type: dict
"""

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud import oslogin
from ..module_utils.gcloud.arguments import argument_spec, fail, make_api
from ..module_utils.gcloud.errors import PlatformError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    try:
        module.exit_json(**_ensure(module))
    except PlatformError as error:
        fail(module, error)


def _ensure(module: AnsibleModule) -> dict[str, object]:
    options, api = module.params, make_api(module)
    account = options["account"] or api.identity()
    if not account:
        raise PlatformError(
            "the credentials do not tell whose they are",
            action="find",
            resource="the caller's account",
            hint="Set the option account to the e-mail address you are logged in with.",
        )
    key_file = Path(options["key_file"] or oslogin.default_key_file(options["project"], account))
    profile = oslogin.Profile(api, account, options["project"])
    seen = profile.read()
    public_key = oslogin.read_public_key(key_file)
    plan = oslogin.plan(public_key, seen, time.time(), options["renew_before"])
    if plan.changed and not module.check_mode:
        if plan.make_key:
            public_key = oslogin.make_key(key_file, comment=account)
        seen = profile.import_key(str(public_key), options["lifetime"]) or seen
    lines = [f"import an SSH key for {account}: {plan.reason}"] if plan.changed else []
    return {
        "changed": plan.changed,
        "username": oslogin.user_name(seen, account),
        "key_file": str(key_file),
        "plan": lines,
    }


if __name__ == "__main__":
    main()
