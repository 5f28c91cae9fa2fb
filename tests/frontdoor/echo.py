"""A backend that tells what reached it, as JSON: `python -m tests.frontdoor.echo ADDRESS NAME [PORT [HEALTH_PORT]]`."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its path and headers, and the backend's name."""

    name = ""
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        told = {
            "backend": self.name,
            "method": self.command,
            "path": self.path,
            "peer": self.client_address[0],
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


def main() -> None:
    """Serve until killed."""
    address, Echo.name = sys.argv[1:3]
    ports = [int(port) for port in sys.argv[3:]] or [8080]
    servers = [ThreadingHTTPServer((address, port), Echo) for port in ports]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
