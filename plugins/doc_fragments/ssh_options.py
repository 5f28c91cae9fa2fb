"""All options of Ansible's own ssh connection plugin, for plugins that are built on it.

Taken from the installed Ansible, so that they are never behind it.
"""

from __future__ import annotations

import yaml
from ansible.plugins.connection import ssh

try:  # libyaml's take a tenth of the time, where they are there
    from yaml import CSafeDumper as SafeDumper
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeDumper, SafeLoader  # type: ignore[assignment]  # slower, and no subclasses of those


class ModuleDocFragment:
    """Used as ``extends_documentation_fragment: ssh_options``."""

    DOCUMENTATION = yaml.dump(
        {"options": yaml.load(ssh.DOCUMENTATION, Loader=SafeLoader)["options"]}, Dumper=SafeDumper
    )
