"""A subject under treatment, for the tests of outcomes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from outcomes.models import AdverseEvent, Death
from outcomes.services.deaths import open_death
from tests.api.conftest import api
from tests.factories import as_person, given, make_record, make_subject
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.services import lay_out_visits
from trialsite.crf.entry import read_texts
from trialsite.crf.services import Saved, save_crf, save_row
from visits.models import Complication, TreatmentSession
from visits.models.session_codes import Modality, StopReason

__all__ = ["api"]

EVENT = {
    "term": "Hypotension",
    "started_on": "2026-03-05",
    "started_time": "10:40",
    "ongoing": "false",
    "ended_on": "2026-03-05",
    "grade": "2",
    "serious": "false",
    "related_cells": "UNLIKELY",
    "related_circuit": "PROBABLE",
    "related_anticoagulant": "NOT RELATED",
    "related_procedure": "NOT RELATED",
    "related_disease": "POSSIBLE",
    "special_interest": "NONE",
    "action": "DRUG INTERRUPTED",
    "action_device": "INTERRUPTED",
    "outcome": "RECOVERED/RESOLVED",
}

#: What a serious event says besides, so that nothing is asked.
SERIOUS = {
    "serious": "true",
    "other_important": "true",
    "aware_at": "2026-03-05T11:00",
    "expectedness": "EXPECTED",
}

DEATH = {
    "died_on": "2026-03-06",
    "cause": "LIVER FAILURE",
    "related_cells": "NOT RELATED",
    "related_circuit": "NOT RELATED",
    "related_anticoagulant": "UNLIKELY",
    "autopsy": "false",
    "source": "WITNESSED",
}


@pytest.fixture
def subject(cast) -> Subject:
    made: Subject = make_subject(cast.site, number="001-001", status="enrolled")
    with as_person(cast.nurse):
        lay_out_visits(subject=made, by=cast.nurse)
    return made


@given
def treated(
    subject: Subject, by: User, start: str = "2026-03-05T10:00", **fields: object
) -> TreatmentSession:
    """A session of the subject as it stands in the database, six hours long."""
    started = dt.datetime.fromisoformat(start)
    number = TreatmentSession.objects.filter(subject=subject).count() + 1
    record = make_record(subject, form_oid="F.TX", repeat_key=number)
    facts = {
        "started_at": started,
        "ended_at": started + dt.timedelta(hours=6),
        "stop_reason": StopReason.COMPLETED,
    } | fields
    return TreatmentSession.objects.create(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=number,
        modality=[Modality.REACTOR],
        planned_minutes=360,
        time_zone="Asia/Shanghai",
        planned_at=dt.datetime(2026, 3, 5, 1, tzinfo=dt.UTC),
        operator=by,
        second_checker=by,
        physician=by,
        distinct_people=1,
        **facts,
    )


@pytest.fixture
def session(cast, subject) -> TreatmentSession:
    found: TreatmentSession = treated(subject, cast.nurse)
    return found


@pytest.fixture
def complication(cast, session) -> Complication:
    return complicated(session, cast.nurse)


def complicated(session: TreatmentSession, by: User, **texts: str) -> Complication:
    """A complication of a session, entered by the nurse."""
    texts = {
        "code": "HYPOTENSION",
        "onset_at": "2026-03-05T10:40",
        "severity": "MODERATE",
        "comment": "SBP 70, fluids",
    } | texts
    with as_person(by):
        record = CrfRecord.objects.get(pk=session.pk)
        entry = read_texts(Complication, texts)
        saved = save_row(record=record, group=Complication, entry=entry, by=by)
    assert isinstance(saved.row, Complication)
    return saved.row


def save_event(record: CrfRecord, by: User, version: int = 0, **texts: Any) -> Saved:
    """An adverse event, saved as its page saves it."""
    complete, reason = texts.pop("complete", "yes") == "yes", texts.pop("reason", "")
    entry = read_texts(AdverseEvent, EVENT | texts)
    assert not entry.errors
    with as_person(by):
        return save_crf(
            record=record, entry=entry, by=by, base_version=version, complete=complete,
            reason=reason,
        )  # fmt: skip


def save_death(subject: Subject, by: User, version: int = 0, **texts: Any) -> Saved:
    """The death of a subject, saved as its page saves it."""
    complete, reason = texts.pop("complete", "yes") == "yes", texts.pop("reason", "")
    entry = read_texts(Death, DEATH | texts)
    assert not entry.errors
    with as_person(by):
        record = open_death(subject=subject, by=by)
        return save_crf(
            record=record, entry=entry, by=by, base_version=version, complete=complete,
            reason=reason,
        )  # fmt: skip
