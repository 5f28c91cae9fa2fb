#!/usr/bin/python
"""Ansible module: wait for Argo CD."""

from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_applications
short_description: Wait until Argo CD has deployed what Git says
version_added: "0.1.0"
description:
  - Waits until every Application in the namespace is Synced and Healthy, and says of each that isn't what it lacks.
  - Says, too, which ApplicationSets Argo CD can make nothing of (condition C(ErrorOccurred)), such as for one file that
    is no YAML.
  - Changes nothing in the cluster, apart from asking for a comparison (O(refresh)).
author: MLOps platform
options:
  kubeconfig: {description: Path of the kubeconfig., type: path, required: true}
  namespace: {description: Where the Applications are., type: str, default: argocd}
  expected: {description: Names that must be among them., type: list, elements: str, default: []}
  root: {description: The Application that holds the others., type: str, default: ""}
  revision: {description: The commit that O(root) must be at; empty for any., type: str, default: ""}
  refresh:
    description:
      - Whether Argo CD shall compare O(root), then all of them, with Git at once, and only what is found then counts.
      - Without it an Application whose values or chart have just changed may still look done from before.
    type: bool
    default: false
  others:
    description:
      - AppProjects whose Applications are waited for only where they are O(expected); RV(applications) tells of them,
        too.
      - For the parts of a platform that are other people's to mend.
    type: list
    elements: str
    default: []
  timeout: {description: Seconds to wait; 0 only looks., type: int, default: 600}
attributes:
  check_mode: {support: full, description: It waits the same; it asks for no comparison.}
  diff_mode: {support: none, description: It changes nothing.}
  idempotent: {support: full, description: It changes nothing.}
  platform: {support: full, description: Needs the Python package kubernetes., platforms: posix}
"""

EXAMPLES = r"""
- name: Wait for the platform
  argocd_applications:
    kubeconfig: "{{ cluster_kubeconfig }}"
    expected: [argocd, mlflow]
    root: platform
    refresh: true
"""

RETURN = r"""
applications:
  description:
    - What each Application lacks, by name; an empty text means that it is done. O(others) are among them.
    - Of an ApplicationSet that works no more, the error, by C(applicationset NAME).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import documented_options, tell
from ..module_utils.gitops import argocd
from ..module_utils.gitops.cluster import Cluster
from ..module_utils.gitops.errors import HandOffError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(documented_options(DOCUMENTATION), supports_check_mode=True)
    options = module.params
    try:
        applications = argocd.wait(
            Cluster(options["kubeconfig"]),
            options["namespace"],
            options["expected"],
            options["root"],
            options["revision"],
            options["refresh"] and not module.check_mode,
            options["timeout"],
            tell,
            options["others"],
        )
    except HandOffError as error:
        module.fail_json(msg=str(error))
        return
    module.exit_json(changed=False, applications=applications)


if __name__ == "__main__":
    main()
