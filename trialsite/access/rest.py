"""What every endpoint of the API stands on: policy, problem details, If-Match, idempotency."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import exception_handler, set_rollback
from rest_framework.viewsets import GenericViewSet

from trialsite.access.bodies import StrictJSON
from trialsite.access.errors import TITLES
from trialsite.access.http import Policy, StaffRequest
from trialsite.access.idempotency import Claim, Replayed, claim, keep
from trialsite.access.openapi import EndpointSchema
from trialsite.access.paging import Filter, Pages
from trialsite.core.exceptions import DomainError, NotPermittedError, StaleError

#: PostgreSQL's lock_not_available: somebody has held the row for longer than we wait.
_LOCKED_OUT = "55P03"

#: Far above any form; what DRF reads as a stream passes by Django's own limit.
MAX_BODY_BYTES = 1_000_000


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class PreconditionRequired(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "precondition_required"


def problem(error: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """Every error as RFC 9457 problem details; the view's transaction is rolled back."""
    if isinstance(error, Replayed):
        return error.response
    translated = _translate(error)
    response = exception_handler(translated, context)
    if response is None:
        return None
    set_rollback()
    transaction.set_rollback(True)
    answer = JsonResponse(
        _body(error, translated, response),
        status=response.status_code,
        content_type="application/problem+json",
    )
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        if name in response.headers:
            answer[name] = response.headers[name]
    if isinstance(error, StaleError):
        answer["ETag"] = etag(error.version)
    return answer


def _body(error: Exception, translated: Exception, response: Response) -> dict[str, Any]:
    code = response.status_code
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": str(TITLES.get(code, HTTPStatus(code).phrase)),
        "status": code,
    }
    if isinstance(translated, exceptions.ValidationError):
        body["errors"] = response.data
    elif code != status.HTTP_404_NOT_FOUND:
        body["detail"] = str(response.data["detail"])
    if isinstance(error, StaleError):
        body |= {"current": error.current, "version": error.version}
    return body


def _translate(error: Exception) -> Exception:
    """The HTTP refusal behind one of ours; a foreign row and an unknown one are the same."""
    if isinstance(error, NotPermittedError):
        return exceptions.PermissionDenied(str(error))
    if isinstance(error, StaleError):
        return PreconditionFailed(str(error))
    if isinstance(error, DomainError):
        by_item = getattr(error, "errors", None)
        return exceptions.ValidationError(by_item) if by_item else Conflict(str(error))
    if isinstance(error, (Http404, ObjectDoesNotExist)):
        return exceptions.NotFound()
    locked = getattr(error.__cause__, "sqlstate", "") == _LOCKED_OUT
    if locked and isinstance(error, OperationalError):
        return Conflict(_("Somebody is at work on this right now. Try again in a moment."))
    return error


def etag(version: int) -> str:
    """A version as entity tag."""
    return f'"{version}"'


def expected_version(request: Request) -> int:
    """The version named by If-Match; writing without one is refused (RFC 6585, RFC 9110 13.1.1).

    A weak tag is taken for the version it names: proxies weaken tags when they compress.
    """
    tag = request.headers.get("If-Match", "").strip()
    if not tag:
        raise PreconditionRequired(_("Send the version you read, such as If-Match: “3”."))
    digits = tag.removeprefix("W/").strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise exceptions.ValidationError({"If-Match": [_("This is no version.")]})
    return int(digits)


class Endpoint(GenericViewSet[Any]):
    """Base of every endpoint: a policy by method, an allow-list of query parameters, and a
    POST that is done once however often it is sent."""

    #: HTTP method -> who may use it; a method that is not named is refused (Guardrail).
    policy: ClassVar[dict[str, Policy]]
    #: What is answered is of one moment, though it is read in several statements.
    one_moment: ClassVar[bool] = False
    #: Query parameters of the list that narrow it.
    filters: ClassVar[Mapping[str, Filter]] = {}
    #: Further query parameters, for every action.
    parameters: ClassVar[frozenset[str]] = frozenset()
    #: An endpoint that takes files says how much it takes.
    max_body_bytes: ClassVar[int] = MAX_BODY_BYTES
    parser_classes = (StrictJSON,)
    pagination_class = Pages
    #: OPTIONS would describe serializers that the actions do not use; the schema describes.
    metadata_class = None
    schema = EndpointSchema()
    request: StaffRequest  # type: ignore[assignment]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.max_body_bytes:
            raise TooLarge(_("The request is too large."))
        self._refuse_unknown_parameters(request)
        self._claimed = claim(request) if request.method == "POST" else None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        claimed: Claim | None = getattr(self, "_claimed", None)
        if claimed and answer.status_code < 400:
            keep(claimed, answer)
        return answer

    def _refuse_unknown_parameters(self, request: Request) -> None:
        allowed = set(self.parameters)
        if self.action == "list":
            allowed |= {*self.filters, *Pages.parameters}
        problems = {}
        for name, values in request.query_params.lists():
            if name not in allowed:
                problems[name[:100]] = [_("There is no such parameter here.")]
            elif len(values) > 1:
                problems[name] = [_("Give this parameter once.")]
        if problems:
            raise exceptions.ValidationError(problems)

    def narrow(self, rows: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        """The rows that the query parameters ask for."""
        problems: dict[str, list[str]] = {}
        for name, each in self.filters.items():
            text = self.request.GET.get(name)
            if text is None:
                continue
            try:
                rows = each.apply(rows, text)
            except ValueError:
                problems[name] = [_("This value cannot be used here.")]
        if problems:
            raise exceptions.ValidationError(problems)
        return rows

    def page(self, rows: QuerySet[Any, Any], build: Any) -> Response:
        """One page of the rows, each built into an answer."""
        chosen = self.paginate_queryset(self.narrow(rows)) or []
        return self.get_paginated_response([build(row) for row in chosen])

    def body(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The request's body as the serializer understands it; else 400 with errors by name."""
        reader = serializer(data=self.request.data)  # type: ignore[attr-defined]
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    def found(self, rows: QuerySet[Any, Any], **named: Any) -> Any:
        """The one row among those the person may see, or 404."""
        row: Model | dict[str, Any] | None = rows.filter(**named).first()
        if row is None:
            raise exceptions.NotFound
        return row
