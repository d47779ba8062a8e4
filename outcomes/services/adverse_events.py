"""Adverse events made of what was seen elsewhere, and what follows from voiding one."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from outcomes.models import AdverseEvent, AdverseEventOrigin
from outcomes.services import prefill
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import open_record
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import TransitionError
from trialsite.crf.entry import Entry
from trialsite.crf.services import save_crf
from trialsite.labs.models import LabResult
from visits.models import Complication, SessionReading


@transaction.atomic
def record_from_complication(*, complication: Complication, by: User) -> CrfRecord:
    """The adverse event of a complication, begun with what is known; made once.

    Whoever asks again, at the same moment too, is given the event that stands. Severity,
    seriousness and cause are left to the investigator.
    """
    subject = _locked(complication, by)
    complication = Complication.objects.select_related("record").get(pk=complication.pk)
    found = _standing(complication=complication)
    if found is not None:
        return found
    if not complication.stands:
        raise TransitionError(_("This row has been voided."))
    origin = AdverseEventOrigin(complication=complication, session_id=complication.record_id)
    return _begin(subject, prefill.of_complication(complication), origin, by)


@transaction.atomic
def record_from_reading(*, reading: SessionReading, by: User) -> CrfRecord:
    """The adverse event of a reading: the values out of range, when, in which session."""
    subject = _locked(reading, by)
    reading = SessionReading.objects.select_related("record").get(pk=reading.pk)
    found = _standing(reading=reading)
    if found is not None:
        return found
    if not reading.stands:
        raise TransitionError(_("This row has been voided."))
    entry = prefill.of_reading(reading, reading.record.protocol_version_id)
    origin = AdverseEventOrigin(reading=reading, session_id=reading.record_id)
    return _begin(subject, entry, origin, by)


@transaction.atomic
def record_from_result(*, result: LabResult, by: User) -> CrfRecord:
    """The adverse event of a laboratory result, with the grade its value has by itself."""
    subject = _locked(result, by)
    result = LabResult.objects.select_related("panel__record").get(pk=result.pk)
    found = _standing(result=result)
    if found is not None:
        return found
    if result.voided_at is not None or result.panel.record.voided_at is not None:
        raise TransitionError(_("This result has been voided."))
    session = prefill.session_of(subject.pk, result.panel.collected_at)
    origin = AdverseEventOrigin(result=result, session=session)
    return _begin(subject, prefill.of_result(result), origin, by)


def _locked(source: Complication | SessionReading | LabResult, by: User) -> Subject:
    """The subject's lock puts two clicks in order; every other save of the subject waits too."""
    by.require(Capability.ENTER_DATA, site=source.site_id)
    return Subject.objects.select_for_update(no_key=True).get(pk=source.subject_id)


def _standing(**source: Any) -> CrfRecord | None:
    """The record of the standing adverse event that was made of this already."""
    found = AdverseEventOrigin.objects.filter(ended_at=None, **source)
    origin = found.select_related("record").first()
    return origin.record if origin else None


def _begin(subject: Subject, entry: Entry, origin: AdverseEventOrigin, by: User) -> CrfRecord:
    record = open_record(subject=subject, form_oid=AdverseEvent.form_oid, by=by)
    save_crf(record=record, entry=entry, by=by, base_version=0)
    origin.record, origin.site_id, origin.subject = record, record.site_id, subject
    origin.save(force_insert=True)
    record.refresh_from_db()
    return record


def follow_event(event: AdverseEvent, _by: User) -> None:
    """A voided event gives what it was made of free: another may be made of it."""
    if not event.stands:
        _release(event.pk)


def _release(record: uuid.UUID) -> None:
    for origin in AdverseEventOrigin.objects.filter(record_id=record, ended_at=None):
        origin.ended_at = trial_now()
        origin.save(update_fields=["ended_at"])
