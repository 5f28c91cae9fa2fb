"""What the gate decides: whom it lets through with which headers, and whom it turns away how."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from google.auth import jwt
from google.auth.crypt import es256

from rehearsal.frontdoor import iap
from rehearsal.frontdoor.gate import Gate, People, questions, session_cookie, sites

HOST = "mlflow.ml.example.com"
SERVICE: dict[str, Any] = {
    "id": "7001", "key": "projects/p/global/backendServices/mlops", "number": "417", "name": "mlops",
    "iap": {"enabled": True, "oauth2ClientId": "client.apps"}, "rules": [],
    "readsJson": True,
}  # fmt: skip
ANN, BOB, GUEST = "ann@example.com", "bob@example.com", "guest@partner.example"
ROBOT = "robot@p.iam.gserviceaccount.com"
HTML = {"accept": "text/html", "host": HOST, "x-forwarded-for": "203.0.113.7"}


class Directory:
    """Ann and the guest may; the token `good` is a program's."""

    def __init__(self) -> None:
        self.clients: list[str] = []

    async def admits(self, service: str, email: str, host: str, path: str) -> bool:
        return email in (ANN, GUEST, ROBOT) and service == SERVICE["key"] and host == HOST

    async def program(self, token: str, client: str, url: str) -> tuple[str, str]:
        self.clients.append(client)
        good = token == "good" and client == "client.apps"
        return (ROBOT, "") if good else ("", "Invalid JWT audience")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    people = People([ANN, BOB, GUEST], "example.com")
    made = Gate(Directory(), iap.Keys(tmp_path), iap.Seal(tmp_path), people, "34.120.1.2")
    made.services = {"7001": SERVICE}
    return made


@pytest.fixture
async def ask(gate: Gate) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(questions(gate))) as client:
        yield client


def cookie(gate: Gate, email: str, seconds: float = 60, purpose: str = "session 7001") -> dict[str, str]:
    return {**HTML, "cookie": f"a=b; {session_cookie(SERVICE)}={gate.seal.make(purpose, seconds, email=email)}; c=d"}


async def check(
    ask: TestClient[Any, Any], headers: dict[str, str], path: str = "/x"
) -> tuple[int, dict[str, str], str]:
    async with ask.get(f"/check/7001{path}", headers=headers, allow_redirects=False) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.text()


async def test_a_browser_without_a_session_is_sent_to_sign_in(ask: TestClient[Any, Any]) -> None:
    status, headers, _ = await check(ask, HTML)
    place = urlsplit(headers["location"])
    assert (status, place.netloc) == (302, "accounts.google.com")
    assert parse_qs(place.query)["client_id"] == ["client.apps"]
    assert "__Host-GCP_IAP_XSRF_NONCE" in headers["set-cookie"]


async def test_cloud_armor_comes_first_and_reads_the_body(gate: Gate, ask: TestClient[Any, Any]) -> None:
    match = {"expr": {"expression": "evaluatePreconfiguredWaf('sqli-v33-stable')"}}
    rule = {"priority": 1, "action": "deny(403)", "match": match}
    body, headers = '{"kind": "union", "then": "select"}', {**HTML, "content-type": "application/json"}
    for reads_json, watched, expected in ((True, False, 302), (False, False, 403), (False, True, 302)):
        gate.services = {"7001": {**SERVICE, "rules": [{**rule, "preview": watched}], "readsJson": reads_json}}
        async with ask.post("/check/7001/x", data=body, headers=headers, allow_redirects=False) as answer:
            assert answer.status == expected


@pytest.mark.parametrize("extra", [{"accept": "application/json"}, {"x-requested-with": "XMLHttpRequest"}])
async def test_programs_and_scripts_get_401(ask: TestClient[Any, Any], extra: dict[str, str]) -> None:
    status, _, text = await check(ask, {**HTML, **extra})
    assert (status, text) == (401, "Invalid IAP credentials: empty token")


async def test_a_session_gets_verifiable_headers(gate: Gate, ask: TestClient[Any, Any]) -> None:
    status, headers, _ = await check(ask, cookie(gate, ANN))
    assert status == 200
    verifier = es256.ES256Verifier(gate.keys.current().public())
    claims = jwt.decode(headers["x-goog-iap-jwt-assertion"], verifier, verify=False)
    token = headers["x-goog-iap-jwt-assertion"]
    signed, _, signature = token.rpartition(".")
    assert verifier.verify(signed.encode(), iap._decode(signature))
    assert claims["aud"] == "/projects/417/global/backendServices/7001"
    assert (claims["iss"], claims["email"], claims["hd"]) == (iap.ISSUER, ANN, "example.com")
    assert claims["exp"] - claims["iat"] == 600
    assert headers["x-goog-authenticated-user-email"] == f"accounts.google.com:{ANN}"
    assert headers["x-forwarded-for"] == "203.0.113.7,34.120.1.2"


async def test_only_accounts_of_the_hosted_domain_have_one(gate: Gate, ask: TestClient[Any, Any]) -> None:
    """As Google says `hd`: neither of people with accounts of their own nor of programs."""
    answers = [await check(ask, cookie(gate, GUEST)), await check(ask, {**HTML, "authorization": "Bearer good"})]
    claims = [jwt.decode(headers["x-goog-iap-jwt-assertion"], verify=False) for _, headers, _ in answers]
    assert [claim["email"] for claim in claims] == [GUEST, ROBOT]
    assert ["hd" in claim for claim in claims] == [False, False]


async def test_cookies_go_on_as_they_came(gate: Gate, ask: TestClient[Any, Any]) -> None:
    """The session's, too, as Google may do: the platform's gateway must keep it from applications."""
    status, headers, _ = await check(ask, cookie(gate, ANN))
    assert status == 200
    assert "cookie" not in headers
    assert "x-envoy-auth-headers-to-remove" not in headers


async def test_what_clients_say_about_themselves_is_dropped(gate: Gate, ask: TestClient[Any, Any]) -> None:
    spoofed = {
        **cookie(gate, ANN),
        "x-goog-iap-jwt-assertion": "x",
        "x-goog-authenticated-user-email": "root",
        "x-goog-anything": "y",
    }
    _, headers, _ = await check(ask, spoofed)
    assert headers["x-envoy-auth-headers-to-remove"] == "x-goog-anything"
    assert headers["x-goog-authenticated-user-email"] == f"accounts.google.com:{ANN}"


@pytest.mark.parametrize(
    ("seconds", "purpose", "status"), [(-1, "session 7001", 302), (60, "session 7002", 302), (60, "signed-in", 302)]
)
async def test_old_and_other_sessions_are_none(
    gate: Gate, ask: TestClient[Any, Any], seconds: float, purpose: str, status: int
) -> None:
    assert (await check(ask, cookie(gate, ANN, seconds, purpose)))[0] == status


async def test_a_forged_session_is_none(gate: Gate, ask: TestClient[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    token = iap.Seal(tmp_path / "other").make("session 7001", 60, email=ANN)
    assert (await check(ask, {**HTML, "cookie": f"{session_cookie(SERVICE)}={token}"}))[0] == 302


async def test_somebody_without_the_role_is_refused_by_name(gate: Gate, ask: TestClient[Any, Any]) -> None:
    status, _, text = await check(ask, cookie(gate, BOB))
    assert status == 403
    assert BOB in text


@pytest.mark.parametrize("name", ["authorization", "proxy-authorization"])
async def test_programs_bring_tokens(ask: TestClient[Any, Any], name: str) -> None:
    assert (await check(ask, {**HTML, name: "Bearer good"}))[0] == 200
    status, _, text = await check(ask, {**HTML, name: "Bearer other"})
    assert (status, text) == (401, "Invalid IAP credentials: Invalid JWT audience")


async def test_a_client_that_google_manages_lets_no_token_in(gate: Gate, ask: TestClient[Any, Any]) -> None:
    gate.services = {"7001": {**SERVICE, "iap": {"enabled": True, "oauth2ClientId": None}}}
    assert (await check(ask, {**HTML, "authorization": "Bearer good"}))[0] == 401
    assert isinstance(gate.directory, Directory)
    assert gate.directory.clients == [""]


async def test_signing_in_from_beginning_to_end(gate: Gate, ask: TestClient[Any, Any]) -> None:
    _, begun, _ = await check(ask, HTML, "/runs?x=1")
    nonce = begun["set-cookie"].partition(";")[0]
    state = parse_qs(urlsplit(begun["location"]).query)["state"][0]
    async with TestClient(TestServer(sites(gate))) as google:
        async with google.get("/o/oauth2/v2/auth", params={"state": state}) as page:
            assert ANN in await page.text()
        async with google.post("/signin/choose", data={"state": state, "email": ANN}, allow_redirects=False) as chosen:
            back = urlsplit(chosen.headers["location"])
    target = f"{back.path}?{back.query}"
    assert (await check(ask, HTML, target))[0] == 401  # another browser than the one that was sent there
    assert (await check(ask, {**HTML, "host": "other.example.com", "cookie": nonce}, target))[0] == 401
    status, done, _ = await check(ask, {**HTML, "cookie": nonce}, target)
    assert (status, done["location"]) == (302, f"https://{HOST}/runs?x=1")
    assert (await check(ask, {**HTML, "cookie": done["set-cookie"].partition(";")[0]}))[0] == 200


async def test_nobody_signs_in_as_a_stranger(gate: Gate) -> None:
    state = gate.seal.make("sign-in", 60, url=f"https://{HOST}/", service="7001", nonce="n")
    async with TestClient(TestServer(sites(gate))) as google:
        answers = [
            await google.post("/signin/choose", data=data, allow_redirects=False)
            for data in ({"state": state, "email": "mallory@elsewhere.example"}, {"state": "x.y", "email": ANN})
        ]
        assert [answer.status for answer in answers] == [400, 400]


def test_a_new_key_is_published_before_it_signs(tmp_path: Path) -> None:
    now = [1000.0]
    keys = iap.Keys(tmp_path, lambda: now[0])
    first = keys.current()
    second = keys.rotate(90)
    assert [key.id for key in keys.all()] == [first.id, second.id]
    assert keys.current() == first
    now[0] += 91
    assert keys.current() == second
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    assert "pem" not in json.dumps([key.jwk() for key in keys.all()])
