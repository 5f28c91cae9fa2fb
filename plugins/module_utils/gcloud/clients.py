"""The one door to Google: every call goes through :class:`Api`, and only this file imports Google's libraries.

Three transports behind one call, all on HTTPS by `requests`, so that one CA setting and one proxy setting hold for all:

* What is sent to Compute Engine: google-cloud-compute. Plain JSON bodies become its typed messages, so that a misspelt
  field is refused here. Its messages drop an empty list, which would turn "clear the list" into "leave it alone"; a
  body that holds one (or an empty object) therefore goes out through the discovery client, as the very bytes it is.
* What is sent to Kubernetes Engine: google-cloud-container, its REST transport.
* All the others, and calls of these two that have no body (their typed libraries take longer to import than a run's
  reads take): google-api-python-client with the discovery documents it ships (no network access to build a client).

Bodies and answers are plain dictionaries in the API's own JSON names. Libraries are imported when first needed; see
plugins/callback/preload.py for how a run imports them once.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from .errors import PlatformError, from_body, from_exception
from .retries import retrying
from .tls import SharedTls, trusting, usual_bundle

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
USER_INFO = "https://openidconnect.googleapis.com/v1/userinfo"  # discovery document of accounts.google.com
VERSIONS: Mapping[str, str] = {
    "artifactregistry": "v1",
    "certificatemanager": "v1",
    "cloudbilling": "v1",
    "cloudresourcemanager": "v3",
    "compute": "v1",
    "container": "v1",
    "dns": "v1",
    "iam": "v1",
    "iap": "v1",
    "oslogin": "v1",
    "secretmanager": "v1",
    "servicenetworking": "v1",
    "serviceusage": "v1",
    "sqladmin": "v1",
    "storage": "v1",
}
CLUSTERS = "projects.locations.clusters"
WITHOUT_BODY: Mapping[str, str] = {  # methods as google-cloud-container has them, and as the discovery document does
    "deleteCluster": f"{CLUSTERS}.delete",
    "deleteNodePool": f"{CLUSTERS}.nodePools.delete",
    "getCluster": f"{CLUSTERS}.get",
    "getNodePool": f"{CLUSTERS}.nodePools.get",
    "getOperation": "projects.locations.operations.get",
    "listClusters": f"{CLUSTERS}.list",
}
CALL_SECONDS = 60.0
_tokens: dict[str, dict[str, str]] = {}  # what :func:`known` tells: by credentials,
_numbers: dict[str, str] = {}  # by project id,
_emails: dict[str, str] = {}  # and by token


class Api:
    """Calls Google's APIs as one identity. Safe to use from several threads.

    ``enabling``: for how many seconds a call is sent again that is refused because its API is not enabled; Google takes
    up to a minute to know everywhere that it is.
    """

    def __init__(
        self,
        *,
        service_account_file: str | None = None,
        access_token: str | None = None,
        impersonate: str | None = None,
        enabling: float = 0.0,
    ) -> None:
        self._file = service_account_file
        self._token = access_token
        self._impersonate = impersonate
        self._enabling = enabling
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}

    def call(
        self,
        service: str,
        method: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        *,
        timeout: float = CALL_SECONDS,
        patience: float = 120.0,
    ) -> dict[str, Any]:
        """Call *method* ("networks.insert") of *service* ("compute") and return the answer as a dictionary.

        *params* are path and query parameters by their JSON names. Transient failures are retried for *patience*
        seconds. Raises PlatformError.
        """
        send = self._sender(service, body)

        def once() -> dict[str, Any]:
            try:
                return send(service, method, params, body, timeout)
            except Exception as error:
                raise from_exception(error) from error

        return retrying(once, patience=patience, enabling=self._enabling)

    def get(self, service: str, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer of a reading *method*, or None when Google says there is no such thing."""
        try:
            return self.call(service, method, params)
        except PlatformError as error:
            if error.code == 404:
                return None
            raise

    def pages(self, service: str, method: str, params: Mapping[str, Any], items: str = "items") -> list[Any]:
        """All entries of a listing, over all its pages; for an aggregated one, the per-scope mappings' values."""
        found: list[Any] = []
        token = None
        while True:
            page = self._page(service, method, {**params, **({"pageToken": token} if token else {})})
            entries = page.get(items) or []
            found.extend(entries.values() if isinstance(entries, Mapping) else entries)
            token = page.get("nextPageToken")
            if not token:
                return found

    def project_number(self, project: str) -> str:
        """The number of the project of that id, asked for once a run: neither is ever given to another project."""
        if project not in _numbers:
            self.learn(self.call("cloudresourcemanager", "projects.get", {"name": f"projects/{project}"}))
        return _numbers[project]

    def learn(self, project: Mapping[str, Any]) -> None:
        """Take the number from Google's answer about a project."""
        _numbers[project["projectId"]] = str(project["name"]).removeprefix("projects/")

    def access_token(self) -> str:
        """An OAuth access token of this identity, valid for some minutes at least."""

        def once() -> str:
            try:
                return str(self._signed_in().token)
            except Exception as error:
                raise from_exception(error) from error

        return retrying(once)

    def identity(self) -> str:
        """The e-mail address of the deploying account; '' where the credentials may not tell it.

        A key file has it; for a person, a token and a VM's own account it is asked once a run. Raises PlatformError.
        """
        credentials = self.credentials()
        if getattr(credentials, "service_account_email", "") == "default":  # a VM's own, until it is told
            self._refresh(credentials)
        return str(getattr(credentials, "service_account_email", "") or self._email_of(self.access_token()))

    def _email_of(self, token: str) -> str:
        """Whose *token* is, by OpenID Connect's UserInfo."""
        if token not in _emails:
            _emails[token] = retrying(lambda: self._ask_email(token))
        return _emails[token]

    def _ask_email(self, token: str) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._plain_request()(USER_INFO, headers=headers, timeout=CALL_SECONDS)
        except Exception as error:
            raise from_exception(error) from error
        if answer.status in (401, 403):  # it says so of a token whose scopes leave the e-mail address out, too
            return ""
        if answer.status != 200:
            raise from_body(answer.status, answer.data).about("find out", "whose the credentials are")
        return str(json.loads(answer.data).get("email", ""))

    def credentials(self) -> Any:
        """google-auth credentials: the given token or key file, else what google.auth.default() finds."""
        return self._once("credentials", self._load_credentials)

    def _load_credentials(self) -> Any:
        try:
            return _credentials(self._file, self._token, self._impersonate)
        except (OSError, ValueError) as error:
            raise PlatformError(
                f"the service account file {self._file} cannot be used: {error}",
                reason="credentials",
                hint="Give the path of a readable JSON key file.",
            ) from error
        except Exception as error:
            raise from_exception(error) from error

    def _signed_in(self) -> Any:
        """The credentials with a token: the one of the modules before this, or a new one, asked for once."""
        credentials = self.credentials()
        with self._lock:
            if self._token or credentials.valid:
                return credentials
            name = json.dumps([self._file, *_key_file(self._file), self._impersonate])
            if before := _tokens.get(name):
                credentials.token, credentials.expiry = before["token"], datetime.fromisoformat(before["expiry"])
            if not credentials.valid:
                self._refresh(credentials)
            if credentials.expiry:
                _tokens[name] = {"token": credentials.token, "expiry": credentials.expiry.isoformat()}
        return credentials

    def _refresh(self, credentials: Any) -> None:
        """Get a new token. Raises PlatformError, so that it is not lost in a library on the way."""
        try:
            credentials.refresh(self._plain_request())
        except Exception as error:
            failed = from_exception(error)
            raise (failed.about("act as", self._impersonate) if self._impersonate else failed) from error

    def _plain_request(self) -> Any:
        from google.auth.transport.requests import Request
        from requests import Session

        session = Session()
        session.mount("https://", self._tls())
        return Request(session)

    def _tls(self) -> Any:
        return self._once("tls", SharedTls)

    def _client(self, make: Callable[..., Any]) -> Any:
        """A client of one of Google's libraries on the connections that all share."""
        client = make(credentials=self._signed_in(), transport="rest")
        client.transport._session.mount("https://", self._tls())
        return client

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            return self._made[key]

    def _sender(self, service: str, body: Mapping[str, Any] | None) -> Callable[..., dict[str, Any]]:
        if service == "container" and body is not None:
            return self._by_container_client
        if service == "compute" and body is not None and not _has_empty(body):
            return self._by_compute_client
        return self._by_discovery

    def _page(self, service: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            try:
                return self._by_discovery(service, method, params, None, CALL_SECONDS)
            except Exception as error:
                raise from_exception(error) from error

        return retrying(once, enabling=self._enabling)

    def _by_compute_client(
        self, service: str, method: str, params: Mapping[str, Any], body: Mapping[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        collection, verb = method.split(".")
        client = self._once(f"compute:{collection}", lambda: self._client(_compute_client(collection)))
        call = getattr(client, f"{_snake(verb)}_unary", None) or getattr(client, _snake(verb))
        request = {_snake(key): value for key, value in params.items()}
        wanted = _request_class(call)
        field = next(name for name in wanted.meta.fields if name.endswith("_resource"))
        request[field] = wanted.meta.fields[field].message.from_json(json.dumps(body))
        return _plain(call(request=wanted(request), timeout=timeout, retry=None))

    def _by_container_client(
        self, service: str, method: str, params: Mapping[str, Any], body: Mapping[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        from google.cloud import container_v1

        client = self._once("container", lambda: self._client(container_v1.ClusterManagerClient))
        call = getattr(client, _snake(method))
        wanted = _request_class(call)
        request = wanted.from_json(json.dumps({**params, **(body or {})}))
        return _plain(call(request=request, timeout=timeout, retry=None))

    def _by_discovery(
        self, service: str, method: str, params: Mapping[str, Any], body: Mapping[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        resource = self._once(f"discovery:{service}", lambda: self._discovery(service))
        *path, verb = WITHOUT_BODY.get(method, method).split(".")
        for part in path:
            resource = getattr(resource, part)()
        arguments = dict(params) if body is None else {**params, "body": dict(body)}
        answer = getattr(resource, verb)(**arguments).execute(http=_SessionHttp(self._session(), timeout))
        return answer if isinstance(answer, dict) else {}

    def _discovery(self, service: str) -> Any:
        from googleapiclient.discovery import build_from_document

        return build_from_document(_document(service), http=_SessionHttp(self._session(), CALL_SECONDS))

    def _session(self) -> Any:
        def make() -> Any:
            from google.auth.transport.requests import AuthorizedSession

            session = AuthorizedSession(self._signed_in(), auth_request=self._plain_request())
            session.mount("https://", self._tls())
            return session

        return self._once("session", make)


class _SessionHttp:
    """What googleapiclient needs of an httplib2.Http, on a requests session (which is safe to share)."""

    def __init__(self, session: Any, timeout: float) -> None:
        self._session = session
        self._timeout = timeout

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any
    ) -> tuple[Any, bytes]:
        """One HTTP exchange; the answer as (httplib2.Response, body)."""
        import httplib2

        answer = self._session.request(method, uri, data=body, headers=headers, timeout=self._timeout)
        fields = {key.lower(): value for key, value in answer.headers.items()}
        return httplib2.Response({**fields, "status": str(answer.status_code)}), answer.content

    def close(self) -> None:
        """Nothing to close: the session outlives its calls."""


def preload() -> Iterator[bool]:
    """Import and read what modules need, so that processes forked from this one have it already (1.5 s in all).

    Works step by step, and yields whether the next step is of use to every module. What is not installed is left out:
    the module that needs it says so.
    """
    for number, step in enumerate((*_BY_ALL, *_BY_SOME), 1):
        with suppress(ImportError):
            step()
        yield number < len(_BY_ALL)


def known() -> dict[str, dict[str, Any]]:
    """Access tokens, whose they are, projects' numbers, for :func:`remember` in a process that is trusted as much."""
    return {"tokens": _tokens, "numbers": _numbers, "emails": _emails}


def remember(told: Mapping[str, Mapping[str, Any]]) -> None:
    """Use what was :func:`known`: tokens for as long as they are valid; and have the keys ready they were had for."""
    _numbers.update(told["numbers"])
    _emails.update(told["emails"])
    _tokens.update(told["tokens"])
    for name in told["tokens"]:
        path, file, written, _ = json.loads(name)
        if file:
            with suppress(Exception):  # gone since, or changed: whoever needs it says so
                _loaded(path, file, written)


@lru_cache
def _document(service: str) -> dict[str, Any]:
    """The discovery document of *service* that google-api-python-client ships."""
    from googleapiclient import discovery_cache

    text = discovery_cache.get_static_doc(service, VERSIONS[service])
    return dict(json.loads(text))


def _compute() -> ModuleType:
    """google.cloud.compute_v1 without its own imports, which take seconds for a hundred services that nobody calls."""
    name = "google.cloud.compute_v1"
    if name not in sys.modules:
        _hollow(name)
        types: Any = _hollow(f"{name}.types")
        types.compute = importlib.import_module(f"{name}.types.compute")
    return sys.modules[name]


def _hollow(name: str) -> ModuleType:
    """The package *name* with nothing in it; it fills itself when someone asks it for a class."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"No module named {name!r}", name=name)
    loader, package = spec.loader, importlib.util.module_from_spec(spec)

    def fill(attribute: str) -> Any:
        if not attribute[0].isupper():  # a module of the package, which its importer finds by itself
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__getattr__ = fill  # type: ignore[method-assign]  # PEP 562
    sys.modules[name] = package
    return package


def _compute_client(collection: str) -> Any:
    """The client class of a collection of Compute Engine's, such as "globalForwardingRules"."""
    service = importlib.import_module(f"{_compute().__name__}.services.{_snake(collection)}")
    return getattr(service, f"{collection[0].upper()}{collection[1:]}Client")


def _credentials(path: str | None, token: str | None, impersonate: str | None) -> Any:
    from google.oauth2 import credentials as user

    if token:
        found: Any = user.Credentials(token=token)
    else:
        found = copy.copy(_loaded(path, *_key_file(path)))
    if impersonate:
        from google.auth import impersonated_credentials

        found = impersonated_credentials.Credentials(found, impersonate, SCOPES)
    return found


def _key_file(path: str | None) -> tuple[str, int]:
    """The file that has the deploying account's key, and when it was written; ("", 0) where it is not a file's."""
    path = path or os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    return (path, Path(path).stat().st_mtime_ns) if path and Path(path).exists() else ("", 0)


@lru_cache
def _loaded(path: str | None, file: str, written: int) -> Any:
    """The account of the key file *path*, else what google.auth.default() finds. Checking a key takes it 70 ms.

    *file* and *written* tell one content from another.
    """
    import google.auth
    from google.oauth2 import service_account

    if path:
        return service_account.Credentials.from_service_account_file(path, scopes=SCOPES)
    found, _ = google.auth.default(scopes=SCOPES)
    return found


def _request_class(call: Any) -> Any:
    """The proto-plus request message of a generated client method, from its annotation."""
    annotation = inspect.signature(call).parameters["request"].annotation
    return next(kind for kind in get_args(annotation) if hasattr(kind, "meta"))


def _plain(message: Any) -> dict[str, Any]:
    """A proto-plus message as JSON data with the API's names; {} for calls that answer nothing."""
    if message is None:
        return {}
    from google.protobuf import json_format

    return dict(json_format.MessageToDict(type(message).pb(message)))


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _has_empty(value: Any) -> bool:
    """Whether an empty list or object (or null) is anywhere inside, which typed messages would not send."""
    if isinstance(value, Mapping):
        return any(item is None or item in ([], {}) or _has_empty(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_empty(item) for item in value)
    return False


_BY_ALL: tuple[Callable[[], object], ...] = (
    lambda: importlib.import_module("google.auth.transport.requests"),
    lambda: importlib.import_module("google.oauth2.service_account"),
    lambda: importlib.import_module("googleapiclient.discovery"),
    lambda: trusting(usual_bundle()),
    lambda: [_document(service) for service in VERSIONS],
)
_BY_SOME: tuple[Callable[[], object], ...] = (
    lambda: _compute_client("networks"),  # and with it what all collections' clients import
    lambda: importlib.import_module("google.cloud.container_v1"),
    lambda: importlib.import_module("kubernetes.dynamic"),
)
