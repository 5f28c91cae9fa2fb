"""When an OS Login key is made, imported, renewed or left alone; and where it is kept."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.gcloud import oslogin
from plugins.module_utils.gcloud.errors import PlatformError

NOW = 1_800_000_000.0
KEY = "ssh-ed25519 AAAA deployer@acme.example"


def _profile(key: str = KEY, expires_in: float | None = 7200) -> dict[str, Any]:
    entry = {"key": key}
    if expires_in is not None:
        entry["expirationTimeUsec"] = str(int((NOW + expires_in) * 1e6))
    return {"sshPublicKeys": {"fingerprint": entry}}


@pytest.mark.parametrize(
    ("public_key", "profile", "expected"),
    [
        (None, {}, (True, True, "there is no key yet")),
        (KEY, {}, (False, True, "OS Login does not have the key")),
        (KEY, _profile("ssh-ed25519 BBBB x"), (False, True, "OS Login does not have the key")),
        (KEY, _profile(), (False, False, "")),
        (KEY, _profile("ssh-ed25519 AAAA another comment"), (False, False, "")),
        (KEY, _profile(expires_in=None), (False, False, "")),
        (KEY, _profile(expires_in=3599), (False, True, "the key expires soon")),
        (KEY, _profile(expires_in=-1), (False, True, "the key has expired")),
    ],
    ids=["none", "not imported", "another", "valid", "comment differs", "for ever", "soon", "expired"],
)
def test_plan(public_key: str | None, profile: dict[str, Any], expected: tuple[bool, bool, str]) -> None:
    plan = oslogin.plan(public_key, profile, NOW, renew_before=3600)
    assert (plan.make_key, plan.import_key, plan.reason) == expected
    assert plan.changed == expected[1]


def test_a_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "key"
    public = oslogin.make_key(file, "me@acme.example")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert oslogin.read_public_key(file) == public
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" me@acme.example")


def test_half_a_pair_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(KEY)
    assert oslogin.read_public_key(tmp_path / "key") is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlatformError, match=r"Set key_file to a place that can be written, outside the repository"):
        oslogin.make_key(tmp_path / "file" / "key", "me")


def test_the_default_place_is_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    expected = tmp_path / "mlops-platform" / "ssh" / "acme-ml-me@acme.example"
    assert oslogin.default_key_file("acme-ml", "me@acme.example") == expected


def test_the_primary_linux_account_is_the_user() -> None:
    accounts = [
        {"username": "windows", "operatingSystemType": "WINDOWS", "primary": True},
        {"username": "second"},
        {"username": "first", "primary": True},
    ]
    assert oslogin.user_name({"posixAccounts": accounts}, "me") == "first"
    with pytest.raises(PlatformError, match=r"roles/compute\.osLogin"):
        oslogin.user_name({}, "me@acme.example")
