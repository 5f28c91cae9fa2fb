"""Values of Secret Manager in Secrets of the cluster; they pass through here and are shown nowhere."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Mapping

from ..gcloud.clients import Api
from ..gcloud.kinds.data import version_in_use
from .errors import HandOffError

VALUE, URL_VALUE = "{value}", "{value_url}"


def read_secret(api: Api, project: str, name: str) -> tuple[bytes, str]:
    """The value of the secret `name` that is in use, and which version it is: "NAME/NUMBER of TIME".

    It is the version that the role data_stores makes the password, too: the newest enabled one.
    Raises HandOffError when there's none; PlatformError for anything else that Google refuses.
    """
    secret = f"projects/{project}/secrets/{name}"
    version = version_in_use(api, secret)
    number = str(version.get("name", "")).rsplit("/", 1)[-1]
    path = {"name": f"{secret}/versions/{number}"}
    answer = api.get("secretmanager", "projects.secrets.versions.access", path) if version else None
    if answer is None:
        raise HandOffError(
            f"Secret Manager has no value for {name} in project {project}", "Run the role data_stores first."
        )
    # a secret that was removed and made anew counts from 1 again
    return base64.b64decode(answer["payload"]["data"]), f"{name}/{number} of {version['createTime']}"


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
