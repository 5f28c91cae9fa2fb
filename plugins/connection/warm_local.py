"""Connection: like `local`, but modules run in a process forked from the controller instead of in a new Python."""

from __future__ import annotations

import io
import os
import selectors
import sys
import traceback
from typing import Any

from ansible.plugins.connection.local import Connection as LocalConnection
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: warm_local
short_description: Runs modules on the controller, in a process that has their libraries loaded already
version_added: "0.1.0"
description:
  - Like P(ansible.builtin.local#connection), for hosts whose interpreter is the controller's own
    (C(ansible_python_interpreter={{ ansible_playbook_python }})).
  - A module is run in a fork of the worker; the modules themselves are ordinary ones.
  - While a module runs, lines of progress that it writes to its standard error are shown.
author: MLOps platform
extends_documentation_fragment: [connection_pipelining]
options: {}
"""

PROGRESS_MARK = b"\x1eprogress "
PAYLOAD_MARK = b"_ansiballz"
display = Display()


class Connection(LocalConnection):
    """Forks for modules; hands everything else to the local connection."""

    transport = "warm_local"
    has_pipelining = True

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run *cmd*; when *in_data* is a Python module's payload, run that in a fork."""
        if not in_data or PAYLOAD_MARK not in in_data.lower() or self.become is not None:
            result: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
            return result
        out_reader, out_writer = os.pipe()
        error_reader, error_writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(out_reader)
            os.close(error_reader)
            _run_and_exit(in_data, out_writer, error_writer)
        os.close(out_writer)
        os.close(error_writer)
        output, errors = _collect(out_reader, error_reader)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), output, errors


def _run_and_exit(payload: bytes, out_writer: int, error_writer: int) -> None:
    """In the child: be the Python program *payload*, then end without running the controller's exit handlers."""
    code = 1
    try:
        os.dup2(out_writer, 1)
        os.dup2(error_writer, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False))
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False))
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False))
        code = _run(payload)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(payload: bytes) -> int:
    # the module brings its own `ansible.module_utils`; the controller's must not be found in its place
    for name in [name for name in sys.modules if name == "ansible" or name.startswith("ansible.")]:
        del sys.modules[name]
    sys.argv = ["ansible_module"]
    sys.modules["__main__"].__dict__["__file__"] = "<stdin>"
    space: dict[str, Any] = {"__name__": "__main__", "__file__": "<stdin>"}
    try:
        exec(compile(payload, "<stdin>", "exec"), space)  # noqa: S102 - what the interpreter would do with its stdin
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _collect(out_reader: int, error_reader: int) -> tuple[bytes, bytes]:
    """Read both pipes until the child closes them, showing lines of progress as they come."""
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
