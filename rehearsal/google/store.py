"""State of the emulated cloud in one SQLite file: resources, and who refers to whom.

One transaction a request, so that a kill leaves no half-written resource; reads write nothing, so that the file is
byte-identical before and after a run that only reads. Used from one thread (the event loop's).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
  kind TEXT NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, body TEXT NOT NULL, hidden TEXT NOT NULL,
  PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
  source TEXT NOT NULL, field TEXT NOT NULL, target TEXT NOT NULL,
  PRIMARY KEY (source, field, target)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_by_target ON links (target);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


_LAST = chr(0x10FFFF)  # sorts behind everything that a key may hold
# What resources hold that nobody may read back.
_SECRETS = {"password", "data", "privateKey", "private_key_pem", "oauth2ClientSecret"}


def _masked(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, name) for item in value]
    if name in _SECRETS and isinstance(value, str):
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"
    return value


@dataclass
class Record:
    """A resource: what the API shows (`body`) and what only the emulator knows (`hidden`)."""

    kind: str
    key: str
    body: dict[str, Any]
    hidden: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0


def _hidden(text: str) -> dict[str, Any]:
    """What only the emulator knows; mostly nothing, which needs no reading."""
    found: dict[str, Any] = json.loads(text) if text != "{}" else {}
    return found


class Transaction:
    """Reads and writes of one request."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, kind: str, key: str) -> Record | None:
        """The resource, or None."""
        row = self._connection.execute(
            "SELECT body, hidden, sequence FROM resources WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return Record(kind, key, json.loads(row[0]), _hidden(row[1]), row[2]) if row else None

    def list(self, kind: str, prefix: str = "") -> list[Record]:
        """All resources of a kind whose key starts with `prefix`, in the order of their keys."""
        rows = self._connection.execute(
            "SELECT key, body, hidden, sequence FROM resources WHERE kind = ? AND key >= ? AND key < ? ORDER BY key",
            (kind, prefix, prefix + _LAST),
        )
        return [Record(kind, key, json.loads(body), _hidden(hidden), seq) for key, body, hidden, seq in rows]

    def count(self, kind: str, prefix: str = "") -> int:
        """How many resources of a kind there are whose key starts with `prefix`."""
        row = self._connection.execute(
            "SELECT count(*) FROM resources WHERE kind = ? AND key >= ? AND key < ?", (kind, prefix, prefix + _LAST)
        ).fetchone()
        return int(row[0])

    def find(self, key: str) -> Record | None:
        """The resource with this key, whatever its kind."""
        row = self._connection.execute("SELECT kind FROM resources WHERE key = ? LIMIT 1", (key,)).fetchone()
        return self.get(row[0], key) if row else None

    def put(self, record: Record) -> None:
        """Writes the resource, new or old."""
        record.sequence = record.sequence or self.next_number("sequence")
        self._connection.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, hidden = excluded.hidden",
            (record.kind, record.key, record.sequence, canonical(record.body), canonical(record.hidden)),
        )

    def delete(self, kind: str, key: str) -> None:
        """Removes the resource and the links it holds."""
        self._connection.execute("DELETE FROM resources WHERE kind = ? AND key = ?", (kind, key))
        self._connection.execute("DELETE FROM links WHERE source = ?", (key,))

    def link(self, source: str, links: Mapping[str, Sequence[str]]) -> None:
        """States all that `source` refers to: field -> keys; replaces what was stated before."""
        self._connection.execute("DELETE FROM links WHERE source = ?", (source,))
        rows = [(source, name, target) for name, targets in links.items() for target in targets]
        self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", rows)

    def users_of(self, target: str) -> Sequence[tuple[str, str]]:
        """(source key, field) of everything that refers to `target`, the oldest name first."""
        return self._connection.execute(
            "SELECT source, field FROM links WHERE target = ? ORDER BY source", (target,)
        ).fetchall()

    def setting(self, name: str) -> Any:
        """A setting of the emulator itself, or None."""
        row = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def set(self, name: str, value: Any) -> None:
        """Writes a setting of the emulator itself."""
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, canonical(value)))

    def mark(self) -> None:
        """Remembers this point of the transaction."""
        self._connection.execute("SAVEPOINT mark")

    def rewind(self) -> None:
        """Undoes everything since the mark."""
        self._connection.execute("ROLLBACK TO mark")

    def next_number(self, name: str) -> int:
        """Counts up and returns the counter."""
        value = int(self.setting(name) or 0) + 1
        self.set(name, value)
        return value


def public_records(tx: Transaction, name: str, kind: str) -> list[str]:
    """The data of a record (`www.example.com.`, `A`) in the public zones of the emulated cloud."""
    found: list[str] = []
    for record in tx.list("dns.rrsets"):
        if record.body["name"].lower() == name.lower() and record.body["type"] == kind:
            found += record.body.get("rrdatas", [])
    return found


class Store:
    """The file of the state."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        self._open: Transaction | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing; entering again inside one joins it."""
        if self._open is not None:
            yield self._open
            return
        self._connection.execute("BEGIN")
        self._open = Transaction(self._connection)
        try:
            yield self._open
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        else:
            self._connection.execute("COMMIT")
        finally:
            self._open = None

    def dump(self) -> dict[str, Any]:
        """The whole state in a canonical order; secrets show as their hash, so that a change can be seen."""
        resources = [
            {"kind": kind, "key": key, "body": json.loads(body), "hidden": _masked(json.loads(hidden))}
            for kind, key, body, hidden in self._connection.execute(
                "SELECT kind, key, body, hidden FROM resources ORDER BY kind, key"
            )
        ]
        links = [list(row) for row in self._connection.execute("SELECT * FROM links ORDER BY source, field, target")]
        return {"resources": resources, "links": links}

    def close(self) -> None:
        """Folds the write-ahead log into the file."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


@dataclass(frozen=True)
class LoggedCall:
    """A call: seconds since the epoch, method id, what it was about, HTTP status (0: none), duration, who, which fault
    it was hit by."""

    time: float
    method: str
    resource: str
    status: int
    milliseconds: float
    principal: str
    fault: str = ""


class CallLog:
    """Every call that was answered, in a file of its own, since the state must not change by being read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, time REAL, method TEXT, resource TEXT, "
            "status INTEGER, milliseconds REAL, principal TEXT, fault TEXT NOT NULL DEFAULT '')"
        )

    def add(self, call: LoggedCall) -> None:
        """Writes down one call."""
        self._connection.execute(
            "INSERT INTO calls (time, method, resource, status, milliseconds, principal, fault) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (call.time, call.method, call.resource, call.status, call.milliseconds, call.principal, call.fault),
        )

    def since(self, number: int, last: int | None = None) -> list[dict[str, Any]]:
        """The calls after the one with this number (only the `last` of them, if given), oldest first."""
        names = ("id", "time", "method", "resource", "status", "milliseconds", "principal", "fault")
        query = f"SELECT {', '.join(names)} FROM calls WHERE id > ? ORDER BY id DESC LIMIT ?"  # noqa: S608 - constant names
        rows = self._connection.execute(query, (number, -1 if last is None else last)).fetchall()
        return [dict(zip(names, row, strict=True)) for row in reversed(rows)]

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
