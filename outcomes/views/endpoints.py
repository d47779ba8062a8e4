"""The endpoints' page: survival, transplantation, milestones; and the subjects behind a figure."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from outcomes.endpoint_words import DEFINITIONS
from outcomes.endpoints.report import VERSION, Endpoints
from outcomes.pages.behind import doubtful, everybody, group_of
from outcomes.pages.endpoints import (
    STATE_HEADINGS,
    Behind,
    conversion_rows,
    milestone_rows,
    panels,
)
from outcomes.selectors.changes import milestones_of
from outcomes.selectors.endpoints import endpoints_of
from outcomes.views.asking import Asked, asked_of, courses_asked, frame, protocol_asked
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.protocol import Protocol


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def endpoints(request: StaffRequest) -> HttpResponse:
    """Survival, transplantation and the protocol's milestones of the person's sites."""
    asked, protocol = asked_of(request), protocol_asked()
    context = frame(asked, protocol)
    if protocol is not None:
        found = endpoints_of(courses_asked(request, asked), protocol, asked.on)
        context |= _shown(found, asked, protocol)
    return render(request, "outcomes/endpoints.html", context)


def _shown(found: Endpoints, asked: Asked, protocol: Protocol) -> dict[str, Any]:
    behind = _behind(asked)
    language = get_language() or "en"
    names = {each.day: each.event.name.in_language(language) for each in milestones_of(protocol)}
    return {
        "found": found,
        "version": VERSION,
        "definitions": DEFINITIONS,
        "headings": STATE_HEADINGS,
        "panels": panels(found, behind),
        "milestones": milestone_rows(found, names, behind),
        "conversion": conversion_rows(found, behind),
        "enrolled_href": behind(),
        "left_out": found.overall.left_out,
        "left_out_href": behind(of="overall", what="left_out"),
        "doubtful": doubtful(found),
        "outcomes_open": bool(protocol.assumptions_under("outcomes")),
    }


def _behind(asked: Asked) -> Behind:
    """Addresses of the lists behind figures, of the same site and day."""
    address = reverse("outcomes:endpoint_subjects")
    return lambda **what: address + asked.query(**what)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def endpoint_subjects(request: StaffRequest) -> HttpResponse:
    """The subjects behind a figure of the endpoints; without a figure, everybody enrolled."""
    asked, protocol = asked_of(request), protocol_asked()
    if protocol is None:
        raise Http404
    found = endpoints_of(courses_asked(request, asked), protocol, asked.on)
    of, what = request.GET.get("of", ""), request.GET.get("what", "")
    group = group_of(found, of=of, what=what, day=day_of(request)) if of else everybody(found)
    if group is None:
        raise Http404
    context = frame(asked, protocol) | {"group": group, "found": found}
    return render(request, "outcomes/endpoint_subjects.html", context)


def day_of(request: StaffRequest) -> int | None:
    """The day asked for; what is no whole number is none."""
    text = request.GET.get("day", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
