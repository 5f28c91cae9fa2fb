"""The Ansible run that a module belongs to, and what is to be done when it ends, however it ends.

The callback plugin run_report names the run in the environment. A watcher is a process of its own session, so that it
outlives a SIGKILL of the run's process group; it does its work and ends within moments of the run.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "MLOPS_PLATFORM_RUN"
LOOK_SECONDS = 0.5


def unfit_controller() -> str:
    """Why the playbooks cannot run on this computer; '' where they can."""
    if (system := platform.system()) == "Linux":
        return ""
    return (
        f"The playbooks run on Linux, by whose /proc they tell runs apart, and this computer has {system}. Run them "
        "from a Linux machine, a VM or a container."
    )


@dataclass(frozen=True)
class Run:
    """A process by its number and the moment it started (clock ticks since boot), for numbers are given again."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Run:
        """The process *pid* of now; one that never runs where there is no such process."""
        return cls(pid, _started(pid))

    @classmethod
    def parse(cls, text: str) -> Run | None:
        """What :meth:`__str__` made of one."""
        pid, _, started = text.partition(":")
        return cls(int(pid), started) if pid.isdigit() and started else None

    @classmethod
    def current(cls) -> Run | None:
        """The run this process belongs to; None where nobody said so."""
        return cls.parse(os.environ.get(VARIABLE, ""))

    def __str__(self) -> str:
        return f"{self.pid}:{self.started}"

    @property
    def alive(self) -> bool:
        """Whether it is still there."""
        return bool(self.started) and _started(self.pid) == self.started

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C does."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGINT)


def watch(
    run: Run,
    at_end: Callable[[], object],
    *,
    every: float = 0.0,
    meanwhile: Callable[[], bool] = lambda: True,
) -> int:
    """Start a process that calls *at_end* once *run* is gone; returns its number.

    *meanwhile* is called every *every* seconds (0: never); where it answers False the watcher ends at once, without
    *at_end*. Whatever either needs must be imported already: the module's archive is removed when the module ends.
    """
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        os.setsid()
        second = os.fork()
        if second == 0:
            _detach()
            _wait(run, at_end, every, meanwhile)
            os._exit(0)
        os.write(writer, str(second).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(first, 0)
    number = int(os.read(reader, 32))
    os.close(reader)
    return number


def _wait(run: Run, at_end: Callable[[], object], every: float, meanwhile: Callable[[], bool]) -> None:
    told = time.monotonic()
    while run.alive:
        time.sleep(LOOK_SECONDS)
        if every and time.monotonic() - told >= every:
            told = time.monotonic()
            if not meanwhile():
                return
    at_end()


def _detach() -> None:
    """Let go of everything that the parent's readers wait for."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.closerange(3, 4096)
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]  # proc(5): state is field 3, starttime is field 22
