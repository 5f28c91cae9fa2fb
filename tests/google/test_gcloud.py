"""Every request that gcloud was seen to send gets an answer that gcloud can use.

The requests are those of `gcloud-requests.jsonl`, what gcloud insists on is section 7 of `gcloud-against-emulator.md`
(both below `SHARED`; the test skips where they are absent).
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import deque
from pathlib import Path
from typing import Any

from rehearsal.google.asgi import Application
from rehearsal.google.config import parse
from rehearsal.google.core import Cloud, Request, Response
from rehearsal.google.serve import build
from rehearsal.google.substrate import NullSubstrate
from tests.google import scene
from tests.google.shared import shared

_HOSTS = (
    (r"^/compute/|^/batch/", "compute"),
    (r"/iap_(tunnel|web)/", "iap"),
    (r"/clusters|/locations/[\w-]+/operations/", "container"),
    (r"/serviceAccounts", "iam"),
    (r"/services(/|:|$)|^/v1/operations/", "serviceusage"),
    (r"^/v1/users/", "oslogin"),
    (r"^/v1/projects/[^/]+$", "cloudresourcemanager"),
)
_OPERATION = ("kind", "name", "selfLink", "targetLink", "operationType", "status", "progress")
_BYTES = ("fingerprint", "labelFingerprint", "etag")
_VERSION = re.compile(r"\d+\.\d+\.\d+-gke\.\d+")


class Gcloud:
    """Sends the requests in order; operations, etags and fingerprints are those of this run."""

    def __init__(self, application: Application, cloud: Cloud) -> None:
        self._application = application
        self._token = str(cloud.identities.issue(scene.CALLER)["access_token"])
        self._operations: dict[str, str] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        self._parts: deque[dict[str, Any]] = deque()
        self.complaints: list[str] = []

    async def send(self, recorded: dict[str, Any]) -> None:
        """One line of the file."""
        text = json.dumps(recorded).replace("demo-proj", scene.PROJECT).replace("123456789012", scene.NUMBER)
        line: dict[str, Any] = json.loads(text)
        line["path"] = re.sub(r"^/(container|crm|su)(?=/)", "", line["path"])
        line["path"] = re.sub(r"(.*/operations)/([^/]+)", self._operation, line["path"])
        self._refresh(line)
        if line["method"].startswith("BATCH:"):
            self._parts.append(line)
        elif line["path"].startswith("/batch/"):
            self._note(line, await self._batch(line["path"]))
        else:
            self._note(line, await self._application._answer(self._request(line)))

    def _operation(self, hit: re.Match[str]) -> str:
        return f"{hit.group(1)}/{self._operations.get(hit.group(1), hit.group(2))}"

    def _refresh(self, line: dict[str, Any]) -> None:
        """What gcloud had just read comes back in what it writes."""
        body = line.get("body")
        if not isinstance(body, dict):
            return
        seen = self._seen.get(line["path"].replace(":setIamPolicy", ":getIamPolicy"), {})
        for target in (body, body.get("policy", {})):
            for name in _BYTES:
                if name in target:
                    target[name] = seen.get(name)
            for name in [key for key in target if target[key] is None]:
                del target[name]
        if "policy" in body:
            body["policy"]["bindings"] += seen.get("bindings", [])
        if line["path"].endswith("setCommonInstanceMetadata"):
            body.pop("fingerprint", None)

    def _request(self, line: dict[str, Any]) -> Request:
        api = next(name for pattern, name in _HOSTS if re.search(pattern, line["path"].partition("?")[0].split(":")[0]))
        if re.search(r"^/v1/projects/[^/]+:", line["path"]):
            api = "cloudresourcemanager"
        content = json.dumps(line["body"]).encode() if line.get("body") is not None else b""
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        query = tuple((name, str(value)) for name, value in line["query"].items())
        return Request(line["method"], f"{api}.googleapis.com", line["path"], query, headers, content)

    async def _batch(self, path: str) -> Response:
        """The parts since the last batch, in gcloud's form (section 10)."""
        lines = []
        for number, part in enumerate(self._parts):
            head = f"--x\nContent-Type: application/http\nContent-ID: <part+{number}>\n\n"
            http = f"{part['method'].removeprefix('BATCH:')} {part['path']}?alt=json HTTP/1.1\n"
            body = json.dumps(part["body"]) if part.get("body") else ""
            lines.append(f"{head}{http}Content-Type: application/json\nAuthorization: Bearer {self._token}\n\n{body}\n")
        self._parts.clear()
        headers = {"authorization": f"Bearer {self._token}", "content-type": 'multipart/mixed; boundary="x"'}
        request = Request("POST", "compute.googleapis.com", path, (), headers, ("".join(lines) + "--x--\n").encode())
        response = await self._application._answer(request)
        answered = response.content().decode()
        if answered.count("HTTP/1.1 200") != len(lines):
            self.complaints.append(f"batch of {len(lines)}: {answered[:500]}")
        for name in re.findall(
            r'"selfLink": "https://www.googleapis.com(/compute/v1/[^"]+/operations/[^"]+)"', answered
        ):
            self._operations[name.rpartition("/")[0]] = name.rpartition("/")[2]
        return Response({}, response.status)

    def _note(self, line: dict[str, Any], response: Response) -> None:
        what = f"{line['command']}: {line['method']} {line['path']}"
        try:
            body = json.loads(response.content() or b"{}")
        except ValueError:
            self.complaints.append(f"{what}: no JSON")
            return
        if response.status >= 400:
            self._refusal(what, response.status, body)
            return
        self._seen[line["path"]] = body
        self.complaints += [f"{what}: {text}" for text in _wrong(line["method"], body)]
        name, link = str(body.get("name", "")), str(body.get("selfLink", ""))
        if "/operations/" in link or name.startswith("operations/"):
            collection = re.sub(r"^https://[^/]+|/[^/]+$", "", link or f"/v1/{name}")
            collection = collection.replace(f"/projects/{scene.NUMBER}/", f"/projects/{scene.PROJECT}/")
            self._operations[collection] = name.rpartition("/")[2]

    def _refusal(self, what: str, status: int, body: Any) -> None:
        error = body.get("error", {})
        if status >= 500 or not {"code", "message"} <= set(error) or error["code"] != status:
            self.complaints.append(f"{what}: {status} {json.dumps(body)[:300]}")


def _wrong(method: str, body: dict[str, Any]) -> list[str]:
    """What gcloud would trip over in an answer."""
    found = [f"{name} is no base64" for name in _BYTES if name in body and not _is_base64(body[name])]
    kind = body.get("kind")
    if kind == "compute#operation":
        found += [f"the operation has no {name}" for name in _OPERATION if name not in body]
        if method == "DELETE" and not body["operationType"].endswith("delete"):
            found.append(f"deletion is called {body['operationType']}")
    clusters = body.get("clusters", [body] if "masterAuth" in body else [])
    for cluster in clusters:
        for name in ("currentMasterVersion", "currentNodeVersion"):
            if not _VERSION.fullmatch(str(cluster.get(name))):
                found.append(f"{name} is {cluster.get(name)}")
        if cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"].get("enabled") is not True:
            found.append("ipEndpointsConfig.enabled is not true")
        found += [f"the cluster has no {name}" for name in ("endpoint", "status", "location") if not cluster.get(name)]
        if not cluster["masterAuth"].get("clusterCaCertificate"):
            found.append("no clusterCaCertificate")
    return found


def _is_base64(value: Any) -> bool:
    try:
        return bool(base64.urlsafe_b64decode(str(value)))
    except ValueError:
        return False


def test_every_request_of_gcloud_is_answered(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in shared("docs", "gcloud-requests.jsonl").read_text().splitlines()]

    async def run() -> list[str]:
        application, cloud = build(parse(scene.config(str(tmp_path))), NullSubstrate())
        try:
            scene.prepare(cloud)
            gcloud = Gcloud(application, cloud)
            for line in lines:
                await gcloud.send(line)
                for key in list(cloud.jobs._tasks):
                    await cloud.jobs.settle(key, 10.0)
            return gcloud.complaints
        finally:
            await cloud.jobs.stop()
            cloud.close()

    assert len(lines) > 200
    assert asyncio.run(run()) == []
