"""The pages of the markers' trends: of all subjects, and of one."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from outcomes.pages.biomarkers import ABSOLUTE, SCALES, legend, study_panels, subject_panels
from outcomes.selectors.biomarkers import biomarkers_of
from outcomes.views.asking import Asked, asked_of, courses_asked, csv_of, frame, protocol_asked
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import Subject


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def biomarkers(request: StaffRequest) -> HttpResponse:
    """The protocol's markers of every subject of the person's sites, as small multiples."""
    asked, protocol = asked_of(request), protocol_asked()
    scale = _scale(request)
    context = frame(asked, protocol) | _switch(asked, scale)
    if protocol is not None:
        found = biomarkers_of(courses_asked(request, asked), protocol)
        focus = request.GET.get("subject", "")[:20]
        entries = legend(found, focus, lambda **more: asked.query(scale=scale, **more))
        context |= {
            "found": found,
            "csv_url": csv_of(request, "biomarkers"),
            "legend": entries,
            "focus_away": asked.query(scale=scale),
            "focus": next((each for each in entries if each.focused), None),
            "panels": study_panels(found, entries, scale),
        }
    return render(request, "outcomes/biomarkers.html", context)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def subject_biomarkers(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """The protocol's markers of one subject, with every value."""
    rows = Subject.objects.visible_to(request.user).select_related("site")
    subject = get_object_or_404(rows, pk=subject_id)
    asked, protocol = asked_of(request), protocol_asked()
    asked.site = subject.site
    scale = _scale(request)
    context = frame(asked, protocol) | _switch(asked, scale) | {"subject": subject}
    if protocol is not None:
        courses = [each for each in courses_asked(request, asked) if each.subject == subject.pk]
        found = biomarkers_of(courses, protocol)
        one = next(iter(found.subjects), None)
        context |= {
            "found": found,
            "one": one,
            "sessions": found.sessions_of(one) if one else (),
            "panels": subject_panels(found, one, scale) if one else [],
        }
    return render(request, "outcomes/subject_biomarkers.html", context)


def _scale(request: StaffRequest) -> str:
    asked = request.GET.get("scale", "")
    return asked if asked in SCALES else ABSOLUTE


def _switch(asked: Asked, scale: str) -> dict[str, object]:
    return {
        "scale": scale,
        "scales": [(key, word, asked.query(scale=key)) for key, word in SCALES.items()],
    }
