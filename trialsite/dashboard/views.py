"""Worklists and the product's own pulse."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from trialsite.access.http import StaffRequest, open_to_anyone, open_to_staff
from trialsite.core.checks import unsafe_settings
from trialsite.core.protection import drift


@open_to_staff
@require_safe
def today(request: StaffRequest) -> HttpResponse:
    """The person's worklist."""
    return render(request, "dashboard/today.html")


@open_to_anyone
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


@open_to_anyone
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """The database is reachable, guarded as the code says, and keeps what it acknowledges.

    The detail is for the log of the prober; it names no data.
    """
    problems = [*drift(), *unsafe_settings(), *_clock_problems()]
    cache.set("ready", 1, 5)
    return JsonResponse({"problems": problems}, status=503 if problems else 200)


def _clock_problems() -> list[str]:
    """A shifted clock belongs to a demonstration only (decisions D15)."""
    if settings.DEMO:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trial_clock")
        return ["the trial's clock is shifted"] if cursor.fetchone()[0] else []
