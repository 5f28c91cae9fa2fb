"""Who is calling: access tokens, self-signed JWTs of service-account keys, and the members a principal counts as."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

from google.auth import crypt, jwt

from .clock import Clock
from .errors import ApiError
from .store import Store, Transaction

LIFETIME_SECONDS = 3599
_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


@dataclass(frozen=True)
class Principal:
    """A caller: an e-mail address, or the `principal://` of a pod that acts as no service account."""

    email: str
    groups: tuple[str, ...] = ()

    @property
    def is_service_account(self) -> bool:
        """Whether this is a service account of a project or of Google."""
        return self.email.endswith(".gserviceaccount.com")

    @property
    def members(self) -> frozenset[str]:
        """The members of an IAM policy that this caller is."""
        found = {"allUsers", "allAuthenticatedUsers", *(f"group:{group}" for group in self.groups)}
        if self.email.startswith("principal://"):
            found.add(self.email)
        elif self.is_service_account:
            found.add(f"serviceAccount:{self.email}")
        else:
            found |= {f"user:{self.email}", f"domain:{self.email.rpartition('@')[2]}"}
        return frozenset(found)


def unauthenticated(message: str, reason: str, legacy: str) -> ApiError:
    """401 as Google's front end writes it."""
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    extra = {"location": "Authorization", "locationType": "header"}
    error = ApiError(401, message, legacy, details=[detail], always_status=True, extra=extra)
    return error


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Identities:
    """Issues and checks credentials. Access tokens carry their own proof, so that issuing one writes no state."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        with store.transaction() as tx:
            key = tx.setting("token_key")
            if key is None:
                key = secrets.token_hex(32)
                tx.set("token_key", key)
        self._key = bytes.fromhex(key)
        self._verified: dict[str, tuple[str, float]] = {}

    def issue(self, email: str, lifetime: int = LIFETIME_SECONDS) -> dict[str, Any]:
        """An access token for `email` in the form of OAuth's token response; lifetime in seconds."""
        claims = {"e": email, "x": int(self._clock.now()) + lifetime, "n": secrets.token_hex(8)}
        payload = _encode(json.dumps(claims).encode())
        return {
            "access_token": f"ya29.c.{payload}.{self._sign(payload)}",
            "expires_in": lifetime,
            "token_type": "Bearer",
        }

    def _sign(self, payload: str) -> str:
        return _encode(hmac.new(self._key, payload.encode(), hashlib.sha256).digest())

    def identify(self, token: str) -> Principal | None:
        """The principal of an access token or self-signed JWT; None where it is unknown or expired."""
        email = self._access_token(token) if token.startswith("ya29.") else self._self_signed(token)
        return self.principal(email) if email else None

    def principal(self, email: str) -> Principal:
        """The principal with its groups."""
        with self._store.transaction() as tx:
            groups = tuple(g.key for g in tx.list("world.groups") if email in g.body["members"])
        return Principal(email, groups)

    def _access_token(self, token: str) -> str | None:
        parts = token.split(".")
        if len(parts) != 4 or not hmac.compare_digest(self._sign(parts[2]), parts[3]):
            return None
        claims = json.loads(_decode(parts[2]))
        with self._store.transaction() as tx:
            usable = _usable(tx, claims["e"])
        return str(claims["e"]) if claims["x"] > self._clock.now() and usable else None

    def _self_signed(self, token: str) -> str | None:
        """google-auth sends these to services that take them, with the key registered for the service account."""
        email, expiry = self._verified.get(token, ("", 0.0))
        if not email:
            claims = self.verify(token)
            if claims is None or claims.get("sub", claims.get("iss")) != claims.get("iss"):
                return None
            email, expiry = str(claims["iss"]), float(claims["exp"])
            self._verified = {key: item for key, item in self._verified.items() if item[1] > self._clock.now()}
            self._verified[token] = (email, expiry)
        with self._store.transaction() as tx:
            return email if expiry > self._clock.now() and _usable(tx, email) else None

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a JWT that a registered key of its issuer has signed and that is not expired; else None."""
        try:
            header, claims = jwt.decode_header(token), jwt.decode(token, verify=False)
        except ValueError:
            return None
        with self._store.transaction() as tx:
            keys = [
                record.hidden["public_key_pem"]
                for record in tx.list("iam.serviceAccountKeys")
                if record.hidden["email"] == claims.get("iss")
                and header.get("kid") in (None, record.key.rpartition("/")[2])
            ]
        signed, _, signature = token.rpartition(".")
        valid = any(crypt.verify_signature(signed.encode(), _decode(signature), pem) for pem in keys)
        return dict(claims) if valid and float(claims.get("exp", 0)) > self._clock.now() else None

    def require(self, authorization: str | None) -> Principal:
        """The caller by the Authorization header.

        Raises:
            ApiError: 401, with Google's texts for no and for wrong credentials.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            raise unauthenticated(
                f"Request is missing required authentication credential. {_EXPECTED}", "CREDENTIALS_MISSING", "required"
            )
        principal = self.identify(token.strip())
        if principal is None:
            raise unauthenticated(
                f"Request had invalid authentication credentials. {_EXPECTED}", "ACCESS_TOKEN_EXPIRED", "authError"
            )
        return principal


def _usable(tx: Transaction, email: str) -> bool:
    """A service account of a project must exist and be enabled; Google's agents and people always are."""
    if not email.endswith(".iam.gserviceaccount.com") or "@gcp-sa-" in email or "-robot.iam" in email:
        return True
    project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    record = tx.get("iam.serviceAccounts", f"projects/{project}/serviceAccounts/{email}")
    return record is not None and not record.body.get("disabled")
