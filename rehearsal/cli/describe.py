"""What `rehearsal status` says: plainly what is real, what is emulated, what is a stand-in."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import TypedDict

from rehearsal.toolchain import images
from rehearsal.world import company
from rehearsal.world.record import World

HYPERVISOR_SECONDS = 10.0


class Thing(TypedDict):
    """Something the hypervisor runs; `mode` says how (systemd, sshd, kubelet, simulated, ...)."""

    kind: str
    key: str
    mode: str
    detail: str


_EMULATED = (
    ("Google Cloud's APIs", "an emulator that checks every request against Google's own API descriptions"),
    ("IAP tunnels", "a relay that speaks the real protocol and honours IAM and firewall rules"),
    (
        "load balancer",
        "Envoy, configured from what the emulated one is; Cloud Armor by a few signatures of each rule set",
    ),
    (
        "IAP sign-in",
        "sessions, IAM and signed headers as Google's, with a page to choose an account in place of its own",
    ),
    ("public DNS", "answers the world's names and the zones made in the emulated Cloud DNS"),
)
_STAND_INS = (
    ("Git host", "git's own smart HTTP server with accounts, in the place of the company's"),
    ("image registries", "serve images assembled on this machine under their upstream names"),
    ("release hosts", "serve the files that are pinned, from this machine's cache"),
)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("hypervisor", timeout=HYPERVISOR_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def things(world: World) -> list[Thing] | str:
    """What the hypervisor runs, or why it can't say."""
    connection = _UnixConnection(world.folder / "run" / "hypervisor.sock")
    try:
        connection.request("POST", "/status", body="{}", headers={"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, ValueError) as error:
        return f"the hypervisor does not answer: {error}"
    found: list[Thing] = answer["result"] if isinstance(answer, dict) else answer
    return found


def lines(world: World) -> list[str]:
    """The status of a running world, ready to print."""
    rights = "an ordinary user (a user namespace)" if world.user_mode else "root"
    out = [f"World {world.name!r}: up, process {world.pid}, made by {rights}, {world.nodes} nodes", "", "Services"]
    for name, entry in world.services().items():
        restarts = f", restarted {entry['restarts']} times" if entry["restarts"] else ""
        out.append(f"  {name:<12} {entry['state']}{restarts}")
    out += ["", "Real (programs that really run)", *real(world)]
    out += ["", "Emulated", *(f"  {name:<22} {text}" for name, text in _EMULATED)]
    out += ["", "Stand-ins", *stand_ins()]
    if world.user_mode:
        out += ["", "Not without root: machines with systemd (here an SSH server), real nodes (here simulated)"]
    people = company.load()
    out += ["", f"Project {people.project}, credentials {world.folder / 'credentials' / 'deployer.json'}"]
    return out


def stand_ins() -> list[str]:
    """What takes the place of something that cannot be had here, images included."""
    different = [(image.name, image.stand_in) for image in images.IMAGES if image.stand_in]
    everything = [*_STAND_INS, *different]
    width = max(len(name) for name, _ in everything)
    return [f"  {name:<{width}}  {text}" for name, text in everything]


def real(world: World) -> list[str]:
    """What the hypervisor runs, a line each."""
    found = things(world)
    if isinstance(found, str):
        return [f"  unknown: {found}"]
    if not found:
        return ["  nothing yet: no cluster, machine or database has been created"]
    return [f"  {thing['kind']:<10} {thing['key']}  [{thing['mode']}] {thing['detail']}" for thing in found]
