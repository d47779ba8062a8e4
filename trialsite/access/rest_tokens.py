"""The key of a program, as the REST framework and the schema know it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from trialsite.access.models import ApiToken, User


class ByToken(BaseAuthentication):
    """Takes over whom the middleware has recognised by the key; it needs no CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        token: ApiToken | None = request._request.api_token  # type: ignore[attr-defined]
        return None if token is None else (request._request.user, token)  # type: ignore[return-value]

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="api"'


class BySchema(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = ByToken
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"type": "http", "scheme": "bearer", "description": "A key made under your account."}
