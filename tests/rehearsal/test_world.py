"""Worlds as a whole: what a command inside sees, and what is left when they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.world import cgroups, record
from tests.waiting import until

from .conftest import COMMAND, Lab

pytestmark = pytest.mark.world
DEADLINE = 20.0


def _network_namespaces() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.add(str(path.readlink()))
        except OSError:
            continue  # a process that ended meanwhile
    return found


def _namespace_of(pid: int | None) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _leftovers(lab: Lab, networks: set[str]) -> list[str]:
    """Everything of the world that the machine still has."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    left = [line for line in processes.splitlines() if lab.name in line]
    left += [line for line in Path("/proc/mounts").read_text().splitlines() if lab.name in line]
    left += sorted(networks & _network_namespaces())
    left += [str(top) for top in cgroups.hierarchies() if (top / cgroups.root_name(lab.folder)).exists()]
    left += [str(path) for path in Path("/sys/class/net").iterdir() if path.name == "office0"]
    return left


def test_exit_status_folder_and_credentials_pass(lab: Lab) -> None:
    done = lab.run("sh", "-c", 'pwd; cat "$GOOGLE_APPLICATION_CREDENTIALS"; echo ":$PLATFORM_GIT_TOKEN"; exit 7')
    assert done.returncode == 7
    assert done.stdout.splitlines()[0] == str(Path.cwd())
    assert '"client_email": "deployer@acme-mlops.iam.gserviceaccount.com"' in done.stdout
    assert ":git_" in done.stdout


def test_nothing_that_leads_to_a_real_cloud_comes_along(lab: Lab) -> None:
    real = {
        "GCP_ACCESS_TOKEN": "ya29.real",
        "GOOGLE_CLOUD_PROJECT": "real",
        "KUBECONFIG": "/real",
        "HTTPS_PROXY": "x:1",
    }
    seen = lab.cli("run", "--", "env", env={**real, "LANG": "C.UTF-8"}).stdout.splitlines()
    assert not [line for line in seen if line.partition("=")[0] in real]
    assert "LANG=C.UTF-8" in seen


def test_a_command_that_does_not_exist_is_named(lab: Lab) -> None:
    done = lab.run("no-such-program")
    assert done.returncode == 1
    assert "'no-such-program'" in done.stderr


def test_a_command_ended_by_a_signal(lab: Lab) -> None:
    assert lab.run("sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


_CONNECT = """
import socket, sys
try:
    socket.create_connection(("{host}", {port}), timeout=3).close()
    print("open")
except OSError as error:
    print(error.strerror or error)
"""


@pytest.mark.parametrize("private", ["10.0.0.50", "10.10.0.5", "172.16.0.2", "192.168.1.1", "169.254.169.254"])
def test_the_office_sees_no_private_address(lab: Lab, private: str) -> None:
    assert lab.python(_CONNECT.format(host=private, port=53)) == "No route to host"


def test_the_office_sees_public_addresses_and_the_vpc_its_own(lab: Lab) -> None:
    assert lab.python(_CONNECT.format(host="8.8.8.8", port=53)) == "open"
    assert lab.python(_CONNECT.format(host="169.254.169.254", port=53), place="world") == "open"


def test_nothing_leaves_the_world(lab: Lab) -> None:
    assert lab.python(_CONNECT.format(host="93.184.215.14", port=80)) == "Connection refused"
    interfaces = lab.python("import socket; print(sorted(n for _, n in socket.if_nameindex()))", place="world")
    assert "eth0" not in interfaces


@pytest.mark.parametrize("host", ["compute.googleapis.com", "git.acme.example", "quay.io"])
def test_certificates_are_trusted_without_any_setting(lab: Lab, host: str) -> None:
    connect = f"import http.client; c = http.client.HTTPSConnection({host!r}); c.request('GET', '/')"
    done = lab.run("env", "-i", sys.executable, "-c", f"{connect}; print(c.getresponse().status)")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 500


def test_status_says_what_is_what(lab: Lab) -> None:
    done = lab.cli("status")
    assert done.returncode == 0
    for expected in ("google", "ready", "Emulated", "Stand-ins", "no cluster, machine or database"):
        assert expected in done.stdout


@pytest.mark.parametrize(
    ("service", "address"), [("internet", "https://git.acme.example"), ("frontdoor", "https://www.gstatic.com")]
)
def test_a_service_that_dies_is_started_again(lab: Lab, service: str, address: str) -> None:
    before = lab.world.services()[service]
    lab.run("kill", "-9", str(before["pid"]))
    until(lambda: lab.world.services()[service]["restarts"] > before["restarts"], "a restart", DEADLINE)
    until(lambda: lab.world.services()[service]["state"] == "ready", "it to be ready", DEADLINE)
    assert lab.run("curl", "--silent", "--max-time", "10", address).returncode == 0


def test_logs(lab: Lab) -> None:
    assert "is set up" in lab.cli("logs", "init").stdout
    missing = lab.cli("logs", "nobody")
    assert missing.returncode == 1
    assert "There are: frontdoor, google, hypervisor, init, internet" in missing.stderr


def test_two_worlds_side_by_side_then_down_leaves_nothing(lab: Lab, make_lab: Callable[[], Lab]) -> None:
    other = make_lab()
    assert other.cli("up", "--nodes", "none").returncode == 0
    office = other.python("import os; print(os.readlink('/proc/self/ns/net'))")
    networks = {_namespace_of(other.world.pid), office}
    busy = [*COMMAND, "run", "--world", other.name, "--", "sleep", "1000"]
    sleeper = subprocess.Popen(busy, cwd=Path(__file__).parents[2])
    until(lambda: other.run("pgrep", "-x", "sleep").returncode == 0, "the program to begin", DEADLINE)
    assert _namespace_of(lab.world.pid) not in networks
    assert other.cli("down").returncode == 0
    assert sleeper.wait(DEADLINE) == 128 + signal.SIGKILL, "what runs in a world ends with it"
    until(lambda: not _leftovers(other, networks), lambda: f"the end of {_leftovers(other, networks)}", DEADLINE)
    assert lab.run("getent", "hosts", "git.acme.example").returncode == 0, "the other world is not touched"


def test_a_killed_world_is_cleaned_by_the_next_up(make_lab: Callable[[], Lab]) -> None:
    lab = make_lab()
    assert lab.cli("up", "--nodes", "none").returncode == 0
    first = lab.world
    networks = {_namespace_of(first.pid)}
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: not lab.world.alive, "the world to end", DEADLINE)
    until(lambda: not networks & _network_namespaces(), "its programs to end with it", DEADLINE)
    assert lab.cli("status").returncode == 3
    assert lab.cli("up").returncode == 0
    assert lab.world.pid != first.pid
    assert lab.world.nodes == "none", "a world keeps its settings"
    assert lab.run("getent", "hosts", "git.acme.example").returncode == 0
    assert lab.cli("down", "--delete").returncode == 0
    assert not lab.folder.exists()


def test_up_twice_is_one_world(lab: Lab) -> None:
    pid = lab.world.pid
    assert lab.cli("up").returncode == 0
    assert lab.world.pid == pid
    refused = lab.cli("up", "--nodes", "simulated")
    assert refused.returncode == 1
    assert f"rehearsal down --world {lab.name}" in refused.stderr


def test_a_world_that_is_down_says_how_to_start_it(make_lab: Callable[[], Lab]) -> None:
    done = make_lab().run("true")
    assert done.returncode == 1
    assert "rehearsal up --world" in done.stderr


@pytest.mark.parametrize("name", ["", "Upper", "-dash", "dash-", "a" * 31, "dot.dot"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(RehearsalError, match="no name for a world"):
        record.World(name)


def test_worlds_of_one_name_in_two_states_share_no_cgroup(tmp_path: Path) -> None:
    """Ending one of them once ended the other's pods and machines."""
    names = {cgroups.root_name(tmp_path / state / "worlds" / "default") for state in ("one", "two")}
    assert len(names) == 2


CUT = """
import asyncio, subprocess
from rehearsal.cluster import cables

async def main():
    await cables.join("cut", "10.10.9.99", "10.10.0.1")
    left = subprocess.Popen(["ip", "netns", "exec", "cut", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    left.stdout.readline()
    await cables.cut("cut")
    print(left.wait(5))
    await cables.join("cut", "10.10.9.99", "10.10.0.1")
    await cables.cut("cut")

asyncio.run(main())
"""
MEMBERS = """
import subprocess
from rehearsal.world import cgroups

folder = cgroups.systemd_hierarchies()[-1] / "rehearsal-members" / "below"
folder.mkdir(parents=True)
left = subprocess.Popen(["sleep", "60"])
(folder / "cgroup.procs").write_text(str(left.pid))
cgroups.end_members("rehearsal-members")
print(left.wait(5))
assert cgroups.remove_tree(folder.parent)
"""


def test_an_address_is_free_again_whatever_still_ran_behind_it(lab: Lab) -> None:
    """What failed: pods outlived their node, so that after a teardown no cluster could be made in the same network."""
    assert lab.python(CUT, place="world") == "-9"


def test_all_that_runs_below_a_control_group_is_ended(lab: Lab) -> None:
    assert lab.python(MEMBERS, place="world") == "-9"
