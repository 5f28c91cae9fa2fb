"""Callback: names the run to the modules, and writes a report of it when it ends."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
try:
    from gcloud.runs import VARIABLE
    from gcloud.runs import Run as Process
    from report.page import page
    from report.record import Run, Task, sentence
finally:
    sys.path.pop(0)

DOCUMENTATION = r"""
name: run_report
type: notification
short_description: Writes a report of the run
version_added: "0.1.0"
description:
  - When a run ends, writes one HTML file that needs nothing else - what took how long, and which of Google's work it
    could not be faster than, what changed, a picture of what exists, and where it is. Its path is the run's last line.
  - Where a playbook sets the statistic C(verdict) (M(ansible.builtin.set_stats)), the last line is that.
  - It holds names, states and differences, as the output does; no secret and no result of a task beyond that.
  - Names the run to the modules, so that what they leave in the background ends with it.
author: MLOps platform
options:
  folder:
    description:
      - Where reports are written; V(none) writes none. The newest 20 are kept.
      - Unset, C(mlops-platform/reports) below E(XDG_STATE_HOME) or C(~/.local/state).
    type: str
    default: ""
    ini: [{section: run_report, key: folder}]
    env: [{name: MLOPS_REPORTS}]
"""

KEPT = 20
OURS = re.compile(r"\d{4}-\d\d-\d\d-\d{6}-.+-\d+\.html")  # the folder may be shared with other things


def sites(domain: str, applications: Mapping[str, Any]) -> list[str]:
    """Where what is exposed can be visited."""
    return [f"https://{application.get('host', name)}.{domain}/" for name, application in applications.items()]


class CallbackModule(CallbackBase):
    """Notes what happens."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "run_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        os.environ[VARIABLE] = str(Process.of(os.getpid()))
        self._run = Run("", time.time())
        self._tasks: dict[tuple[str, str], Task] = {}

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Which playbook; the last one named, if there are several."""
        self._run.playbook = Path(str(playbook._file_name)).name
        self._run.check = bool(context.CLIARGS.get("check"))

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """What the settings say of the whole, once a play tells it."""
        if self._run.project:
            return
        variables = play.get_variable_manager()
        hosts = variables._inventory.get_hosts(play.hosts)
        known = variables.get_vars(play=play, host=hosts[0] if hosts else None)
        templar = Templar(loader=play.get_loader(), variables=known)
        try:
            self._run.project = str(templar.template(known["platform_project"]))
            edge, ingress = (templar.template(known[name]) for name in ("edge_settings", "ingress_settings"))
            self._run.sites = sites(str(edge["domain"]), ingress["applications"])
        except (AnsibleError, AttributeError, LookupError, TypeError):
            pass  # what is wrong with the settings is the preflight's to tell

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task began on a host."""
        role = str(task._role.get_name()) if task._role else ""
        entry = Task(str(task.get_name()), role, str(host), time.time())
        self._tasks[str(task._uuid), str(host)] = entry
        self._run.tasks.append(entry)

    def v2_runner_on_ok(self, result: Any) -> None:
        """It went well."""
        self._end(result, "changed" if result._result.get("changed") else "ok")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """It was not needed."""
        self._end(result, "skipped")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """It failed."""
        self._end(result, "failed")
        if not ignore_errors:
            self._run.failures.append(f"{result._task.get_name()}: {result._result.get('msg', 'no message')}")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Its host could not be reached."""
        self._end(result, "unreachable")
        self._run.failures.append(f"{result._host}: {result._result.get('msg', 'unreachable')}")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end."""
        self._run.ended = time.time()
        if line := sentence(self._run):
            self._display.display(line)
        self._report()
        if verdict := stats.custom.get("_run", {}).get("verdict"):
            self._display.display(str(verdict))

    def _report(self) -> None:
        home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = str(self.get_option("folder") or f"{home}/mlops-platform/reports")
        if folder == "none":
            return
        try:
            path = self._write(Path(folder).expanduser())
        except OSError as error:
            self._display.warning(f"The report could not be written to {folder}: {error}")
            return
        self._display.display(f"Report: {path}")

    def _end(self, result: Any, status: str) -> None:
        entry = self._tasks.get((str(result._task._uuid), str(result._host)))
        if entry is not None:
            entry.ended, entry.status = time.time(), status
        if not result._task.no_log:
            self._run.note(result._result)

    def _write(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(self._run.began))
        path = folder / f"{stamp}-{Path(self._run.playbook).stem}-{os.getpid()}.html"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(page(self._run))
        reports = sorted(old for old in folder.iterdir() if OURS.fullmatch(old.name) and old != path)
        for old in reports[: -(KEPT - 1)]:
            old.unlink(missing_ok=True)  # another run may be at it, too
        return path
