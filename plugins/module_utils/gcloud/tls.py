"""HTTPS for all of Google's clients: one pool of connections, and certificates of authorities read once."""

from __future__ import annotations

import errno
import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
from requests.adapters import HTTPAdapter

MOST_CONNECTIONS = 32  # for each of Google's hosts


@lru_cache(maxsize=4)
def trusting(bundle: str) -> ssl.SSLContext:
    """A context that trusts the authorities in *bundle*, a file or a folder. Reading them takes some 50 ms.

    Raises FileNotFoundError where there is no *bundle*, OSError where it cannot be read.
    """
    folder = Path(bundle).is_dir()
    if not Path(bundle).exists():
        raise FileNotFoundError(errno.ENOENT, "There is no such bundle of certificate authorities", bundle)
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def usual_bundle() -> str:
    """Where requests looks for authorities by itself: what the environment names, else certifi's."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()


class SharedTls(HTTPAdapter):
    """An adapter for several sessions. requests' own reads the authorities again for every connection."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=MOST_CONNECTIONS)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """As requests does, with the context in place of the bundle's path."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if verify:
            kept = {key: value for key, value in pool.items() if key not in ("ca_certs", "ca_cert_dir")}
            return host, {**kept, "ssl_context": trusting(verify if isinstance(verify, str) else usual_bundle())}
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """The context verifies already; requests would have the connection read the bundle."""
        if not verify:
            super().cert_verify(conn, url, verify, cert)
