#!/usr/bin/python
"""Ansible module: one run at a time."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_run_lock
short_description: Lets only one run at a time change a platform
version_added: "0.1.0"
description:
  - Takes a lock that all operators' computers see (a secret without versions in Secret Manager) for the rest of the
    Ansible run. It is renewed while the run lives and given back when the run ends, however it ends.
  - Where another run holds it, the task waits O(wait) seconds and then fails, naming who holds it and since when. The
    lock of a run that is gone is taken over.
  - In check mode it takes nothing. Needs Linux, and the callback plugin P(run_report#callback), which names the run.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  name:
    description: Name of the lock.
    type: str
    required: true
  locations:
    description: Regions that the secret is kept in, as O(gcp_data_stores#module:secret_locations).
    type: list
    elements: str
  wait:
    description: How many seconds to wait for another run.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Nobody else, for the rest of this run
  gcp_run_lock:
    project: acme-ml
    name: mlops-run
    wait: 600
"""

RETURN = r"""
taken_over_from:
  description: The run that is gone and had the lock; empty if it was free.
  returned: success
  type: str
failure:
  description: The error in parts (action, resource, code, reason, message, hint, permission, role).
  returned: failed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail, make_api, tell
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gcloud.lock import Holder, Lock, hold
from ..module_utils.gcloud.runs import Run, unfit_controller


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run = Run.current()
    if module.check_mode:
        module.exit_json(changed=False, taken_over_from="")
    if run is None:
        disabled = "The callback plugin run_report is not enabled (ansible.cfg, callbacks_enabled): whose lock?"
        module.fail_json(msg=unfit_controller() or disabled)
    try:
        api = make_api(module, enabling=60.0)
        me = Holder.here(api.identity(), run)
        lock = Lock(api, module.params["project"], module.params["name"], locations=module.params["locations"] or ())
        before = lock.acquire(me, float(module.params["wait"]), tell)
        if before is not None:
            hold(Lock(make_api(module), lock.project, lock.name), me, run)
    except PlatformError as error:
        fail(module, error)
        return
    module.exit_json(changed=False, taken_over_from=before or "")


if __name__ == "__main__":
    main()
