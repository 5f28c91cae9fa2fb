"""The world's DNS server, UDP and TCP."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import cast

from dnslib import QTYPE, RCODE, RR, A, DNSError, DNSRecord

from rehearsal.internet.names import Names
from rehearsal.internet.zones import Record, Zone, ZonesUnavailable
from rehearsal.world import addresses

LOG = logging.getLogger(__name__)
STATIC_TTL = 30
LONGEST_UDP = 1232
LONGEST_CHAIN = 8

ZoneSource = Callable[[], Awaitable[Sequence[Zone]]]


class Resolver:
    """Answers queries from the static names and the emulated Cloud DNS."""

    def __init__(self, names: Names, zones: ZoneSource) -> None:
        self._names = names
        self._zones = zones

    async def answer(self, packet: bytes, client: str) -> DNSRecord:
        """The reply to one query. Only clients inside the VPC (private addresses) see private zones."""
        query = DNSRecord.parse(packet)
        reply = query.reply(ra=1)
        name, kind = str(query.q.qname).lower().rstrip("."), QTYPE[query.q.qtype]
        address = self._names.address(name)
        if address is not None:
            if kind in ("A", "ANY"):
                reply.add_answer(RR(query.q.qname, QTYPE.A, ttl=STATIC_TTL, rdata=A(address)))
            return reply
        try:
            zones = await self._zones()
        except ZonesUnavailable as error:
            LOG.warning("%s %s: the emulator's zones could not be read: %s", kind, name, error)
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        inside = ipaddress.ip_address(client).is_private and client != addresses.OFFICE
        self._from_zones(reply, name, kind, [zone for zone in zones if inside or not zone.private])
        return reply

    def _from_zones(self, reply: DNSRecord, name: str, kind: str, zones: Sequence[Zone]) -> None:
        for _ in range(LONGEST_CHAIN):
            zone = _closest(name, zones)
            records = _records(zone, name) if zone else []
            if not records:
                if (static := self._names.address(name)) and kind == "A":
                    reply.add_answer(RR(name, QTYPE.A, ttl=STATIC_TTL, rdata=A(static)))
                elif not static and not (zone and _has_below(zone, name)):
                    reply.header.rcode = RCODE.NXDOMAIN
                return
            for record in records:
                if record.kind in (kind, "CNAME") or kind == "ANY":
                    _add(reply, record)
            alias = next((record for record in records if record.kind == "CNAME"), None)
            if alias is None or kind in ("CNAME", "ANY"):
                return
            name = alias.values[0].lower().rstrip(".")


def _closest(name: str, zones: Sequence[Zone]) -> Zone | None:
    """The most specific zone that `name` belongs to; of two equal ones the private, as in a VPC."""
    mine = [zone for zone in zones if name == zone.name or name.endswith("." + zone.name)]
    return max(mine, key=lambda zone: (len(zone.name), zone.private), default=None)


def _records(zone: Zone, name: str) -> list[Record]:
    """The records of a name; one that does not exist has those of the wildcard beside it (RFC 4592)."""
    found = [record for record in zone.records if record.name == name]
    if found or _has_below(zone, name) or name == zone.name:
        return found
    parent = name.partition(".")[2]
    while parent != zone.name and not _has_below(zone, parent) and not any(r.name == parent for r in zone.records):
        parent = parent.partition(".")[2]
    return [replace(record, name=name) for record in zone.records if record.name == f"*.{parent}"]


def _has_below(zone: Zone, name: str) -> bool:
    return any(record.name.endswith("." + name) for record in zone.records)


def _add(reply: DNSRecord, record: Record) -> None:
    for value in record.values:
        reply.add_answer(*RR.fromZone(f"{record.name}. {record.ttl} IN {record.kind} {value}"))


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.ensure_future(self._reply(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            reply = await self._resolver.answer(data, addr[0])
        except DNSError as error:
            LOG.warning("not a DNS query, from %s: %s", addr[0], error)
            return
        packed = reply.pack()
        self._transport.sendto(packed if len(packed) <= LONGEST_UDP else reply.truncate().pack(), addr)


async def _converse(resolver: Resolver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One TCP connection: length-prefixed queries until the client ends it."""
    client = writer.get_extra_info("peername")[0]
    try:
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            packed = (await resolver.answer(await reader.readexactly(length), client)).pack()
            writer.write(len(packed).to_bytes(2, "big") + packed)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the client has what it wanted
    except DNSError as error:
        LOG.warning("not a DNS query, from %s: %s", client, error)
    finally:
        writer.close()


async def serve(resolver: Resolver, hosts: Sequence[str], port: int = 53) -> None:
    """Listen on every address of `hosts`; returns once all are bound (they serve until the loop ends)."""
    loop = asyncio.get_running_loop()
    for host in hosts:
        await loop.create_datagram_endpoint(lambda: _Datagrams(resolver), local_addr=(host, port))
        await asyncio.start_server(lambda reader, writer: _converse(resolver, reader, writer), host, port)
