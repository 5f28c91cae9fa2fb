"""The emulator's own API at the host `emulator.internal`, for the world and its tests; no credentials are asked for."""

from __future__ import annotations

from typing import Any

from .core import Cloud, Request, Response


def answer(cloud: Cloud, request: Request) -> Response:
    """GET /healthz, /state/dump, /calls?since=N, /dns/zones; POST /tokens; GET and PUT /time."""
    routes = {
        ("GET", "/healthz"): _health,
        ("GET", "/state/dump"): _dump,
        ("GET", "/calls"): _calls,
        ("GET", "/dns/zones"): _zones,
        ("GET", "/substrate"): _substrate,
        ("POST", "/tokens"): _token,
        ("GET", "/time"): _time,
        ("PUT", "/time"): _set_time,
    }
    route = routes.get((request.http, request.path))
    if route is None:
        known = ", ".join(f"{http} {path}" for http, path in routes)
        return Response({"error": f"{request.http} {request.path} is none of: {known}"}, 404)
    return route(cloud, request)


def _health(cloud: Cloud, request: Request) -> Response:
    del request
    return Response({"status": "ok", "project": cloud.config.project})


def _dump(cloud: Cloud, request: Request) -> Response:
    del request
    return Response(cloud.store.dump())


def _calls(cloud: Cloud, request: Request) -> Response:
    since = request.parameter("since") or "0"
    if not since.isdigit():
        return Response({"error": f"since={since} is not the number of a call"}, 400)
    return Response({"calls": cloud.calls.since(int(since))})


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
    if not isinstance(scale, int | float) or isinstance(scale, bool) or scale < 0:
        return Response({"error": 'PUT /time wants {"scale": 0} or more'}, 400)
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
