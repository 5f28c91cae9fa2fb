"""Tells apart what a recording calls by one name.

Normalization writes one placeholder for several resources (three addresses are all `${addressID}`) and one for all
operations. Read in order, the requests tell which is meant: a create call for a name that is taken makes another
resource; a read means the one that its answer looks like; a change means the one that was read last. Each further
resource gets a name of its own (`addressid-2`), each poll the number of the entry whose operation it is about.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

Entry = dict[str, Any]
_UNLIKE = {"etag", "fingerprint", "labelFingerprint", "creationTimestamp", "selfLink", "kind", "id", "name", "zone"}


@dataclass
class Thing:
    """A resource of the recorded run; `known` is how it looks as far as the recording has told."""

    name: str
    known: dict[str, Any]
    alive: bool = True
    reads: int = 0
    touched: int = 0
    changed: bool = False
    verbs: Counter[str] = field(default_factory=Counter)

    def likeness(self, answer: dict[str, Any]) -> int:
        """How much an answer looks like this resource: 0 where nothing speaks against it."""
        unlike = _UNLIKE if self.reads else _UNLIKE | {"labels"}  # labels of an insert do not always arrive
        names = (set(self.known) & set(answer)) - unlike
        differing = sum(_short(self.known[name]) != _short(answer[name]) for name in names)
        appeared = len((set(self.known) ^ set(answer)) - unlike) if self.reads else 0
        return -differing - appeared


@dataclass
class Running:
    """An operation of the recorded run; `entry` is the number of the entry that started it."""

    entry: int
    name: str
    place: str
    what: tuple[str, str]
    ended: int | None = None


def _short(value: Any) -> str:
    """A value in which links are only names, since requests hold other forms of them than answers."""
    return re.sub(r"(https:/)?(/[\w.{}$-]+)+/|projects/[\w/.-]+/", "", json.dumps(value, sort_keys=True))


def path_of(url: str) -> str:
    """The path of a URL, whichever version of Compute it names."""
    return unquote(urlsplit(url).path).replace("/compute/beta/", "/compute/v1/")


class Untangler:
    """Goes through the entries of a file, in which placeholders are already filled in, and renames in place."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._things: dict[str, list[Thing]] = {}
        self._running: list[Running] = []
        self.renamed: dict[str, str] = {}  # the names that were given here, and the recorded one of each
        self.polled: dict[int, int] = {}  # number of a poll -> number of the entry whose operation it is about
        self.outside: dict[int, dict[str, Any]] = {}  # what was changed before a read by steps that were cut out
        self.held: dict[int, int] = {}  # entry whose operation has to wait -> entry by which it has ended

    def run(self) -> None:
        """Fills in `renamed`, `polled` and `held`."""
        for index, entry in enumerate(self._entries):
            if not self._poll(index, entry):
                self._resource(index, entry)
            self._begin(index, entry)
        self._hold()

    def _resource(self, index: int, entry: Entry) -> None:
        request, status = entry["request"], entry["response"]["status"]
        path, name = path_of(request["url"]), _created(request)
        if name and status < 300:
            self._create(index, entry, f"{path}/{name}")
        elif base := self._base(path, request["method"]):
            self._meant(index, entry, base, path)
        self._references(index, request)

    def _create(self, index: int, entry: Entry, base: str) -> None:
        things, name = self._things.setdefault(base, []), base.rpartition("/")[2]
        fresh = self._fresh(name, things)
        body = entry["request"].get("body") or {}
        if fresh != name:
            _rename_body(entry["request"], name, fresh)
        things.append(Thing(fresh, {key: item for key, item in body.items() if item is not None}, touched=index))

    def _fresh(self, name: str, things: list[Thing]) -> str:
        """A name that nothing alive has: the recorded one if possible."""
        if not any(thing.alive for thing in things):
            return name
        fresh = f"{name}-{len(things) + 1}"
        self.renamed[fresh] = name
        return fresh

    def _base(self, path: str, method: str) -> str | None:
        """The recorded path of the resource that a request is about, if one of that name was made."""
        found = [base for base in self._things if path == base or path.startswith((f"{base}/", f"{base}:"))]
        del method
        return max(found, key=len) if found else None

    def _meant(self, index: int, entry: Entry, base: str, path: str) -> None:
        request, answer = entry["request"], entry["response"]
        things, name = self._things[base], base.rpartition("/")[2]
        alive = [thing for thing in things if thing.alive]
        if answer["status"] == 404 and alive and path == base:
            meant = self._fresh(name, things)
        elif not alive:
            return
        else:
            thing = self._choose(alive, request["method"], path.removeprefix(base), answer.get("body"))
            self._note(index, thing, entry, path.removeprefix(base))
            meant = thing.name
        if meant != name:
            rest = path.removeprefix(base)
            request["url"] = re.sub(
                rf"/{re.escape(name)}(?={re.escape(rest)}(\?|$))", f"/{meant}", unquote(request["url"]), count=1
            )
            _rename_body(request, name, meant)

    def _choose(self, alive: list[Thing], method: str, rest: str, answer: Any) -> Thing:
        if method == "GET" and isinstance(answer, dict) and not rest:
            return max(alive, key=lambda thing: (thing.likeness(answer), -thing.reads))
        verb = method + rest
        last = max(alive, key=lambda thing: thing.touched)
        if not (last.changed and last.verbs[verb]):
            return last
        return min(alive, key=lambda thing: thing.verbs[verb])  # nobody does the same twice without a look

    def _note(self, index: int, thing: Thing, entry: Entry, rest: str) -> None:
        """What the recording tells of a resource by this entry."""
        request, answer = entry["request"], entry["response"]
        thing.touched = index
        if request["method"] == "GET":
            if not rest and answer["status"] == 200 and isinstance(answer.get("body"), dict):
                if thing.reads and not thing.changed:
                    self.outside[index] = _changed(thing.known, answer["body"])
                thing.known, thing.reads, thing.changed = answer["body"], thing.reads + 1, False
            return
        if answer["status"] >= 300:
            return
        thing.changed = True
        thing.verbs[request["method"] + rest] += 1
        if request["method"] == "DELETE" and not rest and not self._fails(index):
            thing.alive = False
        elif isinstance(request.get("body"), dict):
            thing.known = {**thing.known, **request["body"]}

    def _fails(self, index: int) -> bool:
        """Whether the operation that an entry starts ends with an error."""
        following = self._entries[index + 1 : index + 3]
        texts = [item["response"].get("body") for item in following if "/operations/" in item["request"]["url"]]
        return any(isinstance(body, dict) and "error" in body for body in texts)

    def _references(self, index: int, request: Entry) -> None:
        """References in a body: equal ones in a list are different resources; else it is the one touched last."""
        if isinstance(request.get("body"), dict):
            request["body"] = self._relinked(request["body"], index)

    def _relinked(self, value: Any, index: int) -> Any:
        if isinstance(value, dict):
            return {key: self._relinked(item, index) for key, item in value.items()}
        if isinstance(value, list):
            texts = [json.dumps(item) for item in value]
            return [self._link(item, index, texts[:at].count(texts[at])) for at, item in enumerate(value)]
        return self._link(value, index, 0) if isinstance(value, str) else value

    def _link(self, value: Any, index: int, occurrence: int) -> Any:
        """A reference to the `occurrence`-th resource of its name."""
        if isinstance(value, dict):
            return {key: self._link(item, index, occurrence) for key, item in value.items()}
        if not isinstance(value, str) or "/" not in value or "/operations/" in value:
            return self._relinked(value, index) if isinstance(value, list) else value
        tail = value[value.find("projects/") :] if "projects/" in value else value
        base = next((item for item in self._things if item.endswith(f"/{tail}")), None)
        if base is None and occurrence == 0:
            return value
        base = base or f"/compute/v1/{tail}"
        alive = [thing for thing in self._things.setdefault(base, []) if thing.alive]
        while len(alive) <= occurrence:
            alive.append(Thing(self._fresh(tail.rpartition("/")[2], alive), {}, touched=index))
            self._things[base] = [*self._things[base], alive[-1]]
        chosen = alive[occurrence] if occurrence else max(alive, key=lambda thing: thing.touched)
        if occurrence == 0 and len(alive) > 1 and not chosen.reads:
            chosen = alive[0]
        return value.removesuffix(tail.rpartition("/")[2]) + chosen.name

    def _begin(self, index: int, entry: Entry) -> None:
        """Notes the operation that an entry has started."""
        body = entry["response"].get("body")
        if entry["request"]["method"] == "GET" or index in self.polled or not _is_operation(body):
            return
        name = str(body["name"]).rpartition("/")[2]
        self._running.append(Running(index, name, path_of(entry["request"]["url"]), _what(body)))

    def _poll(self, index: int, entry: Entry) -> bool:
        """Whether an entry polls an operation; notes whose."""
        path, body = path_of(entry["request"]["url"]), entry["response"].get("body")
        hit = re.search(r"/operations/([^/]+)(/wait)?$", path)
        if hit is None:
            return False
        same = [item for item in self._running if item.name == hit.group(1) and item.ended is None]
        if isinstance(body, dict) and _what(body) != ("", ""):
            same = [item for item in same if _agree(item.what, _what(body))]
        if same:
            self.polled[index] = same[-1].entry
            if isinstance(body, dict) and (body.get("status") == "DONE" or body.get("done") is True):
                same[-1].ended = index
        return True

    def _hold(self) -> None:
        """A deletion has to wait where the recorded run changed the resource once more before it ended."""
        for item in self._running:
            if self._entries[item.entry]["request"]["method"] != "DELETE" or item.ended is None:
                continue
            name = item.place.rpartition("/")[2]
            for entry in self._entries[item.entry + 1 : item.ended]:
                later = path_of(entry["request"]["url"])
                changes = entry["request"]["method"] in ("POST", "PATCH", "PUT") and entry["response"]["status"] < 300
                if (changes and re.search(rf"/{re.escape(name)}[/:]", later)) or _at_work(item.place, later, entry):
                    self.held[item.entry] = item.ended


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The settings (plain values) that differ between two answers about one resource."""
    return {
        name: value
        for name, value in after.items()
        if isinstance(value, bool) and before.get(name) != value and name in before
    }


def _at_work(place: str, later: str, entry: Entry) -> bool:
    """Whether an entry shows the cluster of a node pool while an operation is at work on it."""
    body = entry["response"].get("body")
    return place.startswith(f"{later}/") and isinstance(body, dict) and body.get("status") == "RECONCILING"


def _is_operation(body: Any) -> bool:
    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        return False
    return (
        "operationType" in body
        or "operation" in body["name"]
        or re.match(r"(acat|pssn|cp)\.", body["name"]) is not None
    )


def _what(body: dict[str, Any]) -> tuple[str, str]:
    """What an operation does to what, as far as it tells."""
    metadata = body.get("metadata") or {}
    target = body.get("targetLink") or metadata.get("target") or ""
    verb = body.get("operationType") or metadata.get("verb") or ""
    return str(verb), re.sub(r"^https?://[^/]+/(compute/)?\w+/", "", str(target))


def _agree(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two tell of one operation; a first answer may not name the target."""
    return all(left == right or not left or not right for left, right in zip(one, other, strict=True))


def _created(request: Entry) -> str | None:
    """The name of what a request makes, if it is one that makes something by name."""
    body = request.get("body")
    if request["method"] != "POST" or not isinstance(body, dict):
        return None
    last = path_of(request["url"]).rpartition("/")[2]
    if ":" in last or not re.fullmatch(r"[a-z]\w*s", last):
        return None
    name = body.get("name")
    return name if isinstance(name, str) and "/" not in name else None


def _rename_body(request: Entry, name: str, meant: str) -> None:
    body = request.get("body")
    if isinstance(body, dict) and body.get("name") == name:
        body["name"] = meant


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value
