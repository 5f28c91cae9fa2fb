#!/usr/bin/python
"""Ansible module: what a Git repository holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: git_content
short_description: Bring a branch of a Git repository to a wanted content
version_added: "0.1.0"
description:
  - Clones the branch, compares it with the wanted content, and commits and pushes what differs.
  - Files of O(files), O(trees) and O(downloads) are made exactly as wanted, and whatever else lies in the folders of
    O(trees) and O(owned_folders) is removed. Files of O(seeds) are written at the first hand-off, while none of the
    others is there, and never again, even if somebody removes them. All other files are left alone always.
  - When somebody else pushes meanwhile, the module starts over from the new commit.
author: MLOps platform
options:
  repository: {description: HTTPS address of the repository., type: str, required: true}
  branch: {description: The branch; made if there is none., type: str, default: main}
  username: {description: Account at the Git host., type: str, default: ""}
  password: {description: Its password or token. It is in no argument of git and no file., type: str}
  may_be_missing:
    description: Whether a repository that is not there counts as empty, for hosts that make one at the first push.
    type: bool
    default: false
  message: {description: Message of the commit., type: str, required: true}
  author: {description: "Author of the commit, as V(Name <address>).", type: str, required: true}
  files: {description: Texts by path., type: dict, default: {}}
  seeds: {description: Texts by path that are written at the first hand-off only., type: dict, default: {}}
  owned_folders: {description: Folders in which nothing else may lie., type: list, elements: str, default: []}
  trees:
    description: Local folders to copy, without their templates (C(*.j2)).
    type: list
    elements: dict
    default: []
    suboptions:
      source: {description: Path of the local folder., type: path, required: true}
      path: {description: Folder in the repository., type: str, required: true}
  downloads:
    description: Files to fetch over HTTPS and keep in the repository.
    type: list
    elements: dict
    default: []
    suboptions:
      url: {description: Where it is published., type: str, required: true}
      sha256: {description: Its digest; another file is refused., type: str, required: true}
      path: {description: Path in the repository., type: str, required: true}
  archives:
    description: Zip archives to fetch over HTTPS, of which folders are kept in the repository.
    type: list
    elements: dict
    default: []
    suboptions:
      url: {description: Where it is published., type: str, required: true}
      sha256: {description: Its digest; another file is refused., type: str, required: true}
      folders:
        description: "Folders of the archive by the folder of the repository that they are kept in. Nothing else lies in
          that, but the file C(.origin.yaml), which says what it was made of."
        type: dict
        required: true
attributes:
  check_mode: {support: full, description: Tells what would change and pushes nothing.}
  diff_mode: {support: full, description: Shows each file's difference; files over 50 kB by their digest.}
  idempotent: {support: full, description: A second run makes no commit.}
  platform: {support: full, description: Needs git on the computer it runs on., platforms: posix}
"""

EXAMPLES = r"""
- name: Hand the charts over
  git_content:
    repository: https://git.example.com/platform/mlops-platform.git
    username: platform-bot
    password: "{{ lookup('ansible.builtin.env', 'PLATFORM_GIT_TOKEN') }}"
    message: Deploy MLflow 3
    author: MLOps platform <platform@example.com>
    trees:
      - {source: platform/charts, path: charts}
    files:
      values/mlflow.yaml: "replicas: 2\n"
"""

RETURN = r"""
revision:
  description: The branch's commit afterwards.
  returned: always
  type: str
changed_files:
  description: Paths of the files that were (in check mode, would be) written or removed.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.gcloud.arguments import documented_options
from ..module_utils.gitops.errors import HandOffError
from ..module_utils.gitops.handoff import hand_off


def main() -> None:
    """Run the module."""
    spec = documented_options(DOCUMENTATION)
    spec["password"]["no_log"] = True
    module = AnsibleModule(spec, supports_check_mode=True)
    try:
        outcome = hand_off(module.params, module.check_mode)
    except HandOffError as error:
        module.fail_json(msg=str(error))
        return
    module.exit_json(
        changed=bool(outcome.changes),
        revision=outcome.revision,
        changed_files=[change.path for change in outcome.changes],
        diff=[change.as_diff() for change in outcome.changes],
    )


if __name__ == "__main__":
    main()
