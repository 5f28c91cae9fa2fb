"""The emulator answers recorded traffic as Google did; and the replay would notice if it did not.

`replayed.txt` lists the recordings that pass: none that once passed may fail again. `RECORDINGS` or `SHARED` names
where they are (they are not part of the repository).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.google.__main__ import main
from tests.google.replay import replay
from tests.google.shared import recordings
from tests.google.untangle import Untangler

LISTED = (Path(__file__).parent / "replayed.txt").read_text().split()


@pytest.mark.parametrize("name", LISTED)
def test_recording_passes(name: str) -> None:
    path = recordings() / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    outcome = replay(path, name)
    assert outcome.total > 0
    assert outcome.passed, "\n".join(outcome.differences)


def _entry(method: str, url: str, status: int, body: Any = None, sent: Any = None) -> dict[str, Any]:
    return {"request": {"method": method, "url": url, "body": sent}, "response": {"status": status, "body": body}}


ZONES = "https://dns.googleapis.com/dns/v1/projects/${projectId}/managedZones"
MISSING = "The 'parameters.managedZone' resource named 'zone1' does not exist."


def _recording(folder: Path, message: str) -> Path:
    error = {
        "code": 404,
        "message": message,
        "errors": [{"domain": "global", "message": message, "reason": "notFound"}],
    }
    path = folder / "dns" / "zones" / "missing.json"
    path.parent.mkdir(parents=True)
    entries = [_entry("GET", f"{ZONES}/zone1", 404, {"error": error})]
    path.write_text(json.dumps({"source": {}, "entries": entries}))
    return folder


def test_result_as_lines_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tmp_path / "out" / "replay.json"
    assert main([str(_recording(tmp_path / "good", MISSING)), "--json", str(result)]) == 0
    printed = capsys.readouterr().out
    assert "pass   1/1" in printed
    assert "dns/zones/missing" in printed
    assert "counted: 1 of 1 files" in printed
    assert json.loads(result.read_text())["counted"]["percent"] == 100.0


def test_mismatch_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(_recording(tmp_path, "Gone."))]) == 1
    printed = capsys.readouterr().out
    assert "FAIL   0/1" in printed
    assert 'recorded "Gone."' in printed


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "is no folder"),
        ("", "holds no recordings"),
        ("{", "Expecting property name"),
        ("[]", "a recording is"),
        ('{"entries": [{"request": {}}]}', "entry 0 lacks request.method"),
    ],
)
def test_folder_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, what: str
) -> None:
    folder = tmp_path / "recordings"
    if content is not None:
        folder.mkdir()
    if content:
        (folder / "x.json").write_text(content)
    assert main([str(folder)]) == 2
    errors = capsys.readouterr().err
    assert what in errors
    assert "make replay RECORDINGS=FOLDER" in errors


def test_a_replay_that_breaks_down_fails_its_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "a" / "broken.json"
    broken.parent.mkdir(parents=True)
    broken.write_text(json.dumps({"entries": [_entry("GET", f"{ZONES}/z", 200, {"name": 7, "status": []})]}))
    _recording(tmp_path, MISSING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.google.replay.compare.compare", _explode)
        assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("the replay broke down: ZeroDivisionError") == 2


def _explode(*_: Any) -> list[str]:
    raise ZeroDivisionError


COLLECTION = "https://compute.googleapis.com/compute/v1/projects/p/global/addresses"


def _operation(kind: str) -> dict[str, Any]:
    link = "https://www.googleapis.com/compute/v1/projects/p/global/addresses/addressid"
    return {"name": "operationid", "operationType": kind, "targetLink": link, "status": "RUNNING"}


def test_resources_of_one_placeholder_are_told_apart() -> None:
    entries = [
        _entry("POST", COLLECTION, 200, _operation("insert"), {"name": "addressid", "description": "first"}),
        _entry("GET", f"{COLLECTION}/addressid", 404),
        _entry("POST", COLLECTION, 200, _operation("insert"), {"name": "addressid", "description": "second"}),
        _entry("GET", f"{COLLECTION}/addressid", 200, {"name": "addressid", "description": "first"}),
        _entry("DELETE", f"{COLLECTION}/addressid", 200, _operation("delete")),
        _entry("GET", f"{COLLECTION}/addressid", 200, {"name": "addressid", "description": "second"}),
    ]
    tangle = Untangler(entries)
    tangle.run()
    names = [entry["request"]["url"].rpartition("/")[2] for entry in entries]
    assert names[1:2] + names[3:] == ["addressid-2", "addressid", "addressid", "addressid-2"]
    assert entries[2]["request"]["body"]["name"] == "addressid-2"
    assert tangle.renamed == {"addressid-2": "addressid"}


def test_changes_of_several_resources_at_once_are_told_apart() -> None:
    address = f"{COLLECTION}/addressid"
    entries = [_entry("POST", COLLECTION, 200, _operation("insert"), {"name": "addressid"}) for _ in range(2)]
    entries += [_entry("GET", address, 200, {"name": "addressid"}) for _ in range(2)]
    labels = {"labels": {"a": "b"}}
    entries += [_entry("POST", f"{address}/setLabels", 200, _operation("setLabels"), labels) for _ in range(2)]
    nats = {"nats": [{"natIps": ["projects/p/global/addresses/addressid"] * 2}]}
    entries.append(_entry("PATCH", COLLECTION.replace("addresses", "routers/r"), 200, None, nats))
    Untangler(entries).run()
    assert [entry["request"]["url"].split("/")[-1] for entry in entries[2:4]] == ["addressid", "addressid-2"]
    assert {entry["request"]["url"].split("/")[-2] for entry in entries[4:6]} == {"addressid", "addressid-2"}
    assert [ip.split("/")[-1] for ip in nats["nats"][0]["natIps"]] == ["addressid", "addressid"]
    meant = entries[6]["request"]["body"]["nats"][0]["natIps"]
    assert sorted(ip.split("/")[-1] for ip in meant) == ["addressid", "addressid-2"]
