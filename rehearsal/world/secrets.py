"""Credentials of the world's accounts: made once per world, kept in files of mode 0600 under `credentials/`."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rehearsal.world.company import Account, Company

DEPLOYER_FILE = "deployer.json"
GIT_FILE = "git.json"


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, never readable by others in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)


def ensure_deployer_key(folder: Path, company: Company) -> None:
    """The key file of the deploying service account, in the form Google Cloud's console downloads it."""
    path = folder / "credentials" / DEPLOYER_FILE
    if not path.exists():
        write_private(path, json.dumps(_key_file(company.deployer, company), indent=2))


def _key_file(account: Account, company: Company) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": company.project,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": account.email,
        "client_id": str(10**20 + secrets.randbelow(10**20)),
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/"
        + account.email.replace("@", "%40"),
        "universe_domain": "googleapis.com",
    }


def deployer_public_key(folder: Path) -> tuple[str, str]:
    """(key id, public key as PEM) of the deployer's key, which the emulator checks signatures with."""
    data = json.loads((folder / "credentials" / DEPLOYER_FILE).read_text())
    private = serialization.load_pem_private_key(data["private_key"].encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data["private_key_id"], public.decode()


def ensure_git_tokens(folder: Path, company: Company) -> None:
    """One random token for each account of the Git host."""
    path = folder / "credentials" / GIT_FILE
    if not path.exists():
        tokens = {account.name: f"git_{secrets.token_urlsafe(24)}" for account in company.git_accounts}
        write_private(path, json.dumps(tokens, indent=1))


def git_tokens(folder: Path) -> dict[str, str]:
    """Token by account name."""
    tokens: dict[str, str] = json.loads((folder / "credentials" / GIT_FILE).read_text())
    return tokens


def git_token(folder: Path, account: str) -> str:
    """Token of one account of the Git host."""
    return git_tokens(folder)[account]
