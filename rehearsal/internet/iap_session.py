"""One session of the IAP relay: a TCP connection to a machine, and the byte counts that let a client come back to it.

The session reads from the machine into a buffer. Whichever WebSocket is attached has a position in that buffer, so a
client that comes back simply starts at the byte it asks for.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

LOG = logging.getLogger(__name__)

CONNECT_SUCCESS_SID, RECONNECT_SUCCESS_ACK, DATA, ACK = 1, 2, 4, 7
MAX_PAYLOAD = 16384
MAX_BUFFER = 8 << 20
ACK_AFTER = 16 << 10
ACK_SECONDS = 0.2
MACHINE_ENDED = 4010
ABNORMAL = (1005, 1006)
"""Codes by which the server tells that a WebSocket ended without a Close frame. Hypercorn says so for every end that is
not ours, so a session outlives even a client that said goodbye by the grace period; the machine's side sees no harm."""

_HEADER = struct.Struct(">HI")
_COUNTER = struct.Struct(">HQ")

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class WebSocketEnd(Exception):
    """The WebSocket is to be closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Gone(Exception):
    """The client's WebSocket is gone; `final` if it said goodbye."""

    def __init__(self, final: bool) -> None:
        super().__init__()
        self.final = final


class RelaySession:
    """See the module's description; `ended` is called once when the session is over."""

    def __init__(
        self,
        sid: str,
        principal: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ended: Callable[[], object],
    ) -> None:
        self.sid = sid
        self.principal = principal
        self._reader, self._writer = reader, writer
        self._ended = ended
        self._received = 0  # payload bytes from the client, written to the machine
        self._acknowledged = 0
        self._buffer = bytearray()  # payload for the client that it has not acknowledged
        self._buffer_from = 0
        self._changed = asyncio.Condition()
        self._machine_ended = False
        self._attached: asyncio.Task[None] | None = None
        self._superseded: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._filling = asyncio.create_task(self._fill())

    async def attach(self, receive: Receive, send: Send, resumed_at: int | None, grace: float) -> None:
        """Serve one WebSocket until it or the session ends; `resumed_at` is the client's count when it comes back.

        Raises WebSocketEnd when the server has to close. A WebSocket that just vanishes leaves the session alive for
        `grace` seconds. A client that comes back takes over from a WebSocket that is still attached: after a change of
        network the old one is only half dead.
        """
        await self._take_over()
        if self._expiry:
            self._expiry.cancel()
        mine = self._attached = asyncio.create_task(self._serve(receive, send, resumed_at))
        try:
            await mine
        except _Gone as gone:
            if gone.final:
                self.close()
            else:
                self._wait_for_return(grace)
        except asyncio.CancelledError:
            if self._superseded is mine:
                raise WebSocketEnd(4002, "taken over") from None
            self._wait_for_return(grace)
            raise
        except WebSocketEnd as end:
            if end.code == MACHINE_ENDED and self._buffer:
                self._wait_for_return(grace)  # the end of the data may be lost on its way: the client can ask again
            else:
                self.close()
            raise

    def close(self) -> None:
        """End the session and the connection to the machine."""
        self._filling.cancel()
        self._writer.close()
        self._ended()

    def _wait_for_return(self, grace: float) -> None:
        self._expiry = asyncio.get_running_loop().call_later(grace, self.close)

    async def _take_over(self) -> None:
        if self._attached and not self._attached.done():
            self._superseded = self._attached
            self._attached.cancel()
            await asyncio.wait([self._attached])

    async def _serve(self, receive: Receive, send: Send, resumed_at: int | None) -> None:
        if resumed_at is None:
            sid = self.sid.encode()
            await _send(send, _HEADER.pack(CONNECT_SUCCESS_SID, len(sid)) + sid)
        else:
            if not self._buffer_from <= resumed_at <= self._buffer_from + len(self._buffer):
                raise WebSocketEnd(4074, "failed to rewind")
            await self._drop(resumed_at)
            self._acknowledged = self._received
            await _send(send, _COUNTER.pack(RECONNECT_SUCCESS_ACK, self._received))
        async with asyncio.TaskGroup() as group:
            try:
                tasks = [
                    group.create_task(_first_error(self._from_client(receive, send))),
                    group.create_task(_first_error(self._to_client(send, self._buffer_from))),
                    group.create_task(_first_error(self._acknowledge_late(send))),
                ]
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
        raise next(error for task in tasks if task in done and (error := task.result()))

    async def _fill(self) -> None:
        """Read from the machine into the buffer, as far as there is room."""
        try:
            while data := await self._reader.read(MAX_PAYLOAD):
                async with self._changed:
                    self._buffer += data
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: len(self._buffer) < MAX_BUFFER)
        except OSError as error:
            LOG.info("the machine's connection broke: %s", error)
        async with self._changed:
            self._machine_ended = True
            self._changed.notify_all()

    async def _to_client(self, send: Send, position: int) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(partial(self._has_news_beyond, position))
                offset = position - self._buffer_from
                payload = bytes(self._buffer[offset : offset + MAX_PAYLOAD])
            if not payload:
                raise WebSocketEnd(MACHINE_ENDED, "destination read failed")
            position += len(payload)
            await _send(send, _HEADER.pack(DATA, len(payload)) + payload)

    def _has_news_beyond(self, position: int) -> bool:
        return self._machine_ended or self._buffer_from + len(self._buffer) > position

    async def _from_client(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                raise _Gone(final=event.get("code", 1006) not in ABNORMAL)
            message = event.get("bytes")
            if message is None or len(message) < 2:
                raise WebSocketEnd(4007, "invalid websocket opcode")
            await self._message(message)
            if self._received - self._acknowledged > ACK_AFTER:
                await self._acknowledge(send)

    async def _message(self, message: bytes) -> None:
        tag = int.from_bytes(message[:2], "big")
        if tag == DATA:
            await self._to_machine(message)
        elif tag == ACK:
            if len(message) < _COUNTER.size:
                raise WebSocketEnd(4005, "bad ack")
            await self._drop(_COUNTER.unpack_from(message)[1])
        else:
            raise WebSocketEnd(4008, "invalid tag")

    async def _to_machine(self, message: bytes) -> None:
        payload = message[_HEADER.size :]
        if len(message) < _HEADER.size or not 1 <= len(payload) <= MAX_PAYLOAD:
            raise WebSocketEnd(4013, "invalid data")
        if _HEADER.unpack_from(message)[1] != len(payload):
            raise WebSocketEnd(4013, "invalid data")
        # Counted before the wait: what is written must not be sent again if the WebSocket goes meanwhile.
        self._received += len(payload)
        try:
            self._writer.write(payload)
            await self._writer.drain()
        except OSError as error:
            raise WebSocketEnd(4009, "destination write failed") from error

    async def _drop(self, total: int) -> None:
        async with self._changed:
            if not self._buffer_from <= total <= self._buffer_from + len(self._buffer):
                raise WebSocketEnd(4006, "invalid ack")
            del self._buffer[: total - self._buffer_from]
            self._buffer_from = total
            self._changed.notify_all()

    async def _acknowledge(self, send: Send) -> None:
        self._acknowledged = self._received
        await _send(send, _COUNTER.pack(ACK, self._received))

    async def _acknowledge_late(self, send: Send) -> None:
        while True:
            await asyncio.sleep(ACK_SECONDS)
            if self._received != self._acknowledged:
                await self._acknowledge(send)


async def _first_error(work: Awaitable[None]) -> Exception | None:
    """The exception that ends `work`, as a value: the ends of a WebSocket are its results, not failures of a group."""
    try:
        await work
    except (WebSocketEnd, _Gone) as end:
        return end
    return None


async def _send(send: Send, message: bytes) -> None:
    await send({"type": "websocket.send", "bytes": message})
