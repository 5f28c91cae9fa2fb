"""The bastion: reached through Identity-Aware Proxy only, and hardened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

PROJECT, ZONE = "acme-mlops", "europe-west1-b"
# Without root, machines are a plain SSH server; docs/rehearsal.md says so.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs a real machine, which needs root")


@pytest.fixture(scope="module")
def sshd(bastion: Host) -> dict[str, str]:
    """The server's settings as it understands them."""
    with bastion.sudo():
        lines = bastion.check_output("/usr/sbin/sshd -T").splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("permitrootlogin", "no"),
        ("passwordauthentication", "no"),
        ("kbdinteractiveauthentication", "no"),
        ("authenticationmethods", "publickey"),
        ("allowtcpforwarding", "local"),
        ("allowagentforwarding", "no"),
        ("allowstreamlocalforwarding", "no"),
        ("x11forwarding", "no"),
        ("permittunnel", "no"),
        ("gatewayports", "no"),
        ("permitopen", "172.16.0.2:443"),
    ],
)
def test_the_ssh_server_is_hardened(sshd: dict[str, str], name: str, value: str) -> None:
    assert sshd[name] == value


def test_a_password_is_not_asked_for(controller: Host, ssh_config: Path) -> None:
    said = controller.run(
        f"ssh -F {ssh_config} -o ControlPath=none -o PubkeyAuthentication=no "
        "-o PreferredAuthentications=password,keyboard-interactive bastion true </dev/null"
    )
    assert said.rc == 255
    assert "Permission denied (publickey)" in said.stderr


def test_ssh_forwards_to_the_control_plane_only(bastion: Host, controller: Host, ssh_config: Path) -> None:
    assert bastion.run("true").rc == 0
    said = controller.run(f"ssh -F {ssh_config} -o ControlPath=none -W 10.40.0.2:5432 bastion </dev/null")
    assert said.rc == 255
    assert "administratively prohibited" in said.stderr


def test_the_firewall_drops_what_is_not_from_iap(bastion: Host) -> None:
    with bastion.sudo():
        rules = bastion.check_output("/usr/sbin/nft list ruleset")
    chain_of_input = rules.partition("chain input")[2].partition("chain ")[0]
    assert "hook input priority filter; policy drop;" in chain_of_input
    accepted = [line.strip() for line in chain_of_input.splitlines() if "dport" in line]
    assert accepted == ["ip saddr 35.235.240.0/20 tcp dport 22 accept"]
    assert "hook forward priority filter; policy drop;" in rules


def test_the_firewall_is_on_after_a_reboot(bastion: Host) -> None:
    service = bastion.service("nftables")
    assert service.is_enabled
    assert service.is_running


@pytest.mark.parametrize("name", ["ca-certificates", "curl", "jq", "nftables", "unattended-upgrades"])
def test_the_operators_tools_are_installed(bastion: Host, name: str) -> None:
    assert bastion.package(name).is_installed


def test_nothing_but_ssh_listens(bastion: Host) -> None:
    listening = {socket for socket in bastion.socket.get_listening_sockets() if socket.startswith("tcp://")}
    assert {socket.rpartition(":")[2] for socket in listening if "127.0.0." not in socket} == {"22"}


def test_the_machine_has_no_external_address_and_no_other_keys(compute: Any) -> None:
    machine = compute.instances().get(project=PROJECT, zone=ZONE, instance="mlops-bastion").execute()
    (interface,) = machine["networkInterfaces"]
    assert "accessConfigs" not in interface
    assert machine["shieldedInstanceConfig"]["enableSecureBoot"] is True
    assert machine["serviceAccounts"][0]["email"] == f"mlops-bastion@{PROJECT}.iam.gserviceaccount.com"
    metadata = {item["key"]: item["value"] for item in machine["metadata"]["items"]}
    assert metadata["enable-oslogin"] == "TRUE"
    assert metadata["block-project-ssh-keys"] == "TRUE"
    assert "ssh-keys" not in metadata


def test_the_office_cannot_reach_it_directly(compute: Any, controller: Host) -> None:
    machine = compute.instances().get(project=PROJECT, zone=ZONE, instance="mlops-bastion").execute()
    address = machine["networkInterfaces"][0]["networkIP"]
    program = f"import socket; socket.create_connection(('{address}', 22), timeout=5)"
    assert "No route to host" in controller.run(f'python3 -c "{program}"').stderr
