"""What every endpoint of the API stands on: policy, problem details, If-Match, idempotency."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback
from rest_framework.viewsets import GenericViewSet

from trialsite.access.errors import TITLES
from trialsite.access.models import IdempotentAnswer
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error as RFC 9457 problem details; the view's transaction is rolled back."""
    translated = _translate(error)
    response = exception_handler(translated, context)
    if response is None:
        return None
    set_rollback()
    transaction.set_rollback(True)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": str(TITLES.get(response.status_code, response.status_text)),
        "status": response.status_code,
    }
    if isinstance(translated, exceptions.ValidationError):
        body["errors"] = response.data
    elif isinstance(response.data, dict) and "detail" in response.data:
        body["detail"] = response.data["detail"]
    if isinstance(error, StaleError):
        body["current"] = error.current
    response.data = body
    response.content_type = "application/problem+json"
    return response


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"


def _translate(error: Exception) -> Exception:
    if isinstance(error, NotPermittedError):
        return exceptions.PermissionDenied(str(error))
    if isinstance(error, StaleError):
        return PreconditionFailed(str(error))
    if isinstance(error, DomainError):
        return Conflict(str(error))
    if isinstance(error, Http404):
        return exceptions.NotFound()
    return error


def expected_version(request: Request) -> int:
    """The record version named by If-Match; writing without one is refused (RFC 9110 13.1.1)."""
    tag = request.headers.get("If-Match", "").strip()
    if not tag:
        raise exceptions.ValidationError(
            {"If-Match": ['Send the version you read, such as If-Match: "3".']}
        )
    digits = tag.removeprefix("W/").strip('"')
    if not digits.isdigit():
        raise exceptions.ValidationError({"If-Match": ["This is not a version."]})
    return int(digits)


class IdempotentCreate:
    """Mixin: a POST repeated with the same Idempotency-Key is answered, not done, again.

    The key and the answer are kept in the transaction that did the work, so a crash
    between them is impossible; the same key with another body is refused (422).
    """

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        if request.method != "POST" or not key or not request.user.is_authenticated:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        fingerprint = hashlib.sha256(
            b"\0".join([request.path.encode(), bytes(request.body)])
        ).hexdigest()
        kept = IdempotentAnswer.objects.filter(user=request.user, key=key).first()
        if kept is not None:
            return self._replay(request, kept, fingerprint, *args, **kwargs)
        response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        if response.status_code < 400:
            self._keep(request, key, fingerprint, response)
        return response

    def _keep(self, request: Any, key: str, fingerprint: str, response: Response) -> None:
        try:
            with transaction.atomic():
                IdempotentAnswer.objects.create(
                    user=request.user,
                    key=key,
                    fingerprint=fingerprint,
                    status=response.status_code,
                    body=json.loads(response.render().content or b"null"),
                )
        except IntegrityError:
            transaction.set_rollback(True)
            response.status_code = status.HTTP_409_CONFLICT

    def _replay(
        self, request: Any, kept: IdempotentAnswer, fingerprint: str, *args: Any, **kwargs: Any
    ) -> Response:
        self.headers: dict[str, str] = {}
        drf: Request = self.initialize_request(request, *args, **kwargs)  # type: ignore[attr-defined]
        if kept.fingerprint == fingerprint:
            answer = Response(kept.body, status=kept.status)
        else:
            title = "This Idempotency-Key was used for another request."
            answer = Response(
                {"type": "about:blank", "title": title, "status": 422},
                status=422,
                content_type="application/problem+json",
            )
        return self.finalize_response(drf, answer, *args, **kwargs)  # type: ignore[attr-defined, no-any-return]


class ScopedViewSet(GenericViewSet[Any]):
    """Base of every endpoint: a policy by method, rows of the person's own sites."""

    lookup_value_regex: ClassVar[str] = "[0-9a-f-]{36}"
