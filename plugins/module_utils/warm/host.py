"""The process in which a run's modules on the controller begin: a fork of it has imported all they need already.

The controller starts it (:mod:`.client`) as a program. It has sides with the modules, not with the controller, whose
packages of the same name differ; so it is no fork of the controller. It ends when the controller does, however that
ends, and takes the modules with it that are at work then.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

HELPERS = Path(__file__).resolve().parents[1]
USED = ("gcloud", "gitops")
CLIENTS = "ansible.module_utils.gcloud.clients"
LOADER = "ansible.module_utils._internal._ansiballz._loader"
BY_ALL = (
    "ansible.module_utils.basic",
    LOADER,
    "ansible.module_utils._internal._json._profiles._module_legacy_c2m",
    "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
)
PARTS = 4  # what comes with an order: the order itself, where to put output and errors, and the leash
IDLE_SECONDS = 1.0
MOST_TOLD = 65536


class _Path(list[str]):
    """A package's ``__path__`` that looks first into the archives that packed modules bring on ``sys.path``."""

    def __init__(self, package: str, usual: Iterable[str]) -> None:
        super().__init__(usual)
        self._inner = package.replace(".", "/")

    def __iter__(self) -> Iterator[str]:
        archives = (f"{entry}/{self._inner}" for entry in sys.path if entry.endswith(".zip"))
        return iter([*archives, *super().__iter__()])


@dataclass(frozen=True)
class _Task:
    """A module at work. The other end of ``leash`` is its worker's; ``told`` is what it leaves for those after it."""

    pid: int
    ended: int
    leash: socket.socket
    told: int


class Host:
    """Starts a process for each order that comes through *door*, while the process *controller* is there.

    It carries out *steps*, which import: those that say True before anything else, the others once a module takes its
    time, for a module that comes meanwhile has to wait. One that comes before those imports by itself.
    """

    def __init__(self, door: socket.socket, controller: int, steps: Iterator[bool]) -> None:
        self._door = door
        self._steps = steps
        self._tasks: dict[int, _Task] = {}
        self._selector = selectors.DefaultSelector()
        self._open = True
        self._selector.register(door, selectors.EVENT_READ, self._take)
        self._selector.register(os.pidfd_open(controller), selectors.EVENT_READ, self._close)

    def serve(self) -> None:
        """Until the controller has ended, and the modules with it."""
        while urgent := next(self._steps, None):
            pass
        while self._open or self._tasks:
            preparing = self._tasks and urgent is not None
            events = self._selector.select(IDLE_SECONDS if preparing else None)
            for key, _ in events:
                key.data()
            if not events:
                urgent = next(self._steps, None)

    def _take(self) -> None:
        word, parts, _, _ = socket.recv_fds(self._door, 16, PARTS)
        if not word:
            self._close()
            return
        order, output, errors, leash = parts
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._selector.close()
            self._door.close()
            os.close(reader)
            _work(order, output, errors, socket.socket(fileno=leash), writer)
        with suppress(ProcessLookupError, PermissionError):  # the child does it too: whoever comes first
            os.setpgid(pid, pid)
        for number in (order, output, errors, writer):
            os.close(number)
        task = _Task(pid, os.pidfd_open(pid), socket.socket(fileno=leash), reader)
        self._tasks[pid] = task
        self._selector.register(task.ended, selectors.EVENT_READ, lambda: self._ended(task))
        self._selector.register(task.leash, selectors.EVENT_READ, lambda: self._let_go(task))

    def _ended(self, task: _Task) -> None:
        _, status = os.waitpid(task.pid, 0)
        self._selector.unregister(task.ended)
        with suppress(KeyError):
            self._selector.unregister(task.leash)
        with suppress(OSError):  # its worker is gone
            task.leash.send(str(os.waitstatus_to_exitcode(status)).encode())
        os.set_blocking(task.told, False)
        with suppress(BlockingIOError):
            told = os.read(task.told, MOST_TOLD)
            if told:
                sys.modules[CLIENTS].remember(json.loads(told))
        task.leash.close()
        os.close(task.ended)
        os.close(task.told)
        del self._tasks[task.pid]

    def _let_go(self, task: _Task) -> None:
        """The worker that waited for the module is gone, or has been told that the module is."""
        if task.pid not in self._tasks:  # it ended in this very moment
            return
        self._selector.unregister(task.leash)
        with suppress(ProcessLookupError):
            os.killpg(task.pid, signal.SIGTERM)

    def _close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._selector.unregister(self._door)
        for task in list(self._tasks.values()):
            with suppress(ProcessLookupError):
                os.killpg(task.pid, signal.SIGTERM)


def _work(order: int, output: int, errors: int, leash: socket.socket, told: int) -> NoReturn:
    """Be the module's program, then end without anything that was meant for the host's own end."""
    code = 1
    try:
        with suppress(PermissionError):
            os.setpgid(0, 0)
        gc.enable()
        module, program = _enter(order, output, errors)
        code = _run(partial(_run_named, **module) if module else partial(_run_packed, program))
        if clients := sys.modules.get(CLIENTS):
            os.write(told, json.dumps(clients.known()).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            leash.send(str(code).encode())  # the host would say it too, but may be at a step of its preparations
        os._exit(code)


def _enter(order: int, output: int, errors: int) -> tuple[dict[str, str] | None, bytes]:
    """Take the place that the worker gave in *order*; returns the module that it names, or else its program."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for number, standard in ((nowhere, 0), (output, 1), (errors, 2)):
        os.dup2(number, standard)
        os.close(number)
    sys.stdin = io.TextIOWrapper(os.fdopen(0, "rb", closefd=False))
    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False))
    with os.fdopen(order, "rb") as file:
        file.seek(0)
        place = json.loads(file.readline())
        program = file.read()
    os.environ.clear()
    os.environ.update(place["environment"])
    os.chdir(place["folder"])
    return place.get("module"), program


def _run(module: Callable[[], None]) -> int:
    sys.argv = ["ansible_module"]
    try:
        module()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _run_named(name: str, folder: str, arguments: str, profile: str) -> None:
    if folder:
        sys.path.insert(0, folder)
    loader = importlib.import_module(LOADER)
    loader.run_module(
        json_params=arguments.encode(), profile=profile, module_fqn=name, modlib_path=folder, extensions={}
    )


def _run_packed(program: bytes) -> None:
    sys.modules["__main__"].__dict__["__file__"] = "<stdin>"
    space: dict[str, Any] = {"__name__": "__main__", "__file__": "<stdin>"}
    exec(compile(program, "<stdin>", "exec"), space)  # noqa: S102 - as the interpreter does with its stdin


def prepare() -> Iterator[bool]:
    """Import what modules import, a step at a time; yields whether the next is of use to every module."""
    gc.disable()  # nothing imported here is garbage, and looking for it takes as long as importing
    helpers = importlib.import_module("ansible.module_utils")
    helpers.__path__.append(str(HELPERS))
    sys.modules["ansible"].__path__ = _Path("ansible", sys.modules["ansible"].__path__)
    modules = ModuleType("ansible.legacy", "What Ansible calls the package of modules that are in no collection.")
    modules.__path__ = _Path("ansible.legacy", [str(HELPERS.with_name("modules"))])
    sys.modules["ansible.legacy"] = modules
    for name in (*BY_ALL, *_helpers()):
        with suppress(ImportError):  # the module that needs it says so in its own words
            importlib.import_module(name)
        yield True
    clients = sys.modules.get(CLIENTS)
    for urgent in clients.preload() if clients else ():
        if not urgent:
            gc.freeze()  # else the collector of each forked process touches, and so copies, all that was imported here
        yield urgent


def _helpers() -> Iterator[str]:
    for path in sorted(path for part in USED for path in (HELPERS / part).rglob("*.py")):
        name = ".".join(path.relative_to(HELPERS).with_suffix("").parts)
        yield f"ansible.module_utils.{name.removesuffix('.__init__')}"


if __name__ == "__main__":
    Host(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), prepare()).serve()
