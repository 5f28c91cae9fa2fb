"""Identity tokens of programs: OpenID Connect tokens by Google, and JWTs that service accounts sign themselves.

Both are what IAP takes of programs: docs "Programmatic authentication" of Identity-Aware Proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

if TYPE_CHECKING:
    from .core import Cloud

ISSUER = "https://accounts.google.com"
LIFETIME_SECONDS = 3600
_SETTING = "id_token_key"


class IdTokens:
    """Issues and checks them for one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def _key(self) -> rsa.RSAPrivateKey:
        with self._cloud.store.transaction() as tx:
            if (pem := tx.setting(_SETTING)) is None:
                made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                pem = made.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                ).decode()
                tx.set(_SETTING, pem)
        key = serialization.load_pem_private_key(pem.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - it was made above
        return key

    def issue(self, email: str, audience: str) -> str:
        """A token that says who `email` is, to `audience`."""
        key, now = self._key(), int(self._cloud.clock.now())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        claims = {"iss": ISSUER, "aud": audience, "email": email, "email_verified": True, "sub": email, "azp": email}
        signer = crypt.RSASigner.from_string(pem.decode(), "rehearsal")
        return jwt.encode(signer, {**claims, "iat": now, "exp": now + LIFETIME_SECONDS}).decode()

    def caller(self, token: str, client: str, url: str) -> tuple[str, str]:
        """(e-mail address, "") of the token's owner, or ("", why it is none) for IAP with OAuth client `client`.

        "" is the client that Google manages, for which it takes JWTs that service accounts sign and no other tokens.
        """
        try:
            claims: dict[str, Any] = dict(jwt.decode(token, verify=False))
        except ValueError:
            return "", "Unable to parse JWT"
        if claims.get("iss") == ISSUER:
            return self._issued(token, client)
        verified = self._cloud.identities.verify(token)
        if verified is None:
            return "", "JWT signature is invalid"
        if verified.get("sub") != verified.get("iss") or not _covers(str(verified.get("aud", "")), url):
            return "", "Invalid JWT audience"
        return str(verified["iss"]), ""

    def _issued(self, token: str, client: str) -> tuple[str, str]:
        public = self._key().public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(token, certs=pem, verify=True)
        except ValueError:
            return "", "JWT signature is invalid"
        if not client or claims.get("aud") != client:
            return "", "Invalid JWT audience"
        return str(claims["email"]), ""


def _covers(audience: str, url: str) -> bool:
    """Whether a self-signed JWT's audience, which may end in `/*`, is for a URL."""
    if audience.endswith("/*"):
        return url.startswith(audience[:-1])
    return url.rstrip("/") == audience.rstrip("/")
