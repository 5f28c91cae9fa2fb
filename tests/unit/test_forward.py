"""The forward through the bastion: its command line, its port, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gcloud import forward
from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.forward import STAYS, Files, Route, _locked, command, ensure, free_ports, release
from plugins.module_utils.gcloud.runs import VARIABLE, Run
from tests.waiting import until

ROUTE = Route(
    project="acme-ml",
    zone="europe-west1-b",
    instance="mlops-bastion",
    instance_id="42",
    user="sa_1",
    key_file="/keys/key",
    host="172.16.0.2",
    port=443,
    known_hosts="/state/known_hosts",
    program="/programs/tunnel_cli.py",
)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_command_line_pins_the_host_key_and_reads_no_other_configuration() -> None:
    line = command(replace(ROUTE, service_account_file="/keys/sa 1.json"), Files(Path("/run/x")), 20001)
    assert line[:3] == ["ssh", "-F", "none"]
    assert line[-1] == "sa_1@mlops-bastion"
    assert "127.0.0.1:20001:172.16.0.2:443" in line
    text = " ".join(line)
    for part in ("HostKeyAlias=compute.42", "StrictHostKeyChecking=accept-new", "BatchMode=yes", "IdentitiesOnly=yes"):
        assert part in text
    assert "--service-account-file '/keys/sa 1.json'" in text


def test_the_folder_is_of_the_user_alone_and_belongs_to_the_way(tmp_path: Path) -> None:
    with _locked("x") as home:
        assert home.stat().st_mode & 0o777 == 0o700
        first = Files.of(home, ROUTE)
        assert Files.of(home, ROUTE).folder == first.folder
        assert Files.of(home, replace(ROUTE, key_file="/keys/other")).folder == first.folder  # no other way
        assert Files.of(home, replace(ROUTE, host="10.40.0.3", port=5432)).folder != first.folder
        assert Files.of(home, replace(ROUTE, impersonate="robot@p")).folder != first.folder
    assert len(str(first.control)) < 108


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"mlops-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(PlatformError, match="belongs to somebody else"):
        ensure(ROUTE)


def test_the_port_stays_the_same_from_run_to_run_while_it_is_free() -> None:
    assert next(free_ports(ROUTE)) == next(free_ports(ROUTE))


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that answers on its control socket as OpenSSH does; what it was told is in the file."""
    said = tmp_path / "said"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f"""#!{sys.executable}
import os, pathlib, sys, time
words = sys.argv[1:]
socket = pathlib.Path(words[words.index("-S") + 1])
with open({str(said)!r}, "a") as said:
    print(words[words.index("-O") + 1] if "-O" in words else "start", file=said)
if "-O" not in words:
    socket.write_text("")
    while socket.exists():
        time.sleep(0.05)
elif not socket.exists():
    sys.exit(1)
elif "exit" in words:
    socket.unlink()
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return said


def sleeper() -> subprocess.Popen[bytes]:
    """A process that stands for a run."""
    return subprocess.Popen(["sleep", "60"])


def owners() -> list[str]:
    """The runs that share the way."""
    with _locked("x") as home:
        found: list[str] = Files.of(home, ROUTE).read()["owners"]
        return found


def starts(said: Path) -> int:
    return said.read_text().split().count("start")


def test_runs_share_a_way_and_the_last_one_ends_it(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed: the second run's way was closed under it when the first ended."""
    first, second = sleeper(), sleeper()
    monkeypatch.setenv(VARIABLE, str(Run.of(first.pid)))
    port = ensure(ROUTE)
    monkeypatch.setenv(VARIABLE, str(Run.of(second.pid)))
    assert ensure(replace(ROUTE, program="/other/checkout/tunnel_cli.py")) == port
    assert starts(running) == 1
    first.kill()
    first.wait()
    until(lambda: owners() == [str(Run.of(second.pid))], "the first to be gone from the books", 20)
    assert ensure(ROUTE) == port
    assert starts(running) == 1
    second.kill()
    second.wait()
    until(lambda: running.read_text().split()[-1] == "exit", "the way to be closed with its last run", 20)


def test_a_run_that_closes_the_way_leaves_it_to_the_other(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sleeper(), sleeper()
    for run in (first, second):
        monkeypatch.setenv(VARIABLE, str(Run.of(run.pid)))
        ensure(ROUTE)
    assert release(ROUTE.bastion, str(Run.of(first.pid))) is False
    assert release(ROUTE.bastion, str(Run.of(second.pid))) is True
    assert running.read_text().split()[-1] == "exit"
    for run in (first, second):
        run.kill()
        run.wait()


def test_another_run_does_not_sweep_a_way_that_is_being_opened(
    running: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What failed: its control socket is not there yet, and so it looked like what a killed run had left."""
    other = replace(ROUTE, host="10.40.0.3")
    with ThreadPoolExecutor(8) as pool:
        ports = list(pool.map(lambda number: ensure(other if number % 2 else ROUTE, stays=True), range(8)))
    assert len(set(ports)) == 2
    assert starts(running) == 2
    assert release(ROUTE.bastion, STAYS) is True


def test_what_killed_runs_left_is_swept(running: Path, tmp_path: Path) -> None:
    with _locked("x") as home:
        files = Files.of(home, ROUTE)
        files.write({"port": 20001, "bastion": ROUTE.bastion, "owners": ["1:2"]})
    ensure(replace(ROUTE, host="10.40.0.3"), stays=True)
    assert not files.folder.exists()
    assert release(ROUTE.bastion, STAYS) is True
    assert [path.name for path in home.iterdir()] == ["lock"]


def test_what_ssh_says_is_in_the_error(tmp_path: Path) -> None:
    program = tmp_path / "tunnel_cli.py"
    program.write_text("import sys; sys.exit('the relay refused: 4003')")
    with pytest.raises(PlatformError) as caught:
        ensure(replace(ROUTE, program=str(program), known_hosts=str(tmp_path / "hosts")))
    assert "the relay refused: 4003" in str(caught.value)
    assert "Check that the bastion runs" in str(caught.value)


def test_an_ssh_that_hangs_is_of_no_use_and_stops_nobody(
    running: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("ssh", 20)

    ensure(ROUTE, stays=True)
    with monkeypatch.context() as patch:
        patch.setattr(forward.subprocess, "run", hang)
        assert release(ROUTE.bastion, STAYS) is True
