"""Our tunnel client against the relay: transfers, losses in the middle of them, refusals."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from plugins.module_utils.gcloud.tunnel import Tunnel, TunnelError

from .tunnel_lab import lab

BIG = 3_000_000


async def _exchange(tunnel: Tunnel, payload: bytes) -> bytes:
    """Send a length and a payload, return everything the machine answers."""
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    todo = f"{len(payload)}\n".encode() + payload
    for start in range(0, len(todo), 16384):
        waiting.put_nowait(todo[start : start + 16384])
    answer = bytearray()

    async def read(_: int) -> bytes:
        return await waiting.get()

    async def write(data: bytes) -> None:
        answer.extend(data)

    await asyncio.wait_for(tunnel.run(read, write), 30)
    return bytes(answer)


@pytest.mark.parametrize("cut_after", [None, 300_000], ids=["whole", "cut again and again"])
async def test_carries_every_byte_once(cut_after: int | None) -> None:
    payload = os.urandom(BIG)
    async with lab() as here:
        here.line.cut_after = cut_after
        answer = await _exchange(here.tunnel(), payload)
    assert answer[:64].decode() == hashlib.sha256(payload).hexdigest()
    assert answer[64:] == payload
    assert (here.line.cuts > 5) == (cut_after is not None)


async def test_machine_that_closes_at_once_is_an_orderly_end() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.close()

    async with lab(close) as here:
        assert await _exchange(here.tunnel(), b"x") == b"bye"


async def _refusal(here_change: str, **tunnel: object) -> str:
    async with lab() as here:
        if here_change:
            setattr(here.cloud, here_change, False)
        with pytest.raises(TunnelError) as refused:
            await _exchange(here.tunnel(**tunnel), b"x")  # type: ignore[arg-type]  # wrong on purpose
    return str(refused.value)


async def test_without_the_role_the_error_names_it_and_the_caller() -> None:
    said = await _refusal("authorized")
    assert "4033" in said
    assert "Grant alice@acme.example roles/iap.tunnelResourceAccessor" in said


async def test_unknown_machine() -> None:
    said = await _refusal("", instance="nobody")
    assert "nobody port" in said
    assert "RUNNING" in said


async def test_firewall_that_admits_nothing() -> None:
    said = await _refusal("admitted")
    assert "4003" in said
    assert "35.235.240.0/20" in said


async def test_closed_port() -> None:
    assert "something listens" in await _refusal("", port=1)


async def test_refused_token() -> None:
    said = await _refusal("", token="ya29.wrong")
    assert "HTTP 401" in said
    assert "log in again" in said


async def test_session_lost_by_the_relay_is_said_to_be_lost() -> None:
    async with lab() as here:
        here.line.cut_after = 100_000
        tunnel = here.tunnel()

        def forget_the_caller() -> None:
            here.cloud.tokens["ya29.valid"] = "somebody.else@acme.example"

        async def read(_: int) -> bytes:
            return b"9999999\n" + bytes(16000)

        async def write(_: bytes) -> None:
            raise AssertionError("the machine has nothing to say yet")

        with pytest.raises(TunnelError, match="session is lost"):
            await asyncio.wait_for(tunnel.run(read, write, forget_the_caller), 20)
