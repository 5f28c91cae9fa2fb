"""The world's certificate authority, and server certificates minted for whatever name a client asks.

Minting takes 2-9 ms a name, so no list of host names is kept anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rehearsal.world.secrets import write_private

ORGANIZATION = "Sealed rehearsal world"


def ensure_authority(folder: Path) -> None:
    """Make `ca.pem` and `ca.key` (0600) in `folder` unless they are there."""
    certificate, key = folder / "ca.pem", folder / "ca.key"
    if certificate.exists() and key.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name=ORGANIZATION, key_type=trustme.KeyType.ECDSA)
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(authority.private_key_pem.bytes())
    certificate.write_bytes(authority.cert_pem.bytes())


def spki_fingerprint(certificate: Path) -> str:
    """base64(SHA-256) of the certificate's public key: what Chromium's --ignore-certificate-errors-spki-list takes."""
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    spki = loaded.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class ServerCertificates:
    """TLS contexts for any server name, signed by the world's authority."""

    def __init__(self, folder: Path, alpn: Sequence[str] = ("http/1.1",)) -> None:
        """`folder` holds ca.pem and ca.key; `alpn` lists the protocols to offer, best first."""
        self._root = (folder / "ca.pem").read_bytes()
        self._authority = trustme.CA.from_pem(self._root, (folder / "ca.key").read_bytes())
        self._alpn = list(alpn)
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, name: str) -> ssl.SSLContext:
        """The context that proves to be `name` (a host name or an address)."""
        if name not in self._contexts:
            self._contexts[name] = self._mint(name)
        return self._contexts[name]

    def server_context(self, without_name: str = "no-name.invalid") -> ssl.SSLContext:
        """A context that switches to the name the client asks for; clients that send none get `without_name`."""
        context = self._mint(without_name)

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                connection.context = self.context(name)

        context.sni_callback = choose
        return context

    def write(self, name: str, path: Path) -> None:
        """A file with a key and the chain that proves to be `name`, for programs that are not Python (mode 0600)."""
        leaf = self._authority.issue_cert(name, key_type=trustme.KeyType.ECDSA)
        write_private(path, leaf.private_key_and_cert_chain_pem.bytes().decode() + self._root.decode())

    def _mint(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = self._authority.issue_cert(name, key_type=trustme.KeyType.ECDSA)
        # The root is sent too: a browser told to accept the root's key must see it in the chain.
        with leaf.private_key_and_cert_chain_pem.tempfile() as path:
            with Path(path).open("ab") as chain:
                chain.write(self._root)
            context.load_cert_chain(path)
        context.set_alpn_protocols(self._alpn)
        return context
