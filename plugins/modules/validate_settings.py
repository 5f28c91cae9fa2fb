#!/usr/bin/python
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_settings
short_description: Checks all settings of the platform before anything is called
version_added: "0.1.0"
description:
  - Holds every variable of the roles' argument specs against its type, its limits, and the others; finds overlapping
    ranges, names that are too long, places that do not fit, unknown keys, people without a kind, and more.
  - Fails at once where the controller is no Linux machine.
  - Fails with all problems at once; each names the variable by its path and the way to mend it.
author: MLOps platform
options:
  roles:
    description: Folder of the roles; by default that beside this plugin.
    type: path
attributes:
  check_mode:
    description: It changes nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Every setting is sound
  validate_settings:
"""

RETURN = r"""
problems:
  description: What must be mended.
  returned: failed
  type: list
  elements: str
checked:
  description: The variables that were looked at.
  returned: success
  type: list
  elements: str
"""
