"""Callback: imports Google's libraries once, in the controller, before it forks its workers."""

from __future__ import annotations

import gc
import sys
import zipimport
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
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
  - Ansible hands each module its helpers as source in an archive, to be compiled again by every task. This callback
    keeps the compiled form of the helpers there are; sources that differ by one byte are compiled as ever.
  - If the libraries are not installed it says so once; the modules then report it in their own words.
author: MLOps platform
"""

PLUGINS = Path(__file__).resolve().parents[1]


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
        _remember_compiled()
        gc.freeze()  # else the collector of each forked process touches, and so copies, all that was imported here


def _clients() -> Any:
    """plugins/module_utils/gcloud/clients.py, imported from beside this file."""
    sys.path.insert(0, str(PLUGINS / "module_utils"))
    try:
        from gcloud import clients  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    return clients


def _remember_compiled() -> None:
    """Let zipimport take the compiled form of sources that are known byte for byte; it has no cache of its own."""
    usual: Callable[[str, bytes], CodeType] | None = getattr(zipimport, "_compile_source", None)
    if usual is None:  # another Python: slower, and no worse
        return
    known = dict(_compiled())

    def compile_source(pathname: str, source: bytes) -> CodeType:
        return known.get(source) or usual(pathname, source)

    zipimport._compile_source = compile_source  # type: ignore[attr-defined]


def _compiled() -> Iterator[tuple[bytes, CodeType]]:
    """Source and code of this project's module_utils, and of Ansible's that the controller itself has loaded."""
    files = [str(path) for path in (PLUGINS / "module_utils").rglob("*.py")]
    files += [
        str(module.__file__)
        for name, module in list(sys.modules.items())
        if name.startswith("ansible.module_utils.") and str(getattr(module, "__file__", "")).endswith(".py")
    ]
    for file in files:
        loader = SourceFileLoader(Path(file).stem, file)
        code = loader.get_code(loader.name)  # from its .pyc where there is one
        if code is not None:
            yield Path(file).read_bytes(), code
