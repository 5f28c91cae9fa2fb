"""A visitor of web sites in a world: sends requests exactly as told, from any address, and signs in as a person does.

`python -m tests.frontdoor.visitor` answers requests, one JSON object a line; it is started in the network namespace
that the visitor stands in. Requests are not tidied up: paths, hosts and headers are sent as they are written.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 20.0
WORLD = ("nsenter", "--net=/proc/1/ns/net")
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back; `status` 0 means that there was no HTTP answer, and `body` says why."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def header(self, name: str) -> str:
        """The first header of that name, or nothing."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies that it sets."""
        set_ = [value.partition(";")[0].partition("=") for key, value in self.headers if key.lower() == "set-cookie"]
        return {name: value for name, _, value in set_}


@dataclass
class Place:
    """Where requests are sent from: this process's own network, or the one that `prefix` enters."""

    prefix: Sequence[str] = ()
    _helper: subprocess.Popen[str] | None = None

    def send(self, url: str, headers: Headers = (), **how: Any) -> Answer:
        """One request. `how`: method, body, source (address), to (address to connect to), host, times (returns the
        last answer, whose body is then a list of [status, body] of all)."""
        if self._helper is None:
            command = [*self.prefix, sys.executable, "-m", "tests.frontdoor.visitor"]
            self._helper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._helper.stdin
        assert self._helper.stdout
        self._helper.stdin.write(json.dumps({"url": url, "headers": list(headers), **how}) + "\n")
        self._helper.stdin.flush()
        status, found, body = json.loads(self._helper.stdout.readline())
        return Answer(status, tuple((name, value) for name, value in found), body)

    def leave(self) -> None:
        """End the helper."""
        if self._helper and self._helper.stdin:
            self._helper.stdin.close()
            self._helper.wait(10)


@dataclass
class Browser:
    """Follows the sign-in as a browser does, with its cookies by host."""

    place: Place
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def open(self, url: str, headers: Headers = (), **how: Any) -> Answer:
        """One page, without following where it leads."""
        host = urlsplit(url).netloc
        jar = self.cookies.setdefault(host, {})
        sent = [("accept", "text/html"), *headers]
        if jar:
            sent.append(("cookie", "; ".join(f"{name}={value}" for name, value in jar.items())))
        answer = self.place.send(url, sent, **how)
        jar.update(answer.cookies)
        return answer

    def follow(self, url: str, most: int = 12) -> tuple[str, Answer]:
        """The page that it leads to in the end, with its address."""
        for _ in range(most):
            answer = self.open(url)
            if answer.status not in (301, 302, 303, 307, 308):
                return url, answer
            target = answer.header("location")
            parts = urlsplit(url)
            url = target if "://" in target else f"{parts.scheme}://{parts.netloc}{target}"
        raise AssertionError(f"{url} leads on and on")

    def sign_in(self, url: str, email: str) -> Answer:
        """Goes to a page as nobody, chooses an account, and comes back to the page."""
        _, page = self.follow(url)
        assert page.status == 200, page
        assert f'value="{email}"' in page.body, page.body
        state = re.search(r'name="state" value="([^"]+)"', page.body)
        assert state is not None, page.body
        form = urlencode({"state": unescape(state[1]), "email": email})
        kind = [("content-type", "application/x-www-form-urlencoded")]
        chosen = self.open("https://accounts.google.com/signin/choose", kind, method="POST", body=form)
        assert chosen.status == 303, chosen
        return self.follow(chosen.header("location"))[1]

    def cookie(self, host: str) -> tuple[str, str]:
        """The header that carries the session at a host."""
        return "cookie", "; ".join(f"{name}={value}" for name, value in self.cookies[host].items())


def _connect(asked: Mapping[str, Any]) -> socket.socket:
    parts = urlsplit(asked["url"])
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    source = (asked["source"], 0) if asked.get("source") else None
    raw = socket.create_connection((asked.get("to") or parts.hostname, port), SECONDS, source)
    if parts.scheme == "http":
        return raw
    return ssl.create_default_context().wrap_socket(raw, server_hostname=asked.get("sni") or parts.hostname)


Raw = tuple[int, list[tuple[str, str]], str]


def _all(asked: Mapping[str, Any]) -> list[Raw]:
    """The request as often as it is to be sent, on one connection while that lasts."""
    connection = http.client.HTTPConnection(urlsplit(asked["url"]).hostname or "", timeout=SECONDS)
    try:
        return [_once(asked, connection) for _ in range(asked.get("times", 1))]
    finally:
        connection.close()


def _once(asked: Mapping[str, Any], connection: http.client.HTTPConnection) -> Raw:
    parts = urlsplit(asked["url"])
    target = asked["url"].split(parts.netloc, 1)[1] or "/"
    try:
        connection.sock = connection.sock or _connect(asked)
        connection.putrequest(asked.get("method", "GET"), target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", asked.get("host") or parts.netloc)
        for name, value in asked["headers"]:
            connection.putheader(name, value)
        body = asked.get("body", "").encode()
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return 0, [], f"{type(error).__name__}: {error}"


def main() -> None:
    """Answer requests from standard input until it ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        answers = _all(asked)
        status, headers, body = answers[-1]
        many = json.dumps([[each[0], each[2]] for each in answers]) if len(answers) > 1 else body
        print(json.dumps([status, headers, many]), flush=True)


if __name__ == "__main__":
    main()
