"""oauth2.googleapis.com and its neighbours: tokens for keys and for people, and who a token belongs to."""

from __future__ import annotations

from urllib.parse import parse_qs

from .core import Cloud, Request, Response
from .id_tokens import IdTokens

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def answer(cloud: Cloud, request: Request) -> Response:
    """POST /token (JWT bearer grant, refresh token), GET /tokeninfo, GET /v1/userinfo, POST /revoke."""
    if request.path in ("/token", "/o/oauth2/token", "/oauth2/v4/token") and request.http == "POST":
        return _token(cloud, request)
    if request.path in ("/tokeninfo", "/oauth2/v3/tokeninfo", "/oauth2/v1/tokeninfo"):
        return _info(cloud, request)
    if request.path == "/v1/userinfo":
        return _user_info(cloud, request)
    if request.path == "/revoke":
        return Response({})
    return Response({"error": "not_found", "error_description": f"nothing at {request.path}"}, 404)


def _token(cloud: Cloud, request: Request) -> Response:
    form = {key: values[0] for key, values in parse_qs(request.content.decode()).items()}
    if form.get("grant_type") == "refresh_token":  # what `gcloud auth application-default login` leaves
        person = cloud.identities.identify(form.get("refresh_token", "").removeprefix("1//"))
        if person is None:
            return Response({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        return Response(cloud.identities.issue(person.email))
    if form.get("grant_type") != _GRANT:
        text = f"Invalid grant_type: {form.get('grant_type', '')}"
        return Response({"error": "unsupported_grant_type", "error_description": text}, 400)
    claims = cloud.identities.verify(form.get("assertion", ""))
    if claims is None:
        return Response({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
    if audience := claims.get("target_audience"):
        return Response({"id_token": IdTokens(cloud).issue(str(claims["iss"]), str(audience))})
    return Response(cloud.identities.issue(str(claims["iss"])))


def _user_info(cloud: Cloud, request: Request) -> Response:
    """openidconnect.googleapis.com: OpenID Connect's UserInfo."""
    principal = cloud.identities.identify(request.headers.get("authorization", "").partition(" ")[2])
    if principal is None:
        return Response({"error": "invalid_request", "error_description": "Invalid Credentials"}, 401)
    return Response({"sub": principal.email, "email": principal.email, "email_verified": True})


def _info(cloud: Cloud, request: Request) -> Response:
    principal = cloud.identities.identify(request.parameter("access_token") or "")
    if principal is None:
        return Response({"error": "invalid_token", "error_description": "Invalid Value"}, 400)
    return Response(
        {
            "email": principal.email,
            "email_verified": "true",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "expires_in": "3599",
            "access_type": "online",
        }
    )
