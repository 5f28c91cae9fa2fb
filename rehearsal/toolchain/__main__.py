"""`python -m rehearsal.toolchain`: builds what the cache lacks, with progress; quick when it lacks nothing."""

from __future__ import annotations

import fcntl
import sys

from rehearsal.paths import cache_dir
from rehearsal.toolchain import debian, envoy, golang, host, images, releases
from rehearsal.toolchain.progress import ToolchainError


def main() -> int:
    """Exit status 0 when everything is there, 1 with the reason and the remedy otherwise."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    print(f"Toolchain in {cache_dir()}", flush=True)
    try:
        with (cache_dir() / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second one waits and then finds everything there
            host.ensure()
            debian.unpack_all()
            golang.build_all()
            envoy.ensure()
            images.assemble_all()
            releases.collect()
            host.build_machine_base()
    except ToolchainError as error:
        print(f"The toolchain is not complete: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
