"""Replays recorded Google Cloud traffic against the emulator and compares answer by answer.

The format of the recordings, and what their makers changed in them, is told in the folder's README.md: placeholders
are filled in here, names that stand for several things told apart (`untangle.py`), what other steps had made is put in
place (`scene.py`), and what may differ is one table (`tolerances.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from rehearsal.google.asgi import Application
from rehearsal.google.config import parse
from rehearsal.google.core import Cloud, Request
from rehearsal.google.serve import build
from rehearsal.google.substrate import NullSubstrate
from tests.google import compare, scene
from tests.google.untangle import Untangler

HELD_SECONDS = 1e6
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class NotARecording(Exception):
    """The file has not the recordings' format; the text says what is missing."""


def document_of(path: Path) -> dict[str, Any]:
    """The recording in a file.

    Raises:
        NotARecording: it cannot be read, is no JSON, or has no entries of requests and responses.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise NotARecording(f"{path}: {error}") from error
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or not isinstance(document.get("source", {}), dict):
        raise NotARecording(f'{path}: a recording is {{"source": {{...}}, "entries": [...]}}; this is not')
    for index, entry in enumerate(entries):
        try:
            complete = {"method", "url"} <= set(entry["request"]) and "status" in entry["response"]
        except (TypeError, KeyError):
            complete = False
        if not complete:
            raise NotARecording(f"{path}: entry {index} lacks request.method, request.url or response.status")
    return document


@dataclass
class Outcome:
    """How the replay of a file went; `differences` names the entry, the place and both values."""

    name: str
    total: int = 0
    differences: list[str] = field(default_factory=list)
    wrong: int = 0

    @property
    def passed(self) -> bool:
        """Whether every answer was as recorded."""
        return self.wrong == 0


class Replay:
    """One file against a fresh cloud."""

    def __init__(self, path: Path, name: str) -> None:
        self._document = document_of(path)
        self.outcome = Outcome(name)
        self._names: dict[str, str] = {}
        self._change = ""
        self._seen: dict[str, dict[str, Any]] = {}
        self._beta = "gcloud_" not in path.name and self._document.get("source", {}).get("evidence", "")[:1] != "T"
        text = path.read_text()
        self._default = set(re.findall(r'"[^"]*\$\{(\w+)\}[A-Z]\w*"\s*:', text))
        self._default |= set(re.findall(r"/networks/\$\{(subnetworkID)\}", text))
        self._project = self._recorded_project(text)
        self._aliases = self._recorded_aliases()
        self._entries = [
            {**entry, "request": self._real(entry["request"]), "response": self._real(entry["response"])}
            for entry in self._document["entries"]
        ]
        self._tangle = Untangler(self._entries)
        self._tangle.run()
        self._operations: dict[int, str] = {}

    def _recorded_aliases(self) -> dict[str, str]:
        """Placeholders that stand for a name which the request holds in another form (`test-${uniqueId}`)."""
        found = {}
        for entry in self._document["entries"]:
            body, answer = entry["request"].get("body"), entry["response"].get("body")
            if entry["request"]["method"] != "POST" or not isinstance(body, dict) or not isinstance(answer, dict):
                continue
            pairs = [(str(body.get("name", "")), str(answer.get("targetLink", "")).rpartition("/")[2])]
            found |= _aliases(pairs)
        for entry in self._document["entries"]:
            answer = entry["response"].get("body")
            if (
                entry["request"]["method"] == "GET"
                and isinstance(answer, dict)
                and "/operations/" not in entry["request"]["url"]
            ):
                pairs = [
                    (str(answer.get("name", "")), unquote(urlsplit(entry["request"]["url"]).path).rpartition("/")[2])
                ]
                found |= {name: value for name, value in _aliases(pairs).items() if name not in found}
        return found

    @staticmethod
    def _recorded_project(text: str) -> tuple[str, str]:
        """Id and number of the project in a cassette."""
        number = re.search(r'"projectNumber": "(\d+)"', text)
        raw = re.search(r"container\.googleapis\.com/v1beta1/projects/(\d+)/", text)
        found = number or raw
        return "example-project", found.group(1) if found else "123456789"

    async def run(self) -> Outcome:
        """Replays all entries."""
        with tempfile.TemporaryDirectory() as folder:
            application, cloud = build(parse(scene.config(folder)), NullSubstrate())
            try:
                scene.prepare(cloud)
                for index, entry in enumerate(self._entries):
                    await self._entry(application, cloud, index, entry)
            finally:
                await cloud.jobs.stop()
                cloud.close()
        return self.outcome

    async def _entry(self, application: Application, cloud: Cloud, index: int, entry: dict[str, Any]) -> None:
        request, expected = self._learned(entry["request"]), self._learned(entry["response"])
        request["url"] = self._polled(index, request["url"])
        self._prepare(request)
        self._arrange(cloud, request, expected, self._failure(index))
        await self._arrange_cluster(application, cloud, request, expected)
        await scene.arrange_disk(self._sender(application, cloud), request, expected)
        if outside := self._tangle.outside.get(index):
            scene.change(cloud, request, outside)
        await self._release(cloud, index)
        if expected["status"] == 409 and "not empty" in json.dumps(expected.get("body")):
            return  # shown right after the bucket was listed as empty (README.md, storage)
        with _held(cloud, index in self._tangle.held), scene.unseen_account(cloud, expected):
            for _ in range(entry.get("repeat", 1)):
                response = await application._answer(_request(request, self._token(cloud), self._beta))
                await _settle(cloud)
        body = self._collapsed(_json(response.content()))
        self._note(index, request, expected, body, response.status)
        self.outcome.total += 1
        differences = compare.compare(request, expected, response.status, body)
        if differences and request["method"] == "GET" and await self._is_twin(application, cloud, request, expected):
            differences = []
        if differences:
            self.outcome.wrong += 1
            what = f"#{index} {request['method']} {urlsplit(request['url']).path}"
            self.outcome.differences += [f"{what}: {item}" for item in differences]

    async def _is_twin(
        self, application: Application, cloud: Cloud, request: dict[str, Any], expected: dict[str, Any]
    ) -> bool:
        """Whether the recorded answer is that of another resource of the same recorded name.

        A reference does not say which one it means (two of three addresses of a NAT), so neither does what it changes.
        """
        place, _, query = request["url"].partition("?")
        head, _, name = place.rpartition("/")
        recorded = self._tangle.renamed.get(name, name)
        for other in (recorded, *(fresh for fresh, of in self._tangle.renamed.items() if of == recorded)):
            again = {**request, "url": f"{head}/{other}?{query}"}
            if other == name:
                continue
            response = await application._answer(_request(again, self._token(cloud), self._beta))
            if not compare.compare(again, expected, response.status, self._collapsed(_json(response.content()))):
                return True
        return False

    def _prepare(self, request: dict[str, Any]) -> None:
        """What the recorded request holds of the recorded run becomes this run's."""
        if "/changes/?" in request["url"]:  # the id of the change is left out of the recording
            request["url"] = request["url"].replace("/changes/?", f"/changes/{self._change}?")
        request["body"] = _untrimmed(request.get("body"))
        place = request["url"].partition("?")[0]
        if place.endswith(f"projects/{scene.PROJECT}:setIamPolicy"):  # cut lists must not lock out
            request["body"]["policy"]["bindings"].append({"role": "roles/owner", "members": [f"user:{scene.CALLER}"]})
        if "/services?" in request["url"]:
            request["url"] = re.sub(r"[?&]pageToken=[^&]*", "", request["url"])
        _refresh(request.get("body"), self._seen.get(_base(request["url"]), {}))

    def _note(self, index: int, request: dict[str, Any], expected: dict[str, Any], body: Any, status: int) -> None:
        self._learn(index, expected.get("body"), body)
        if isinstance(body, dict) and body.get("kind") == "dns#change":
            self._change = body["id"]
        if isinstance(body, dict) and status == 200:
            self._seen[_base(request["url"])] = body

    def _polled(self, index: int, url: str) -> str:
        """The URL with the name that the operation has in this run."""
        name = self._operations.get(self._tangle.polled.get(index, -1))
        return re.sub(r"/operations/[^/?]+", f"/operations/{name}", url) if name else url

    def _collapsed(self, body: Any) -> Any:
        """The answer with the one name by which the recording calls several resources."""
        text = json.dumps(body)
        for fresh, name in sorted(self._tangle.renamed.items(), key=lambda item: -len(item[0])):
            text = re.sub(rf"(?<![\w-]){re.escape(fresh)}(?![\w-])", name, text)
        return json.loads(text)

    async def _release(self, cloud: Cloud, index: int) -> None:
        """Lets the deletions end that had ended by now in the recorded run."""
        if index in self._tangle.held.values():
            cloud.jobs.hasten()
            for key in list(cloud.jobs._tasks):
                await cloud.jobs.settle(key, 10.0)

    def _sender(self, application: Application, cloud: Cloud) -> scene.Send:
        """A way for the scene to use the API."""

        async def send(method: str, url: str, body: Any = None) -> tuple[int, Any]:
            making = {"method": method, "url": url, "body": body}
            response = await application._answer(_request(making, self._token(cloud), False))
            await _settle(cloud)
            return response.status, _json(response.content())

        return send

    def _failure(self, index: int) -> str:
        """What the operation that entry `index` starts says of a user of the resource, if it fails."""
        entries = self._entries
        following = entries[index + 1] if index + 1 < len(entries) else {"request": {"url": ""}, "response": {}}
        if "/operations/" not in following["request"]["url"]:
            return ""
        text = json.dumps(following["response"].get("body"))
        hit = re.search(r"RESOURCE_IN_USE.*already being used by '([^']+)'", text)
        return hit.group(1) if hit else ""

    def _token(self, cloud: Cloud) -> str:
        return str(cloud.identities.issue(scene.CALLER)["access_token"])

    def _real(self, value: Any) -> Any:
        """The recorded value with placeholders and the recorded run's names filled in for this run."""
        text = json.dumps(value)
        text = _PLACEHOLDER.sub(lambda hit: self._placeholder(hit.group(1)), text)
        project, number = self._project
        text = re.sub(r"networkid (egress|ingress) rule", r"default \1 rule", text)
        text = text.replace(project, scene.PROJECT).replace(number, scene.NUMBER)
        text = re.sub(r"(projects/)\d{9,13}(?=[/\":])", rf"\g<1>{scene.NUMBER}", text)
        return json.loads(text)

    def _learned(self, value: Any) -> Any:
        """The value with the names that this run has given in place of recorded ones."""
        text = json.dumps(value)
        for recorded, actual in self._names.items():
            text = text.replace(recorded, actual)
        return json.loads(text)

    def _placeholder(self, name: str) -> str:
        known = {
            "projectId": scene.PROJECT,
            "projectNumber": scene.NUMBER,
            "uniqueId": "u12345",
            "organizationID": "520001",
        }
        if name in known:
            return known[name]
        if name in self._default:
            return "default"
        if name in self._aliases and f"${{{name}}}" not in self._aliases[name]:
            return _PLACEHOLDER.sub(lambda hit: self._placeholder(hit.group(1)), self._aliases[name])
        return name.lower()

    def _learn(self, index: int, expected: Any, actual: Any) -> None:
        """Which names this run has given."""
        if not isinstance(expected, dict) or not isinstance(actual, dict):
            return
        pattern = r"gke-[a-z0-9-]+-pe-subnet"
        old, new = re.search(pattern, json.dumps(expected)), re.search(pattern, json.dumps(actual))
        if old and new and old.group(0) != new.group(0):
            self._names[old.group(0)] = new.group(0)
        target = str(actual.get("targetLink", ""))
        if "locations/global/firewallPolicies/" in target:
            self._names["firewallpolicyid"] = target.rpartition("/")[2]
        if "nextPageToken" in expected and "nextPageToken" in actual:
            self._names[quote(expected["nextPageToken"], safe="")] = actual["nextPageToken"]
            self._names[expected["nextPageToken"]] = actual["nextPageToken"]
        if isinstance(actual.get("name"), str):
            self._operations[index] = actual["name"].rpartition("/")[2]

    def _arrange(self, cloud: Cloud, request: dict[str, Any], expected: dict[str, Any], user: str) -> None:
        """What the recorded run found in place, made before by steps that the recording does not hold."""
        scene.arrange_user(cloud, request, expected, user)
        if expected["status"] >= 400 and request["method"] not in ("PATCH", "PUT"):
            return
        with cloud.store.transaction() as tx:
            path = unquote(urlsplit(request["url"]).path)
            body = expected.get("body")
            if "/operations/" in path and request["method"] == "GET":
                scene.place_operation(tx, path, body)
                return
            if request["method"] == "GET" and path.endswith("/default") and isinstance(body, dict):
                scene.replace_default(tx, path, body)
            if request["method"] != "POST" and (hit := scene.REFERENCE.search(path)):
                body = expected.get("body") if isinstance(expected.get("body"), dict) else {}
                scene.place(cloud, tx, hit, body if body.get("kind", "").endswith("operation") is False else {})
            scene.place_project(tx, path, body)
            scene.place_ranges(cloud, tx, request)
            scene.place_accounts(cloud, tx, request)
            template = dict(parse_qsl(urlsplit(request["url"]).query)).get("sourceInstanceTemplate", "")
            if hit := scene.REFERENCE.fullmatch(template):
                text = json.dumps(self._entries).replace("/compute/beta/", "/compute/v1/")
                found = re.search(r'"network": "(https:[^"]+/global/networks/[^"]+)"', text)
                assert found is not None
                network = found.group(1)
                if used := scene.REFERENCE.search(network):
                    scene.place(cloud, tx, used, {})
                properties = {"machineType": "n1-standard-1", "networkInterfaces": [{"network": network}]}
                scene.place(cloud, tx, hit, {"properties": properties})
            for text in scene.strings(request.get("body")):
                if hit := scene.REFERENCE.fullmatch(text):
                    scene.place(cloud, tx, hit, {})

    async def _arrange_cluster(
        self, application: Application, cloud: Cloud, request: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        """A cluster that was made before the slice begins."""
        hit = re.search(r"(/v1beta1/projects/[^/]+/locations/([^/]+)/clusters)/([^/?:]+)(/nodePools)?", request["url"])
        missing = "Not found: projects/" in json.dumps(expected.get("body"))
        if hit is None or missing or (expected["status"] == 404 and not hit.group(4)):
            return
        with cloud.store.transaction() as tx:
            if tx.find(f"projects/{scene.PROJECT}/locations/{hit.group(2)}/clusters/{hit.group(3)}"):
                return
        body: dict[str, Any] = {"cluster": {"name": hit.group(3), "initialNodeCount": 1}}
        text = json.dumps(self._entries)
        if subnetwork := re.search(r'"subnetwork": "(projects/[^"]+/subnetworks/([^"]+))"', text):
            scene.place_home(cloud, subnetwork)
            body["cluster"] |= {"network": subnetwork.group(2), "subnetwork": subnetwork.group(1)}
        url = f"https://container.googleapis.com{hit.group(1)}"
        making = {"method": "POST", "url": url, "body": body}
        await application._answer(_request(making, self._token(cloud), False))
        await _settle(cloud)


def _aliases(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Two names of one resource: the one that is a bare placeholder stands for the other."""
    found = {}
    for one, other in pairs:
        for bare, name in ((one, other), (other, one)):
            hit = _PLACEHOLDER.fullmatch(bare)
            if hit and name and name != bare and not _PLACEHOLDER.fullmatch(name) and re.fullmatch(r"[\w${}-]+", name):
                found[hit.group(1)] = name
    return found


def _untrimmed(value: Any) -> Any:
    """A body without the marks of lists that were cut."""
    if isinstance(value, dict):
        return {key: _untrimmed(item) for key, item in value.items() if not key.startswith("_trimmed_")}
    return [_untrimmed(item) for item in value] if isinstance(value, list) else value


def _base(url: str) -> str:
    """The resource that a URL is about, without its verb."""
    path = unquote(urlsplit(url).path).replace("/compute/beta/", "/compute/v1/")
    path = path.replace(":setIamPolicy", ":getIamPolicy").replace("/global/targetHttp", "/targetHttp")
    return re.sub(
        r"(/(setLabels|addRule|patchRule|removeRule|setUrlMap|setTarget|resize)|:setResourceLabels|:setMaintenancePolicy)$",
        "",
        path,
    )


def _refresh(body: Any, seen: dict[str, Any]) -> None:
    """Fingerprints and etags of the recorded run become those that this run has shown."""
    if not isinstance(body, dict):
        return
    for name in ("etag", "fingerprint", "labelFingerprint", "resourceVersion"):
        if name in body and name in seen:
            body[name] = seen[name]
    for name in ("policy", "serviceAccount", "maintenancePolicy"):
        _refresh(body.get(name), seen.get(name, seen) if name == "maintenancePolicy" else seen)


def _request(recorded: dict[str, Any], token: str, beta: bool) -> Request:
    url = urlsplit(recorded["url"])
    path = url.path.replace("/compute/v1/", "/compute/beta/") if beta else url.path
    query = [(name, value) for name, value in parse_qsl(url.query, keep_blank_values=True) if name != "prettyPrint"]
    content = json.dumps(recorded["body"]).encode() if recorded.get("body") is not None else b""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return Request(recorded["method"], url.netloc, path, tuple(query), headers, content)


async def _settle(cloud: Cloud) -> None:
    """Waits for what runs behind the operations, but for those that are held up."""
    for key in list(cloud.jobs._tasks):
        with cloud.store.transaction() as tx:
            job = tx.get("world.jobs", key)
        if job is None or job.hidden["due"] - cloud.clock.now() < HELD_SECONDS / 2:
            await cloud.jobs.settle(key, 10.0)


@contextmanager
def _held(cloud: Cloud, hold: bool) -> Iterator[None]:
    """Operations that begin within last until they are told to end, if `hold`."""
    cloud.clock.scale = HELD_SECONDS if hold else 0.0
    try:
        yield
    finally:
        cloud.clock.scale = 0.0


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")


def replay(path: Path, name: str) -> Outcome:
    """Replays one file.

    Raises:
        NotARecording: the file is none.
    """
    return asyncio.run(Replay(path, name).run())


__all__ = ["Outcome", "replay"]
