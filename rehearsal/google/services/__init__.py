"""The behaviour of the emulated services."""

from __future__ import annotations

import importlib

_MODULES = (
    "compute",
    "container",
    "iam",
    "iap",
    "oslogin",
    "resourcemanager",
    "serviceusage",
    "servicenetworking",
    "storage",
    "sqladmin",
    "secretmanager",
    "artifactregistry",
    "dns",
    "certificatemanager",
    "kms",
)


def load() -> None:
    """Imports all services, which registers their behaviour."""
    for name in _MODULES:
        importlib.import_module(f"{__name__}.{name}")
