"""From the public address through Identity-Aware Proxy and the gateway to applications, for the right people only.

Routes come from Git, as people write them: two small backends behind several hosts, each with other rules.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.auth import jwt
from google.auth.crypt import es256
from kubernetes import client

from plugins.module_utils.gitops.handoff import hand_off
from rehearsal.frontdoor import iap
from tests.frontdoor.pods import manifests
from tests.frontdoor.table import Case, Table
from tests.frontdoor.visitor import WORLD, Answer, Browser, Headers, Place
from tests.waiting import until

PROJECT, COMPANY, DOMAIN = "acme-mlops", "acme.example", "ml.acme.example"
REPOSITORY = "https://git.acme.example/platform/mlops-platform.git"
ALICE, BOB, EVE = "alice@acme.example", "bob@acme.example", "eve@acme.example"
HTML = ("accept", "text/html")
ASSERTION = "x-goog-iap-jwt-assertion"
BALANCER, NODE, STRANGER = "35.191.8.20", "10.10.0.99", "198.51.100.9"
PATIENCE, KEY_LEAD = 120.0, 75.0
SHARED_REQUESTS = 500
WORLD_FOLDER = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).parents[1]
ONE, OTHER = {"service": "one.door", "port": 80}, {"service": "other.door", "port": 80}
ROUTES = {
    "shop": {
        "to": [{**ONE, "weight": 80}, {**OTHER, "weight": 20}],
        "routes": [
            {"headers": {"x-canary": "always"}, "to": [OTHER]},
            {"paths": ["/preview/*"], "headers": {"x-canary": "maybe"}, "to": [OTHER]},
        ],
    },
    "api": {"to": [ONE], "paths": {"only": ["/api/*"], "except": ["/api/admin*"]}},
    "desk": {"to": [ONE], "clients": {"only": ["192.0.2.0/24"], "except": ["192.0.2.66"]}},
    "anns": {"to": [ONE], "who": {"emails": [ALICE]}},
    "guests": {"to": [ONE], "who": {"domains": ["partner.example"]}},
    "staff": {"to": [ONE], "who": {"domains": [COMPANY]}},
    "grouped": {"to": [ONE], "groups": ["analysts"], "drop": ["x-remote-user"]},
}


@dataclass
class Street:
    """Where visitors stand, and what they know."""

    office: Place
    world: Place
    people: dict[str, Browser]
    gateway: str
    argocd: str
    service: dict[str, Any]

    def visit(self, who: str, site: str, path: str = "/", *headers: tuple[str, str], **how: Any) -> Answer:
        """By the public address, signed in as somebody."""
        place = self.world if "source" in how else self.office
        session = self.people[who].cookie(f"mlflow.{DOMAIN}")
        return place.send(f"https://{site}.{DOMAIN}{path}", [session, *headers], **how)

    def wear(self, who: str, site: str, cookies: str) -> Answer:
        """As `visit`, with cookies of the site's own: `cookies` says where among them the session is."""
        name, session = self.people[who].cookie(f"mlflow.{DOMAIN}")
        return self.office.send(f"https://{site}.{DOMAIN}/", [(name, cookies.format(session=session))])

    def posts(self, who: str, origin: str) -> Answer:
        """To MLflow's API, as a browser does from a page of that origin."""
        headers = (("origin", origin), ("content-type", "application/json"))
        body = json.dumps({"experiment_ids": ["0"], "max_results": 1})
        return self.visit(who, "mlflow", "/ajax-api/2.0/mlflow/runs/search", *headers, method="POST", body=body)

    def knock(self, host: str, headers: Headers = (), path: str = "/", **how: Any) -> Answer:
        """At the gateway's pod itself, round the load balancer."""
        how = {"source": BALANCER, "to": self.gateway, **how}
        return self.world.send(f"http://{host}.{DOMAIN}{path}", headers, **how)

    def signed(self, email: str = ALICE, key: iap.Key | None = None, **claims: Any) -> tuple[str, str]:
        """The header with an assertion; `claims` replace those of a good one."""
        key = key or iap.Keys(WORLD_FOLDER / "frontdoor").current()
        good = jwt.decode(iap.assertion(key, self.service, email, COMPANY, time.time()), verify=False)
        token = jwt.encode(es256.ES256Signer.from_string(key.pem, key.id), {**good, **claims})
        return ASSERTION, token.decode()


@pytest.fixture(scope="module")
def table(notes: Path) -> Iterator[Table]:
    made = Table("From the public address to the applications")
    yield made
    made.write(notes)


@pytest.fixture(scope="module")
def backends(cluster: client.ApiClient) -> Iterator[None]:
    """Two Services that tell what reaches them."""
    core = client.CoreV1Api(cluster)
    core.create_namespace({"metadata": {"name": "door"}})
    for name in ("one", "other"):
        pod, service = manifests(name)
        core.create_namespaced_pod("door", pod)
        core.create_namespaced_service("door", service)
    yield
    core.delete_namespace("door")


ARGOCD = ("argoproj.io", "v1alpha1", "argocd")
INGRESS = (*ARGOCD, "applications", "ingress")


def commit(path: str, content: dict[str, Any]) -> str:
    """Write a file into Git as a person would, and return the commit."""
    options = {
        "repository": REPOSITORY, "branch": "main", "username": "platform-bot",
        "password": os.environ["PLATFORM_GIT_TOKEN"], "message": "Expose applications",
        "author": "Ann <ann@acme.example>", "files": {path: yaml.safe_dump(content, sort_keys=False)},
        "seeds": {}, "owned_folders": [], "trees": [], "downloads": [], "archives": [], "may_be_missing": False,
    }  # fmt: skip
    return hand_off(options, check=False).revision


def look(cluster: client.ApiClient, kind: str, name: str, annotation: str, value: str) -> None:
    """Have Argo CD look at Git now, if it knows of this already."""
    mark = {"metadata": {"annotations": {f"argocd.argoproj.io/{annotation}": value}}}
    try:
        client.CustomObjectsApi(cluster).patch_namespaced_custom_object(*ARGOCD, kind, name, mark)
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def push(cluster: client.ApiClient, applications: dict[str, Any]) -> str:
    """Write routes.yaml, have Argo CD look at it, and return the commit."""
    revision = commit("routes.yaml", {"applications": applications})
    look(cluster, "applications", "ingress", "refresh", "normal")
    return revision


def ingress(cluster: client.ApiClient) -> dict[str, Any]:
    """The status of the Application that holds the routes."""
    found: dict[str, Any] = client.CustomObjectsApi(cluster).get_namespaced_custom_object(*INGRESS)["status"]
    return found


def expose(cluster: client.ApiClient, applications: dict[str, Any]) -> None:
    """Push routes, and wait until Argo CD has deployed them."""
    revision = push(cluster, applications)

    def deployed() -> bool:
        sync = ingress(cluster)["sync"]
        return (sync["revision"], sync["status"]) == (revision, "Synced")

    until(deployed, "Argo CD to deploy the routes", PATIENCE)


@pytest.fixture(scope="module")
def street(cluster: client.ApiClient, compute: Any, backends: None) -> Iterator[Street]:
    del backends
    office, world = Place(), Place(WORLD)
    people = {name: Browser(office) for name in (ALICE, BOB, EVE)}
    for name, browser in people.items():
        browser.sign_in(f"https://mlflow.{DOMAIN}/", name)
    gateway = _address(cluster, "istio-ingress", "istio=ingressgateway")
    argocd = _address(cluster, "argocd", "app.kubernetes.io/name=argocd-server")
    service = compute.backendServices().get(project=PROJECT, backendService="mlops").execute()
    made = Street(office, world, people, gateway, argocd, {"id": service["id"], "number": "417385926104"})
    expose(cluster, ROUTES)
    for host in ROUTES:
        until(partial(_served, made, host), f"{host} to be served", PATIENCE)
    until(lambda: made.visit(ALICE, "shop").status == 200, "the backends", PATIENCE)
    yield made
    expose(cluster, {})
    office.leave()
    world.leave()


def _address(cluster: client.ApiClient, namespace: str, labels: str) -> str:
    """Of the first pod with these labels."""
    pod = client.CoreV1Api(cluster).list_namespaced_pod(namespace, label_selector=labels).items[0]
    return str(pod.status.pod_ip)


def _served(street: Street, host: str) -> bool:
    return street.visit(ALICE, host, "/api/x").status == (403 if host in ("desk", "guests") else 200)


def told(answer: Answer) -> dict[str, Any]:
    """What reached the backend."""
    found: dict[str, Any] = json.loads(answer.body)
    return found


def heard(answer: Answer) -> dict[str, str]:
    """The headers that reached the backend."""
    return dict(told(answer)["headers"])


def _xff(*addresses: str) -> tuple[str, str]:
    return "x-forwarded-for", ",".join(addresses)


GOOD, BAD, LB = "192.0.2.7", "198.51.100.9", "34.120.0.10"
A_DAY = 86400
CASES = [
    # the applications, and who
    Case("MLflow, user", lambda s: s.visit(BOB, "mlflow"), {200}, told=lambda a: "MLflow" in a.body),
    Case("MLflow's API, user", lambda s: s.visit(BOB, "mlflow", "/api/2.0/mlflow/experiments/search?max_results=1"),
         {200}),
    Case("MLflow's web UI, changes something", lambda s: s.posts(BOB, f"https://mlflow.{DOMAIN}"), {200}),
    Case("MLflow, another site's page changes something", lambda s: s.posts(BOB, "https://evil.example"), {403}, True,
         lambda a: "Cross-origin" in a.body),
    Case("MLflow, somebody else", lambda s: s.visit(EVE, "mlflow"), {403}, True),
    Case("MLflow, host with port", lambda s: s.visit(BOB, "mlflow", host=f"mlflow.{DOMAIN}:443"), {200}),
    Case("MLflow, nobody", lambda s: s.office.send(f"https://mlflow.{DOMAIN}/", [HTML]), {302}, True),
    Case("Argo CD's API, user", lambda s: s.visit(BOB, "argocd", "/api/version"), {403}, True),
    Case("Argo CD, user, host with port", lambda s: s.visit(BOB, "argocd", host=f"argocd.{DOMAIN}:443"), {403}, True),
    Case("Argo CD, user, host in capitals", lambda s: s.visit(BOB, "argocd", host=f"ARGOCD.{DOMAIN}"), {403}, True),
    Case("Argo CD, user, host with a dot", lambda s: s.visit(BOB, "argocd", host=f"argocd.{DOMAIN}."), {403, 404},
         True),
    Case("Argo CD, user, other port", lambda s: s.visit(BOB, "argocd", host=f"argocd.{DOMAIN}:80"), {403}, True),
    Case("unknown host", lambda s: s.visit(ALICE, "nothing"), {403, 404}, True),
    Case("the domain itself", lambda s: s.visit(ALICE, "mlflow", host=DOMAIN), {403, 404}, True),
    Case("for one address, she", lambda s: s.visit(ALICE, "anns"), {200}),
    Case("for one address, he", lambda s: s.visit(BOB, "anns"), {403}, True, lambda a: "RBAC" in a.body),
    Case("for her domain", lambda s: s.visit(ALICE, "staff"), {200}),
    Case("for another domain", lambda s: s.visit(ALICE, "guests"), {403}, True, lambda a: "RBAC" in a.body),
    Case("for a domain, by the address alone", lambda s: s.knock("guests", [s.signed("pat@partner.example"),
         _xff(GOOD, LB)]), {200}, told=lambda a: heard(a)["x-auth-request-email"] == "pat@partner.example"),
    Case("for a domain, hosted under another address", lambda s: s.knock("guests", [s.signed("pat@partner.test",
         hd="partner.example"), _xff(GOOD, LB)]), {200}),
    Case("for a domain, one that ends alike", lambda s: s.knock("guests", [s.signed("pat@evilpartner.example"),
         _xff(GOOD, LB)]), {403}, True),
    Case("for a domain, one below it", lambda s: s.knock("guests", [s.signed("pat@a.partner.example"), _xff(GOOD, LB)]),
         {403}, True),
    Case("for a domain, its name before the @", lambda s: s.knock("guests", [s.signed("partner.example@acme.example"),
         _xff(GOOD, LB)]), {403}, True),
    # identity headers, at every hop
    Case("identity from the claim", lambda s: s.visit(BOB, "shop", "/", ("x-auth-request-email", ALICE)), {200},
         told=lambda a: heard(a)["x-auth-request-email"] == BOB),
    Case("identity, spoofed several times", lambda s: s.visit(BOB, "shop", "/", ("x-auth-request-email", ALICE),
         ("X-Auth-Request-Email", ALICE), ("x-auth-request-user", "1")), {200}, told=lambda a: ALICE not in a.body),
    Case("identity, spoofed with underscores", lambda s: s.visit(BOB, "shop", "/", ("x_auth_request_email", ALICE),
         ("X_Auth-Request_Email", ALICE)), {200}, told=lambda a: ALICE not in a.body),
    Case("gateway, spoofed with underscores", lambda s: s.knock("shop", [s.signed(BOB), _xff(GOOD, LB),
         ("x_auth_request_email", ALICE)]), {200}, told=lambda a: ALICE not in a.body),
    Case("groups, spoofed", lambda s: s.visit(BOB, "shop", "/", ("x-auth-request-groups", "operators")), {200},
         told=lambda a: "x-auth-request-groups" not in heard(a)),
    Case("groups, told by the gateway", lambda s: s.visit(BOB, "grouped", "/", ("x-auth-request-groups", "operators"),
         ("x-remote-user", "root")), {200},
         told=lambda a: heard(a)["x-auth-request-groups"] == "analysts" and "x-remote-user" not in heard(a)),
    Case("assertion of one's own", lambda s: s.visit(BOB, "shop", "/", s.signed(ALICE)), {200},
         told=lambda a: heard(a)["x-auth-request-email"] == BOB),
    # cookies: the load balancer forwards the session, and a backend must not see it
    Case("the session stays at the door", lambda s: s.visit(BOB, "shop"), {200},
         told=lambda a: "GCP_IA" not in a.body and "cookie" not in heard(a)),
    Case("the session stays, other cookies pass", lambda s: s.wear(BOB, "shop", 'a="b c"; {session}; d=;{session};e=='),
         {200}, told=lambda a: "GCP_IA" not in a.body and heard(a)["cookie"] == 'a="b c"; d=;e=='),
    Case("other cookies pass as they are", lambda s: s.knock("shop", [s.signed(BOB), _xff(GOOD, LB),
         ("cookie", 'a="b c";  d=; gcp_iap_uid=1;e==')]), {200},
         told=lambda a: heard(a)["cookie"] == 'a="b c";  d=; gcp_iap_uid=1;e=='),
    Case("the session stays, older names", lambda s: s.knock("shop", [s.signed(BOB), _xff(GOOD, LB),
         ("cookie", "GCP_IAAP_AUTH_TOKEN_1=x; GCP_IAP_UID=1; __Host-GCP_IAP_XSRF_NONCE_1=x; a=b")]), {200},
         told=lambda a: "GCP_IA" not in a.body and heard(a)["cookie"] == "a=b"),
    # round the load balancer
    Case("gateway, as the balancer would", lambda s: s.knock("mlflow", [s.signed(), _xff(GOOD, LB)]), {200}),
    Case("gateway, from anywhere", lambda s: s.knock("mlflow", [s.signed()], source=STRANGER), {0, 403}, True),
    Case("gateway, from a node's address", lambda s: s.knock("mlflow", [s.signed()], source=NODE), {0, 403}, True),
    Case("gateway, no assertion", lambda s: s.knock("mlflow"), {403}, True),
    Case("gateway, identity headers alone", lambda s: s.knock("mlflow", [("x-auth-request-email", ALICE),
         ("x-goog-authenticated-user-email", f"accounts.google.com:{ALICE}")]), {403}, True),
    Case("gateway, garbage", lambda s: s.knock("mlflow", [(ASSERTION, "a.b.c")]), {401}, True),
    Case("gateway, assertion as a bearer token", lambda s: s.knock("mlflow",
         [("authorization", f"Bearer {s.signed()[1]}")]), {403}, True),
    Case("gateway, wrong audience", lambda s: s.knock("mlflow", [s.signed(aud="/projects/1/global/backendServices/2")]),
         {403}, True),
    Case("gateway, wrong issuer", lambda s: s.knock("mlflow", [s.signed(iss="https://evil.example")]), {401, 403},
         True),
    Case("gateway, expired", lambda s: s.knock("mlflow", [s.signed(iat=1, exp=int(time.time()) - A_DAY)]), {401}, True),
    Case("gateway, forged key", lambda s: s.knock("mlflow", [s.signed(key=iap.Key.new(0))]), {401}, True),
    Case("gateway, forged with the key's name", lambda s: s.knock("mlflow", [s.signed(key=iap.Key(
         iap.Keys(WORLD_FOLDER / "frontdoor").current().id, iap.Key.new(0).pem, 0))]), {401}, True),
    Case("gateway, unsigned", lambda s: s.knock("mlflow", [(ASSERTION, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")]), {401},
         True),
    # paths
    Case("path that is exposed", lambda s: s.visit(ALICE, "api", "/api/x"), {200}),
    Case("path that is not", lambda s: s.visit(ALICE, "api", "/other"), {403}, True),
    Case("path that is closed", lambda s: s.visit(ALICE, "api", "/api/admin"), {403}, True),
    Case("path by way of ..", lambda s: s.visit(ALICE, "api", "/api/../other"), {403}, True),
    Case("path by way of %2e%2e", lambda s: s.visit(ALICE, "api", "/api/%2e%2e/other"), {403}, True),
    Case("path with two slashes", lambda s: s.visit(ALICE, "api", "/api//admin"), {403}, True),
    Case("path with %2f", lambda s: s.visit(ALICE, "api", "/api%2fadmin"), {403}, True),
    Case("path with a backslash", lambda s: s.visit(ALICE, "api", "/api/x\\..\\admin"), {403, 400}, True),
    Case("path with %61", lambda s: s.visit(ALICE, "api", "/api/%61dmin"), {403}, True),
    Case("path in capitals", lambda s: s.visit(ALICE, "api", "/API/x"), {403}, True),
    # client addresses, each X-Forwarded-For that a client may invent
    Case("address on the list", lambda s: s.visit(ALICE, "desk", source=GOOD), {200}),
    Case("address off the list", lambda s: s.visit(ALICE, "desk", source=BAD), {403}, True),
    Case("address that is denied", lambda s: s.visit(ALICE, "desk", source="192.0.2.66"), {403}, True),
    Case("address off the list, invented good", lambda s: s.visit(ALICE, "desk", "/", _xff(GOOD), source=BAD), {403},
         True),
    Case("address off the list, invented two", lambda s: s.visit(ALICE, "desk", "/", _xff(GOOD, LB), source=BAD), {403},
         True),
    Case("address on the list, invented bad", lambda s: s.visit(ALICE, "desk", "/", _xff(BAD), source=GOOD), {200}),
    Case("forwarded: good, LB", lambda s: s.knock("desk", [s.signed(), _xff(GOOD, LB)]), {200}),
    Case("forwarded: bad, LB", lambda s: s.knock("desk", [s.signed(), _xff(BAD, LB)]), {403}, True),
    Case("forwarded: good-spoof, bad, LB", lambda s: s.knock("desk", [s.signed(), _xff(GOOD, BAD, LB)]), {403}, True),
    Case("forwarded: bad-spoof, good, LB", lambda s: s.knock("desk", [s.signed(), _xff(BAD, GOOD, LB)]), {200}),
    Case("forwarded: one entry", lambda s: s.knock("desk", [s.signed(), _xff(GOOD)]), {403}, True),
    Case("forwarded: nothing", lambda s: s.knock("desk", [s.signed()]), {403}, True),
    Case("forwarded: good, but no balancer", lambda s: s.knock("desk", [s.signed(), _xff(GOOD, LB)], source=NODE),
         {0, 403}, True),
    # canaries
    Case("canary header", lambda s: s.visit(ALICE, "shop", "/", ("x-canary", "always")), {200},
         told=lambda a: told(a)["backend"] == "other"),
    Case("canary header at its path", lambda s: s.visit(ALICE, "shop", "/preview/x", ("x-canary", "maybe")), {200},
         told=lambda a: told(a)["backend"] == "other"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, street: Street, table: Table) -> None:
    table.try_(case, street)


def test_shares_are_as_weighted(street: Street, table: Table) -> None:
    answers = json.loads(street.visit(ALICE, "shop", times=SHARED_REQUESTS).body)
    assert {status for status, _ in answers} == {200}
    other = sum(json.loads(body)["backend"] == "other" for _, body in answers)
    sigma = math.sqrt(SHARED_REQUESTS * 0.2 * 0.8)
    table.add("shares 80/20", f"100 +- {3 * sigma:.0f}", str(other), SHARED_REQUESTS)
    assert abs(other - SHARED_REQUESTS * 0.2) <= 3 * sigma


def test_canaries_get_all_that_is_theirs(street: Street, table: Table) -> None:
    answers = json.loads(street.visit(ALICE, "shop", "/", ("x-canary", "always"), times=50).body)
    other = sum(json.loads(body)["backend"] == "other" for _, body in answers)
    table.add("canary header, 50 times", "50", str(other), 50)
    assert other == 50


# What each address answered, or 0. A neighbour, if there is one, must answer first: then names and the pod's network
# are in order, and only the policies of those it knocks at can have stopped it.
KNOCK = """
import time, urllib.error, urllib.request
def knock(url):
    request = urllib.request.Request(url, headers={{"Host": "{host}", "X-Auth-Request-Email": "alice@acme.example",
                                                   "X-Auth-Request-Groups": "operators"}})
    try:
        return urllib.request.urlopen(request, timeout=3).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return 0
end = time.monotonic() + 20
while {neighbour!r} and knock({neighbour!r}) != 200 and time.monotonic() < end:
    time.sleep(0.5)
print([knock(url) for url in {urls!r}])
"""


def closed(street: Street) -> list[str]:
    """Addresses that no pod may reach: the gateway, and the server that believes the gateway's headers."""
    gateway = [f"http://{street.gateway}/", "http://istio-ingressgateway.istio-ingress/"]
    return [*gateway, "http://argocd-server.argocd/api/version", f"http://{street.argocd}:8080/api/version"]


def test_a_projects_pods_do_not_reach_the_gateway_or_argo_cd(
    street: Street, table: Table, pod_says: Callable[[str, str], str]
) -> None:
    said = pod_says("project-sandbox", KNOCK.format(host=f"mlflow.{DOMAIN}", neighbour="", urls=closed(street)))
    table.add("gateway and Argo CD, from a project's pod", "[0, 0, 0, 0]", said, 4, said.count("200"))
    assert said == "[0, 0, 0, 0]"


def test_pods_without_policies_do_not_reach_the_gateway_or_argo_cd(
    street: Street, table: Table, pod_says: Callable[[str, str], str], elsewhere: str
) -> None:
    """Nothing keeps such a pod in: what stops it are the policies of the gateway and of Argo CD's server."""
    neighbour = "http://one.door/"
    urls = [neighbour, *closed(street)]
    said = pod_says(elsewhere, KNOCK.format(host=f"mlflow.{DOMAIN}", neighbour=neighbour, urls=urls))
    table.add("gateway and Argo CD, from any pod", "[200, 0, 0, 0, 0]", said, 5, said.count(" 200"))
    assert said == "[200, 0, 0, 0, 0]"


def test_argo_cd_knows_who_it_is_without_a_second_password(street: Street, table: Table) -> None:
    browser = street.people[ALICE]
    browser.sign_in(f"https://argocd.{DOMAIN}/api/version", ALICE)
    site = f"https://argocd.{DOMAIN}"
    browser.follow(f"{site}/auth/login?return_url={site}/api/version")
    who = json.loads(browser.open(f"{site}/api/v1/session/userinfo").body)
    applications = browser.open(f"{site}/api/v1/applications?fields=items.metadata.name")
    table.add("Argo CD, operator: signed in, and lists", "alice 200", f"{who['username'][:5]} {applications.status}", 2)
    assert (who["loggedIn"], who["username"]) == (True, ALICE)
    assert "operators" in who["groups"]
    assert "mlflow" in applications.body
    nobody = street.visit(ALICE, "argocd", "/api/v1/applications")
    table.add("Argo CD, operator without its session", "401", str(nobody.status), 1, int(nobody.status == 200))
    assert nobody.status == 401


def test_a_new_key_signs_without_a_refused_request(street: Street, table: Table) -> None:
    keys = iap.Keys(WORLD_FOLDER / "frontdoor")
    new = keys.rotate(KEY_LEAD)
    end, statuses, used = time.monotonic() + KEY_LEAD + 10, [], set()
    while time.monotonic() < end:
        answer = street.visit(BOB, "shop")
        statuses.append(answer.status)
        if answer.status == 200:
            used.add(jwt.decode_header(heard(answer)[ASSERTION])["kid"])
        time.sleep(0.25)
    table.add("key rotation", "all 200", f"{statuses.count(200)}x 200", len(statuses))
    assert set(statuses) == {200}
    assert new.id in used
    assert len(used) == 2


def test_a_gateway_that_dies_comes_back(street: Street, table: Table, cluster: client.ApiClient) -> None:
    core = client.CoreV1Api(cluster)
    (pod,) = core.list_namespaced_pod("istio-ingress").items
    core.delete_namespaced_pod(pod.metadata.name, "istio-ingress", grace_period_seconds=0)
    seen = set()

    def back() -> bool:
        seen.add(street.visit(ALICE, "shop").status)
        return 502 in seen and street.visit(ALICE, "shop").status == 200

    until(back, "the gateway to be missed and to come back", PATIENCE)
    table.add("gateway down, and back", "502 200", " ".join(map(str, sorted(seen - {200}))) + " 200", len(seen))
    assert seen <= {200, 502, 503}


def test_a_bad_route_is_refused_and_changes_nothing(street: Street, table: Table, cluster: client.ApiClient) -> None:
    bad = {**ROUTES, "desk": {"to": [ONE], "clients": {"only": ["203.0.113.0/99"]}}}
    push(cluster, bad)

    def told_so() -> bool:
        return any("clients" in condition["message"] for condition in ingress(cluster).get("conditions", []))

    until(told_so, "Argo CD to say what is wrong", PATIENCE)
    answer = street.visit(ALICE, "desk", source=BAD)
    table.add("a bad route in Git", "403", str(answer.status), 1, int(answer.status == 200))
    assert answer.status == 403
    expose(cluster, ROUTES)


SALES = "project-sales"
SALES_ROUTES = {name: {"to": [{"service": f"{name}.{SALES}", "port": 80}]} for name in ("sales", "stock")}


def describe(cluster: client.ApiClient, exposed: list[dict[str, Any]], expected: set[str]) -> None:
    """Write the project's file, and wait until these are its policies about the gateway."""
    owner = {"team": "sales", "contact": ALICE}
    commit("projects/sales.yaml", {"owner": owner, "network": {"exposed": exposed}})
    look(cluster, "applicationsets", "projects", "application-set-refresh", "true")

    def deployed() -> bool:
        look(cluster, "applications", SALES, "refresh", "normal")
        found = client.NetworkingV1Api(cluster).list_namespaced_network_policy(SALES).items
        names = {policy.metadata.name for policy in found}
        return "default-deny" in names and {name for name in names if "gateway" in name} == expected

    until(deployed, f"the policies of {SALES}", PATIENCE, every=2)


@pytest.fixture
def sales(cluster: client.ApiClient) -> Iterator[None]:
    """A project with two applications, of which nothing is exposed. Its namespace stays, as that of any project."""
    core = client.CoreV1Api(cluster)
    describe(cluster, [], set())
    for name in SALES_ROUTES:
        pod, service = manifests(name)
        core.create_namespaced_pod(SALES, pod)
        core.create_namespaced_service(SALES, service)

    def ready() -> bool:
        states = [pod.status.conditions or [] for pod in core.list_namespaced_pod(SALES).items]
        return all(any((each.type, each.status) == ("Ready", "True") for each in state) for state in states)

    until(ready, "the pods of the project", PATIENCE)
    expose(cluster, {**ROUTES, **SALES_ROUTES})
    yield
    expose(cluster, ROUTES)
    for name in SALES_ROUTES:
        core.delete_namespaced_service(name, SALES)
        core.delete_namespaced_pod(name, SALES, grace_period_seconds=0)


def test_a_projects_application_is_reached_where_its_file_says_so(
    street: Street, table: Table, cluster: client.ApiClient, sales: None
) -> None:
    del sales
    closed = {0, 502, 503, 504}  # as the project's policies refuse: at once, or by silence
    until(lambda: street.visit(ALICE, "sales").status in closed, "the route into the project", PATIENCE)
    describe(cluster, [{"pods": {"app": "sales"}, "port": 8080}], {"from-the-gateway-0"})
    until(lambda: street.visit(ALICE, "sales").status == 200, "the gateway to be let in", PATIENCE)
    other = street.visit(ALICE, "stock").status
    table.add("a project's application: exposed, and not", "200, no answer", f"200, {other}", 2, int(other == 200))
    assert other in closed
    # Connections that are open stay so; what is taken out of the file must be gone from the cluster.
    describe(cluster, [], set())


def test_nothing_leaked(table: Table) -> None:
    assert [row for row in table.rows if row[4]] == []
    assert len(table.rows) >= 60
