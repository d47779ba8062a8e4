"""The audit trail on pages: of the study, a subject, a record, a field; and as a file."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.access.models import Site
from trialsite.audit.models import Event, Operation
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.core.acts import note_act
from trialsite.core.context import Channel
from trialsite.core.exceptions import DomainError
from trialsite.crf.trail import (
    PAGE,
    Filters,
    history_of_item,
    item_choices,
    item_label,
    lines,
    people_of,
    table_choices,
    visible_events,
)
from trialsite.crf.trail_export import export
from trialsite.crf.trail_words import ACTS, form_title


def _frame(request: StaffRequest) -> str:
    """A fragment for the drawer, or a page of its own."""
    return "drawer.html" if request.htmx else "base.html"


def _page(events: QuerySet[Event], filters: Filters) -> dict[str, Any]:
    """One page by key: constant work however long the trail is."""
    if filters.before:
        events = events.filter(eid__lt=filters.before)
    found = list(events[: PAGE + 1])
    older = found[PAGE - 1].eid if len(found) > PAGE else None
    return {"lines": lines(found[:PAGE]), "older": older, "filters": filters}


def _zone(sites: list[Site], filters: Filters) -> str:
    """Whose midnight a day of the filter means: the chosen site's, else the first own one's."""
    chosen = [site for site in sites if site.pk == filters.site] or sites
    return chosen[0].time_zone if chosen else "UTC"


def _narrowed(request: StaffRequest) -> tuple[QuerySet[Event], Filters, list[Site]]:
    filters = Filters.read(request.GET)
    sites = list(Site.objects.filter(pk__in=request.user.access.sites(Capability.VIEW_TRAIL)))
    events = visible_events(request.user)
    return filters.apply(events, zone=_zone(sites, filters)), filters, sites


@requires(Capability.VIEW_TRAIL)
@require_safe
def trail(request: StaffRequest) -> HttpResponse:
    """Everything that happened at the person's sites, narrowed on one screen."""
    events, filters, sites = _narrowed(request)
    context = _page(events, filters) | {
        "frame": _frame(request),
        "sites": sites,
        "people": people_of(request.user),
        "forms": item_choices(),
        "tables": table_choices(),
        "operations": [each for each in Operation.choices if each[0] != Operation.ACT],
        "acts": [(name, str(word)) for name, word in ACTS.items()],
        "channels": Channel.choices,
        "zone": _zone(sites, filters),
        "narrowed": bool(filters.described()),
    }
    return render(request, "crf/trail.html", context)


@requires(Capability.VIEW_TRAIL)
@require_safe
def subject_trail(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Everything that happened to one subject's data."""
    subject = get_object_or_404(
        Subject.objects.visible_to(request.user, Capability.VIEW_TRAIL), pk=pk
    )
    events = Event.objects.filter(subject_id=subject.pk).order_by("-eid")
    context = _page(events, Filters.read(request.GET)) | {
        "frame": _frame(request),
        "subject": subject,
        "heading": subject.label,
    }
    return render(request, "crf/trail_of.html", context)


def _record(request: StaffRequest, pk: uuid.UUID) -> CrfRecord:
    mine = CrfRecord.objects.visible_to(request.user, Capability.VIEW_TRAIL)
    return get_object_or_404(mine.select_related("subject", "site"), pk=pk)


@requires(Capability.VIEW_TRAIL)
@require_safe
def record_trail(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """Everything that happened to one form: data, queries, documents, acts."""
    record = _record(request, pk)
    events = Event.objects.filter(record_id=record.pk).order_by("-eid")
    context = _page(events, Filters.read(request.GET)) | {
        "frame": _frame(request),
        "subject": record.subject,
        "record": record,
        "heading": form_title(record.form_oid),
    }
    return render(request, "crf/trail_of.html", context)


@requires(Capability.VIEW_TRAIL)
@require_safe
def item_trail(request: StaffRequest, pk: uuid.UUID, item: str) -> HttpResponse:
    """The history of one field."""
    record = _record(request, pk)
    label = item_label(record, item)
    if label is None:
        raise Http404
    context = {
        "frame": _frame(request),
        "subject": record.subject,
        "record": record,
        "heading": capfirst(label),
        "lines": history_of_item(record, item, _row(request)),
        "one_item": True,
    }
    return render(request, "crf/trail_of.html", context)


def _row(request: StaffRequest) -> uuid.UUID | None:
    """The row of a repeating group, where the question is about one."""
    text = request.GET.get("row", "")
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


@requires(Capability.VIEW_TRAIL)
@require_safe
def trail_export(request: StaffRequest) -> HttpResponseBase:
    """The narrowed trail as CSV; the export is itself an act in the trail."""
    events, filters, _sites = _narrowed(request)
    try:
        made = export(events)
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect(f"{reverse('crf:trail')}?{request.GET.urlencode()}")
    note_act(
        "trail_exported",
        details={"events": made.events, "sha256": made.sha256, **filters.described()},
    )
    response = FileResponse(
        made.file, as_attachment=True, filename="audit-trail.csv", content_type="text/csv"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Content-SHA256"] = made.sha256
    return response
