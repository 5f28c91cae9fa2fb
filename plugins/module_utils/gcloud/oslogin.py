"""An SSH key for OS Login that lives outside the repository and expires by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .clients import Api
from .errors import PlatformError

STATE_FOLDER = "mlops-platform"


@dataclass(frozen=True)
class Plan:
    """What is to be done: make a key pair, import its public key. `reason` says why, for people; empty for nothing."""

    make_key: bool
    import_key: bool
    reason: str

    @property
    def changed(self) -> bool:
        return self.import_key


def default_key_file(project: str, account: str) -> Path:
    """Where the key of an account is kept: the user's state folder, never the repository."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / STATE_FOLDER / "ssh" / f"{project}-{account}"


def plan(public_key: str | None, profile: Mapping[str, Any], now: float, renew_before: float) -> Plan:
    """Compare the key at hand (None: there is none) with the account's login profile. Times are in seconds."""
    if public_key is None:
        return Plan(True, True, "there is no key yet")
    wanted = public_key.split()[:2]
    for entry in (profile.get("sshPublicKeys") or {}).values():
        if str(entry.get("key", "")).split()[:2] != wanted:
            continue
        expiry = int(entry.get("expirationTimeUsec") or 0) / 1e6
        if expiry and expiry - now < renew_before:
            return Plan(False, True, "the key expires soon" if expiry > now else "the key has expired")
        return Plan(False, False, "")
    return Plan(False, True, "OS Login does not have the key")


def read_public_key(key_file: Path) -> str | None:
    """The public key beside a private one, or None if there is no complete pair."""
    public = key_file.with_name(key_file.name + ".pub")
    return public.read_text().strip() if public.exists() and key_file.exists() else None


def make_key(key_file: Path, comment: str) -> str:
    """Make an Ed25519 pair, the private key readable by its owner only; returns the public key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    public = f"{line.decode()} {comment}"
    try:
        key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key_file.unlink(missing_ok=True)
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
        key_file.with_name(key_file.name + ".pub").write_text(public + "\n")
    except OSError as error:
        raise PlatformError(
            f"{error.strerror}: {error.filename}",
            action="write",
            resource=f"SSH key {key_file}",
            hint="Set key_file to a place that can be written, outside the repository.",
        ) from error
    return public


class Profile:
    """The OS Login profile of one account, who must be the caller."""

    def __init__(self, api: Api, account: str, project: str) -> None:
        self._api = api
        self._account = account
        self._project = project

    def read(self) -> dict[str, Any]:
        """The profile: posixAccounts and sshPublicKeys. Raises PlatformError."""
        try:
            return self._api.call(
                "oslogin", "users.getLoginProfile", {"name": f"users/{self._account}", "projectId": self._project}
            )
        except PlatformError as error:
            raise error.about("read", f"OS Login profile of {self._account}") from error

    def import_key(self, public_key: str, lifetime: float) -> dict[str, Any]:
        """Add or renew a public key for *lifetime* seconds; returns the profile. Raises PlatformError."""
        expiry = int((time.time() + lifetime) * 1e6)
        try:
            answer = self._api.call(
                "oslogin",
                "users.importSshPublicKey",
                {"parent": f"users/{self._account}", "projectId": self._project},
                {"key": public_key, "expirationTimeUsec": str(expiry)},
            )
        except PlatformError as error:
            raise error.about("import", f"SSH key into the OS Login profile of {self._account}") from error
        found: dict[str, Any] = answer.get("loginProfile", {})
        return found


def user_name(profile: Mapping[str, Any], account: str) -> str:
    """The Linux user of the account: its primary POSIX account. Raises PlatformError if it has none."""
    accounts = [entry for entry in profile.get("posixAccounts", []) if entry.get("operatingSystemType") != "WINDOWS"]
    primary = [entry for entry in accounts if entry.get("primary")] or accounts
    if not primary:
        raise PlatformError(
            "it has no POSIX account",
            action="find the Linux user of",
            resource=account,
            hint="Grant it roles/compute.osLogin or roles/compute.osAdminLogin in the project, then run this again.",
        )
    return str(primary[0]["username"])
