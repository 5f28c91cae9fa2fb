"""Values of Secret Manager in Secrets of the cluster; they pass through here and are shown nowhere."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Mapping

from ..gcloud.clients import Api
from .errors import HandOffError

VALUE, URL_VALUE = "{value}", "{value_url}"


def read_secret(api: Api, project: str, name: str) -> bytes:
    """The latest version of the secret `name`.

    Raises HandOffError when there's none; PlatformError for anything else that Google refuses.
    """
    path = f"projects/{project}/secrets/{name}/versions/latest"
    answer = api.get("secretmanager", "projects.secrets.versions.access", {"name": path})
    if answer is None:
        raise HandOffError(
            f"Secret Manager has no value for {name} in project {project}", "Run the role data_stores first."
        )
    return base64.b64decode(answer["payload"]["data"])


def fill(templates: Mapping[str, str], value: bytes) -> dict[str, bytes]:
    """The Secret's data: in each template `{value}` becomes the value, `{value_url}` the value percent-encoded."""
    text = value.decode()
    quoted = urllib.parse.quote(text, safe="")
    return {
        key: template.replace(URL_VALUE, quoted).replace(VALUE, text).encode() for key, template in templates.items()
    }


def changed_keys(wanted: Mapping[str, bytes], there: Mapping[str, bytes] | None) -> list[str]:
    """The keys that must be written; all of them where there is no Secret."""
    return sorted(key for key, value in wanted.items() if there is None or there.get(key) != value)
