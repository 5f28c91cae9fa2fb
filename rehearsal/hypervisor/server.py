"""The hypervisor's door: HTTP on a unix socket, one POST a call, JSON in and out."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)
Call = Callable[..., Awaitable[Any]]


def application(calls: Mapping[str, Call]) -> web.Application:
    """Serves each of `calls` at POST /<name>: the JSON object of the body becomes its keyword arguments.

    A call that fails answers 500 with {"error": message}: the caller shows it as the operation's error.
    """

    async def handle(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in calls:
            return web.json_response({"error": f"the hypervisor has no call {name!r}"}, status=404)
        arguments = json.loads(await request.read() or b"{}")
        try:
            answer = await calls[name](**arguments)
        except Exception as error:  # whatever failed becomes the answer: its caller is another process
            log.exception("%s failed", name)
            return web.json_response({"error": str(error) or repr(error)}, status=500)
        return web.json_response({"result": answer})

    app = web.Application()
    app.router.add_post("/{name}", handle)
    return app
