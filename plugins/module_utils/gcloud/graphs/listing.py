"""What is found by asking, for graphs that hold more than the options name."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import DISABLED, PlatformError
from ..model import Caller, Spec


def listed(
    api: Caller, what: str, service: str, method: str, params: Mapping[str, str], items: str = "items"
) -> list[Spec]:
    """All of a listing; nothing where its API is off (nothing was done in the project yet) or its parent is not there.

    *what* is how people call what is listed. Raises PlatformError.
    """
    try:
        return api.pages(service, method, params, items)
    except PlatformError as error:
        if error.reason in DISABLED or error.code == 404:
            return []
        raise error.about("list", what) from error
