"""Callback: imports Google's libraries once, in the controller, before it forks its workers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Imports the Google Cloud libraries once for the whole run
version_added: "0.1.0"
description:
  - Importing google.cloud.compute_v1 takes more than a second, which every task would pay again.
  - With this callback the controller has imported it already, and the connection plugin P(warm_local#connection) runs
    modules in processes forked from it.
  - If the libraries are not installed it says so once; the modules then report it in their own words.
author: MLOps platform
"""


class CallbackModule(CallbackBase):
    """Does its work when it is loaded."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        try:
            _clients().preload()
        except ImportError as error:
            self._display.warning(f"Google Cloud libraries are missing ({error}): pip install -r requirements.lock")


def _clients() -> Any:
    """plugins/module_utils/gcloud/clients.py, imported from beside this file."""
    plugins = Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(plugins / "module_utils"))
    try:
        from gcloud import clients  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    return clients
