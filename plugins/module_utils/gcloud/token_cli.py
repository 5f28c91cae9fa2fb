#!/usr/bin/env python3
"""A Google access token for Kubernetes clients: what gke-gcloud-auth-plugin does, without gcloud.

A kubeconfig names it as its exec credential plugin. Runs as a file: kubectl knows nothing of Python packages.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

if not __package__:
    # Started as a file: its folder must not shadow the standard library, the folder above holds the package.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __package__ = Path(__file__).resolve().parent.name
    __import__(__package__)

from .command_line import add_credentials, make_api
from .errors import PlatformError

VALID_MINUTES = 30  # Google's tokens are good for an hour; Kubernetes' Python client asks again 5 minutes before this


def main(argv: Sequence[str] | None = None) -> int:
    """Print an ExecCredential; returns the exit status."""
    parser = argparse.ArgumentParser(description="A Google access token as a Kubernetes exec credential.")
    add_credentials(parser)
    try:
        token = make_api(parser.parse_args(argv)).access_token()
    except PlatformError as error:
        print(error, file=sys.stderr)
        return 1
    expires = (datetime.now(UTC) + timedelta(minutes=VALID_MINUTES)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"token": token, "expirationTimestamp": expires}
    json.dump({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
