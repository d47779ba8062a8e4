"""What one record of an outcome asks about follows when another changes.

A death recorded, a fatal event voided, a grade row added: the checks of the other records
speak of it, and their queries open and close in the same act, not only at night.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from outcomes.models import AdverseEvent, AdverseEventGrade, Death, EventMedication, Outcome
from trialsite.access.models import User
from trialsite.casebook.models import CrfRecord, LockState, RecordStatus
from trialsite.crf.models import CrfRow, stored
from trialsite.crf.registry import Form
from trialsite.crf.services import judge_record

# Parts of the form: what is being saved is judged by its own save, and never twice.
_EVENT = Form(oid=AdverseEvent.form_oid, title=AdverseEvent.title, data=AdverseEvent)
_ROWS: tuple[type[CrfRow], ...] = (AdverseEventGrade, EventMedication)
_GROUPS = Form(oid=AdverseEvent.form_oid, title=AdverseEvent.title, groups=[*_ROWS])
_DEATH = Form(oid=Death.form_oid, title=Death.title, data=Death)


def rejudge_for_event(event: AdverseEvent, _by: User) -> None:
    """An event changed or was voided: the death that asks for it, and its own rows."""
    deaths = stored(Death).filter(subject=event.subject_id, record__voided_at=None)
    _judge(deaths.values("record"), _DEATH)
    if event.stands and any(stored(rows).filter(record=event.pk).exists() for rows in _ROWS):
        _judge([event.pk], _GROUPS)


def rejudge_for_row(row: AdverseEventGrade | EventMedication, _by: User) -> None:
    """A row of grades or medicines changed or was voided: its event speaks of all of them."""
    if row.record.voided_at is None:
        _judge([row.record_id], _EVENT)


def rejudge_for_death(death: Death, _by: User) -> None:
    """A death was recorded, dated otherwise or taken back: the events that were fatal."""
    events = stored(AdverseEvent).filter(subject=death.subject_id, record__voided_at=None)
    _judge(events.filter(outcome=Outcome.FATAL).values("record"), _EVENT)


def _judge(records: Iterable[Any], part: Form) -> None:
    found = CrfRecord.objects.filter(
        pk__in=records, status=RecordStatus.COMPLETE, lock_state=LockState.OPEN
    )
    for record in found:
        judge_record(record, part)
