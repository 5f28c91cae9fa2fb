"""Connection: like `local`, but modules run in a process that has their libraries imported already."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import sys
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.utils.display import Display

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
try:
    from warm import client
finally:
    sys.path.pop(0)

DOCUMENTATION = r"""
name: warm_local
short_description: Runs modules on the controller, in a process that has their libraries loaded already
version_added: "0.1.0"
description:
  - Like P(ansible.builtin.local#connection), for hosts whose interpreter is the controller's own
    (C(ansible_python_interpreter={{ ansible_playbook_python }})).
  - A module is run in a fork of the process that P(preload#callback) has started for the run; the modules themselves
    are ordinary ones. Without that callback they are run as P(ansible.builtin.local#connection) does.
  - While a module runs, lines of progress that it writes to its standard error are shown.
author: MLOps platform
extends_documentation_fragment: [connection_pipelining]
options: {}
"""

PROGRESS_MARK = b"\x1eprogress "
PAYLOAD_MARK = b"_ansiballz"
GONE = (
    "The process that runs this run's modules has ended; perhaps it was killed, for want of memory or by hand. Run the "
    "playbook again. If it comes back, ANSIBLE_CALLBACKS_ENABLED=run_report runs modules without that process, slower."
)
display = Display()


class Connection(LocalConnection):
    """Has modules run by the run's host of modules; hands everything else to the local connection."""

    transport = "warm_local"
    has_pipelining = True

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run *cmd*; when *in_data* is a Python module's payload, have that run by the host."""
        if not in_data or not _is_module(in_data) or self.become is not None or not client.ready():
            result: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
            return result
        try:
            begun = client.Begun(in_data, {**os.environ, **task_environment(cmd)})
        except OSError as error:
            raise AnsibleConnectionFailure(f"The module was not begun. {GONE} ({error})") from error
        output, errors = _collect(begun.output, begun.errors)
        code = begun.code()
        if code is None:
            raise AnsibleConnectionFailure(f"What the module did is not known. {GONE} {errors.decode()}")
        return code, output, errors


def _is_module(payload: bytes) -> bool:
    return payload.startswith(client.UNPACKED) or PAYLOAD_MARK in payload.lower()


def task_environment(command: str) -> dict[str, str]:
    """What a task's `environment` sets, which Ansible puts before the interpreter: ``/bin/sh -c 'A=1 python ...'``."""
    found = {}
    for word in shlex.split(shlex.split(command)[-1]):
        name, separator, value = word.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z_]\w*", name):
            break
        found[name] = value
    return found


def _collect(out_reader: int, error_reader: int) -> tuple[bytes, bytes]:
    """Read both pipes until the module closes them, showing lines of progress as they come."""
    found = {out_reader: b"", error_reader: b""}
    shown = 0
    with selectors.DefaultSelector() as selector:
        for reader in found:
            selector.register(reader, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                chunk = os.read(key.fd, 65536)
                if chunk:
                    found[key.fd] += chunk
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
            shown = _show(found[error_reader], shown)
    errors = b"\n".join(line for line in found[error_reader].split(b"\n") if not line.startswith(PROGRESS_MARK))
    return found[out_reader], errors


def _show(errors: bytes, shown: int) -> int:
    """Show the complete lines of progress after byte *shown*; returns how far that went."""
    end = errors.rfind(b"\n") + 1
    for line in errors[shown:end].split(b"\n"):
        if line.startswith(PROGRESS_MARK):
            display.display("  " + line.removeprefix(PROGRESS_MARK).decode("utf-8", "replace"))
    return max(end, shown)
