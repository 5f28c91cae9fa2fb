"""What the relay's close codes mean and what to do about each.

Names and the grouping into end, failure and "try again" follow Google's open-source IAP Desktop; 4003, 4033 and 4047
are also known from public reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a close code means for the session."""

    END = "the machine closed the connection"
    RESUME = "the session goes on, on a new WebSocket"
    FAIL = "the session is over"


@dataclass(frozen=True)
class CloseCode:
    """`meaning` completes "the relay closed the tunnel: ..."; `hint` says what to do."""

    outcome: Outcome
    meaning: str
    hint: str = ""


_LOST = "The session is lost; a new connection has to be made. Run it again."
_DEFECT = "The client broke the protocol: please report this with the output of -vvvv."

CLOSE_CODES: Mapping[int, CloseCode] = {
    1000: CloseCode(Outcome.END, "orderly end"),
    4001: CloseCode(Outcome.FAIL, "the relay does not know the session any more", _LOST),
    4002: CloseCode(Outcome.RESUME, "the relay believes the lost connection is still there"),
    4003: CloseCode(
        Outcome.FAIL,
        "the relay could not connect to the machine's port",
        "See that the machine has finished booting, that something listens on the port, and that a firewall rule "
        "admits 35.235.240.0/20 to it (playbooks/network.yml makes it). This is not a matter of permissions.",
    ),
    4004: CloseCode(Outcome.RESUME, "the access token has expired"),
    4005: CloseCode(Outcome.FAIL, "the relay refused an acknowledgement", _DEFECT),
    4006: CloseCode(Outcome.FAIL, "the relay refused an acknowledgement", _DEFECT),
    4007: CloseCode(Outcome.FAIL, "the relay refused a WebSocket frame", _DEFECT),
    4008: CloseCode(Outcome.FAIL, "the relay refused a message", _DEFECT),
    4009: CloseCode(Outcome.END, "the machine does not take any more data"),
    4010: CloseCode(Outcome.END, "the machine closed the connection"),
    4013: CloseCode(Outcome.FAIL, "the relay refused a data message", _DEFECT),
    4033: CloseCode(
        Outcome.FAIL,
        "not authorized",
        "Grant {principal} roles/iap.tunnelResourceAccessor on the machine or the project (playbooks/access.yml does "
        "for iap_tunnel_members), and see that iap.googleapis.com is enabled.",
    ),
    4047: CloseCode(
        Outcome.FAIL,
        "the relay does not find the machine",
        "See that it exists in that project and zone and is RUNNING. One created less than a minute ago may not be "
        "known yet: wait and run it again.",
    ),
    4051: CloseCode(Outcome.FAIL, "the relay does not find the machine any more", _LOST),
    4074: CloseCode(Outcome.FAIL, "the relay no longer holds the data that was lost", _LOST),
}
_OTHER = CloseCode(Outcome.RESUME, "the relay closed the connection")


def close_code(code: int) -> CloseCode:
    """What *code* means; a code that is not known is a reason to resume, as for a lost connection."""
    return CLOSE_CODES.get(code, _OTHER)
