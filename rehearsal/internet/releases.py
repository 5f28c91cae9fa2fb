"""Release hosts: files that projects publish, under their real addresses, from this machine's cache."""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web


class Releases:
    """Serves the files of `folder` by its index.json, which maps each address to a file beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _files(self) -> dict[str, str]:
        try:
            files: dict[str, str] = json.loads((self._folder / "index.json").read_text())
        except FileNotFoundError:
            return {}
        return files

    def hosts(self) -> set[str]:
        """Host names of all addresses."""
        return {address.split("/")[2] for address in self._files()}

    def application(self) -> web.Application:
        """The hosts as one web application."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._file)
        return app

    async def _file(self, request: web.Request) -> web.StreamResponse:
        address = f"https://{request.host}{request.path}"
        name = self._files().get(address)
        if name is None:
            return web.Response(status=404, text=f"404: {address} is not among the files kept for this world\n")
        return web.FileResponse(self._folder / name)


def static_files(folder: Path) -> web.Application:
    """A web server's plain folder, such as a Debian mirror."""

    top = folder.resolve()

    async def answer(request: web.Request) -> web.StreamResponse:
        path = (top / request.match_info["path"]).resolve()
        if not path.is_relative_to(top) or not path.is_file():
            return web.Response(status=404, text=f"404: no file {request.path} here\n")
        return web.FileResponse(path)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app
