"""A local port that leads through Identity-Aware Proxy and the bastion to an address inside the VPC.

One OpenSSH client in the background with a control socket; runs that ask for the same way share it. It ends with the
last of them, however that ends, unless it was asked to stay.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import PlatformError
from .runs import VARIABLE, Run, watch

START_SECONDS = 60.0
FIRST_PORT, PORTS = 20000, 10000
STAYS = "stays"  # the owner of a forward that outlives its run
# What makes two ways the same: also as whom one travels, but not where this checkout or its files are.
SHARED = ("project", "zone", "instance", "instance_id", "user", "host", "port", "service_account_file", "impersonate")


@dataclass(frozen=True)
class Route:
    """From here to there: the bastion, how to log in to it, and the address beyond it."""

    project: str
    zone: str
    instance: str
    instance_id: str
    user: str
    key_file: str
    host: str
    port: int
    known_hosts: str
    program: str  # path of tunnel_cli.py; a module cannot tell by itself, for it runs from an archive
    service_account_file: str = ""
    impersonate: str = ""

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"forward through {self.instance} to {self.host}:{self.port}"

    @property
    def bastion(self) -> str:
        """The bastion by its full name."""
        return bastion_of(self.project, self.zone, self.instance)


class Files:
    """Where a forward leaves its traces: a folder of its own, with a short path for the socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "ssh"  # ssh's control socket
        self.log = folder / "log"  # what ssh and the tunnel say
        self._record = folder / "forward.json"

    @classmethod
    def of(cls, home: Path, route: Route) -> Files:
        """The files of *route*; the folder is made if needed."""
        text = "|".join(str(getattr(route, name)) for name in SHARED)
        folder = home / hashlib.sha256(text.encode()).hexdigest()[:12]
        folder.mkdir(mode=0o700, exist_ok=True)
        return cls(folder)

    def read(self) -> dict[str, Any]:
        """The record: port, bastion, owners; nothing of it where there is none."""
        try:
            return {"owners": [], **json.loads(self._record.read_text())}
        except (OSError, ValueError):
            return {"owners": []}

    def write(self, record: dict[str, Any]) -> None:
        """Keep the record."""
        self._record.write_text(json.dumps(record))

    def clear(self) -> None:
        """Remove the traces."""
        for path in (self.control, self._record, self.log):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # ssh may be writing its last word
            self.folder.rmdir()


def bastion_of(project: str, zone: str, instance: str) -> str:
    """How forwards name the machine they lead through."""
    return f"{project}/{zone}/{instance}"


def ensure(route: Route, *, stays: bool = False) -> int:
    """The local port of a forward that runs, started if need be. Raises PlatformError.

    *stays*: it is to outlive the run that asks for it, until :func:`release`. So it does where there is no run.
    """
    run = None if stays else Run.current()
    owner = STAYS if run is None else str(run)
    with _locked(route.title) as home:
        _sweep(home)
        files = Files.of(home, route)
        record = files.read()
        before = record["owners"]
        running = _control(files, "check")
        if not running:
            record = {"port": next(free_ports(route)), "bastion": route.bastion}
        files.write({**record, "owners": before if owner in before else [*before, owner]})
        if run is not None and owner not in before:  # before it starts, so that it ends with the run whenever that is
            watch(run, lambda: release(route.bastion, owner))
        if not running:
            _start(route, files, int(record["port"]))
        return int(record["port"])


def release(bastion: str, *owners: str) -> bool:
    """Take *owners* off the forwards through *bastion*, and end those nobody else has; whether none is left there."""
    left = False
    with _locked(f"forwards through {bastion}") as home:
        for files in _all(home):
            record = files.read()
            if record.get("bastion") != bastion:
                continue
            kept = [owner for owner in record["owners"] if owner not in owners and _lives(owner)]
            if kept:
                files.write({**record, "owners": kept})
                left = True
            else:
                _end(files)
        _sweep(home)
    return not left


def command(route: Route, files: Files, port: int) -> list[str]:
    """The ssh command line."""
    tunnel = [sys.executable, route.program, "--project", route.project, "--zone", route.zone]
    tunnel += ["--instance", route.instance, "--port", "22"]
    if route.service_account_file:
        tunnel += ["--service-account-file", route.service_account_file]
    if route.impersonate:
        tunnel += ["--impersonate", route.impersonate]
    proxy = shlex.join(tunnel).replace("%", "%%")
    options = {
        "ProxyCommand": proxy,
        "ProxyUseFdpass": "no",
        "BatchMode": "yes",
        "ExitOnForwardFailure": "yes",
        "IdentitiesOnly": "yes",
        "IdentityFile": route.key_file,
        "HostKeyAlias": f"compute.{route.instance_id}",
        "CheckHostIP": "no",
        "UserKnownHostsFile": route.known_hosts,
        "StrictHostKeyChecking": "accept-new",
        "ServerAliveInterval": "30",
        "ServerAliveCountMax": "4",
        "ControlPersist": "no",
    }
    made = ["ssh", "-F", "none", "-N", "-M", "-S", str(files.control)]
    for name, value in options.items():
        made += ["-o", f"{name}={value}"]
    return [*made, "-L", f"127.0.0.1:{port}:{route.host}:{route.port}", f"{route.user}@{route.instance}"]


def free_ports(route: Route) -> Iterator[int]:
    """Free ports of 127.0.0.1, first the one that belongs to the route, so that it stays the same from run to run."""
    text = f"{route.project}|{route.host}|{route.port}"
    start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    for step in range(PORTS):
        port = FIRST_PORT + (start + step) % PORTS
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
    raise PlatformError("no local port is free", action="start", resource=route.title, hint="Close some programs.")


@contextmanager
def _locked(title: str) -> Iterator[Path]:
    """The folder of all forwards of this user, for one process at a time: what another is starting is left alone."""
    home = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"mlops-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise PlatformError(f"{home} belongs to somebody else", action="start", resource=title, hint="Remove it.")
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield home
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a watcher that was started meanwhile may still have the file


def _all(home: Path) -> list[Files]:
    return [Files(folder) for folder in sorted(home.iterdir()) if folder.is_dir()]


def _sweep(home: Path) -> None:
    """End what nobody has any more, and remove the traces of what is no more, as a SIGKILL leaves them."""
    for files in _all(home):
        owners = [owner for owner in files.read()["owners"] if _lives(owner)]
        if not owners or (owners == [STAYS] and not _control(files, "check")):
            _end(files)


def _lives(owner: str) -> bool:
    run = Run.parse(owner)
    return owner == STAYS or (run is not None and run.alive)


def _end(files: Files) -> None:
    _control(files, "exit")
    files.clear()


def _start(route: Route, files: Files, port: int) -> None:
    with files.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - a fixed program with arguments of our own
            command(route, files, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != VARIABLE},  # it may serve others, too
        )
    _await(route, files, process, port)


def _await(route: Route, files: Files, process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if files.control.exists() and _control(files, "check"):
            return
        time.sleep(0.05)
    process.terminate()
    said = files.log.read_text(errors="replace").strip()[-1500:] or "nothing was said"
    files.clear()
    raise PlatformError(
        said,
        action="start",
        resource=f"{route.title} on local port {port}",
        hint="Check that the bastion runs and that you may open an IAP tunnel to it and log in (role iap_access).",
    )


def _control(files: Files, word: str) -> bool:
    """Send *word* to the ssh in the background; whether one answered."""
    if not files.control.exists():
        return False
    line = ["ssh", "-F", "none", "-S", str(files.control), "-O", word, "bastion"]
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)  # noqa: S603 - our own ssh
    except subprocess.TimeoutExpired:  # it hangs: of no use to anybody
        return False
    return done.returncode == 0
