"""The process that runs a run's modules: as users meet it, in plays of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import ansible_collections
import pytest

from plugins.module_utils.warm import client, unpacked
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = Path(ansible_collections.__path__[0])
ENOUGH_SECONDS = 30
HEAD = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_connection: warm_local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}
  tasks:
"""
MODULE = """
import os, signal, sys, time
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule
def main():
    module = AnsibleModule({'do': {'type': 'str'}, 'note': {'type': 'path'}})
    sys.stderr.write('\\x1eprogress half way\\nnoise\\n')
    if module.params['note']:
        Path(module.params['note']).write_text(f"{os.getpid()} {os.getppid()}")
    if module.params['do'] == 'fail':
        raise RuntimeError('broken')
    if module.params['do'] == 'wait':
        time.sleep(60)
    if module.params['do'] == 'end the host':
        os.kill(os.getppid(), signal.SIGKILL)
    module.exit_json(
        imported='googleapiclient' in sys.modules, packed=__file__.endswith('.py') and '.zip' in __file__,
        said=os.environ.get('SAID'),
    )
if __name__ == '__main__':
    main()
"""


class Plays:
    """Plays in a folder of their own, with a module `busy` that is packed, for it is not the project's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "library").mkdir()
        (folder / "library" / "busy.py").write_text(MODULE)

    def start(self, tasks: str, **environment: str) -> subprocess.Popen[str]:
        (self.folder / "play.yml").write_text(HEAD + tasks)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        library = f"{self.folder}/library:{ROOT}/plugins/modules"
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", self.folder / "play.yml"],
            cwd=ROOT,
            env={**clean, "MLOPS_REPORTS": "none", "ANSIBLE_LIBRARY": library, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, tasks: str, **environment: str) -> tuple[int, str]:
        process = self.start(tasks, **environment)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def at_work(self, tasks: str) -> tuple[subprocess.Popen[str], list[int]]:
        """A play whose module has begun, and the numbers of that module's process and of the host's."""
        note = self.folder / "note"
        process = self.start(tasks.replace("NOTE", str(note)))
        until(lambda: note.exists() and len(note.read_text().split()) == 2, "the module to begin", ENOUGH_SECONDS)
        return process, [int(word) for word in note.read_text().split()]


@pytest.fixture
def plays(tmp_path: Path) -> Plays:
    return Plays(tmp_path)


def running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_modules_find_what_they_need_imported_and_show_their_progress(plays: Plays) -> None:
    code, said = plays.run(
        "    - busy:\n"
        "      register: result\n"
        "    - ansible.builtin.assert: {that: [result.imported, result.packed]}\n"
        "    - busy: {do: fail}\n"
    )
    assert "  half way\n" in said
    assert "noise" not in said.split("TASK [ansible.builtin.assert]")[0]
    assert "broken" in said
    assert code == 2, said


def test_modules_of_the_project_and_of_ansible_run_where_they_are(plays: Plays) -> None:
    """The second asks for its own parent: the host, whose program is no shell and no worker."""
    code, said = plays.run(
        "    - ansible.builtin.shell: xargs -0 < /proc/$(ps -o ppid= $PPID | xargs)/cmdline\n"
        "      register: result\n"
        "    - ansible.builtin.assert: {that: \"'warm/host.py' in result.stdout\"}\n"
        "    - gcp_network: {project: p, name: n, subnets: 1}\n"
    )
    assert "argument 'subnets' is of type int" in said or "subnets" in said
    assert code == 2
    assert "failed=1" in said


def test_the_environment_of_a_task_reaches_its_module(plays: Plays) -> None:
    code, said = plays.run(
        "    - busy:\n"
        '      environment: {SAID: "it\'s = a word"}\n'
        "      register: result\n"
        '    - ansible.builtin.assert: {that: result.said == "it\'s = a word"}\n'
        "    - ansible.builtin.command: {cmd: printenv SAID}\n"
        "      environment: {SAID: two words}\n"
        "      register: result\n"
        "    - ansible.builtin.assert: {that: result.stdout == 'two words'}\n"
        "    - busy:\n"
        "      register: result\n"
        "    - ansible.builtin.assert: {that: result.said is none}\n"
    )
    assert code == 0, said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_takes_its_modules_with_it(plays: Plays, number: signal.Signals) -> None:
    process, children = plays.at_work("    - busy: {do: wait, note: NOTE}\n")
    os.killpg(process.pid, number)
    process.communicate(timeout=ENOUGH_SECONDS)
    until(lambda: not any(map(running, children)), "module and host to end", ENOUGH_SECONDS)


def test_a_module_that_is_killed_has_failed_and_the_next_play_goes_on(plays: Plays) -> None:
    process, (module, host) = plays.at_work(
        "    - busy: {do: wait, note: NOTE}\n      ignore_errors: true\n"
        "    - ansible.builtin.command: {cmd: printenv HOME}\n"
    )
    os.kill(module, signal.SIGKILL)
    said, _ = process.communicate(timeout=ENOUGH_SECONDS)
    assert process.returncode == 0, said
    assert "rc: -9" in said
    assert "changed=1" in said
    until(lambda: not running(host), "the host to end", ENOUGH_SECONDS)


def test_a_host_that_is_gone_is_told_with_what_to_do(plays: Plays) -> None:
    code, said = plays.run("    - busy: {do: end the host}\n    - busy:\n")
    assert code == 4, said
    assert "The module was not begun. The process that runs this run's modules has ended" in said
    assert "Run the playbook again" in said.replace("\n", " ")


def test_without_the_callback_modules_run_as_ever(plays: Plays) -> None:
    code, said = plays.run(
        "    - busy:\n      register: result\n    - ansible.builtin.assert: {that: not result.imported}\n"
        "    - gcp_network: {project: p, name: n, subnets: 1}\n      ignore_errors: true\n",
        ANSIBLE_CALLBACKS_ENABLED="run_report",
    )
    assert code == 0, said
    assert "subnets" in said


def test_modules_of_collections_run_where_they_are_too(plays: Plays) -> None:
    task = "    - kubernetes.core.k8s_info: {kind: Pod, host: 'http://127.0.0.1:1', api_key: x}\n      timeout: 60\n"
    code, said = plays.run(task)
    assert code == 2
    assert "Connection refused" in said or "Failed to get client" in said
    place = unpacked._place(COLLECTIONS / "kubernetes/core/plugins/modules/k8s_info.py")
    assert place == ("ansible_collections.kubernetes.core.plugins.modules.k8s_info", str(COLLECTIONS.parent))


@pytest.mark.parametrize("text", ["#!/usr/bin/python\nprint('{}')\n", "#!/bin/sh\n# module_utils\n"])
def test_what_is_no_module_of_today_is_sent_as_ever(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("old.sh" if "/sh" in text else "old.py")
    path.write_text(text)
    assert unpacked._place(path) is None


def test_a_payload_that_names_a_module_is_told_from_a_program() -> None:
    payload = client.unpacked("ansible.legacy.gcp_network", "", '{"ANSIBLE_MODULE_ARGS": {}}', "legacy")
    assert payload.startswith(client.UNPACKED)
    assert b"_ansiballz" not in payload
