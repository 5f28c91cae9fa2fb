"""What the recorded runs found in place, made before by steps that the recordings do not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from rehearsal.google import catalog
from rehearsal.google.core import Cloud
from rehearsal.google.seed import enable, service_account_record
from rehearsal.google.services.compute.kinds import KINDS, stamp
from rehearsal.google.store import Record

Send = Callable[..., Awaitable[tuple[int, Any]]]
CALLER = "recorder@acme.example"
PROJECT, NUMBER = "acme-mlops", "417385926104"
REFERENCE = re.compile(
    r"(?:https://[^/]+/compute/\w+/)?(projects/[^/]+/(?:global|regions/[^/]+|zones/[^/]+)/(\w+)/([^/?]+))$"
)
DEFAULT: dict[str, dict[str, Any]] = {
    "networks": {
        "description": "Default network for the project",
        "mtu": 1460,
        "routingConfig": {"routingMode": "REGIONAL", "bgpBestPathSelectionMode": "LEGACY"},
    },
    "subnetworks": {},
}


def config(folder: str) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "number": NUMBER,
        "state_dir": folder,
        "accounts": [{"email": CALLER, "roles": ["roles/owner", "roles/iap.admin"]}],
    }


def prepare(cloud: Cloud) -> None:
    """All APIs on, and the default network that the recorded project had."""
    with cloud.store.transaction() as tx:
        for service in catalog.SERVICES:
            enable(cloud, tx, PROJECT, service.name)
        for text in (
            "global/networks/default",
            *(f"regions/{name}/subnetworks/default" for name in ("us-central1", "us-west2")),
        ):
            hit = REFERENCE.fullmatch(f"projects/{PROJECT}/{text}")
            assert hit is not None
            place(cloud, tx, hit, DEFAULT[hit.group(2)])


def place_operation(tx: Any, path: str, body: Any) -> None:
    """Puts an operation in place that began before the slice that was kept."""
    if "/compute/" not in path or "projects/" not in path or not isinstance(body, dict):
        return
    key = path[path.index("projects/") :]
    if tx.find(key) is None:
        done = {**body, "status": "DONE", "progress": 100, "endTime": body["insertTime"]}
        text = json.dumps(done).replace("/compute/beta/", "/compute/v1/")
        tx.put(Record("compute.operations", key, json.loads(text)))


def place_project(tx: Any, path: str, body: Any) -> None:
    """Gives the project what the recorded one had: labels, parent, audit configuration."""
    record = tx.get("projects", PROJECT)
    if record is None or not isinstance(body, dict):
        return
    if re.fullmatch(rf"/v[13]/projects/{PROJECT}", path):
        parent = body.get("parent", record.body["parent"])
        record.body["labels"] = body.get("labels", {})
        record.body["parent"] = parent if isinstance(parent, str) else f"{parent['type']}s/{parent['id']}"
        tx.put(record)
    if path.endswith(f"projects/{PROJECT}:getIamPolicy"):
        policy = tx.get("iam.policies", f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}")
        policy.body["auditConfigs"] = body.get("auditConfigs", [])
        tx.put(policy)


def replace_default(tx: Any, path: str, body: dict[str, Any]) -> None:
    """The default network and its subnetworks as the recorded project had them."""
    hit = REFERENCE.search(path)
    record = tx.find(hit.group(1)) if hit else None
    if record is not None:
        text = json.dumps(body).replace("/compute/beta/", "/compute/v1/")
        record.body = {**record.body, **json.loads(text)}
        tx.put(record)


def place_accounts(cloud: Cloud, tx: Any, request: dict[str, Any]) -> None:
    """The service accounts of the project that a policy names."""
    for text in strings(request.get("body")):
        email = text.removeprefix("serviceAccount:")
        if email != text and email.endswith(f"@{PROJECT}.iam.gserviceaccount.com"):
            record = service_account_record(cloud, tx, PROJECT, email, {})
            if tx.get(record.kind, record.key) is None:
                tx.put(record)


def place_ranges(cloud: Cloud, tx: Any, request: dict[str, Any]) -> None:
    """The allocated ranges that a connection of private services access names."""
    body = request.get("body")
    for name in body.get("reservedPeeringRanges", []) if isinstance(body, dict) else []:
        network = f"https://www.googleapis.com/compute/v1/{body['network'].replace(NUMBER, PROJECT)}"
        hit = REFERENCE.fullmatch(f"projects/{PROJECT}/global/addresses/{name}")
        assert hit is not None
        place(cloud, tx, hit, {"purpose": "VPC_PEERING", "address": "10.0.0.0", "prefixLength": 16, "network": network})


def place(cloud: Cloud, tx: Any, hit: re.Match[str], body: dict[str, Any]) -> None:
    """Puts a Compute resource in place if it is not there."""
    key, collection, name = hit.groups()
    parts = key.split("/")
    if parts[1] == NUMBER:
        key = key.replace(NUMBER, PROJECT, 1)
        parts = key.split("/")
    if collection not in KINDS or parts[1] != PROJECT or tx.find(key):
        return
    kind = KINDS[collection]
    minimal = {
        "networks": {"autoCreateSubnetworks": True},
        "subnetworks": {"ipCidrRange": "10.128.0.0/20", "gatewayAddress": "10.128.0.1"},
    }
    full = {"id": "1", "creationTimestamp": cloud.clock.pacific(), **minimal.get(collection, {}), **body}
    full |= {
        "name": name,
        "kind": f"compute#{kind.resource}",
        "selfLink": f"https://www.googleapis.com/compute/v1/{key}",
    }
    if collection == "subnetworks":
        full.setdefault("network", f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/{name}")
    full = json.loads(json.dumps(full).replace("/compute/beta/", "/compute/v1/"))
    stamp(kind, full)
    tx.put(Record(kind.store, key, full))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def arrange_user(cloud: Cloud, request: dict[str, Any], expected: dict[str, Any], user: str) -> None:
    """What uses a resource in the recorded run, but is not in the slice that was kept of it."""
    hit = REFERENCE.search(unquote(urlsplit(request["url"]).path))
    if request["method"] != "DELETE" or hit is None:
        return
    with cloud.store.transaction() as tx:
        refused = expected["status"] == 400 and "is not ready" not in json.dumps(expected.get("body"))
        if refused and tx.find(hit.group(1)) and not tx.users_of(hit.group(1)):
            tx.link(f"replay {hit.group(1)}", {"use": [hit.group(1)]})
        elif expected["status"] == 200:
            tx.link(f"replay {hit.group(1)}", {})
            for source, field in tx.users_of(hit.group(1)):
                if field == "replay":
                    tx.link(source, {})
            if user and user != hit.group(1):
                tx.link(user, {"replay": [hit.group(1)]})


def place_home(cloud: Cloud, subnetwork: re.Match[str]) -> None:
    """The network and subnetwork of a cluster that was made before the slice begins."""
    network = f"projects/{PROJECT}/global/networks/{subnetwork.group(2)}"
    with cloud.store.transaction() as tx:
        for key in (network, subnetwork.group(1)):
            if hit := REFERENCE.fullmatch(key):
                place(cloud, tx, hit, {})


@contextmanager
def unseen_account(cloud: Cloud, expected: dict[str, Any]) -> Iterator[None]:
    """A new service account is not seen yet where the recorded run did not see it (FACTS.md, IAM)."""
    text = json.dumps(expected.get("body"))
    if expected["status"] == 404 and re.search(r"Service account projects/\S+ does not exist", text):
        cloud.limits.change({"accounts_seconds": 1e9})
    try:
        yield
    finally:
        cloud.limits.change({"accounts_seconds": None})


def change(cloud: Cloud, request: dict[str, Any], settings: dict[str, Any]) -> None:
    """Switches that steps outside of the slice have turned, such as GKE those of its subnetwork."""
    hit = REFERENCE.search(unquote(urlsplit(request["url"]).path))
    with cloud.store.transaction() as tx:
        if hit and (record := tx.find(hit.group(1))):
            record.body |= settings
            tx.put(record)


async def arrange_disk(send: Send, request: dict[str, Any], expected: dict[str, Any]) -> None:
    """Attaches a disk to the instance that the recorded run made outside of the slice, or detaches it again."""
    path, body = unquote(urlsplit(request["url"]).path).replace("/beta/", "/v1/"), expected.get("body")
    if request["method"] != "GET" or "/disks/" not in path or not isinstance(body, dict) or "error" in body:
        return
    url = f"https://compute.googleapis.com{path}"
    _, disk = await send("GET", url)
    zone, name = url.rpartition("/disks/")[0], path.rpartition("/")[2]
    wanted = {user.rpartition("/")[2] for user in body.get("users", [])}
    now = {user.rpartition("/")[2] for user in disk.get("users", [])}
    if "lastDetachTimestamp" in body and not now and "lastDetachTimestamp" not in disk:
        now = {"helper"}
        await _attach(send, zone, "helper", name)
    for instance in now - wanted:
        await send("POST", f"{zone}/instances/{instance}/detachDisk?deviceName={name}")
    for instance in wanted - now:
        await _attach(send, zone, instance, name)


async def _attach(send: Send, zone: str, instance: str, disk: str) -> None:
    status, _ = await send("GET", f"{zone}/instances/{instance}")
    if status == 404:
        image = "projects/debian-cloud/global/images/family/debian-12"
        machine = {
            "name": instance,
            "machineType": f"zones/{zone.rpartition('/')[2]}/machineTypes/e2-micro",
            "disks": [{"boot": True, "initializeParams": {"sourceImage": image}}],
            "networkInterfaces": [{"network": "global/networks/default"}],
        }
        await send("POST", f"{zone}/instances", machine)
    source = f"{zone.partition('/compute/v1/')[2]}/disks/{disk}"
    await send("POST", f"{zone}/instances/{instance}/attachDisk", {"source": source, "deviceName": disk})
