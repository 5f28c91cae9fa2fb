#!/usr/bin/python
"""Ansible module: what holds data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gcp_data_stores
short_description: Buckets, image repositories, PostgreSQL databases and secrets
version_added: "0.1.0"
description:
  - Buckets have uniform access and no public access; databases a private address only, and refuse clear text.
  - Passwords are random, made once, kept in Secret Manager and handed to Cloud SQL by this module; they are never
    returned, logged or shown. To rotate one, add a version to its secret and run the task again.
  - O(wait=false) starts database instances and returns; a later task with O(wait=true) waits for them and makes what
    lives in them.
  - O(state=absent) throws no data away unless O(purge) is set; nothing is removed while a bucket is not empty or a
    database has deletion protection.
author: MLOps platform
extends_documentation_fragment: [gcloud, gcloud.plan]
options:
  state:
    description: Whether they are wanted.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description: Labels of everything here, exactly these.
    type: dict
  buckets:
    description: Cloud Storage buckets.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      location: {description: Region., type: str, required: true}
      keep_versions_days:
        description: Days that old versions of objects are kept; V(0) keeps none.
        type: int
      members: &members
        description: Roles on it, added to what is there.
        type: list
        elements: dict
        suboptions:
          role: {description: The role., type: str, required: true}
          members: {description: "Such as V(group:g@example.com).", type: list, elements: str, required: true}
  repositories:
    description: Artifact Registry repositories.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      location: {description: Region., type: str, required: true}
      format: {description: Format., type: str, choices: [DOCKER, PYTHON, NPM, MAVEN, APT], default: DOCKER}
      members: *members
  secrets:
    description: Secrets with a random value.
    type: list
    elements: dict
    suboptions:
      name: {description: Name., type: str, required: true}
      length: {description: Letters and digits of a new value., type: int, default: 32}
      members: *members
  secret_locations:
    description:
      - Regions that all secrets here are kept in, and nowhere else. It is fixed when a secret is made.
      - Unset or empty, Google chooses for those that are made, which an organisation's policy on locations may refuse.
    type: list
    elements: str
  databases:
    description: Cloud SQL for PostgreSQL instances.
    type: list
    elements: dict
    suboptions:
      name: {description: Name of the instance., type: str, required: true}
      region: {description: Region., type: str, required: true}
      network: {description: VPC network with private services access., type: str, required: true}
      version: {description: "Such as V(POSTGRES_15).", type: str, required: true}
      tier: {description: "Machine, such as V(db-custom-1-3840).", type: str, required: true}
      availability: {description: With or without a standby., type: str, choices: [ZONAL, REGIONAL]}
      disk_gb: {description: Size of the first disk in GB; it grows by itself., type: int}
      deletion_protection: {description: Whether Google refuses to remove it., type: bool}
      backup_start: {description: "Start of the daily backup in UTC, HH:MM.", type: str}
      ssl_mode:
        description: Which connections are let in.
        type: str
        choices: [ENCRYPTED_ONLY, TRUSTED_CLIENT_CERTIFICATE_REQUIRED]
      flags:
        description: Database flags, exactly these.
        type: list
        elements: dict
        suboptions:
          name: {description: Name., type: str, required: true}
          value: {description: Value., type: str, required: true}
      databases: {description: Names of the databases in it., type: list, elements: str}
      users:
        description: Its users.
        type: list
        elements: dict
        suboptions:
          name: {description: Name., type: str, required: true}
          password_secret: {description: Secret that holds the password; made if needed., type: str, required: true}
          secret_members: *members
  purge:
    description: With O(state=absent), whether buckets are emptied and protected databases removed with all they hold.
    type: bool
    default: false
  wait:
    description: Whether to wait for database instances.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: A database and the password for it
  gcp_data_stores:
    project: acme-ml
    databases:
      - name: mlops-mlflow
        region: europe-west1
        network: mlops
        version: POSTGRES_15
        tier: db-custom-1-3840
        databases: [mlflow]
        users: [{name: mlflow, password_secret: mlops-mlflow-database-password}]
"""

RETURN = r"""
plan:
  description: What was done (in check mode, what would be done), a line for each resource.
  returned: always
  type: list
  elements: str
databases:
  description: By name of the instance, its C(state), C(private_address) and C(connection_name).
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
from ..module_utils.gcloud.graphs.data import data_graph, data_outputs


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec(DOCUMENTATION), supports_check_mode=True)
    run_graph(module, lambda options, api: data_graph(options), data_outputs)


if __name__ == "__main__":
    main()
