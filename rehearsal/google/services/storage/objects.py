"""Objects: uploads in one piece, in two parts and resumable; downloads with ranges; lists, copies, compositions.

Metadata is in the state, content in files named by their SHA-256 beside it, so that equal content is kept once.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

import google_crc32c

from ...core import Call, Response, handles
from ...errors import ApiError
from ...filters import page
from ...store import Record
from ..compute.generic import merge
from .buckets import BUCKETS, OBJECTS, find

_UPLOADS = "storage.uploads"
_SERVER = {"server": "UploadServer"}
_BASE = "https://www.googleapis.com/storage/v1/b/"
_DOWNLOAD = "https://storage.googleapis.com/download/storage/v1/b/"


class Contents:
    """The files that hold the content of objects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """Writes content and returns the name to read it by."""
        name = hashlib.sha256(data).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        if not path.exists():
            unfinished = self._folder / f"{name}.{secrets.token_hex(4)}.part"
            unfinished.write_bytes(data)
            unfinished.replace(path)
        return name

    def read(self, name: str) -> bytes:
        """Content by its name."""
        return (self._folder / name).read_bytes()

    def append(self, upload: str, data: bytes) -> bytes:
        """Adds a piece to an upload and returns all of it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{upload}.upload"
        with path.open("ab") as file:
            file.write(data)
        return path.read_bytes()

    def size(self, upload: str) -> int:
        """How much of an upload has arrived."""
        path = self._folder / f"{upload}.upload"
        return path.stat().st_size if path.exists() else 0

    def drop(self, upload: str) -> None:
        """Forgets an upload."""
        (self._folder / f"{upload}.upload").unlink(missing_ok=True)


def contents(call: Call) -> Contents:
    """The files of this cloud."""
    return Contents(call.cloud.config.state_dir / "objects")


def _key(bucket: str, name: str) -> str:
    return f"{bucket}/{name}"


def lookup(call: Call, bucket: str, name: str) -> Record:
    """An object.

    Raises:
        ApiError: 404.
    """
    record = call.tx.get(OBJECTS, _key(bucket, name))
    wanted = call.query.get("generation")
    if record is None or (wanted and wanted != record.body["generation"]):
        raise ApiError(404, f"No such object: {bucket}/{name}", "notFound")
    return record


def _check(call: Call, record: Record | None, prefix: str = "if") -> None:
    """The preconditions of a request on generation and metageneration.

    Raises:
        ApiError: 412.
    """
    generation = record.body["generation"] if record else "0"
    meta = record.body["metageneration"] if record else "0"
    for name, current in (("GenerationMatch", generation), ("MetagenerationMatch", meta)):
        wanted = call.query.get(f"{prefix}{name}")
        if wanted is not None and wanted != current:
            raise ApiError(412, "At least one of the pre-conditions you specified did not hold.", "conditionNotMet")
    for name, current in (("GenerationNotMatch", generation), ("MetagenerationNotMatch", meta)):
        unwanted = call.query.get(f"{prefix}{name}")
        if unwanted is not None and unwanted == current:
            raise ApiError(304 if call.request.http == "GET" else 412, "Not Modified", "notModified")


def store(call: Call, bucket: str, name: str, data: bytes, given: dict[str, Any]) -> dict[str, Any]:
    """Writes an object, new or over an old one, and returns its metadata."""
    if not name:
        raise ApiError(400, "Required parameter: name", "required")
    md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
    crc = base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()
    for field, actual in (("md5Hash", md5), ("crc32c", crc)):
        if given.get(field) not in (None, actual):
            text = f'Provided {field} hash "{given[field]}" doesn\'t match calculated {field} hash "{actual}".'
            raise ApiError(400, text, "invalid")
    owner = call.tx.get(BUCKETS, bucket)
    generation = str(max(int(call.clock.now() * 1_000_000), call.tx.next_number("generations")))
    now, path = call.clock.zulu(3), f"{_BASE}{bucket}/o/{quote(name, safe='')}"
    body = {
        "contentType": "application/octet-stream",
        "storageClass": owner.body["storageClass"] if owner else "STANDARD",
        **{key: value for key, value in given.items() if key in _SETTABLE},
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "selfLink": path,
        "mediaLink": f"{_DOWNLOAD}{bucket}/o/{quote(name, safe='')}?generation={generation}&alt=media",
        "name": name,
        "bucket": bucket,
        "generation": generation,
        "metageneration": "1",
        "size": str(len(data)),
        "md5Hash": md5,
        "crc32c": crc,
        "etag": base64.b64encode(f"\x08{generation}".encode()).decode(),
        "timeCreated": now,
        "updated": now,
        "timeStorageClassUpdated": now,
        "timeFinalized": now,
    }
    call.tx.put(Record(OBJECTS, _key(bucket, name), body, {"content": contents(call).keep(data)}))
    return body


_SETTABLE = ("contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "metadata",
             "storageClass", "customTime", "eventBasedHold", "temporaryHold")  # fmt: skip


@handles("storage.objects.insert")
def insert(call: Call) -> Any:
    """All kinds of upload."""
    bucket = find(call)
    kind = call.request.parameter("uploadType") or "media"
    upload = call.request.parameter("upload_id")
    if upload:
        return _continue(call, upload)
    if kind == "resumable":
        return _begin(call, bucket.key)
    if kind == "multipart":
        given, data = _two_parts(call)
    else:
        given, data = (
            {"contentType": call.request.headers.get("content-type", "application/octet-stream")},
            call.request.content,
        )
    name = call.query.get("name") or str(given.get("name", ""))
    _check(call, call.tx.get(OBJECTS, _key(bucket.key, name)))
    return store(call, bucket.key, name, data, given)


def _two_parts(call: Call) -> tuple[dict[str, Any], bytes]:
    """`multipart/related`: JSON metadata, then content."""
    kind = call.request.headers.get("content-type", "")
    hit = re.search(r'boundary="?([^";]+)"?', kind)
    if hit is None:
        raise ApiError(400, "Multipart upload without a boundary.", "badRequest")
    marker = b"--" + hit.group(1).encode().strip(b"'")
    pieces = call.request.content.split(marker)
    parts = [piece.removeprefix(b"\r\n").removesuffix(b"\r\n") for piece in pieces[1:-1]]
    if len(parts) != 2:
        raise ApiError(400, "Multipart upload must have two parts.", "badRequest")
    (_, metadata), (head, data) = (_part(item) for item in parts)
    given = json.loads(metadata or b"{}")
    given.setdefault("contentType", head.get("content-type", "application/octet-stream"))
    return given, data


def _part(raw: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + b"\r\n\r\n", headersonly=True)
    return {name.lower(): str(value) for name, value in message.items()}, body


def _begin(call: Call, bucket: str) -> Response:
    given = call.request.json()
    given.setdefault("contentType", call.request.headers.get("x-upload-content-type", "application/octet-stream"))
    name = call.query.get("name") or str(given.get("name", ""))
    _check(call, call.tx.get(OBJECTS, _key(bucket, name)))
    upload = secrets.token_urlsafe(48)
    call.tx.put(Record(_UPLOADS, upload, {}, {"bucket": bucket, "name": name, "given": given}))
    scheme = (
        "https"
        if call.request.host.endswith("googleapis.com")
        else call.request.headers.get("x-forwarded-proto", "http")
    )
    place = f"{scheme}://{call.request.host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={upload}"
    return Response(None, 200, {**_SERVER, "location": place, "x-guploader-uploadid": upload})


def _continue(call: Call, upload: str) -> Any:
    """A piece of a resumable upload, or the question how far it is."""
    record = call.tx.get(_UPLOADS, upload)
    if record is None:
        raise ApiError(404, "Upload session not found.", "notFound")
    files, held = contents(call), contents(call).size(upload)
    hit = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", call.request.headers.get("content-range", ""))
    if hit is None:
        data = call.request.content
    elif (hit.group(1) is None and hit.group(3) in ("*", None)) or (hit.group(1) is None and int(hit.group(3)) != held):
        return _incomplete(held)
    else:
        data = call.request.content if hit.group(1) is None or int(hit.group(1)) == held else b""
    whole = files.append(upload, data)
    total = hit.group(3) if hit else str(len(whole))
    if total == "*" or int(total) != len(whole):
        return _incomplete(len(whole))
    call.tx.delete(_UPLOADS, upload)
    hidden = record.hidden
    files.drop(upload)
    return store(call, hidden["bucket"], hidden["name"], whole, hidden["given"])


def _incomplete(held: int) -> Response:
    return Response(None, 308, {**_SERVER, **({"range": f"bytes=0-{held - 1}"} if held else {}), "content-length": "0"})


@handles("storage.objects.get")
def get(call: Call) -> Any:
    """GET of metadata, or of content with `alt=media`."""
    find(call)
    record = lookup(call, call.path["bucket"], call.path["object"])
    _check(call, record)
    return _media(call, record) if call.query.get("alt") == "media" else record.body


def _media(call: Call, record: Record) -> Response:
    data, body = contents(call).read(record.hidden["content"]), record.body
    headers = {
        **_SERVER,
        "etag": body["etag"],
        "x-goog-generation": body["generation"],
        "x-goog-metageneration": body["metageneration"],
        "x-goog-hash": f"crc32c={body['crc32c']},md5={body['md5Hash']}",
        "x-goog-stored-content-length": body["size"],
        "x-goog-storage-class": body["storageClass"],
        "accept-ranges": "bytes",
    }
    if "contentEncoding" in body:
        headers["content-encoding"] = body["contentEncoding"]
    hit = re.fullmatch(r"bytes=(\d*)-(\d*)", call.request.headers.get("range", ""))
    if hit is None or not (hit.group(1) or hit.group(2)):
        return Response(data, 200, headers, body["contentType"])
    start = int(hit.group(1)) if hit.group(1) else max(0, len(data) - int(hit.group(2)))
    end = int(hit.group(2)) if hit.group(1) and hit.group(2) else len(data) - 1
    if start >= len(data):
        return Response(b"", 416, {**headers, "content-range": f"bytes */{len(data)}"}, body["contentType"])
    piece = data[start : end + 1]
    return Response(
        piece,
        206,
        {**headers, "content-range": f"bytes {start}-{start + len(piece) - 1}/{len(data)}"},
        body["contentType"],
    )


@handles("storage.objects.list")
def list_objects(call: Call) -> dict[str, Any]:
    """The objects of a bucket, as a tree with `delimiter`."""
    bucket = find(call)
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    start, end = call.query.get("startOffset", ""), call.query.get("endOffset", "")
    items: list[tuple[str, dict[str, Any] | None]] = []
    for record in call.tx.list(OBJECTS, f"{bucket.key}/{prefix}"):
        name = record.body["name"]
        if (start and name < start) or (end and name >= end):
            continue
        rest = name[len(prefix) :]
        if delimiter and delimiter in rest:
            folder = prefix + rest.partition(delimiter)[0] + delimiter
            if (folder, None) not in items:
                items.append((folder, None))
        else:
            items.append((name, record.body))
    chosen, more = page(items, call.query.get("pageToken"), int(call.query.get("maxResults") or 1000))
    found = [body for _, body in chosen if body is not None]
    folders = [name for name, body in chosen if body is None]
    return {
        "kind": "storage#objects",
        **({"items": found} if found else {}),
        **({"prefixes": folders} if folders else {}),
        **({"nextPageToken": more} if more else {}),
    }


@handles("storage.objects.delete")
def delete(call: Call) -> Response:
    """DELETE of an object."""
    find(call)
    record = lookup(call, call.path["bucket"], call.path["object"])
    _check(call, record)
    call.tx.delete(OBJECTS, record.key)
    return Response(None, 204, {**_SERVER})


@handles("storage.objects.patch", "storage.objects.update")
def patch(call: Call) -> dict[str, Any]:
    """PATCH or PUT of metadata."""
    find(call)
    record = lookup(call, call.path["bucket"], call.path["object"])
    _check(call, record)
    record.body = merge(record.body, {key: value for key, value in call.body.items() if key in _SETTABLE})
    record.body |= {"metageneration": str(int(record.body["metageneration"]) + 1), "updated": call.clock.zulu(3)}
    call.tx.put(record)
    return record.body


@handles("storage.objects.compose")
def compose(call: Call) -> dict[str, Any]:
    """Joins up to 32 objects of a bucket."""
    bucket, name = find(call).key, call.path["destinationObject"]
    sources = [lookup(call, bucket, item["name"]) for item in call.body.get("sourceObjects", [])]
    if not 0 < len(sources) <= 32:
        raise ApiError(400, "The number of source components provided must be 1 to 32.", "invalid")
    _check(call, call.tx.get(OBJECTS, _key(bucket, name)))
    data = b"".join(contents(call).read(item.hidden["content"]) for item in sources)
    given = call.body.get("destination") or {"contentType": sources[0].body["contentType"]}
    return {**store(call, bucket, name, data, given), "componentCount": len(sources)}


@handles("storage.objects.copy", "storage.objects.rewrite")
def copy(call: Call) -> dict[str, Any]:
    """Copies an object; a rewrite is always done in one call."""
    source = lookup(call, call.path["sourceBucket"], call.path["sourceObject"])
    bucket, name = call.path["destinationBucket"], call.path["destinationObject"]
    if call.tx.get(BUCKETS, bucket) is None:
        raise ApiError(404, "The specified bucket does not exist.", "notFound")
    _check(call, call.tx.get(OBJECTS, _key(bucket, name)))
    data = contents(call).read(source.hidden["content"])
    kept = {key: value for key, value in source.body.items() if key in _SETTABLE}
    body = store(call, bucket, name, data, {**kept, **call.body})
    if call.method.verb == "copy":
        return body
    return {
        "kind": "storage#rewriteResponse",
        "done": True,
        "objectSize": body["size"],
        "totalBytesRewritten": body["size"],
        "resource": body,
    }


@handles("storage.objects.move")
def move(call: Call) -> dict[str, Any]:
    """Renames an object within its bucket."""
    bucket = find(call).key
    source = lookup(call, bucket, call.path["sourceObject"])
    data = contents(call).read(source.hidden["content"])
    kept = {key: value for key, value in source.body.items() if key in _SETTABLE}
    body = store(call, bucket, call.path["destinationObject"], data, kept)
    call.tx.delete(OBJECTS, source.key)
    return body
