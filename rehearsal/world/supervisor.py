"""Keeps a world's services running: start, restart with back-off, reap, stop. Runs as PID 1."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.world.services import Service

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
CALM_SECONDS = 60.0
"""A service that ran this long starts over with the shortest pause."""
POLL_READY, POLL_CALM = 0.1, 5.0
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


@dataclass
class _Running:
    service: Service
    pid: int | None = None
    started: float = 0.0
    ready: bool = False
    restarts: int = 0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    last_exit: int | None = None

    @property
    def state(self) -> str:
        if self.pid is None:
            return "waiting to restart" if self.restarts else "starting"
        return "ready" if self.ready else "starting"


class Supervisor:
    """Runs the services until SIGTERM or SIGINT; `run/services.json` always tells their state."""

    def __init__(self, folder: Path, services: list[Service], env: Mapping[str, str]) -> None:
        self._folder = folder
        self._env = dict(env)
        self._running = [_Running(service) for service in services]
        self._reported = ""

    def run(self) -> None:
        """Supervise until told to stop, then stop everything in reverse order of start."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            self._start_due()
            self._check_ready()
            self._report()
            got = signal.sigtimedwait(_SIGNALS, self._patience())
            if got and got.si_signo != signal.SIGCHLD:
                break
            self._reap()
        self._stop()

    def _patience(self) -> float:
        return POLL_CALM if all(entry.ready for entry in self._running) else POLL_READY

    def _start_due(self) -> None:
        now = time.monotonic()
        for entry in self._running:
            if entry.pid is None and now >= entry.due:
                self._start(entry)

    def _start(self, entry: _Running) -> None:
        log = str(self._folder / "logs" / f"{entry.service.name}.log")
        for path in (*entry.service.sockets, *entry.service.marks):
            path.unlink(missing_ok=True)
        entry.pid = os.posix_spawn(
            entry.service.argv[0],
            entry.service.argv,
            self._env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
        )
        entry.started, entry.ready = time.monotonic(), False

    def _check_ready(self) -> None:
        for entry in self._running:
            if entry.pid is not None and not entry.ready:
                entry.ready = entry.service.ready()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for entry in self._running:
                if entry.pid == pid:
                    self._ended(entry, os.waitstatus_to_exitcode(status))

    def _ended(self, entry: _Running, code: int) -> None:
        now = time.monotonic()
        if now - entry.started > CALM_SECONDS:
            entry.pause = FIRST_PAUSE
        print(f"{entry.service.name} ended with {code}; again in {entry.pause:g} s", flush=True)
        entry.pid, entry.ready, entry.last_exit = None, False, code
        entry.due, entry.restarts = now + entry.pause, entry.restarts + 1
        entry.pause = min(entry.pause * 2, LONGEST_PAUSE)

    def _report(self) -> None:
        content = json.dumps(
            {
                entry.service.name: {
                    "state": entry.state,
                    "pid": entry.pid,
                    "restarts": entry.restarts,
                    "last_exit": entry.last_exit,
                }
                for entry in self._running
            }
        )
        if content != self._reported:
            temporary = self._folder / "run" / "services.json.new"
            temporary.write_text(content)
            temporary.replace(self._folder / "run" / "services.json")
            self._reported = content

    def _stop(self) -> None:
        for entry in reversed(self._running):
            if entry.pid is None:
                continue
            os.kill(entry.pid, signal.SIGTERM)
            deadline = time.monotonic() + entry.service.stop_seconds
            while entry.pid is not None and (left := deadline - time.monotonic()) > 0:
                signal.sigtimedwait((signal.SIGCHLD,), left)
                self._reap()
            if entry.pid is not None:
                print(f"{entry.service.name} did not stop in {entry.service.stop_seconds:g} s", flush=True)
