"""The forward through the bastion: its command line, its port, and what it leaves behind."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from plugins.module_utils.gcloud.errors import PlatformError
from plugins.module_utils.gcloud.forward import Files, Route, command, ensure, free_ports, running_port, stop

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


def test_the_command_line_pins_the_host_key_and_reads_no_other_configuration() -> None:
    line = command(replace(ROUTE, service_account_file="/keys/sa 1.json"), Files.of(ROUTE), 20001)
    assert line[:3] == ["ssh", "-F", "none"]
    assert line[-1] == "sa_1@mlops-bastion"
    assert "127.0.0.1:20001:172.16.0.2:443" in line
    text = " ".join(line)
    for part in ("HostKeyAlias=compute.42", "StrictHostKeyChecking=accept-new", "BatchMode=yes", "IdentitiesOnly=yes"):
        assert part in text
    assert "--service-account-file '/keys/sa 1.json'" in text


def test_the_folder_is_of_the_user_alone_and_belongs_to_the_route() -> None:
    first = Files.of(ROUTE)
    assert first.folder.stat().st_mode & 0o777 == 0o700
    assert Files.of(ROUTE) == first
    assert Files.of(replace(ROUTE, host="10.40.0.3", port=5432)) != first
    assert len(str(first.control)) < 108


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    folder = Files.of(ROUTE).folder
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(PlatformError, match="belongs to somebody else"):
        Files.of(ROUTE)


def test_the_port_stays_the_same_from_run_to_run_while_it_is_free() -> None:
    assert next(free_ports(ROUTE)) == next(free_ports(ROUTE))


def test_a_record_without_a_running_ssh_counts_for_nothing() -> None:
    files = Files.of(ROUTE)
    assert running_port(ROUTE, files) == 0
    files.record.write_text(json.dumps({"port": 20001, "route": asdict(ROUTE)}))
    assert running_port(ROUTE, files) == 0
    assert stop(ROUTE) is False
    assert not files.folder.exists()


def test_what_ssh_says_is_in_the_error(tmp_path: Path) -> None:
    program = tmp_path / "tunnel_cli.py"
    program.write_text("import sys; sys.exit('the relay refused: 4003')")
    with pytest.raises(PlatformError) as caught:
        ensure(replace(ROUTE, program=str(program), known_hosts=str(tmp_path / "hosts")))
    assert "the relay refused: 4003" in str(caught.value)
    assert "Check that the bastion runs" in str(caught.value)
