"""What the hypervisor was asked to run, so that it runs again after the world (or the hypervisor) was restarted.

The emulated cloud keeps its state over a restart; without this, its clusters, machines and databases would be gone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.hypervisor.server import Call
from rehearsal.world.secrets import write_private

LOG = logging.getLogger(__name__)
_ENSURE = "ensure_"
_ENDS = ("remove_", "stop_")


class Ledger:
    """The calls that hold, in the order they were made; kept in a file that only its owner reads (it has passwords)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}

    def keeping(self, calls: Mapping[str, Call]) -> dict[str, Call]:
        """The same calls, with every success of an `ensure_*` written down until the matching end."""
        return {name: self._kept(name, call) for name, call in calls.items()}

    async def restore(self, calls: Mapping[str, Call]) -> None:
        """Make the calls of the ledger again. One that fails is logged and stays: the next restart tries it again."""
        for identity, entry in list(self._entries.items()):
            LOG.info("starting again: %s", identity)
            try:
                await calls[entry["call"]](**entry["arguments"])
            except Exception:  # whatever failed, the rest is to be started
                LOG.exception("%s could not be started again", identity)

    def _kept(self, name: str, call: Call) -> Call:
        async def kept(**arguments: Any) -> Any:
            answer = await call(**arguments)
            if name.startswith(_ENSURE):
                self._entries[_identity(name, arguments["spec"])] = {"call": name, "arguments": arguments}
                self._write()
            elif name.startswith(_ENDS):
                self._forget(_identity(name, arguments))
            return answer

        return kept

    def _forget(self, identity: str) -> None:
        """Drop an entry; a cluster's node pools go with it."""
        pools = identity.replace("cluster ", "node_pool ", 1) + "/"
        self._entries = {
            name: entry for name, entry in self._entries.items() if name != identity and not name.startswith(pools)
        }
        self._write()

    def _write(self) -> None:
        write_private(self._file, json.dumps(self._entries))


def _identity(call: str, thing: Mapping[str, Any]) -> str:
    """`cluster projects/...`, `node_pool projects/.../NAME` and so on; `thing` has the key, and a pool's name."""
    kind = call.partition("_")[2]
    return f"{kind} {thing['key']}" + (f"/{thing['name']}" if kind == "node_pool" else "")
