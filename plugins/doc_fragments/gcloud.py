"""Documentation of the options that all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Used as ``extends_documentation_fragment: gcloud``."""

    DOCUMENTATION = r"""
options:
  project:
    description: Id of the Google Cloud project.
    type: str
    required: true
  service_account_file:
    description:
      - Path of a service account's JSON key file.
      - Without it (and O(access_token)) the application default credentials are used, which
        E(GOOGLE_APPLICATION_CREDENTIALS) may point at.
    type: path
  access_token:
    description: An OAuth access token to use instead of other credentials.
    type: str
  impersonate_service_account:
    description: E-mail address of a service account to act as.
    type: str
  timeout:
    description: How many seconds the task may wait for Google in all.
    type: int
    default: 1800
  compare_only:
    description:
      - Only say in RV(ignore:drift) what differs from the options, fields that Google cannot change too; nothing is
        changed, refused or counted as changed. For modules that make things.
    type: bool
    default: false
requirements:
  - python >= 3.11
  - google-auth
  - google-cloud-compute
  - google-cloud-container
  - google-api-python-client
"""
    PLAN = r"""
options: {}
attributes:
  check_mode:
    description: Reads what is there and predicts what would be done.
    support: full
  diff_mode:
    description: Shows what changes, field by field, before and after.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Runs on the controller, and speaks to Google from there.
    platforms: posix
    support: full
"""
