"""All options of Ansible's own ssh connection plugin, for plugins that are built on it.

Taken from the installed Ansible, so that they are never behind it.
"""

from __future__ import annotations

import yaml
from ansible.plugins.connection import ssh


class ModuleDocFragment:
    """Used as ``extends_documentation_fragment: ssh_options``."""

    DOCUMENTATION = yaml.safe_dump({"options": yaml.safe_load(ssh.DOCUMENTATION)["options"]})
