"""The page of a subject's CTCAE grades and their shift from baseline."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.labs.grade_lines import WHY, in_words, said_baseline, shift_table, shifts_of
from trialsite.labs.grading import VERSION


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def grades(request: StaffRequest, pk: uuid.UUID) -> HttpResponse:
    """What each analyte was before the treatment and at its worst after, by CTCAE."""
    mine = Subject.objects.visible_to(request.user).select_related("site")
    subject = get_object_or_404(mine, pk=pk)
    lines, results = shifts_of(subject.pk)
    context = {
        "subject": subject,
        "lines": lines,
        "table": shift_table(lines),
        "results": [
            (each, in_words(each.grade), WHY.get(each.grade.why, ""))
            for each in reversed(results)
            if each.grade.grade or (each.grade.grade is None and in_words(each.grade))
        ],
        "treated": any(not each.before for each in results),
        "baseline": said_baseline(protocol_of(subject.protocol_version_id).labs.rules),
        "version": VERSION,
    }
    return render(request, "labs/grades.html", context)
