"""Asking the emulated cloud, from the world's own namespace."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any

import aiohttp

from rehearsal.world import addresses

CONTROL = "emulator.internal"
TIMEOUT_SECONDS = 5.0


class Cloud:
    """The emulator's own API, for the load balancer. Raises ClientError or TimeoutError when it is away."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        limit = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(ssl=trust))

    async def __aenter__(self) -> Cloud:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def _ask(self, http: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        # The address is used, not the name: the resolver of names may be starting still.
        url, headers = f"https://{addresses.APIS}{path}", {"Host": CONTROL}
        async with self._session.request(http, url, json=body, headers=headers, server_hostname=CONTROL) as answer:
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found

    async def edge(self) -> dict[str, Any]:
        """Forwarding rules and backend services, as rehearsal/google/edge.py gives them."""
        return await self._ask("GET", "/edge")

    async def admits(self, service: str, email: str, host: str, path: str) -> bool:
        """Whether IAP's policies let somebody through to a backend service."""
        asked = {"service": service, "email": email, "host": host, "path": path}
        return bool((await self._ask("POST", "/edge/access", asked))["allowed"])

    async def program(self, token: str, client: str, url: str) -> tuple[str, str]:
        """(e-mail address, "") of a bearer token's owner, or ("", why it is none)."""
        found = await self._ask("POST", "/edge/identify", {"token": token, "client": client, "url": url})
        return str(found.get("email", "")), str(found.get("problem", ""))
