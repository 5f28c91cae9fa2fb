"""The client's side of the protocol against its test vectors and rules, without any connection."""

from __future__ import annotations

import pytest

from plugins.module_utils.gcloud.tunnel_codes import CLOSE_CODES, Outcome, close_code
from plugins.module_utils.gcloud.tunnel_protocol import (
    MAX_PAYLOAD,
    Opened,
    ProtocolError,
    Received,
    Resumed,
    Session,
    encode_ack,
    encode_data,
)

SID_ABC = bytes.fromhex("000100000003616263")
RECONNECT_6 = bytes.fromhex("00020000000000000006")
DATA_HELLO = bytes.fromhex("00040000000568656c6c6f")
ACK_163840 = bytes.fromhex("00070000000000028000")


@pytest.fixture
def session() -> Session:
    opened = Session()
    opened.attach()
    assert opened.receive(SID_ABC) == Opened()
    return opened


def test_vectors(session: Session) -> None:
    assert session.sid == b"abc"
    assert encode_data(b"hello") == DATA_HELLO
    assert encode_ack(163840) == ACK_163840
    assert session.receive(DATA_HELLO) == Received(b"hello")
    assert session.received == 5


def test_payload_is_cut_to_the_largest_message(session: Session) -> None:
    messages = session.send(bytes(2 * MAX_PAYLOAD + 1))
    assert [len(message) for message in messages] == [MAX_PAYLOAD + 6, MAX_PAYLOAD + 6, 7]


def test_resumes_inside_a_chunk(session: Session) -> None:
    session.send(b"hello ")
    session.send(b"world")
    session.attach()
    assert session.receive(RECONNECT_6) == Resumed((encode_data(b"world"),))
    assert session.sent == 11


def test_acknowledges_after_32_kib_or_in_a_quiet_moment(session: Session) -> None:
    session.receive(DATA_HELLO)
    assert session.due_ack(quiet=False) is None
    assert session.due_ack(quiet=True) == encode_ack(5)
    assert session.due_ack(quiet=True) is None, "the same acknowledgement is never sent twice"
    for _ in range(3):
        session.receive(encode_data(bytes(MAX_PAYLOAD)))
    assert session.due_ack(quiet=False) == encode_ack(5 + 3 * MAX_PAYLOAD)


def test_stops_reading_when_the_relay_is_far_behind(session: Session) -> None:
    session.send(bytes(9 << 20))
    assert session.full
    session.receive(encode_ack(9 << 20))
    assert not session.full


def test_unknown_tags_and_equal_acks_are_ignored(session: Session) -> None:
    session.send(b"abc")
    for message in (bytes.fromhex("000a00"), encode_ack(2), encode_ack(2), DATA_HELLO + b"trailing"):
        session.receive(message)
    assert session.received == 5


@pytest.mark.parametrize(
    "message",
    [
        b"\x00",
        SID_ABC,
        RECONNECT_6,
        encode_ack(1),
        DATA_HELLO[:-1],
        bytes.fromhex("0007000000"),
    ],
    ids=["short", "second sid", "second resume", "ack of unsent", "cut data", "cut ack"],
)
def test_broken_messages_end_the_session(session: Session, message: bytes) -> None:
    with pytest.raises(ProtocolError):
        session.receive(message)


def test_payload_before_the_greeting_ends_the_session() -> None:
    fresh = Session()
    fresh.attach()
    with pytest.raises(ProtocolError):
        fresh.receive(DATA_HELLO)


def test_every_failure_has_a_hint() -> None:
    assert [code for code, entry in CLOSE_CODES.items() if entry.outcome is Outcome.FAIL and not entry.hint] == []
    assert close_code(1011).outcome is Outcome.RESUME
