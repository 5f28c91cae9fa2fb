"""Tokens of programs, as Identity-Aware Proxy judges them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from google.auth import crypt, jwt
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from rehearsal.google.testing import Emulator, emulator, redirected, running

__all__ = ["emulator"]
URL, CLIENT = "https://mlflow.ml.example.com/api", "client.apps.googleusercontent.com"


def judged(emulator: Emulator, token: str, client: str = CLIENT) -> dict[str, Any]:
    asked = {"token": token, "client": client, "url": URL}
    _, answer = emulator.request("POST", "/edge/identify", asked, host="emulator.internal", email=None)
    return dict(answer)


def signed(emulator: Emulator, **claims: Any) -> str:
    info = json.loads(emulator.credentials.read_text())
    now, email = int(time.time()), info["client_email"]
    good = {"iss": email, "sub": email, "aud": "https://mlflow.ml.example.com/*", "iat": now, "exp": now + 600}
    return jwt.encode(crypt.RSASigner.from_service_account_info(info), {**good, **claims}).decode()


@pytest.mark.parametrize("audience", ["https://mlflow.ml.example.com/*", URL])
def test_a_self_signed_token_for_the_site(emulator: Emulator, audience: str) -> None:
    assert judged(emulator, signed(emulator, aud=audience))["email"].startswith("deployer@")


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"aud": "https://other.example.com/*"}, "Invalid JWT audience"),
        ({"aud": "https://mlflow.ml.example.com.evil.example/*"}, "Invalid JWT audience"),
        ({"sub": "somebody@else.iam.gserviceaccount.com"}, "Invalid JWT audience"),
        ({"exp": 1000}, "JWT signature is invalid"),
        ({"iss": "nobody@acme-mlops.iam.gserviceaccount.com"}, "JWT signature is invalid"),
    ],
)
def test_other_self_signed_tokens_are_none(emulator: Emulator, claims: dict[str, Any], problem: str) -> None:
    assert judged(emulator, signed(emulator, **claims)) == {"problem": problem}


def test_garbage_is_none(emulator: Emulator) -> None:
    assert judged(emulator, "a.b.c") == {"problem": "Unable to parse JWT"}


def test_googles_own_client_gets_an_identity_token_that_is_taken(tmp_path: Any) -> None:
    with running(tmp_path, tls=True) as cloud, redirected(cloud):
        credentials = service_account.IDTokenCredentials.from_service_account_file(
            str(cloud.credentials), target_audience=CLIENT
        )
        credentials.refresh(Request())
        assert judged(cloud, credentials.token)["email"].startswith("deployer@")
        assert judged(cloud, credentials.token, "another.apps.googleusercontent.com") == {
            "problem": "Invalid JWT audience"
        }
        assert judged(cloud, credentials.token, "") == {"problem": "Invalid JWT audience"}  # Google manages the client
        head, body, signature = credentials.token.split(".")
        forged = f"{head}.{body}.{signature[::-1]}"
        assert judged(cloud, forged) == {"problem": "JWT signature is invalid"}
