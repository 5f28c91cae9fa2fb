"""The company of the sealed world, as typed data (company.yml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

COMPANY_FILE = Path(__file__).with_name("company.yml")


@dataclass(frozen=True)
class Account:
    """Somebody who can sign in: a person or a service account, with the project roles held from the first day."""

    email: str
    roles: tuple[str, ...]

    @property
    def is_service_account(self) -> bool:
        return self.email.endswith(".gserviceaccount.com")


@dataclass(frozen=True)
class GitAccount:
    """An account of the Git host; `write` allows pushing (and so making) repositories of its organisations."""

    name: str
    organizations: tuple[str, ...]
    write: bool


@dataclass(frozen=True)
class Company:
    """Everything that exists before the first playbook runs."""

    project: str
    number: str
    organization: str
    domain: str
    billing_account: str
    region: str
    accounts: tuple[Account, ...]
    groups: dict[str, tuple[str, ...]]
    git_host: str
    git_accounts: tuple[GitAccount, ...]

    @property
    def deployer(self) -> Account:
        """The service account whose key file `rehearsal run` exports."""
        return next(account for account in self.accounts if account.is_service_account)


def parse(data: dict[str, Any]) -> Company:
    """Build a Company from the content of a file like company.yml; a missing key raises KeyError with its name."""
    plain = ("project", "number", "organization", "domain", "billing_account", "region")
    return Company(
        **{key: str(data[key]) for key in plain},
        accounts=tuple(Account(entry["email"], tuple(entry["roles"])) for entry in data["accounts"]),
        groups={name: tuple(members) for name, members in data["groups"].items()},
        git_host=data["git"]["host"],
        git_accounts=tuple(
            GitAccount(entry["name"], tuple(entry["organizations"]), bool(entry["write"]))
            for entry in data["git"]["accounts"]
        ),
    )


@cache
def load() -> Company:
    """The company of company.yml."""
    return parse(yaml.safe_load(COMPANY_FILE.read_text()))
