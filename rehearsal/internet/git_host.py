"""The company's Git host: git's own smart HTTP server (git http-backend) behind accounts.

An account that may write gets a repository of its organisation made on its first push, as on hosts that allow it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web

from rehearsal.world.commands import find_program
from rehearsal.world.company import GitAccount

LOG = logging.getLogger(__name__)
_PATH = re.compile(
    r"/(?P<organization>[a-z0-9][a-z0-9-]*)/(?P<name>[a-z0-9][a-z0-9._-]*?)(?:\.git)?"
    r"/(?P<verb>info/refs|HEAD|objects/.+|git-upload-pack|git-receive-pack)"
)
_CHUNK = 1 << 16


class GitHost:
    """Serves the bare repositories under `root` to `accounts`, whose tokens are given by name."""

    def __init__(self, root: Path, accounts: Sequence[GitAccount], tokens: Mapping[str, str]) -> None:
        self._root = root
        self._accounts = {account.name: account for account in accounts}
        self._tokens = tokens
        self._making = asyncio.Lock()

    def application(self) -> web.Application:
        """The host as a web application."""
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def _account(self, request: web.Request) -> GitAccount | None:
        """The account whose name and token the request carries, if any."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        known = self._tokens.get(name)
        if known is None or not hmac.compare_digest(known, token):
            return None
        return self._accounts.get(name)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        account = self._account(request)
        if account is None:
            return web.Response(
                status=401,
                text="Sign in with your account's name and token.\n",
                headers={"WWW-Authenticate": 'Basic realm="git"'},
            )
        match = _PATH.fullmatch(request.path)
        if match is None or match["organization"] not in account.organizations:
            return web.Response(status=404, text=f"{account.name} sees no repository at {request.path}\n")
        writing = "git-receive-pack" in (match["verb"], request.query.get("service"))
        if writing and not account.write:
            return web.Response(status=403, text=f"{account.name} may read this repository, not push to it.\n")
        repository = self._root / match["organization"] / f"{match['name']}.git"
        if not repository.exists():
            if not writing:
                return web.Response(
                    status=404, text=f"There is no repository {match['organization']}/{match['name']}.\n"
                )
            await self._make(repository)
        inside = f"/{match['organization']}/{match['name']}.git/{match['verb']}"
        return await self._backend(request, account, inside)

    async def _make(self, repository: Path) -> None:
        async with self._making:
            process = await asyncio.create_subprocess_exec(
                find_program("git"), "init", "--quiet", "--bare", "--initial-branch=main", str(repository)
            )
            if await process.wait():
                raise web.HTTPInternalServerError(text=f"git init failed for {repository.name}; see internet.log\n")
            LOG.info("made repository %s", repository.relative_to(self._root))

    async def _backend(self, request: web.Request, account: GitAccount, path: str) -> web.StreamResponse:
        """Hand the request to git http-backend by the CGI convention, streaming both ways."""
        process = await asyncio.create_subprocess_exec(
            find_program("git"), "http-backend",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=self._environment(request, account, path),
        )  # fmt: skip
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("asyncio gave no pipes to git http-backend")
        feeding = asyncio.create_task(_feed(request, process.stdin))
        try:
            status, headers = await _read_head(process.stdout)
            response = web.StreamResponse(status=status, headers=headers)
            await response.prepare(request)
            await _copy(process.stdout, response)
        finally:
            feeding.cancel()
            if process.returncode is None and process.stdout.at_eof():
                await process.wait()
            elif process.returncode is None:
                process.kill()
        return response

    def _environment(self, request: web.Request, account: GitAccount, path: str) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._root),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "REMOTE_USER": account.name,
            "REMOTE_ADDR": request.remote or "",
            **({"CONTENT_LENGTH": length} if (length := request.headers.get("Content-Length")) else {}),
        }


async def _feed(request: web.Request, stdin: asyncio.StreamWriter) -> None:
    try:
        async for block in request.content.iter_chunked(_CHUNK):
            stdin.write(block)
            await stdin.drain()
    except ConnectionError as error:
        LOG.info("git http-backend stopped reading: %s", error)
    finally:
        stdin.close()


async def _copy(stdout: asyncio.StreamReader, response: web.StreamResponse) -> None:
    try:
        while block := await stdout.read(_CHUNK):
            await response.write(block)
        await response.write_eof()
    except ConnectionResetError as error:
        # Some clients (Argo CD's) go as soon as they have read what they need.
        LOG.info("a client did not wait for the end of the answer: %s", error)


async def _read_head(stdout: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of a CGI answer."""
    status, headers = 200, {}
    while line := (await stdout.readline()).rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(": ")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name] = value
    if not headers and status == 200:
        raise web.HTTPInternalServerError(text="git http-backend gave no answer; see internet.log\n")
    return status, headers
