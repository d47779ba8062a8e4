"""Treatment sessions as rows, for pages that only read them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.factories import Cast, given, make_record, make_visit
from trialsite.casebook.models import Subject, VisitStatus
from trialsite.core.clock import trial_now
from visits.models import SessionReading, TreatmentSession
from visits.models.session_codes import Modality, StopReason
from visits.models.sessions import FORM_OID


def make_session(
    cast: Cast,
    subject: Subject,
    *,
    started_at: dt.datetime | None = None,
    ended_at: dt.datetime | None = None,
    number: int = 1,
    **fields: Any,
) -> TreatmentSession:
    """A session of this wall time; prepared without a start, running without an end."""
    visit = make_visit(subject, "SE.TRT", repeat_key=number, status=VisitStatus.OPEN)
    record = make_record(subject, FORM_OID, visit)
    return _stored(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=number,
        modality=[Modality.values[0]],
        planned_minutes=360,
        started_at=started_at,
        ended_at=ended_at,
        stop_reason=StopReason.values[0] if ended_at else "",
        time_zone=subject.site.time_zone,
        operator=cast.nurse,
        second_checker=cast.second_nurse,
        physician=cast.sub_investigator,
        planned_at=trial_now(),
        **fields,
    )


@given
def _stored(**fields: Any) -> TreatmentSession:
    return TreatmentSession.objects.create(**fields)


@given
def make_reading(session: TreatmentSession, at: dt.datetime, planned: int) -> None:
    SessionReading.objects.create(
        record_id=session.pk,
        site_id=session.site_id,
        subject_id=session.subject_id,
        time_zone=session.time_zone,
        number=planned + 1,
        observed_at=at,
        planned_minute=planned,
    )
