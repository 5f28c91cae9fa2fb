"""Long-running programs of the world: started once, logged, watched while they become ready, ended with their owner."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1


class StartError(Exception):
    """A program did not become ready; the message holds the last lines of its log."""


def end_with_parent() -> None:
    """Run in a child before exec: it is killed when the process that started it dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Program:
    """A running program and where it writes."""

    name: str
    log: Path
    process: asyncio.subprocess.Process

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def last_lines(self, count: int = 8) -> str:
        """The end of its log, each line cut to 400 characters."""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(line[:400] for line in lines)

    async def stop(self, grace: float = 5.0) -> None:
        """Terminates it; kills it after `grace` seconds."""
        if not self.running:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), grace)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    environment: Mapping[str, str] | None = None,
    namespace: str | None = None,
    user: int | None = None,
) -> Program:
    """Starts `command`, its output appended to `log`.

    `environment` is added to this process's own; `namespace` names a network namespace under /run/netns.
    """
    words = [str(word) for word in command]
    if namespace:
        words = ["nsenter", f"--net=/run/netns/{namespace}", *words]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=end_with_parent,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    return Program(name, log, process)


async def until(
    program: Program, ready: Callable[[], Awaitable[bool]], deadline: float, what: str | None = None
) -> None:
    """Waits until `ready` answers true.

    Raises StartError when the program ends or `deadline` (seconds) passes first.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not await ready():
        if not program.running:
            raise StartError(f"{program.name} ended with status {program.process.returncode}:\n{program.last_lines()}")
        if loop.time() > end:
            state = f"{what or program.name} was not ready after {deadline:.0f} s"
            raise StartError(f"{state}; the end of {program.log}:\n{program.last_lines()}")
        await asyncio.sleep(POLL_SECONDS)


async def call(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    given: bytes | None = None,
    namespace: str | None = None,
) -> str:
    """Runs a short command to its end and returns what it printed.

    Raises StartError with its error output if it fails.
    """
    words = [str(word) for word in command]
    if namespace:
        words = ["nsenter", f"--net=/run/netns/{namespace}", *words]
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    output, errors = await process.communicate(given)
    if process.returncode:
        raise StartError(f"`{' '.join(words)[:200]}` failed: {errors.decode(errors='replace').strip()[-800:]}")
    return output.decode()
