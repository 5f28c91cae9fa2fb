"""What is advised where a world cannot be made."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

import pytest

from rehearsal.world import namespaces
from rehearsal.world.namespaces import Facts, explain, fork_first_process

USER = Facts(exhausted=(), apparmor=False, seccomp=False, root=False)
ROOT = Facts(exhausted=(), apparmor=False, seccomp=False, root=True)


@pytest.mark.parametrize(
    ("number", "known", "advice"),
    [
        (errno.ENOSPC, USER, "sysctl -w user.max_user_namespaces=10000 user.max_net_namespaces=10000"),
        (errno.EPERM, Facts(("net",), False, False, True), "sysctl -w user.max_net_namespaces=10000"),
        (errno.EPERM, Facts((), True, False, False), "kernel.apparmor_restrict_unprivileged_userns=0"),
        (errno.EPERM, Facts((), True, True, True), "--privileged"),
        (errno.EPERM, Facts((), False, True, False), "seccomp=unconfined"),
        (errno.EPERM, ROOT, "Run as an ordinary user"),
        (errno.EPERM, USER, "Run the rehearsal as root"),
    ],
)
def test_the_way_out_fits_the_machine(number: int, known: Facts, advice: str) -> None:
    error = explain(OSError(number, os.strerror(number)), known)
    assert advice in error.advice
    assert os.strerror(number) in str(error)


def test_a_refused_namespace_tells_which_call_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(flags: int) -> NoReturn:
        raise OSError(errno.EPERM, f"unshare({flags:#x}): Operation not permitted")

    def never() -> NoReturn:
        os._exit(9)

    monkeypatch.setattr(namespaces.syscalls, "unshare", refuse)
    with pytest.raises(OSError, match="unshare") as refused:
        fork_first_process(never)
    assert refused.value.errno == errno.EPERM


def test_the_facts_of_this_machine_can_be_read() -> None:
    assert namespaces.facts().root == (os.geteuid() == 0)
