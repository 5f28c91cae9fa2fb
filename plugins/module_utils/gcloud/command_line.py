"""As whom the programs call Google that ssh and Kubernetes clients start: as the modules of the run do."""

from __future__ import annotations

import argparse
import os

from .clients import Api


def add_credentials(parser: argparse.ArgumentParser) -> None:
    """Add the options; unset, they come from the variables that the modules take them from (arguments.py)."""
    parser.add_argument(
        "--service-account-file",
        default=os.environ.get("GCP_SERVICE_ACCOUNT_FILE"),
        help="JSON key file (default: application default credentials)",
    )
    parser.add_argument(
        "--impersonate",
        metavar="EMAIL",
        default=os.environ.get("GCP_IMPERSONATE_SERVICE_ACCOUNT"),
        help="service account to act as",
    )


def make_api(options: argparse.Namespace) -> Api:
    """The API of the identity that *options* name. A token comes from the environment: all can read arguments."""
    return Api(
        service_account_file=options.service_account_file,
        access_token=os.environ.get("GCP_ACCESS_TOKEN"),
        impersonate=options.impersonate,
    )
