"""Runs a command, keeps what it says, and notes the command line of every process there is meanwhile.

    python watch.py FOLDER -- COMMAND ...

FOLDER/output.txt gets the output, FOLDER/commands.txt one command line of /proc a line, each once; both are added to.
Prints what matters: the recap of a play that succeeded, or the end of one that failed. Exits as the command does.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.1
LINES_OF_FAILURE = 120
LONGEST_LINE = 2000


def note_commands(file: Path, ended: threading.Event) -> None:
    """Write each command line that is seen until `ended` is set."""
    seen: set[bytes] = set()
    with file.open("ab") as notes:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes().replace(b"\0", b" ").replace(b"\n", b" ")
                except OSError:
                    continue  # it has ended since
                if line not in seen:
                    seen.add(line)
                    notes.write(line + b"\n")


def main() -> int:
    """Returns the command's exit status."""
    folder, command = Path(sys.argv[1]), sys.argv[3:]
    ended = threading.Event()
    watcher = threading.Thread(target=note_commands, args=(folder / "commands.txt", ended))
    watcher.start()
    with (folder / "output.txt").open("a+") as output:
        begun = output.tell()
        try:
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        finally:
            ended.set()
            watcher.join()
        output.seek(begun)
        said = output.read()
    recap = said.rpartition("PLAY RECAP")[2] if status == 0 else ""
    lines = recap.splitlines() or said.splitlines()[-LINES_OF_FAILURE:]
    print("\n".join(line[:LONGEST_LINE] for line in lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
