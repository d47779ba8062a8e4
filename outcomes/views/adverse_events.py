"""The page of a subject's adverse events and death, and what begins there."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from outcomes.event_forms import EventFilter
from outcomes.models import CTCAE_VERSION, AdverseEvent, Death
from outcomes.selectors.deaths import death_record
from outcomes.selectors.events import all_events, lines_of
from outcomes.services.adverse_events import (
    record_from_complication,
    record_from_reading,
    record_from_result,
)
from outcomes.services.deaths import open_death
from trialsite.access.capabilities import Capability
from trialsite.access.http import StaffRequest, requires
from trialsite.casebook.models import LockState, Subject
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.models import stored
from trialsite.crf.registry import form
from trialsite.labs.models import LabResult
from visits.models import Complication, SessionReading


def _subject(request: StaffRequest, pk: uuid.UUID) -> Subject:
    return get_object_or_404(Subject.objects.visible_to(request.user).select_related("site"), pk=pk)


@requires(Capability.VIEW_CASEBOOK)
@require_safe
def adverse_events(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """A subject's adverse events; the record of a death where there is one."""
    subject = _subject(request, subject_id)
    record = death_record(subject)
    asked = EventFilter(request.GET)
    records = asked.narrow(all_events(request.user).filter(subject=subject))
    may_enter = request.user.can(Capability.ENTER_DATA, site=subject.site_id)
    context = {
        "subject": subject,
        "lines": lines_of(records),
        "filter": asked,
        "narrowed": any(asked.cleaned_data.values()),
        "ctcae": CTCAE_VERSION,
        "slug": form(AdverseEvent.form_oid).slug,
        "death_record": record,
        "death": stored(Death).filter(pk=record.pk).first() if record else None,
        "may_enter": may_enter and subject.lock_state == LockState.OPEN,
    }
    return render(request, "outcomes/adverse_events.html", context)


@requires(Capability.ENTER_DATA)
@require_POST
def of_complication(request: StaffRequest, complication_id: uuid.UUID) -> HttpResponse:
    """The adverse event of a complication: made at the first click, opened at every other."""
    rows = Complication.objects.visible_to(request.user)
    found = get_object_or_404(rows, pk=complication_id)
    try:
        record = record_from_complication(complication=found, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("crf:record", found.record_id)
    return redirect("crf:record", record.pk)


@requires(Capability.ENTER_DATA)
@require_POST
def of_source(request: StaffRequest) -> HttpResponse:
    """The adverse event of a reading or a result, whichever the button names; made once."""
    found: Any
    key = _key(request.POST.get("result", ""))
    if key is not None:
        found = get_object_or_404(LabResult.objects.visible_to(request.user), pk=key)
        make, back = partial(record_from_result, result=found), found.panel_id
    else:
        key = _key(request.POST.get("reading", ""))
        found = get_object_or_404(SessionReading.objects.visible_to(request.user), pk=key)
        make, back = partial(record_from_reading, reading=found), found.record_id
    try:
        record = make(by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect("crf:record", back)
    return redirect("crf:record", record.pk)


def _key(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@requires(Capability.ENTER_DATA)
@require_POST
def death(request: StaffRequest, subject_id: uuid.UUID) -> HttpResponse:
    """Open the record of the subject's death, the standing one where there is one."""
    subject = _subject(request, subject_id)
    try:
        record = open_death(subject=subject, by=request.user)
    except NotPermittedError:
        raise
    except DomainError as refused:
        messages.error(request, str(refused))
        return redirect(reverse("outcomes:adverse_events", args=[subject.pk]))
    return redirect("crf:record", record.pk)
