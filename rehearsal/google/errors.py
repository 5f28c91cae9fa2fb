"""Errors in the shapes Google's services answer with (recordings/FACTS.md, "Error shape by service")."""

from __future__ import annotations

from enum import Enum
from typing import Any

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}
REASON = {
    400: "badRequest",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "alreadyExists",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    500: "backendError",
    501: "notImplemented",
    503: "backendError",
}
GRPC_CODE = {
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


class Family(Enum):
    """How a service writes its errors."""

    LEGACY = "errors[] without status"
    BOTH = "errors[] and status"
    MODERN = "status without errors[]"


class ApiError(Exception):
    """An answer that is not a success; `code` is the HTTP status.

    Args:
        code: the HTTP status.
        message: Google's text.
        reason: the legacy reason; the usual one of the code where omitted.
        status: the canonical status name; that of the code where omitted.
        domain: the legacy domain; None leaves it out.
        details: google.rpc details.
        always_status: also write `status` where the family has none (errors of Google's front end).
        extra: more members of the `errors[]` entry.
    """

    def __init__(
        self,
        code: int,
        message: str,
        reason: str | None = None,
        *,
        status: str | None = None,
        domain: str | None = "global",
        details: list[dict[str, Any]] | None = None,
        always_status: bool = False,
        extra: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or REASON.get(code, "backendError")
        self.status = status or STATUS.get(code, "UNKNOWN")
        self.domain = domain
        self.details = details or []
        self.always_status = always_status
        self.extra = extra or {}

    def body(self, family: Family) -> dict[str, Any]:
        """The JSON body as a service of `family` writes it."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if family is not Family.MODERN:
            entry = {"message": self.message, "reason": self.reason, **self.extra}
            if self.domain is not None:
                entry["domain"] = self.domain
            error["errors"] = [entry]
        if family is not Family.LEGACY or self.always_status:
            error["status"] = self.status
        if self.details:
            error["details"] = self.details
        return {"error": error}


def not_found(message: str) -> ApiError:
    """404 with Google's usual reason."""
    return ApiError(404, message, "notFound")


def invalid_json(violations: list[str]) -> ApiError:
    """400 of Google's front end for a body that does not fit the schema, one line for each violation."""
    message = "\n".join(violations)
    detail = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"description": text} for text in violations],
    }
    reason = "invalid" if violations and violations[0].startswith("Invalid value at") else "badRequest"
    domain = None if reason == "invalid" else "global"
    return ApiError(400, message, reason, domain=domain, details=[detail], always_status=True)


def not_emulated(what: str) -> ApiError:
    """501 in plain words: the method is Google's, but this world does not act it out."""
    return ApiError(501, f"{what} exists at Google but is not emulated in this world.", always_status=True)
