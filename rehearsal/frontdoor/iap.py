"""Identity-Aware Proxy's own tokens: signed sessions of browsers, and the assertion that backends verify.

Facts: cloud.google.com/iap/docs/signed-headers-howto (claims, audience, keys) and .../identity-howto (headers).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth import jwt
from google.auth.crypt import es256

from rehearsal.world.secrets import write_private

ISSUER = "https://cloud.google.com/iap"
ASSERTION_SECONDS = 600
SESSION_SECONDS = 3600
KEPT_KEYS = 3


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Key:
    """A signing key: published at once, and signed with from the moment `used_from` (seconds since the epoch)."""

    id: str
    pem: str
    used_from: float

    @classmethod
    def new(cls, used_from: float) -> Key:
        """A key that nobody has seen yet."""
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(_encode(secrets.token_bytes(4)), pem.decode(), used_from)

    def public(self) -> ec.EllipticCurvePublicKey:
        """Its public half."""
        private = serialization.load_pem_private_key(self.pem.encode(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)  # noqa: S101 - it was made by `new`
        return private.public_key()

    def jwk(self) -> dict[str, str]:
        """As www.gstatic.com/iap/verify/public_key-jwk has it."""
        numbers = self.public().public_numbers()
        point = {"x": _encode(numbers.x.to_bytes(32, "big")), "y": _encode(numbers.y.to_bytes(32, "big"))}
        return {"alg": "ES256", "crv": "P-256", "kid": self.id, "kty": "EC", "use": "sig", **point}


class Keys:
    """The keys in a file that only the world's owner reads; read again when it changes."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / "keys.json"
        self._clock = clock
        self._read_at = 0
        self._keys: list[Key] = []

    def all(self) -> list[Key]:
        """The oldest first; the first call makes one."""
        if not self._path.exists():
            self._write([Key.new(0.0)])
        changed = self._path.stat().st_mtime_ns
        if changed != self._read_at:
            self._keys = [Key(**entry) for entry in json.loads(self._path.read_text())]
            self._read_at = changed
        return self._keys

    def _write(self, keys: list[Key]) -> None:
        fresh = self._path.with_suffix(".new")
        write_private(fresh, json.dumps([vars(key) for key in keys]))
        fresh.replace(self._path)

    def rotate(self, lead: float) -> Key:
        """Publishes a new key, which is signed with after `lead` seconds; the oldest beyond KEPT_KEYS goes."""
        key = Key.new(self._clock() + lead)
        self._write([*self.all(), key][-KEPT_KEYS:])
        return key

    def current(self) -> Key:
        """What is signed with now."""
        usable = [key for key in self.all() if key.used_from <= self._clock()]
        return usable[-1]


def audience(service: Mapping[str, Any]) -> str:
    """Of the assertion for a backend service."""
    return f"/projects/{service['number']}/global/backendServices/{service['id']}"


def subject(email: str) -> str:
    """A stable account number, as Google gives to each account."""
    return str(10**20 + int(hashlib.sha256(email.encode()).hexdigest()[:16], 16) % 10**20)


def assertion(key: Key, service: Mapping[str, Any], email: str, hosted: str, now: float) -> str:
    """The JWT in x-goog-iap-jwt-assertion; `hosted` is the domain that Google keeps accounts for."""
    claims = {
        "iss": ISSUER,
        "aud": audience(service),
        "sub": f"accounts.google.com:{subject(email)}",
        "email": email,
        "azp": audience(service),
        "iat": int(now),
        "exp": int(now) + ASSERTION_SECONDS,
        "identity_source": "GOOGLE",
    }
    if email.endswith(f"@{hosted}"):
        claims["hd"] = hosted
    encoded: bytes = jwt.encode(es256.ES256Signer.from_string(key.pem, key.id), claims)
    return encoded.decode()


class Seal:
    """Signed and dated texts that only this front door makes: sessions, and what the sign-in hands back."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        path = folder / "session.key"
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        self._key = bytes.fromhex(path.read_text())
        self._clock = clock

    def make(self, purpose: str, seconds: float, **claims: str) -> str:
        """A token that is good for `purpose` alone, for so many seconds."""
        body = _encode(json.dumps({**claims, "for": purpose, "exp": self._clock() + seconds}).encode())
        return f"{body}.{self._sign(body)}"

    def open(self, purpose: str, token: str) -> dict[str, Any] | None:
        """What was put in; None if it is forged, expired or meant for something else."""
        body, _, signature = token.partition(".")
        if not hmac.compare_digest(self._sign(body), signature):
            return None
        claims: dict[str, Any] = json.loads(_decode(body))
        return claims if claims["for"] == purpose and claims["exp"] > self._clock() else None

    def _sign(self, body: str) -> str:
        return _encode(hmac.new(self._key, body.encode(), hashlib.sha256).digest())
