"""Callback: starts the process that imports Google's libraries once for the whole run, and runs its modules."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))
try:
    from warm import client, unpacked
finally:
    sys.path.pop(0)

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Imports the Google Cloud libraries once for the whole run
version_added: "0.1.0"
description:
  - Importing google.cloud.compute_v1 and Ansible's own helpers takes seconds, which every task would pay again.
  - This callback starts a process that imports them while the first tasks run, and the connection plugin
    P(warm_local#connection) has modules run in forks of it, from where they are on the disk. The process keeps, in its
    memory alone, the access token of the deploying account for the modules that follow, and ends with the run.
  - If the libraries are not installed it says so once; the modules then report it in their own words.
author: MLOps platform
"""

RARELY = (100_000, 50, 100)  # allocations, and collections of younger objects, before the collector looks
NEEDED = ("google.cloud.compute_v1", "google.cloud.container_v1", "googleapiclient")


class CallbackModule(CallbackBase):
    """Does its work when it is loaded."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if missing := [name for name in NEEDED if not _is_there(name)]:
            self._display.warning(
                f"Google Cloud libraries are missing ({', '.join(missing)}): pip install -r requirements.lock"
            )
        client.start()
        unpacked.install()
        for loader in (filter_loader, test_loader):  # each worker would load those that it uses anew
            list(loader.all())
        # Nothing of this is garbage; looking for some takes the controller a tenth of a run in which nothing is to do.
        gc.freeze()
        gc.set_threshold(*RARELY)


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # of a package that it is in
        return False
