"""The subject list and casebook, the search, and the product's own pulse."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from django.conf import settings
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from samples.selectors.codes import find
from samples.views.scanning import address_of
from screening.models import ScreeningEntry
from screening.views.consent import panel as consent_panel
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, open_to_anyone, requires
from trialsite.casebook.models import Subject, SubjectStatus
from trialsite.core.checks import above_the_guards, unsafe_settings
from trialsite.core.protection import drift
from trialsite.crf.registry import forms
from trialsite.dashboard.casebook import casebook_of, time_line
from trialsite.dashboard.shell import shell_of
from trialsite.dashboard.subjects import (
    exactly,
    for_list,
    line_of,
    matching,
    normalised,
    record_with_id,
)
from trialsite.dashboard.whole_study import whole_study
from trialsite.notify.selectors import backlog

PAGE = 50


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def search(request: StaffRequest) -> HttpResponse:
    """From a number to the casebook; from an id to the form."""
    typed = request.GET.get("q", "").strip()
    mine = Subject.objects.visible_to(request.user)
    record = record_with_id(request.user, typed)
    if record is not None:
        return redirect("crf:record", record.pk)
    sample = find(typed, request.user)
    if sample.named is not None:
        return redirect(address_of(sample))
    subject = exactly(mine, typed) if typed else None
    if subject is not None:
        return redirect("dashboard:subject", subject.pk)
    found = for_list(matching(mine, typed))[:PAGE] if typed else []
    now = shell_of(request).now
    context = {"query": typed, "lines": [line_of(each, now=now) for each in found]}
    return render(request, "dashboard/search.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def subjects(request: StaffRequest) -> HttpResponse:
    """The subjects of the person's sites, narrowed by site, status and number."""
    frame = shell_of(request)
    rows = Subject.objects.visible_to(request.user)
    if frame.site is not None:
        rows = rows.at([frame.site.pk])
    status = request.GET.get("status", "")
    if status in SubjectStatus.values:
        rows = rows.filter(status=status)
    typed = normalised(request.GET.get("q", ""))[:40]
    found = matching(rows, typed) if typed else rows
    page = Paginator(for_list(found), PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "lines": [line_of(subject, now=frame.now) for subject in page.object_list],
        "statuses": SubjectStatus.choices,
        "status": status,
        "typed": typed,
        "narrowed": bool(status or typed),
        "may_add": request.user.can(Capability.SCREEN),
    }
    return render(request, "dashboard/subjects.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def subject(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """One subject's casebook."""
    mine = Subject.objects.visible_to(request.user).select_related("site", "protocol_version")
    found = casebook_of(get_object_or_404(mine, pk=subject_id), now=shell_of(request).now)
    site = found.subject.site
    may_enter = request.user.can(Capability.ENTER_DATA, site=site)
    context = {
        "book": found,
        "subject": found.subject,
        "line": time_line(found),
        "consent_panel": consent_panel(request, found.subject),
        "startable": [form for form in forms().values() if form.startable] if may_enter else [],
        "whole_study": whole_study(found.loose, may_enter=may_enter),
        "may_read_trail": request.user.can(Capability.VIEW_TRAIL, site=site),
        "screening_url": _screening_url(request, found.subject),
    }
    return render(request, "dashboard/subject.html", context)


def _screening_url(request: StaffRequest, subject: Subject) -> str:
    """The page of the subject's entry in the screening log, for who may read that."""
    seen = ScreeningEntry.objects.visible_to(request.user, Capability.VIEW_SCREENING)
    key = seen.filter(subject=subject).values_list("pk", flat=True).first()
    return reverse("screening:entry", args=[key]) if key else ""


@open_to_anyone
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


@open_to_anyone
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """The database is reachable, guarded as the code says, and keeps what it acknowledges.

    The detail is for the log of the prober; it names no data. What delivery of reminders
    is behind by is told beside it: no server gets better by being taken out for that.
    """
    problems = [*drift(), *unsafe_settings(), *above_the_guards(), *_clock_problems()]
    cache.set("ready", 1, 5)
    said = {"problems": problems, "reminders": asdict(backlog())}
    return JsonResponse(said, status=503 if problems else 200)


def _clock_problems() -> list[str]:
    """A shifted clock belongs to a demonstration only (decisions D15)."""
    if settings.DEMO:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM trial_clock")
        return ["the trial's clock is shifted"] if cursor.fetchone()[0] else []
