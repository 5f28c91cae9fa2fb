"""The ssh command that the iap_ssh connection builds."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLES = {
    "inventory_hostname": "bastion",
    "ansible_user": "sa_1",
    "iap_project": "acme-ml",
    "iap_zone": "europe-west1-b",
    "iap_instance": "mlops-bastion",
}


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    from ansible.plugins.loader import fragment_loader

    init_plugin_loader()
    fragment_loader.add_directory(str(REPOSITORY / "plugins" / "doc_fragments"))
    connection_loader.add_directory(str(REPOSITORY / "plugins" / "connection"))


def _connection(tmp_path: Path, **variables: Any) -> Any:
    connection = connection_loader.get("iap_ssh", PlayContext(), None)
    known = {"iap_known_hosts": str(tmp_path / "state" / "known_hosts")}
    connection.set_options(var_options={**VARIABLES, **known, **variables})
    return connection


def _options(connection: Any) -> dict[str, str]:
    """ssh's view of the command: the first value of every -o option."""
    words = [word.decode() for word in connection._build_command("ssh", "ssh", "bastion", "true")]
    assert words[0] == "ssh"
    pairs = [words[index + 1].partition("=") for index, word in enumerate(words) if word == "-o"]
    return {name: value for name, _, value in reversed(pairs)}


def test_the_proxy_command_is_our_own_client(tmp_path: Path) -> None:
    options = _options(_connection(tmp_path, iap_impersonate_service_account="sa@acme.example"))
    words = shlex.split(options["ProxyCommand"])
    assert words[0] == sys.executable
    assert Path(words[1]).name == "tunnel_cli.py"
    assert Path(words[1]).exists()
    expected = "--port 22 --project acme-ml --zone europe-west1-b --instance mlops-bastion --interface nic0"
    assert " ".join(words[2:]) == f"{expected} --impersonate sa@acme.example"


def test_host_keys_are_kept_by_instance_id(tmp_path: Path) -> None:
    options = _options(_connection(tmp_path, iap_instance_id="42"))
    assert options["HostKeyAlias"] == "compute.42"
    assert options["StrictHostKeyChecking"] == "accept-new"
    assert options["UserKnownHostsFile"] == f'"{tmp_path}/state/known_hosts"'
    assert (tmp_path / "state").is_dir()
    assert _options(_connection(tmp_path))["HostKeyAlias"] == "mlops-bastion.europe-west1-b.acme-ml"


def test_an_inventory_cannot_weaken_the_host_key_check(tmp_path: Path) -> None:
    options = _options(_connection(tmp_path, ansible_ssh_common_args="-o StrictHostKeyChecking=no"))
    assert options["StrictHostKeyChecking"] == "accept-new"


def test_shared_connections_are_not_shared_between_machines_or_identities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path(**variables: Any) -> str:
        return str(_options(_connection(tmp_path, **variables))["ControlPath"])

    mine = path()
    assert path() == mine
    assert path(iap_project="other") != mine
    assert path(iap_instance_id="42") != mine
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/another/key.json")
    assert path() != mine


def test_the_client_explains_itself_when_run_as_a_file() -> None:
    tool = REPOSITORY / "plugins" / "module_utils" / "gcloud" / "tunnel_cli.py"
    done = subprocess.run([sys.executable, str(tool), "--help"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0
    assert "--instance" in done.stdout
