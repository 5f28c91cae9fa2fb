"""Answers held against recorded ones, member by member; `tolerances.py` is the table of what may differ, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.google.tolerances import fits, loose

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)")
# What is spelled differently in every run within texts: pattern -> what it is written as before comparing.
_SPELLINGS = (
    (r"/compute/beta/", "/compute/v1/"),
    (r"operation-\d+-[0-9a-f-]+", "<operation>"),
    (r"operations/[\w.-]+", "operations/<operation>"),
    (r"(locations/global/firewallPolicies/)[\w-]+", r"\1<policy>"),
    (r"gke-[0-9a-f]{20,}", "gke-<hash>"),
    (r"(iap_web/compute-[^/]+/services/)[^/]+$", r"\1<service>"),
    (r"ns-cloud-[a-e](\d)\.", r"ns-cloud-x\1."),
    (r"\(type\.googleapis\.com/[^)]*\)", "(type)"),
)
_ANY_TIME = "2024-04-01T12:34:56.123456Z"
_NOT_READY = "is not ready"


def compare(request: dict[str, Any], expected: dict[str, Any], status: int, body: Any) -> list[str]:
    """Every difference between a recorded answer and the emulator's, in words; empty where there is none."""
    wanted, url = expected.get("body"), str(request["url"])
    if status != expected["status"]:
        if _by_chance(expected, status, body):
            return []
        return [f"status {status}, recorded {expected['status']}; answered {json.dumps(body)[:300]}"]
    if wanted is None or isinstance(wanted, str):  # bodies of refusals are replaced by a text in cassettes
        return (
            []
            if status >= 400 or not body or wanted == body
            else [f"answered {json.dumps(body)[:200]}, recorded {wanted}"]
        )
    wanted, body = _in_time(request, wanted, body)
    return list(_Differences(url).of(_plain(wanted), _plain(body), ""))


def _by_chance(expected: dict[str, Any], status: int, body: Any) -> bool:
    """A second DELETE while the first runs is mostly accepted and now and then refused (FACTS.md, errors)."""
    refused = expected["status"] == 400 and _NOT_READY in json.dumps(expected.get("body"))
    return refused and status == 200 and isinstance(body, dict) and body.get("operationType") == "delete"


def _in_time(request: dict[str, Any], wanted: dict[str, Any], body: Any) -> tuple[Any, Any]:
    """Both answers without what only tells how long something took in the recorded run."""
    url, path = str(request["url"]), str(request["url"]).partition("?")[0]
    if not isinstance(body, dict):
        return wanted, body
    if path.endswith("/services") and "services" in wanted:  # which of Google's APIs a page holds is Google's choice
        wanted = {**wanted, "services": wanted["services"][:1]}
        return wanted, {**body, "services": [{**body["services"][0], **_named(wanted["services"][0])}]}
    if "/images/" in url:  # bodies of public images were removed
        wanted, body = ({key: item.get(key) for key in ("kind", "family", "status")} for item in (wanted, body))
    still = wanted.get("status") in ("RUNNING", "PENDING", "RECONCILING", "pending")
    if still and request["method"] == "GET":
        fresh = {"status", "endTime", "progress", "statusMessage", "detail", "error", "done"}
        wanted, body = ({key: item for key, item in side.items() if key not in fresh} for side in (wanted, body))
    if "/operations/" in url and not wanted.get("done") and "status" not in wanted and body.get("done"):
        wanted, body = (
            {key: item for key, item in side.items() if key not in ("done", "response", "error")}
            for side in (wanted, body)
        )
        body = {**body, "metadata": _without_end(body.get("metadata"))} if "metadata" in body else body
    if request["method"] != "GET" and wanted.get("done") and not body.get("done"):
        wanted, body = (
            {key: item for key, item in side.items() if key not in ("done", "response")} for side in (wanted, body)
        )
        wanted = {**wanted, "metadata": _without_end(wanted.get("metadata"))} if "metadata" in wanted else wanted
    return wanted, body


def _named(service: dict[str, Any]) -> dict[str, Any]:
    return {key: service[key] for key in ("name", "parent", "config", "state") if key in service}


def _without_end(metadata: Any) -> Any:
    return {key: item for key, item in metadata.items() if key != "endTime"} if isinstance(metadata, dict) else metadata


def _plain(value: Any, name: str = "") -> Any:
    """A body in which times and the names that every run gives anew are written in one way."""
    if isinstance(value, dict):
        return {key: _plain(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, name) for item in value]
    if not isinstance(value, str):
        return value
    for pattern, text in _SPELLINGS:
        value = re.sub(pattern, text, value)
    if name == "name":
        value = re.sub(r"^(\d{15,}|firewallpolicyid)$", "<number>", value)
        value = re.sub(r"^projects/\d+$", "projects/<number>", value)
        value = re.sub(r"^(operationid|(acat|pssn|cp)\.[\w-]+)$", "<operation>", value)
    return _TIME.sub(_moment, value)


def _moment(hit: re.Match[str]) -> str:
    """A time tells nothing but how it is written; the constant of normalization not even that."""
    if hit.group(0) == _ANY_TIME:
        return "<time>"
    return "<time Z>" if hit.group(0).endswith("Z") else "<time with offset>"


class _Differences:
    """Walks both answers to one URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def of(self, wanted: Any, found: Any, place: str) -> Iterator[str]:
        if isinstance(wanted, dict) and isinstance(found, dict):
            yield from self._members(wanted, found, place)
        elif isinstance(wanted, list) and isinstance(found, list):
            yield from self._items(wanted, found, place)
        elif wanted != found or type(wanted) is not type(found):
            some = isinstance(wanted, str) and isinstance(found, str) and "<time>" in wanted
            if some and wanted == re.sub(r"<time[^>]*>", "<time>", found):
                return
            if not self._fits(wanted, found, place):
                yield f"{place} = {json.dumps(found)[:200]}, recorded {json.dumps(wanted)[:200]}"

    @staticmethod
    def _fits(wanted: Any, found: Any, place: str) -> bool:
        name = re.sub(r"\[\d+\]", "[]", place.rpartition(".")[2])
        same_type = type(wanted) is type(found)
        return same_type and not isinstance(found, dict | list) and bool(fits(name, str(found)))

    def _members(self, wanted: dict[str, Any], found: dict[str, Any], place: str) -> Iterator[str]:
        trimmed = {key.removeprefix("_trimmed_") for key in wanted if key.startswith("_trimmed_")}
        for key in sorted({*wanted, *found} - {f"_trimmed_{name}" for name in trimmed}):
            where = f"{place}.{key}" if place else key
            if key in trimmed or loose(where, self._url, "*"):
                if key in wanted and key in found and type(wanted[key]) is not type(found[key]):
                    yield f"{where} is a {type(found[key]).__name__}, recorded a {type(wanted[key]).__name__}"
            elif key not in found:
                if wanted[key] is not None and not loose(where, self._url, "+"):
                    yield f"{where} missing, recorded {json.dumps(wanted[key])[:150]}"
            elif key not in wanted:
                if not loose(where, self._url, "-"):
                    yield f"{where} = {json.dumps(found[key])[:150]} was not recorded"
            else:
                yield from self.of(wanted[key], found[key], where)

    def _items(self, wanted: list[Any], found: list[Any], place: str) -> Iterator[str]:
        """Order tells nothing where Google answers in none."""
        if len(wanted) != len(found):
            both = f"{json.dumps(found)[:200]} / {json.dumps(wanted)[:200]}"
            yield f"{place} has {len(found)} items, recorded {len(wanted)}: {both}"
            return
        for left, right in zip(self._order(wanted), self._order(found), strict=True):
            yield from self.of(wanted[left], found[right], f"{place}[{left}]")

    def _order(self, items: list[Any]) -> list[int]:
        keys = [json.dumps(self._sortable(item), sort_keys=True) for item in items]
        return sorted(range(len(keys)), key=keys.__getitem__)

    def _sortable(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        return {key: value for key, value in item.items() if fits(key, "") is None and not loose(key, self._url, "-")}
