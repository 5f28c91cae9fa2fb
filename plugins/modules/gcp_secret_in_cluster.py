#!/usr/bin/python
"""Ansible module: a value of Secret Manager in a Secret of the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_secret_in_cluster
short_description: Put a value of Secret Manager into a Secret of the cluster
version_added: "0.1.0"
description:
  - Reads the newest enabled version of a secret and writes it, inside texts if wanted, into a Kubernetes Secret.
  - The value is in no fact, log, difference or argument. Other keys of the Secret are left alone.
author: MLOps platform
extends_documentation_fragment: [gcloud]
options:
  secret: {description: Name of the secret in Secret Manager., type: str, required: true}
  kubeconfig: {description: Path of the kubeconfig., type: path, required: true}
  namespace: {description: Namespace of the Secret; it must exist., type: str, required: true}
  name: {description: Name of the Secret., type: str, required: true}
  data:
    description:
      - Texts by key. In each, V({value}) stands for the value and V({value_url}) for the value percent-encoded.
    type: dict
    required: true
  labels: {description: Labels of a Secret that is made., type: dict, default: {}}
attributes:
  check_mode: {support: full, description: Tells which keys would be written.}
  diff_mode: {support: partial, description: Shows the keys that are written, never their values.}
  idempotent: {support: full, description: Equal values are not written again.}
  platform: {support: full, description: Needs the Python package kubernetes., platforms: posix}
"""

EXAMPLES = r"""
- name: MLflow's database address
  gcp_secret_in_cluster:
    project: acme-ml
    secret: mlops-mlflow-database-password
    kubeconfig: "{{ cluster_kubeconfig }}"
    namespace: mlflow
    name: mlflow-database
    data:
      uri: postgresql+psycopg2://mlflow:{value_url}@10.40.0.3:5432/mlflow
"""

RETURN = r"""
keys:
  description: Keys of the Secret that were (in check mode, would be) written.
  returned: success
  type: list
  elements: str
version:
  description: Which version's value it is, as C(SECRET/NUMBER of TIME).
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import argument_spec, fail, make_api
from ..module_utils.gcloud.errors import PlatformError
from ..module_utils.gitops.cluster import Cluster
from ..module_utils.gitops.errors import HandOffError
from ..module_utils.gitops.secrets import changed_keys, fill, read_secret


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    options = module.params
    namespace, name = options["namespace"], options["name"]
    try:
        value, version = read_secret(make_api(module), options["project"], options["secret"])
        wanted = fill(options["data"], value)
        cluster = Cluster(options["kubeconfig"])
        there = cluster.secret(namespace, name)
        keys = changed_keys(wanted, there)
        if keys and not module.check_mode:
            cluster.write_secret(namespace, name, wanted, options["labels"], exists=there is not None)
    except HandOffError as error:
        module.fail_json(msg=str(error))
        return
    except PlatformError as error:
        fail(module, error)
        return
    title = f"Secret {namespace}/{name}"
    shown = "".join(f"{key}: (secret)\n" for key in keys)
    difference = {"before_header": title, "after_header": title, "before": "", "after": shown}
    module.exit_json(changed=bool(keys), keys=keys, version=version, diff=difference if keys else {})


if __name__ == "__main__":
    main()
