"""Refusals as the asker can read them: a page, a fragment's redirect, or problem+json."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

TITLES = {
    400: _("The request could not be read"),
    401: _("Please sign in"),
    403: _("Not delegated to you"),
    404: _("Not found"),
    409: _("Not possible as things stand"),
    412: _("Somebody else saved first"),
    423: _("Locked"),
    429: _("Too many attempts"),
    500: _("Something broke on our side"),
    503: _("Not available right now"),
}
#: Seconds after which it is worth another try; a server that died is back by then.
AGAIN_AFTER = 10


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.headers.get("X-Autosave") == "1"


def refusal(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    """The answer to an act that is refused, before or instead of the view."""
    if wants_json(request):
        answer = problem_response(status, detail)
        if status == 401:
            answer["WWW-Authenticate"] = 'Bearer realm="api"'
        return answer
    if status in {401, 423}:
        name = "account_login" if status == 401 else "access:unlock"
        target = f"{reverse(name)}?next={quote(_return_path(request))}"
        if request.headers.get("HX-Request"):
            response = problem_response(status, detail)
            response["HX-Redirect"] = target
            return response
        return redirect(target)
    return error_page(request, status, detail)


def _return_path(request: HttpRequest) -> str:
    """The page the person stands on; a fragment's or a form's own address is no page."""
    if request.headers.get("HX-Request"):
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        return (
            f"{page.path}?{page.query}" if page.query else page.path or reverse("dashboard:today")
        )
    return request.get_full_path() if request.method == "GET" else reverse("dashboard:today")


def problem_response(status: int, detail: str = "", **extra: Any) -> JsonResponse:
    """RFC 9457 problem details."""
    body = {
        "type": "about:blank",
        "title": str(TITLES.get(status, HTTPStatus(status).phrase)),
        "status": status,
        **({"detail": detail} if detail else {}),
        **extra,
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")


def error_page(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    context = {"status": status, "title": TITLES.get(status, ""), "detail": detail}
    return render(request, "error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return _page_or_problem(request, 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return _page_or_problem(request, 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    return _page_or_problem(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """What broke; that the database is away, full or too slow passes, and is said so."""
    if not isinstance(sys.exc_info()[1], OperationalError):
        return _page_or_problem(request, 500)
    detail = str(_("The database does not answer right now. Try again in a moment."))
    answer = (
        problem_response(503, detail) if wants_json(request) else error_page(request, 503, detail)
    )
    answer["Retry-After"] = str(AGAIN_AFTER)
    return answer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    detail = _("This page was open too long or in another session. Go back, reload and try again.")
    if wants_json(request):
        return problem_response(403, str(detail))
    return error_page(request, 403, str(detail))


def _page_or_problem(request: HttpRequest, status: int) -> HttpResponse:
    return problem_response(status) if wants_json(request) else error_page(request, status)
