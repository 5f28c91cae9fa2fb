"""The emulator's configuration: the company that owns the cloud, where the state lives, which addresses to serve.

The JSON schema below is the documentation; `load` refuses anything that does not fit it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

_TEXT = {"type": "string", "minLength": 1}
_ADDRESSES = {"type": "array", "items": {"type": "string", "pattern": r"^[0-9.]+(:[0-9]+)?$"}}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["project", "number", "state_dir"],
    "properties": {
        "project": {**_TEXT, "description": "id of the project that exists at the start"},
        "number": {"type": "string", "pattern": "^[0-9]+$", "description": "its number"},
        "organization": {"type": "string", "pattern": "^organizations/[0-9]+$", "description": "its parent"},
        "domain": {**_TEXT, "description": "Workspace customer's domain; members `domain:` are held against it"},
        "billing_account": {"type": "string", "pattern": "^billingAccounts/", "description": "linked, open account"},
        "region": {**_TEXT, "description": "the company's region"},
        "accounts": {
            "type": "array",
            "description": "people and service accounts, with their roles on the project",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["email"],
                "properties": {
                    "email": _TEXT,
                    "roles": {"type": "array", "items": {"type": "string", "pattern": "^roles/"}},
                    "public_key_pem": {"type": "string", "description": "of a service account's key (PEM)"},
                    "key_id": _TEXT,
                },
            },
        },
        "groups": {
            "type": "object",
            "description": "e-mail of a group -> e-mails of its members",
            "additionalProperties": {"type": "array", "items": _TEXT},
        },
        "enabled_services": {
            "type": "array",
            "items": _TEXT,
            "description": "APIs enabled beside those of a fresh project",
        },
        "state_dir": {**_TEXT, "description": "folder of state.db, calls.db and stored objects"},
        "ca": {
            "type": "object",
            "additionalProperties": False,
            "required": ["cert", "key"],
            "properties": {"cert": _TEXT, "key": _TEXT},
            "description": "PEM files of the authority that certificates are minted from; without it, plain HTTP",
        },
        "hypervisor_socket": {
            "type": ["string", "null"],
            "description": "unix socket of the hypervisor; null: nothing real",
        },
        "addresses": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"apis": _ADDRESSES, "relay": _ADDRESSES, "metadata": {"type": ["string", "null"]}},
            "description": "apis and relay: port 443 unless given; metadata: port 80 unless given, plain HTTP",
        },
        "latency_scale": {"type": "number", "minimum": 0, "description": "0: at once; 1: about Google's pace"},
    },
}


class ConfigError(Exception):
    """The configuration does not fit its schema; the text names the place."""


@dataclass(frozen=True)
class Account:
    """A person or service account that exists at the start."""

    email: str
    roles: tuple[str, ...] = ()
    public_key_pem: str | None = None
    key_id: str | None = None


@dataclass(frozen=True)
class Config:
    """See `SCHEMA`."""

    project: str
    number: str
    state_dir: Path
    organization: str = "organizations/520001"
    domain: str = "acme.example"
    billing_account: str = "billingAccounts/0A1B2C-3D4E5F-6A7B8C"
    region: str = "europe-west1"
    accounts: tuple[Account, ...] = ()
    groups: dict[str, list[str]] = field(default_factory=dict)
    enabled_services: tuple[str, ...] = ()
    ca_cert: Path | None = None
    ca_key: Path | None = None
    hypervisor_socket: Path | None = None
    apis: tuple[str, ...] = ()
    relay: tuple[str, ...] = ()
    metadata: str | None = None
    latency_scale: float = 0.0


def parse(data: Any) -> Config:
    """A configuration from its JSON value.

    Raises:
        ConfigError: it does not fit the schema.
    """
    try:
        jsonschema.validate(data, SCHEMA)
    except jsonschema.ValidationError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "top level"
        raise ConfigError(f"emulator configuration, {place}: {error.message}") from error
    plain = {name: data[name] for name in _PLAIN if name in data}
    authority, addresses = data.get("ca", {}), data.get("addresses", {})
    socket = data.get("hypervisor_socket")
    return Config(
        **plain,
        state_dir=Path(data["state_dir"]),
        accounts=tuple(_account(item) for item in data.get("accounts", [])),
        enabled_services=tuple(data.get("enabled_services", [])),
        ca_cert=Path(authority["cert"]) if authority else None,
        ca_key=Path(authority["key"]) if authority else None,
        hypervisor_socket=Path(socket) if socket else None,
        apis=tuple(addresses.get("apis", [])),
        relay=tuple(addresses.get("relay", [])),
        metadata=addresses.get("metadata"),
    )


_PLAIN = ("project", "number", "organization", "domain", "billing_account", "region", "groups", "latency_scale")


def _account(item: dict[str, Any]) -> Account:
    return Account(item["email"], tuple(item.get("roles", [])), item.get("public_key_pem"), item.get("key_id"))


def load(path: Path) -> Config:
    """The configuration in a file.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or does not fit.
    """
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"emulator configuration {path}: {error}") from error
    return parse(data)
