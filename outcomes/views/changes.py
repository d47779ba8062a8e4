"""The page of changes from baseline, and the subjects behind its counts."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from outcomes.pages.changes import group_of, panels
from outcomes.pages.words import BOXES, BOXES_SAY
from outcomes.selectors.changes import changes_of
from outcomes.views.asking import asked_of, courses_asked, csv_of, frame, protocol_asked
from outcomes.views.endpoints import day_of
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def changes(request: StaffRequest) -> HttpResponse:
    """Encephalopathy, MELD, PTA and bilirubin at the milestones, against the baseline."""
    asked, protocol = asked_of(request), protocol_asked()
    context = frame(asked, protocol)
    if protocol is not None:
        address = reverse("outcomes:change_subjects")
        found = changes_of(courses_asked(request, asked), protocol)
        context |= {
            "found": found,
            "csv_url": csv_of(request, "changes"),
            "panels": panels(found, lambda **what: address + asked.query(**what)),
            "boxes": [(box, BOXES[box], BOXES_SAY[box]) for box in BOXES],
        }
    return render(request, "outcomes/changes.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def change_subjects(request: StaffRequest) -> HttpResponse:
    """The subjects behind a count of the changes."""
    asked, protocol = asked_of(request), protocol_asked()
    if protocol is None:
        raise Http404
    found = changes_of(courses_asked(request, asked), protocol)
    key, box = request.GET.get("measure", ""), request.GET.get("box", "")
    group = group_of(found, key=key, day=day_of(request), box=box)
    if group is None:
        raise Http404
    context = frame(asked, protocol) | {"group": group}
    return render(request, "outcomes/change_subjects.html", context)
