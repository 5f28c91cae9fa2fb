"""The gate: what Envoy asks about each request (Cloud Armor, then IAP), and the sites that belong to signing in.

Order and headers are Google's: Cloud Armor comes before IAP; with IAP on, whatever the client sent as x-goog-* is
dropped; two entries are appended to X-Forwarded-For, the client's address and the load balancer's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from . import armor, iap, pages

SIGN_IN = "https://accounts.google.com/o/oauth2/v2/auth"
AUTHENTICATE, CLEAR = "/_gcp_gatekeeper/authenticate", "/_gcp_iap/clear_login_cookie"
SIGN_IN_SECONDS, NONCE_SECONDS = 600, 600


class Directory(Protocol):
    """What the gate asks of the cloud (cloud.py)."""

    async def admits(self, service: str, email: str, host: str, path: str) -> bool:
        """Whether IAP's policies let somebody through."""

    async def program(self, token: str, client: str, url: str) -> tuple[str, str]:
        """The program that a bearer token belongs to, or why it is none."""


def client_id(service: Mapping[str, Any]) -> str:
    """The OAuth client that IAP uses; Google manages one where none is given."""
    return service["iap"].get("oauth2ClientId") or f"{service['number']}-iap.apps.googleusercontent.com"


def session_cookie(service: Mapping[str, Any]) -> str:
    """Name of the session's cookie."""
    return f"__Host-GCP_IAP_AUTH_TOKEN_{int(service['id']) & 0xFFFFFFFF:08X}"


def _nonce_cookie(service: Mapping[str, Any]) -> str:
    return f"__Host-GCP_IAP_XSRF_NONCE_{int(service['id']) & 0xFFFFFFFF:08X}"


def _set(name: str, value: str, seconds: int) -> dict[str, str]:
    return {"set-cookie": f"{name}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax"}


class Asked:
    """One request as Envoy describes it."""

    def __init__(self, request: web.Request, target: str) -> None:
        self.method = request.method
        self.target = target
        self.host = request.host
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        # Envoy has appended the address that the connection came from.
        self.forwarded = [part.strip() for part in self.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        try:
            self.cookies = {name: item.value for name, item in SimpleCookie(self.headers.get("cookie", "")).items()}
        except CookieError:
            self.cookies = {}

    @property
    def client(self) -> str:
        """Address of the client."""
        return self.forwarded[-1]

    @property
    def url(self) -> str:
        """As the client asked for it."""
        return f"https://{self.host}{self.target}"

    @property
    def browser(self) -> bool:
        """Whether somebody reads the answer, and not a program or a page's script."""
        return "text/html" in self.headers.get("accept", "") and "x-requested-with" not in self.headers

    def bearer(self) -> str | None:
        """The token for IAP: Proxy-Authorization comes first, so that a backend may have Authorization for itself."""
        for name in ("proxy-authorization", "authorization"):
            scheme, _, token = self.headers.get(name, "").partition(" ")
            if scheme.lower() == "bearer":
                return token.strip()
        return None


@dataclass(frozen=True)
class People:
    """Who may sign in, and the domain whose accounts Google hosts."""

    accounts: list[str]
    domain: str


class Gate:
    """Decides; `services` (by id, with their `key`) is replaced whenever the configuration changes."""

    def __init__(self, directory: Directory, keys: iap.Keys, seal: iap.Seal, people: People, address: str) -> None:
        """`address` is put into X-Forwarded-For as the load balancer's until one is known."""
        self.directory, self.keys, self.seal, self.people = directory, keys, seal, people
        self.address = address
        self.services: dict[str, dict[str, Any]] = {}
        self.counters = armor.Counters()

    async def check(self, request: web.Request) -> web.Response:
        """Envoy's question: 200 lets the request through with the headers that are answered."""
        _, _, rest = request.raw_path.removeprefix("/check/").partition("/")
        service = self.services.get(request.match_info["service"])
        if service is None:
            return web.Response(status=502, text="this backend service is not configured any more\n")
        asked = Asked(request, f"/{rest}")
        body = await request.read()
        seen = armor.Web(asked.client, asked.target, asked.headers, body, service["readsJson"])
        if status := armor.verdict(service["id"], service["rules"], seen, self.counters):
            return web.Response(status=status, text=_refusal(status), content_type="text/html")
        headers = {
            "x-forwarded-for": ",".join([*asked.forwarded, self.address]),
            "via": ", ".join(filter(None, [asked.headers.get("via"), "1.1 google"])),
            "x-cloud-trace-context": asked.headers.get("x-cloud-trace-context", f"{secrets.token_hex(16)}/1;o=0"),
        }
        if not service["iap"].get("enabled"):
            return web.Response(headers=headers)
        return await self._identity(asked, service, headers)

    async def _identity(self, asked: Asked, service: dict[str, Any], headers: dict[str, str]) -> web.Response:
        path = asked.target.partition("?")[0]
        if path == AUTHENTICATE:
            return self._authenticate(asked, service)
        if path == CLEAR:
            return web.Response(status=302, headers={"location": "/", **_set(session_cookie(service), "", 0)})
        token = asked.bearer()
        if token is not None:
            # Nobody is let in by a token for a client that Google manages (docs "Programmatic authentication").
            own = service["iap"].get("oauth2ClientId") or ""
            email, problem = await self.directory.program(token, own, asked.url.partition("?")[0])
            if problem:
                return web.Response(status=401, text=f"Invalid IAP credentials: {problem}")
        else:
            session = self.seal.open(f"session {service['id']}", asked.cookies.get(session_cookie(service), ""))
            if session is None:
                return self._nobody(asked, service)
            email = session["email"]
        host = asked.host.partition(":")[0]
        if not await self.directory.admits(service["key"], email, host, path):
            text = pages.denied(email, host) if asked.browser else f"You don't have access: {email}\n"
            return web.Response(status=403, text=text, content_type="text/html")
        return web.Response(headers={**headers, **self._assert(asked, service, email)})

    def _assert(self, asked: Asked, service: dict[str, Any], email: str) -> dict[str, str]:
        signed = iap.assertion(self.keys.current(), service, email, self.people.domain, time.time())
        made = {
            "x-goog-iap-jwt-assertion": signed,
            "x-goog-authenticated-user-email": f"accounts.google.com:{email}",
            "x-goog-authenticated-user-id": f"accounts.google.com:{iap.subject(email)}",
        }
        # Cookies go on as they came, the session among them: it is the platform that keeps it from applications.
        dropped = [name for name in asked.headers if name.startswith("x-goog-") and name not in made]
        return {**made, **({"x-envoy-auth-headers-to-remove": ",".join(dropped)} if dropped else {})}

    def _nobody(self, asked: Asked, service: dict[str, Any]) -> web.Response:
        if not asked.browser:
            return web.Response(status=401, text="Invalid IAP credentials: empty token")
        nonce = secrets.token_urlsafe(16)
        state = self.seal.make("sign-in", SIGN_IN_SECONDS, url=asked.url, service=service["id"], nonce=nonce)
        client = client_id(service)
        query = {
            "client_id": client,
            "response_type": "code",
            "scope": "openid email",
            "redirect_uri": f"https://iap.googleapis.com/v1/oauth/clientIds/{client}:handleRedirect",
            "state": state,
        }
        headers = {"location": f"{SIGN_IN}?{urlencode(query)}", **_set(_nonce_cookie(service), nonce, NONCE_SECONDS)}
        return web.Response(status=302, headers=headers)

    def _authenticate(self, asked: Asked, service: dict[str, Any]) -> web.Response:
        """Where the sign-in sends the browser back to: only the one that was sent there gets the session."""
        token = dict(part.partition("=")[::2] for part in urlsplit(asked.target).query.split("&")).get(
            "redirect_token", ""
        )
        claims = self.seal.open("signed-in", token)
        nonce = asked.cookies.get(_nonce_cookie(service))
        if claims is None or claims["service"] != service["id"] or not nonce or claims["nonce"] != nonce:
            return web.Response(status=401, text="Invalid IAP credentials: Sign-in could not be completed. Try again.")
        if urlsplit(claims["url"]).netloc != asked.host:
            return web.Response(status=401, text="Invalid IAP credentials: the sign-in was for another host")
        session = self.seal.make(f"session {service['id']}", iap.SESSION_SECONDS, email=claims["email"])
        cookie = _set(session_cookie(service), session, iap.SESSION_SECONDS)
        return web.Response(status=302, headers={"location": claims["url"], **cookie})

    async def sign_in(self, request: web.Request) -> web.Response:
        """accounts.google.com: the accounts to choose from."""
        state = request.query.get("state", "")
        claims = self.seal.open("sign-in", state)
        if claims is None:
            return web.Response(
                status=400, text="This sign-in is too old, or was not begun here. Go back and try again.\n"
            )
        page = pages.choose(self.people.accounts, state, urlsplit(claims["url"]).netloc)
        return web.Response(text=page, content_type="text/html")

    async def choose(self, request: web.Request) -> web.Response:
        """accounts.google.com: an account was chosen."""
        form = await request.post()
        claims, email = self.seal.open("sign-in", str(form.get("state", ""))), str(form.get("email", ""))
        if claims is None or email not in self.people.accounts:
            return web.Response(status=400, text="There is no such account, or the sign-in is too old.\n")
        kept = {name: claims[name] for name in ("url", "service", "nonce")}
        token = self.seal.make("signed-in", 60, email=email, **kept)
        back = f"https://{urlsplit(claims['url']).netloc}{AUTHENTICATE}?{urlencode({'redirect_token': token})}"
        return web.Response(status=303, headers={"location": back})

    async def jwk(self, request: web.Request) -> web.Response:
        """www.gstatic.com: the keys that assertions are verified with."""
        del request
        return web.json_response({"keys": [key.jwk() for key in self.keys.all()]})


def _refusal(status: int) -> str:
    """As Google's front end says it."""
    head = "<!doctype html><meta charset=utf-8><meta name=viewport content=width=device-width>"
    return f"{head}<title>{status}</title>{status} {HTTPStatus(status).phrase}"


async def _as_google(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers["server"] = "Google Frontend"


def questions(gate: Gate) -> web.Application:
    """The application that Envoy asks."""
    app = web.Application()
    app.on_response_prepare.append(_as_google)
    app.router.add_route("*", "/check/{service}{rest:(/.*)?}", gate.check)
    return app


def sites(gate: Gate) -> web.Application:
    """accounts.google.com and www.gstatic.com."""
    app = web.Application()
    app.on_response_prepare.append(_as_google)
    app.router.add_get("/o/oauth2/v2/auth", gate.sign_in)
    app.router.add_post("/signin/choose", gate.choose)
    app.router.add_get("/iap/verify/public_key-jwk", gate.jwk)
    return app
