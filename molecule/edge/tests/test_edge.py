"""The load balancer and the sign-in with real requests, in front of a small backend in the place of the gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth import crypt, jwt
from google.auth.transport.requests import Request
from google.oauth2.service_account import IDTokenCredentials

from rehearsal.frontdoor import gate, iap
from tests.frontdoor.table import Case, Table
from tests.frontdoor.visitor import WORLD, Answer, Browser, Place
from tests.waiting import until

PROJECT, ZONE, REGION = "acme-mlops", "europe-west1-b", "europe-west1"
BACKEND = "10.10.0.77"
HOST = "mlflow.ml.acme.example"
SITE = f"https://{HOST}"
ALICE, BOB, EVE = "alice@acme.example", "bob@acme.example", "eve@acme.example"
HTML = ("accept", "text/html")
PATIENCE = 60.0
WORLD_FOLDER = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).parents[1]


@dataclass
class Street:
    """Where visitors stand: the office, and the world at any address."""

    office: Place
    world: Place
    alice: Browser
    bob: Browser
    eve: Browser
    service: dict[str, Any]

    @property
    def seal(self) -> iap.Seal:
        """The front door's own, for sessions that are nearly right."""
        return iap.Seal(WORLD_FOLDER / "frontdoor")

    def session(self, token: str) -> tuple[str, str]:
        """The header with a session cookie."""
        return "cookie", f"__Host-GCP_IAP_AUTH_TOKEN_{int(self.service['id']) & 0xFFFFFFFF:08X}={token}"


@pytest.fixture(scope="module")
def table(notes: Path) -> Iterator[Table]:
    made = Table("The load balancer and Identity-Aware Proxy")
    yield made
    made.write(notes)


@pytest.fixture(scope="module")
def backend() -> Iterator[Callable[[], None]]:
    """Starts the backend; calling the fixture's value stops or starts it again."""
    command = [*WORLD, sys.executable, "-m", "tests.frontdoor.echo", BACKEND, "small", "80", "15021"]
    running = [subprocess.Popen(command)]

    def turn() -> None:
        if running:
            process = running.pop()
            process.terminate()
            process.wait()
        else:
            running.append(subprocess.Popen(command))

    yield turn
    if running:
        turn()


@pytest.fixture(scope="module")
def street(compute: Any, play: Callable[..., str], backend: Callable[[], None]) -> Iterator[Street]:
    """The backend joined to the load balancer as GKE would, and three people signed in."""
    group = {"project": PROJECT, "zone": ZONE}
    network = f"projects/{PROJECT}/global/networks/mlops"
    part = f"projects/{PROJECT}/regions/{REGION}/subnetworks/mlops-{REGION}"
    body = {"name": "mlops-gateway", "network": network, "subnetwork": part, "networkEndpointType": "GCE_VM_IP_PORT"}
    groups = compute.networkEndpointGroups()
    _done(compute, groups.insert(**group, body=body).execute())
    endpoints = {"networkEndpoints": [{"ipAddress": BACKEND, "port": 80}]}
    attach = groups.attachNetworkEndpoints(**group, networkEndpointGroup="mlops-gateway", body=endpoints)
    _done(compute, attach.execute())
    play("playbooks/edge.yml")
    office, world = Place(), Place(WORLD)
    service = compute.backendServices().get(project=PROJECT, backendService="mlops").execute()
    people = [Browser(office) for _ in range(3)]
    made = Street(office, world, *people, service)
    until(lambda: made.alice.follow(SITE)[1].status == 200, "the load balancer", PATIENCE)
    until(lambda: made.alice.sign_in(f"{SITE}/", ALICE).status == 200, "the backend's health", PATIENCE)
    made.bob.sign_in(f"{SITE}/", BOB)
    made.eve.sign_in(f"{SITE}/", EVE)
    yield made
    office.leave()
    world.leave()


def _done(compute: Any, operation: dict[str, Any]) -> None:
    where = {"project": PROJECT, "zone": ZONE, "operation": operation["name"]}
    while operation["status"] != "DONE":
        operation = compute.zoneOperations().wait(**where).execute()
    assert "error" not in operation, operation


def told(answer: Answer) -> dict[str, str]:
    """The headers that reached the backend."""
    found: dict[str, str] = json.loads(answer.body)["headers"]
    return found


def _own_token(audience: str) -> str:
    info = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    email, now = info["client_email"], int(time.time())
    claims = {"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 600}
    return jwt.encode(crypt.RSASigner.from_service_account_info(info), claims).decode()


def _as(person: str, path: str = "/", *headers: tuple[str, str], **how: Any) -> Callable[[Street], Answer]:
    def send(street: Street) -> Answer:
        browser: Browser = getattr(street, person)
        return street.office.send(f"{SITE}{path}", [HTML, browser.cookie(HOST), *headers], **how)

    return send


def _nobody(path: str = "/", *headers: tuple[str, str], url: str = SITE, **how: Any) -> Callable[[Street], Answer]:
    return lambda street: street.office.send(f"{url}{path}", headers, **how)


def _with(token: Callable[[Street], str], **how: Any) -> Callable[[Street], Answer]:
    return lambda street: street.office.send(f"{SITE}/", [HTML, street.session(token(street))], **how)


def _argocd(person: str, **how: Any) -> Callable[[Street], Answer]:
    def send(street: Street) -> Answer:
        return street.office.send("https://argocd.ml.acme.example/", [getattr(street, person).cookie(HOST)], **how)

    return send


def _program(audience: str) -> Callable[[Street], Answer]:
    return _nobody("/", ("authorization", f"Bearer {_own_token(audience)}"))


def _oidc(street: Street) -> Answer:
    """As a program asks that has found out what the client is called: Google issues the token, and IAP refuses it."""
    path, audience = (
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"],
        gate.client_id({**street.service, "number": "417385926104"}),
    )
    credentials = IDTokenCredentials.from_service_account_file(path, target_audience=audience)
    credentials.refresh(Request())
    return _nobody("/", ("authorization", f"Bearer {credentials.token}"))(street)


JSON = ("content-type", "application/json")
SPOOFED = ("x-goog-authenticated-user-email", f"accounts.google.com:{ALICE}")
CASES = [
    Case("plain http", _nobody(url=f"http://{HOST}", path="/x?y=1"), {301}, True,
         lambda answer: answer.header("location") == f"{SITE}/x?y=1"),
    Case("no session, browser", _nobody("/", HTML), {302}, True,
         lambda answer: "accounts.google.com" in answer.header("location")),
    Case("no session, program", _nobody(), {401}, True, lambda answer: "empty token" in answer.body),
    Case("no session, script of a page", _nobody("/", HTML, ("x-requested-with", "XMLHttpRequest")), {401}, True),
    Case("expired session", _with(lambda s: s.seal.make(f"session {s.service['id']}", -1, email=ALICE)), {302}, True),
    Case("forged session", _with(lambda s: "eyJlbWFpbCI6ImFsaWNlIn0.AAAA"), {302}, True),
    Case("session of another service", _with(lambda s: s.seal.make("session 1", 60, email=ALICE)), {302}, True),
    Case("sign-in token as session", _with(lambda s: s.seal.make("signed-in", 60, email=ALICE)), {302}, True),
    Case("right user", _as("alice"), {200}, told=lambda answer: told(answer)["x-goog-authenticated-user-email"]
         == f"accounts.google.com:{ALICE}"),
    Case("right user of another group", _as("bob"), {200}),
    Case("wrong user", _as("eve"), {403}, True, lambda answer: EVE in answer.body),
    Case("wrong user, program", lambda s: s.office.send(SITE, [s.eve.cookie(HOST)]), {403}, True),
    Case("operators' host, operator", _argocd("alice"), {200}),
    Case("operators' host, user", _argocd("bob"), {403}, True),
    Case("operators' host with port, user", _argocd("bob", host="argocd.ml.acme.example:443"),
         {403}, True),
    Case("spoofed identity, no session", _nobody("/", HTML, SPOOFED), {302}, True),
    Case("spoofed identity with a session", _as("bob", "/", SPOOFED,
         ("x-goog-iap-jwt-assertion", "forged"), ("x-goog-other", "1")), {200},
         told=lambda answer: told(answer)["x-goog-authenticated-user-email"].endswith(BOB)
         and told(answer)["x-goog-iap-jwt-assertion"] != "forged" and "x-goog-other" not in told(answer)),
    Case("spoofed with underscores", _as("bob", "/", ("x_goog_iap_jwt_assertion", "forged")), {200},
         told=lambda answer: "forged" not in answer.body),
    Case("the session goes on to the gateway", _as("bob"), {200}, told=lambda answer: "GCP_IAP" in answer.body),
    Case("X-Forwarded-For has client and balancer", _as("bob", "/", ("x-forwarded-for", "1.2.3.4")), {200},
         told=lambda answer: told(answer)["x-forwarded-for"].split(",")[:2] == ["1.2.3.4", "203.0.113.10"]
         and len(told(answer)["x-forwarded-for"].split(",")) == 3),
    Case("requests come from Google's ranges", _as("bob"), {200},
         told=lambda answer: json.loads(answer.body)["peer"].startswith("35.191.")),
    Case("Via as Google's", _as("bob"), {200}, told=lambda answer: answer.header("via") == "1.1 google"
         and told(answer)["via"] == "1.1 google"),
    Case("HSTS", _as("bob"), {200}, told=lambda answer: answer.header("strict-transport-security") != ""),
    Case("program without the role", _program(f"{SITE}/*"), {403}, True),
    Case("program's token for another site", _program("https://other.example/*"), {401}, True,
         lambda answer: "audience" in answer.body),
    Case("program's OpenID Connect token, where Google manages the client", _oidc, {401}, True,
         lambda answer: "audience" in answer.body),
    Case("bearer garbage beside a session", _as("alice", "/", ("authorization", "Bearer x.y.z")), {401}, True),
    Case("Cloud Armor: SQL injection", _as("alice", "/?q=1'%20or%201=1"), {403}, True),
    Case("Cloud Armor: path traversal", _as("alice", "/static/../../../etc/passwd"), {403}, True),
    Case("Cloud Armor: SQL injection in JSON", _as("alice", "/", JSON, method="POST",
         body='{"filter": "a union select b"}'), {403}, True),
    Case("Cloud Armor: JSON that only looks like it", _as("alice", "/", JSON, method="POST",
         body='{"filter": "union", "view": "select"}'), {200}),
    Case("Cloud Armor: a large body", _as("alice", "/", method="POST", body="x" * 200_000), {200}),
    Case("Cloud Armor: scanner", _as("alice", "/", ("user-agent", "sqlmap/1.7")), {403}, True),
    Case("unknown host", _nobody("/", HTML, url="https://nothing.ml.acme.example"), {302}, True),
    Case("host of somebody else, no certificate", _nobody("/", HTML, url=SITE, sni="evil.example", host="evil.example"),
         {0}, True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, street: Street, table: Table) -> None:
    table.try_(case, street)


def test_a_session_does_not_outlive_the_membership(street: Street, table: Table) -> None:
    """Each request is judged anew. The emulated directory is quick: at Google this takes minutes, or hours."""
    statuses = [_as("bob")(street).status]
    for members in ([], [BOB]):
        body = json.dumps({"group": "ml-team-fraud@acme.example", "members": members})
        street.world.send("https://emulator.internal/groups", [], method="PUT", body=body)
        statuses.append(_as("bob")(street).status)
    table.add("user leaves the group and comes back", "200 403 200", " ".join(map(str, statuses)), 3)
    assert statuses == [200, 403, 200]


def test_what_is_taken_out_of_the_settings_is_refused(street: Street, table: Table, play: Callable[..., str]) -> None:
    left = json.dumps({"edge": {"users": ["group:platform-admins@acme.example"]}})
    play("playbooks/edge.yml", "-e", left)
    without = _as("bob")(street).status
    play("playbooks/edge.yml")
    again = _as("bob")(street).status
    table.add("user taken out of the settings and put back", "403 200", f"{without} {again}", 2, int(without == 200))
    assert (without, again) == (403, 200)


def test_a_client_above_the_rate_is_turned_away_and_others_are_not(street: Street, table: Table, compute: Any) -> None:
    policy = {"project": PROJECT, "securityPolicy": "mlops"}
    rule = compute.securityPolicies().getRule(**policy, priority=9000).execute()
    limit = {**rule["rateLimitOptions"], "rateLimitThreshold": {"count": 10, "intervalSec": 60}}
    compute.securityPolicies().patchRule(**policy, priority=9000, body={"rateLimitOptions": limit}).execute()
    session = [HTML, street.alice.cookie(HOST)]
    try:
        until(lambda: street.world.send(SITE, session, source="198.51.100.79").status == 429, "the new limit", PATIENCE)
        many = street.world.send(SITE, session, source="198.51.100.77", times=15)
        other = street.world.send(SITE, session, source="198.51.100.78")
    finally:
        compute.securityPolicies().patchRule(
            **policy, priority=9000, body={"rateLimitOptions": rule["rateLimitOptions"]}
        ).execute()
    statuses = [status for status, _ in json.loads(many.body)]
    passed = statuses.count(200)
    table.add(
        "Cloud Armor: 15 requests where 10 may", "10x 200, 5x 429", f"{passed}x 200, {statuses.count(429)}x 429", 16
    )
    assert statuses == [200] * 10 + [429] * 5
    assert other.status == 200


def test_without_a_healthy_backend_the_answer_is_googles_502(
    street: Street, table: Table, backend: Callable[[], None]
) -> None:
    backend()
    until(lambda: _as("alice")(street).status == 502, "the backend to be missed", PATIENCE)
    page = _as("alice")(street)
    assert "The server encountered a temporary error and could not complete your request." in page.body
    backend()
    until(lambda: _as("alice")(street).status == 200, "the backend to come back", PATIENCE)
    table.add("backend down, and back", "502 200", "502 200", 2)


def test_without_its_proof_in_dns_the_certificate_is_not_served(
    street: Street, table: Table, google_api: Callable[..., Any]
) -> None:
    dns = google_api("dns")
    zone = {"project": PROJECT, "managedZone": "ml-acme-example"}
    records = dns.resourceRecordSets().list(**zone).execute()["rrsets"]
    (proof,) = [record for record in records if record["type"] == "CNAME"]
    dns.changes().create(**zone, body={"deletions": [proof]}).execute()
    try:
        until(lambda: _as("alice")(street).status == 0, "the certificate to go", PATIENCE)
    finally:
        dns.changes().create(**zone, body={"additions": [proof]}).execute()
    until(lambda: _as("alice")(street).status == 200, "the certificate to come back", PATIENCE)
    table.add("certificate not active, and active", "no answer 200", "no answer 200", 2)


def test_nothing_leaked(table: Table) -> None:
    assert [row for row in table.rows if row[4]] == []
    assert len(table.rows) >= 35
