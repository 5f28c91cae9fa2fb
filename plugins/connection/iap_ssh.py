"""Connection: SSH to a VM without external address, through Identity-Aware Proxy and without gcloud."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.ssh import Connection as SshConnection

DOCUMENTATION = r"""
name: iap_ssh
short_description: SSH to a VM through Identity-Aware Proxy
version_added: "0.1.0"
description:
  - Like P(ansible.builtin.ssh#connection), whose options it takes, but the bytes travel through Google's IAP relay,
    so that the VM needs no external address and no port open to the internet. gcloud is not needed.
  - The caller needs the role C(roles/iap.tunnelResourceAccessor) on the VM; a firewall rule must admit
    35.235.240.0/20 to the VM's SSH port. For OS Login, M(gcp_oslogin_key) prepares the key and tells the user name.
  - "Host keys: each VM has its own entry in a file of its own, under its instance id. An unknown VM is accepted at its
    first connection (the relay has authenticated itself and names the VM); from then on its key must not change. A VM
    that was rebuilt has a new instance id, so it is a new VM here, too."
author: MLOps platform
extends_documentation_fragment: [connection_pipelining, ssh_options]
options:
  iap_project:
    description: Id of the project the VM is in.
    type: str
    required: true
    vars: [{name: iap_project}]
    env: [{name: IAP_PROJECT}]
  iap_zone:
    description: Zone of the VM.
    type: str
    required: true
    vars: [{name: iap_zone}]
    env: [{name: IAP_ZONE}]
  iap_instance:
    description: Name of the VM.
    type: str
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: iap_instance}]
  iap_instance_id:
    description:
      - Numeric id of the VM, under which its host key is remembered.
      - Without it the VM's names are used, and a rebuilt VM is refused until its old entry is removed.
    type: str
    vars: [{name: iap_instance_id}]
  iap_interface:
    description: Network interface of the VM.
    type: str
    default: nic0
    vars: [{name: iap_interface}]
  iap_known_hosts:
    description: File of the VMs' host keys.
    type: path
    default: ~/.local/state/mlops-platform/known_hosts
    vars: [{name: iap_known_hosts}]
    env: [{name: IAP_KNOWN_HOSTS}]
  iap_service_account_file:
    description: Key file of the service account to connect as; otherwise application default credentials are used.
    type: path
    vars: [{name: iap_service_account_file}]
    env: [{name: GCP_SERVICE_ACCOUNT_FILE}]
  iap_impersonate_service_account:
    description: E-mail address of a service account to act as.
    type: str
    vars: [{name: iap_impersonate_service_account}]
    env: [{name: GCP_IMPERSONATE_SERVICE_ACCOUNT}]
"""

EXAMPLES = r"""
# inventory
bastion:
  ansible_connection: iap_ssh
  iap_project: acme-ml
  iap_zone: europe-west1-b
  iap_instance: mlops-bastion
"""

TUNNEL = Path(__file__).resolve().parent.parent / "module_utils" / "gcloud" / "tunnel_cli.py"
KEEP_ALIVE_SECONDS = 30


class Connection(SshConnection):
    """The ssh connection with a ProxyCommand of our own."""

    transport = "iap_ssh"

    def _build_command(self, binary: str, subsystem: str, *other_args: Any) -> list[bytes]:
        command: list[bytes] = super()._build_command(binary, subsystem, *other_args)
        # ssh takes the first value it sees of an option: ours come before what an inventory adds.
        place = command.index(os.fsencode(binary)) + 1
        command[place:place] = [part for option in self._ssh_options() for part in (b"-o", os.fsencode(option))]
        return command

    def _ssh_options(self) -> Iterable[str]:
        known_hosts = Path(self.get_option("iap_known_hosts")).expanduser()
        try:
            known_hosts.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise AnsibleConnectionFailure(
                f"Failed to make the folder of the VMs' host keys, {known_hosts.parent}: {error.strerror}. "
                "Set iap_known_hosts to a file that can be written."
            ) from error
        yield f"ProxyCommand={self._proxy_command()}"
        yield "ProxyUseFdpass=no"
        yield f"HostKeyAlias={self._alias()}"
        yield "CheckHostIP=no"
        yield "HashKnownHosts=no"
        yield f'UserKnownHostsFile="{known_hosts}"'
        yield "GlobalKnownHostsFile=none"
        yield "StrictHostKeyChecking=accept-new"
        yield "IdentitiesOnly=yes"
        yield f"ServerAliveInterval={KEEP_ALIVE_SECONDS}"

    def _alias(self) -> str:
        """The name under which the VM's host key is remembered; nothing resolves it."""
        if number := self.get_option("iap_instance_id"):
            return f"compute.{number}"
        return ".".join(str(self.get_option(name)) for name in ("iap_instance", "iap_zone", "iap_project"))

    def _proxy_command(self) -> str:
        words = [sys.executable, str(TUNNEL), "--port", str(self.get_option("port") or 22)]
        for option, name in (
            ("--project", "iap_project"),
            ("--zone", "iap_zone"),
            ("--instance", "iap_instance"),
            ("--interface", "iap_interface"),
            ("--service-account-file", "iap_service_account_file"),
            ("--impersonate", "iap_impersonate_service_account"),
        ):
            if value := self.get_option(name):
                words += [option, str(value)]
        # ssh replaces %-tokens in the command
        return shlex.join(words).replace("%", "%%")

    def _create_control_path(self, host: Any, port: Any, user: Any, connection: Any = None, pid: Any = None) -> str:
        """A shared connection belongs to one VM and one identity, not to whatever has the same name elsewhere."""
        identity = "|".join(
            (
                self._alias(),
                str(self.get_option("iap_project")),
                str(self.get_option("iap_service_account_file")),
                str(self.get_option("iap_impersonate_service_account")),
                os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", ""),
            )
        )
        path: str = SshConnection._create_control_path(f"{identity}|{host}", port, user, connection, pid)
        return path
