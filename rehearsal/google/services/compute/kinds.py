"""How a kind of Compute resource is declared; the declarations themselves stand with their behaviour."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...core import Call
from ...store import Record, canonical
from .links import Place

EMPTY_FINGERPRINT = "42WmSpB8rSM="

Insert = Callable[[Call, Place, dict[str, Any]], None]
Change = Callable[[Call, Record, dict[str, Any]], None]
Delete = Callable[[Call, Record], None]
Show = Callable[[Call, Record], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        collection: the segment of the URL.
        resource: what follows `compute#`.
        noun: the word in Google's in-use texts.
        references: dotted paths of links in the body (`backends[].group`).
        defaults: members the server fills in where the request has none.
        output: members that only the server writes; ignored in requests.
        dropped: members of the insert body that do not arrive.
        immutable: members that no update may change.
        fingerprint: whether the resource has one; `demands_fingerprint`: a PATCH without it is refused.
        labels: whether it has `labelFingerprint`.
        late_in_use: in use is told by the delete operation, not by the request.
        operations: verb -> operationType where it is not the verb (recordings/FACTS.md).
        on_insert, on_change, on_delete: what is special; may refuse, may change the body.
        show: what is computed on reading.
        hidden: members kept from the answer (secrets).
    """

    collection: str
    resource: str
    noun: str
    references: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    fingerprint: bool = False
    demands_fingerprint: bool = False
    labels: bool = False
    late_in_use: bool = False
    operations: Mapping[str, str] = field(default_factory=dict)
    on_insert: Insert | None = None
    on_change: Change | None = None
    on_delete: Delete | None = None
    show: Show | None = None

    @property
    def store(self) -> str:
        """The kind's name in the store."""
        return f"compute.{self.collection}"

    def operation(self, verb: str, method: str = "") -> str:
        """The operationType of a verb, or of a whole method where that differs between global and regional."""
        exact = method.removeprefix("compute.")
        return self.operations.get(exact, self.operations.get(verb, verb))


KINDS: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Makes a kind known."""
    KINDS[kind.collection] = kind
    return kind


def digest(value: Any) -> str:
    """A fingerprint as Google writes it: 8 bytes in base64; the same value gives the same."""
    if not value:
        return EMPTY_FINGERPRINT
    return base64.b64encode(hashlib.sha256(canonical(value).encode()).digest()[:8]).decode()


def stamp(kind: Kind, body: dict[str, Any]) -> None:
    """Renews the fingerprints of a body."""
    if kind.fingerprint:
        plain = {key: value for key, value in body.items() if key not in ("fingerprint", "labels", "labelFingerprint")}
        body["fingerprint"] = digest(plain)
    if kind.labels:
        body["labelFingerprint"] = digest(body.get("labels"))
