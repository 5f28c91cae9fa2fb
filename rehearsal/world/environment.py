"""The environment variables of programs inside a world."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rehearsal import paths
from rehearsal.world import secrets

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy")
_REAL_CLOUD = ("GOOGLE_", "GCP_", "GCE_", "GCLOUD_", "CLOUDSDK_", "AWS_", "AZURE_", "ARM_", "IAP_")
_OUTSIDE = ("KUBECONFIG", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST")
"""What names a real cloud, its credentials, or a socket outside has no business in a sealed world."""
_BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPLIB2_CA_CERTS",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
)


def of_services(folder: Path, base: Mapping[str, str]) -> dict[str, str]:
    """Variables of everything in the world: those of `base` that mean nothing outside, and the world's authorities."""
    env = {
        key: value
        for key, value in base.items()
        if key.lower() not in _PROXIES and not key.startswith(_REAL_CLOUD) and key not in _OUTSIDE
    }
    env.update(dict.fromkeys(_BUNDLE_VARIABLES, str(folder / "ca" / "bundle.pem")))
    env["PYTHONUNBUFFERED"] = "1"
    return env


def of_commands(folder: Path) -> dict[str, str]:
    """Variables of `rehearsal run`: also the deployer's credentials and the Git tokens."""
    env = of_services(folder, os.environ)
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(folder / "credentials" / "deployer.json")
    env["PLATFORM_GIT_TOKEN"] = secrets.git_token(folder, "platform-bot")
    env["PLATFORM_GIT_READ_TOKEN"] = secrets.git_token(folder, "argocd")
    # What programs remember between runs is of this world: another one's hosts and clusters have the same names.
    env["REHEARSAL_STATE"] = str(paths.state_dir())
    env["XDG_STATE_HOME"] = str(folder / "home" / "state")
    return env
