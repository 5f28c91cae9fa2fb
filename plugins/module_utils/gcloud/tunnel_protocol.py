"""The IAP TCP tunnel protocol ("SSH Relay v4"), client side, without any input or output.

One object is one tunnel session: it turns payload into messages and messages into payload, counts bytes in both
directions, keeps what the relay has not acknowledged, and can take the session up again on a new WebSocket. Messages
are a 2-byte tag and big-endian fields; one message is one binary WebSocket frame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONNECT_SUCCESS_SID = 0x0001
RECONNECT_SUCCESS_ACK = 0x0002
DATA = 0x0004
ACK = 0x0007

MAX_PAYLOAD = 16384
ACK_AFTER = 2 * MAX_PAYLOAD
"""Received bytes after which the relay must get an acknowledgement; fewer wait for a quiet moment."""
MAX_UNACKNOWLEDGED = 8 << 20
"""Sent bytes the relay has not acknowledged, above which no more input is to be read."""

_HEADER = struct.Struct(">HI")
_COUNTER = struct.Struct(">HQ")


class ProtocolError(Exception):
    """The relay sent something the protocol does not allow; the session cannot be trusted any more."""


@dataclass(frozen=True)
class Opened:
    """The session exists; payload may flow."""


@dataclass(frozen=True)
class Resumed:
    """The session goes on. Send `messages` (what the relay had not received) before anything else."""

    messages: tuple[bytes, ...]


@dataclass(frozen=True)
class Received:
    """Payload from the machine."""

    payload: bytes


Event = Opened | Resumed | Received


def encode_data(payload: bytes) -> bytes:
    """A DATA message; *payload* has 1 to MAX_PAYLOAD bytes."""
    return _HEADER.pack(DATA, len(payload)) + payload


def encode_ack(total: int) -> bytes:
    """An ACK message: *total* payload bytes were received since the session began."""
    return _COUNTER.pack(ACK, total)


class Session:
    """One tunnel session; see the module's description."""

    def __init__(self) -> None:
        self.sid: bytes | None = None
        self.received = 0
        self._acknowledged_to_relay = 0
        self._kept = bytearray()  # sent and not acknowledged by the relay
        self._kept_from = 0  # offset of its first byte since the session began
        self._greeted = False

    @property
    def sent(self) -> int:
        """Payload bytes given to the relay since the session began."""
        return self._kept_from + len(self._kept)

    @property
    def full(self) -> bool:
        """Whether the relay is so far behind that no more input should be read."""
        return len(self._kept) > MAX_UNACKNOWLEDGED

    def attach(self) -> None:
        """A new WebSocket is open; its first message must greet us."""
        self._greeted = False

    def send(self, payload: bytes) -> list[bytes]:
        """The messages that carry *payload*; they're kept until acknowledged, so a lost WebSocket loses nothing."""
        self._kept += payload
        return list(_pieces(payload))

    def receive(self, message: bytes) -> Event | None:
        """Take in one message of the relay; None if there is nothing to do about it. Raises ProtocolError."""
        if len(message) < 2:
            raise ProtocolError(f"a message of {len(message)} bytes")
        tag = int.from_bytes(message[:2], "big")
        if tag == CONNECT_SUCCESS_SID:
            return self._opened(message)
        if tag == RECONNECT_SUCCESS_ACK:
            return self._resumed(message)
        if tag in (DATA, ACK) and not self._greeted:
            raise ProtocolError("payload before the session was opened")
        if tag == DATA:
            return self._data(message)
        if tag == ACK:
            self._drop(_counter(message))
        return None  # unknown tags are to be ignored

    def due_ack(self, *, quiet: bool) -> bytes | None:
        """The acknowledgement that is due, if any; *quiet* says that nothing else is going on."""
        behind = self.received - self._acknowledged_to_relay
        if behind > ACK_AFTER or (quiet and behind):
            self._acknowledged_to_relay = self.received
            return encode_ack(self.received)
        return None

    def _opened(self, message: bytes) -> Opened:
        if self._greeted or self.sid is not None:
            raise ProtocolError("a second session was opened on one WebSocket")
        self.sid = _payload(message)
        self._greeted = True
        return Opened()

    def _resumed(self, message: bytes) -> Resumed:
        if self._greeted or self.sid is None:
            raise ProtocolError("a session was resumed that was not lost")
        self._drop(_counter(message))
        self._greeted = True
        self._acknowledged_to_relay = self.received  # it was told when we asked to reconnect
        return Resumed(tuple(_pieces(bytes(self._kept))))

    def _data(self, message: bytes) -> Received:
        payload = _payload(message)
        self.received += len(payload)
        return Received(payload)

    def _drop(self, total: int) -> None:
        if not self._kept_from <= total <= self.sent:
            raise ProtocolError(f"acknowledgement {total} is outside {self._kept_from}..{self.sent}")
        del self._kept[: total - self._kept_from]
        self._kept_from = total


def _pieces(payload: bytes) -> Iterator[bytes]:
    for start in range(0, len(payload), MAX_PAYLOAD):
        yield encode_data(payload[start : start + MAX_PAYLOAD])


def _payload(message: bytes) -> bytes:
    if len(message) < _HEADER.size:
        raise ProtocolError("a message shorter than its header")
    _, length = _HEADER.unpack_from(message)
    payload = message[_HEADER.size : _HEADER.size + length]
    if len(payload) != length:
        raise ProtocolError(f"a message that promises {length} bytes and has {len(payload)}")
    return payload


def _counter(message: bytes) -> int:
    if len(message) < _COUNTER.size:
        raise ProtocolError("an acknowledgement shorter than its layout")
    return int(_COUNTER.unpack_from(message)[1])
