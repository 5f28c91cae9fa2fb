"""The first process of a world (PID 1): sets it up from inside, then supervises its services.

Started by rehearsal.world.lifecycle in new namespaces; its output goes to `logs/init.log`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from rehearsal.world import environment, mounts, namespaces, network, record, services
from rehearsal.world.supervisor import Supervisor


def set_up(folder: Path) -> None:
    """Mounts first (they hide the machine), then the network, then the office."""
    namespaces.prepare_first_process()
    mounts.cover_all(folder)
    network.make_world()
    network.make_office()


def main(name: str) -> int:
    """Set up the world and run it until told to stop."""
    world = record.load(name)
    folder = world.folder
    failure = folder / "run" / "failure.json"
    try:
        set_up(folder)
    except Exception as error:
        # Whoever waits for the world reads why it didn't come up; the trace goes to init.log.
        failure.write_text(json.dumps({"error": str(error)}))
        traceback.print_exc()
        return 1
    print(f"world {name!r} is set up", flush=True)
    env = environment.of_services(folder, os.environ)
    Supervisor(folder, services.of_world(folder, world.nodes), env).run()
    print(f"world {name!r} ends", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
