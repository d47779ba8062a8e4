"""On a bedside reading and a laboratory result: its adverse event, or the button for one.

The buttons stand within the grid's and the panel's own form, where no other form may be;
they belong to one that stands beside, `make-event`, so that nothing typed is sent along.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from outcomes.models import AdverseEventOrigin
from outcomes.services.prefill import outside
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, LockState
from trialsite.core import slots
from trialsite.crf.registry import RECORD_ACTIONS
from trialsite.labs.codes import FORM_OID as LAB
from trialsite.labs.codes import RESULT_ACTIONS, ResultFlag
from trialsite.labs.models import LabResult
from visits.models import SessionReading
from visits.models.session_rows import READING_ACTIONS
from visits.models.sessions import FORM_OID as SESSION


def form_of_buttons(request: HttpRequest, record: CrfRecord) -> str:
    """The empty form that the buttons of the readings or results of this page belong to."""
    if record.form_oid not in {LAB, SESSION} or not _may_enter(request, record.site_id):
        return ""
    return render_to_string("outcomes/_make_event.html", request=request)


def event_of_reading(request: HttpRequest, reading: SessionReading) -> str:
    """On a reading with a value of the patient out of range."""
    origin = _origins(request, reading.record_id, "reading").get(reading.pk)
    if origin is None:
        record = _record(request, reading.record_id)
        if reading.voided_at is not None or not _may_make(request, record):
            return ""
        if not any(term for term, *_rest in outside(reading, record.protocol_version_id)):
            return ""
    return _said(request, "reading", reading.pk, reading.number, origin)


def event_of_result(request: HttpRequest, result: LabResult) -> str:
    """On a result outside its range."""
    origin = _origins(request, result.panel_id, "result").get(result.pk)
    abnormal = result.flag in (ResultFlag.LOW, ResultFlag.HIGH) and result.voided_at is None
    if origin is None and not (abnormal and _may_make(request, _record(request, result.panel_id))):
        return ""
    return _said(request, "result", result.pk, result.analyte, origin)


def _said(
    request: HttpRequest,
    source: str,
    pk: uuid.UUID,
    name: object,
    origin: AdverseEventOrigin | None,
) -> str:
    context = {"source": source, "pk": pk, "name": name, "origin": origin}
    return render_to_string("outcomes/_of_source.html", context, request=request)


def _record(request: HttpRequest, pk: uuid.UUID) -> CrfRecord:
    """The record of the page, read once for all of its rows."""
    known: dict[uuid.UUID, CrfRecord] = request.__dict__.setdefault("_records_of_sources", {})
    if pk not in known:
        known[pk] = CrfRecord.objects.select_related("subject").get(pk=pk)
    return known[pk]


def _may_make(request: HttpRequest, record: CrfRecord) -> bool:
    return (
        record.voided_at is None
        and record.subject.lock_state == LockState.OPEN
        and _may_enter(request, record.site_id)
    )


def _may_enter(request: HttpRequest, site_id: int) -> bool:
    person = request.user
    return isinstance(person, User) and person.can(Capability.ENTER_DATA, site=site_id)


def _origins(request: HttpRequest, record: uuid.UUID, source: str) -> dict[Any, AdverseEventOrigin]:
    """The events made of the rows of one record, read once for a page."""
    known: dict[Any, dict[Any, AdverseEventOrigin]] = request.__dict__.setdefault(
        "_events_of_sources", {}
    )
    if (record, source) not in known:
        of_record = {"reading": "reading__record", "result": "result__panel"}[source]
        found = AdverseEventOrigin.objects.filter(**{of_record: record}, ended_at=None)
        known[record, source] = {
            getattr(origin, f"{source}_id"): origin for origin in found.select_related("record")
        }
    return known[record, source]


slots.fill(RECORD_ACTIONS, form_of_buttons)
slots.fill(READING_ACTIONS, event_of_reading)
slots.fill(RESULT_ACTIONS, event_of_result)
