"""What is to happen when a run ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.module_utils.gcloud import runs
from plugins.module_utils.gcloud.runs import Run, watch
from tests.waiting import until

SECONDS = 20.0


@pytest.fixture
def process() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)


def test_a_run_is_told_apart_from_a_later_process_of_its_number(process: subprocess.Popen[bytes]) -> None:
    run = Run.of(process.pid)
    assert run.alive
    assert Run.parse(str(run)) == run
    assert not Run(process.pid, "1").alive
    process.kill()
    process.wait()
    assert not run.alive


@pytest.mark.parametrize("text", ["", "12", "x:1", ":"])
def test_nonsense_is_no_run(text: str) -> None:
    assert Run.parse(text) is None


def test_the_watcher_outlives_a_kill_of_the_whole_group(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    done = tmp_path / "done"
    watcher = Run.of(watch(Run.of(process.pid), lambda: done.write_text("yes")))
    assert watcher.alive
    assert os.getsid(watcher.pid) != os.getsid(0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(done.exists, "what the watcher does at the end", SECONDS)
    until(lambda: not watcher.alive, "the watcher to end", SECONDS)


def test_meanwhile_is_asked_and_may_end_it(
    process: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LOOK_SECONDS", 0.05)
    asked = tmp_path / "asked"

    def meanwhile() -> bool:
        with asked.open("a") as file:
            file.write(".")
        return len(asked.read_text()) < 3

    watcher = Run.of(watch(Run.of(process.pid), lambda: (tmp_path / "end").touch(), every=0.1, meanwhile=meanwhile))
    until(lambda: not watcher.alive, "the watcher to end", SECONDS)
    assert asked.read_text() == "..."
    assert not (tmp_path / "end").exists()
    process.kill()
    process.wait()
