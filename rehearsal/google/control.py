"""The emulator's own API at the host `emulator.internal`, for the world and its tests; no credentials are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rehearsal.world.addresses import WORLD

from . import catalog, edge
from .core import HANDLERS, Cloud, Request, Response
from .discovery import Document
from .faults import BadFault
from .limits import BadLimit

CONTROL = "emulator.internal"


def answer(cloud: Cloud, request: Request) -> Response:
    """Answers by `ROUTES`; only to the world's own programs, since it gives out anybody's tokens."""
    if not _own(cloud, request.peer):
        text = f"{CONTROL} answers only the world's own programs, and {request.peer} is none of their addresses"
        return Response({"error": text}, 403)
    route = ROUTES.get((request.http, request.path))
    if route is None:
        known = ", ".join(f"{http} {path}" for http, path in ROUTES)
        return Response({"error": f"{request.http} {request.path} is none of: {known}"}, 404)
    return route(cloud, request)


def _own(cloud: Cloud, peer: str) -> bool:
    """Whether an address is one that only a program in the world's own namespace has.

    Programs of the world's namespace come from its own address (rehearsal/world/network.py); the office, pods and
    machines come through a network and have others. An empty address is a call within the process (tests).
    """
    own = {WORLD, *(address.partition(":")[0] for address in (*cloud.config.apis, *cloud.config.relay))}
    return not peer or peer.startswith("127.") or peer in own


def _health(cloud: Cloud, request: Request) -> Response:
    del request
    return Response({"status": "ok", "project": cloud.config.project})


def _dump(cloud: Cloud, request: Request) -> Response:
    del request
    return Response(cloud.store.dump())


def _calls(cloud: Cloud, request: Request) -> Response:
    since, last = request.parameter("since") or "0", request.parameter("last")
    if not since.isdigit() or not (last or "1").isdigit():
        return Response({"error": f"since={since} and last={last} are to be numbers of calls"}, 400)
    return Response({"calls": cloud.calls.since(int(since), int(last) if last else None)})


def _substrate(cloud: Cloud, request: Request) -> Response:
    del request
    return Response({"items": cloud.substrate.status()})


def _token(cloud: Cloud, request: Request) -> Response:
    given = request.json()
    email = given.get("email") if isinstance(given, dict) else None
    if not isinstance(email, str) or "@" not in email:
        return Response({"error": 'POST /tokens wants {"email": "somebody@example.com"}'}, 400)
    return Response(cloud.identities.issue(email))


def _time(cloud: Cloud, request: Request) -> Response:
    del request
    return Response({"scale": cloud.clock.scale})


def _set_time(cloud: Cloud, request: Request) -> Response:
    given = request.json()
    scale = given.get("scale") if isinstance(given, dict) else None
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 0 <= scale <= 10:
        return Response({"error": 'PUT /time wants {"scale": S} with S from 0 to 10'}, 400)
    cloud.clock.scale = float(scale)
    return Response({"scale": cloud.clock.scale})


def _zones(cloud: Cloud, request: Request) -> Response:
    """All public zones with their records, as an authoritative name server needs them."""
    del request
    found: list[dict[str, Any]] = []
    with cloud.store.transaction() as tx:
        for zone in tx.list("dns.managedZones"):
            if zone.body.get("visibility", "public") != "public":
                continue
            records = [
                {key: record.body[key] for key in ("name", "type", "ttl", "rrdatas")}
                for record in tx.list("dns.rrsets", f"{zone.key}/")
            ]
            found.append({"name": zone.body["name"], "dnsName": zone.body["dnsName"], "records": records})
    return Response({"zones": found})


def _faults(cloud: Cloud, request: Request) -> Response:
    del request
    return Response({"faults": cloud.faults.all()})


def _documents(cloud: Cloud) -> list[Document]:
    return [cloud.library.document(name) for service in catalog.SERVICES for name in service.documents]


def _add_fault(cloud: Cloud, request: Request) -> Response:
    methods = {method.id: method.template for document in _documents(cloud) for method in document.methods}
    words = {part.partition(":")[0] for text in methods.values() for part in text.split("/") if "{" not in part}
    try:
        return Response(cloud.faults.add(request.json(), {*methods, *HANDLERS}, words | {"projects"}))
    except BadFault as error:
        return Response({"error": str(error)}, 400)


def _clear_faults(cloud: Cloud, request: Request) -> Response:
    del request
    cleared = cloud.faults.clear()
    cloud.jobs.hasten(stuck=True)
    return Response({"cleared": cleared})


def _limits(cloud: Cloud, request: Request) -> Response:
    del request
    return Response(cloud.limits.all())


def _set_limits(cloud: Cloud, request: Request) -> Response:
    try:
        return Response(cloud.limits.change(request.json()))
    except BadLimit as error:
        return Response({"error": str(error)}, 400)


ROUTES: dict[tuple[str, str], Callable[[Cloud, Request], Response]] = {
    ("GET", "/healthz"): _health,
    ("GET", "/state/dump"): _dump,
    ("GET", "/calls"): _calls,
    ("GET", "/dns/zones"): _zones,
    ("GET", "/edge"): edge.configuration,
    ("POST", "/edge/access"): edge.access,
    ("POST", "/edge/identify"): edge.identify,
    ("GET", "/groups"): edge.people,
    ("PUT", "/groups"): edge.groups,
    ("GET", "/substrate"): _substrate,
    ("POST", "/tokens"): _token,
    ("GET", "/time"): _time,
    ("PUT", "/time"): _set_time,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/limits"): _limits,
    ("PUT", "/limits"): _set_limits,
}
PATHS = frozenset(path for _, path in ROUTES)
