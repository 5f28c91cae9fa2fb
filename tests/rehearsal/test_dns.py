"""The DNS server's answers, from a table of zones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from rehearsal.internet.dns import Resolver
from rehearsal.internet.names import Names
from rehearsal.internet.zones import Record, Zone, ZonesUnavailable, parse
from rehearsal.world import addresses

INSIDE = "10.10.0.5"
ZONES = [
    Zone(
        "ml.acme.example",
        False,
        (
            Record("ml.acme.example", "A", 300, ("34.120.0.7",)),
            Record("mlflow.ml.acme.example", "CNAME", 60, ("ml.acme.example.",)),
            Record("google.ml.acme.example", "CNAME", 60, ("compute.googleapis.com.",)),
            Record("a.deep.ml.acme.example", "TXT", 60, ('"two words"',)),
        ),
    ),
    Zone(
        "wild.acme.example",
        False,
        (
            Record("*.wild.acme.example", "A", 300, ("34.120.0.8",)),
            Record("named.wild.acme.example", "TXT", 60, ('"here"',)),
        ),
    ),
    Zone("internal.acme.example", True, (Record("db.internal.acme.example", "A", 60, ("10.40.0.3",)),)),
]


async def _zones() -> Sequence[Zone]:
    return ZONES


async def _ask(name: str, kind: str = "A", client: str = addresses.OFFICE) -> DNSRecord:
    resolver = Resolver(Names({"git.acme.example": addresses.GIT}), _zones)
    return await resolver.answer(DNSRecord.question(name, kind).pack(), client)


def _values(answer: DNSRecord) -> list[str]:
    return [f"{QTYPE[record.rtype]} {record.rdata}" for record in answer.rr]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("compute.googleapis.com", addresses.APIS),
        ("googleapis.com", addresses.APIS),
        ("europe-west1-docker.pkg.dev", addresses.APIS),
        ("TUNNEL.cloudproxy.app.", addresses.RELAY),
        ("quay.io", addresses.REGISTRY),
        ("raw.githubusercontent.com", addresses.RELEASES),
        ("git.acme.example", addresses.GIT),
        ("ml.acme.example", "34.120.0.7"),
    ],
)
async def test_addresses(name: str, address: str) -> None:
    assert _values(await _ask(name)) == [f"A {address}"]


async def test_no_ipv6_means_no_data_not_no_name() -> None:
    for name in ("compute.googleapis.com", "ml.acme.example"):
        answer = await _ask(name, "AAAA")
        assert answer.header.rcode == RCODE.NOERROR
        assert _values(answer) == []


async def test_aliases_are_followed_within_and_out_of_a_zone() -> None:
    assert _values(await _ask("mlflow.ml.acme.example")) == ["CNAME ml.acme.example.", "A 34.120.0.7"]
    assert _values(await _ask("google.ml.acme.example"))[-1] == f"A {addresses.APIS}"


async def test_text_records() -> None:
    assert _values(await _ask("a.deep.ml.acme.example", "TXT")) == ['TXT "two words"']


@pytest.mark.parametrize("name", ["nobody.example", "nobody.ml.acme.example", "notgoogleapis.com", "evilquay.io"])
async def test_unknown_names_do_not_exist(name: str) -> None:
    assert (await _ask(name)).header.rcode == RCODE.NXDOMAIN


async def test_a_name_above_a_record_exists() -> None:
    assert (await _ask("deep.ml.acme.example")).header.rcode == RCODE.NOERROR


@pytest.mark.parametrize("name", ["any.wild.acme.example", "two.labels.wild.acme.example"])
async def test_a_wildcard_answers_for_names_that_do_not_exist(name: str) -> None:
    answer = await _ask(name)
    assert _values(answer) == ["A 34.120.0.8"]
    assert str(answer.rr[0].rname) == f"{name}."


async def test_a_wildcard_does_not_answer_for_what_exists_or_is_below_it() -> None:
    assert _values(await _ask("named.wild.acme.example")) == []
    assert (await _ask("named.wild.acme.example")).header.rcode == RCODE.NOERROR
    assert (await _ask("below.named.wild.acme.example")).header.rcode == RCODE.NXDOMAIN
    assert (await _ask("wild.acme.example")).header.rcode == RCODE.NOERROR


async def test_private_zones_are_for_the_vpc() -> None:
    assert (await _ask("db.internal.acme.example")).header.rcode == RCODE.NXDOMAIN
    assert _values(await _ask("db.internal.acme.example", client=INSIDE)) == ["A 10.40.0.3"]


async def test_zones_that_cannot_be_read_are_a_server_failure() -> None:
    async def unavailable() -> Sequence[Zone]:
        raise ZonesUnavailable("down")

    resolver = Resolver(Names({}), unavailable)
    query = DNSRecord.question("ml.acme.example").pack()
    assert (await resolver.answer(query, INSIDE)).header.rcode == RCODE.SERVFAIL
    static = DNSRecord.question("quay.io").pack()
    assert (await resolver.answer(static, INSIDE)).header.rcode == RCODE.NOERROR


def test_zones_of_the_emulator() -> None:
    record = {"name": "WWW.acme.example.", "type": "A", "ttl": 300, "rrdatas": ["34.120.0.7"]}
    answer = {"zones": [{"name": "acme", "dnsName": "acme.example.", "records": [record]}]}
    assert parse(answer) == [
        Zone("acme.example", False, (Record("www.acme.example", "A", 300, ("34.120.0.7",)),)),
    ]
