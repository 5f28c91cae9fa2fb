"""A local port that leads through Identity-Aware Proxy and the bastion to an address inside the VPC.

One OpenSSH client in the background with a control socket; whoever asks again for the same target is given the same
port. Nothing of it survives :func:`stop`, the end of the run it was started for, or a reboot.
"""

from __future__ import annotations

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
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import PlatformError
from .runs import VARIABLE

START_SECONDS = 60.0
FIRST_PORT, PORTS = 20000, 10000


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


@dataclass(frozen=True)
class Files:
    """Where the running forward of a route leaves its traces: a folder of ours alone, with a short path for sockets."""

    folder: Path

    @classmethod
    def of(cls, route: Route) -> Files:
        """The files of *route*; the folder is made if needed."""
        text = "|".join((route.project, route.zone, route.instance, route.instance_id, route.host, str(route.port)))
        folder = _home() / f"{_prefix()}{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise PlatformError(
                f"{folder} belongs to somebody else", action="start", resource=route.title, hint="Remove it."
            )
        return cls(folder)

    @property
    def control(self) -> Path:
        """ssh's control socket."""
        return self.folder / "ssh"

    @property
    def log(self) -> Path:
        """What ssh and the tunnel say."""
        return self.folder / "log"

    @property
    def record(self) -> Path:
        """The port and the route, as JSON."""
        return self.folder / "route.json"


def sweep() -> None:
    """Remove the traces of forwards that are no more, as a SIGKILL leaves them."""
    for folder in _home().glob(f"{_prefix()}*"):
        files = Files(folder)
        if folder.is_dir() and not folder.is_symlink() and not _control(files, "check"):
            _clear(files)


def ensure(route: Route, *, stays: bool = False) -> tuple[int, bool]:
    """The local port of a running forward, and whether it had to be started. Raises PlatformError.

    *stays*: it is to outlive the run that it is started in.
    """
    files = Files.of(route)
    port = running_port(route, files)
    if port:
        return port, False
    stop(route)
    files = Files.of(route)
    port = next(free_ports(route))
    files.record.write_text(json.dumps({"port": port, "route": asdict(route)}))
    with files.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - a fixed program with arguments of our own
            command(route, files, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not (stays and name == VARIABLE)},
        )
    _await(route, files, process, port)
    return port, True


def stop(route: Route) -> bool:
    """End the forward and remove its traces; whether there was one."""
    files = Files.of(route)
    alive = _control(files, "exit")
    _clear(files)
    return alive


def running_port(route: Route, files: Files) -> int:
    """The port of a forward that runs for exactly this route, else 0."""
    try:
        record = json.loads(files.record.read_text())
    except (OSError, ValueError):
        return 0
    if record.get("route") != asdict(route) or not _control(files, "check"):
        return 0
    return int(record["port"])


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


def _home() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())


def _prefix() -> str:
    return f"mlops-{os.getuid()}-"


def _clear(files: Files) -> None:
    for path in (files.control, files.record, files.log):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # ssh may be writing its last word
        files.folder.rmdir()


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
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)  # noqa: S603 - our own ssh
    return done.returncode == 0
