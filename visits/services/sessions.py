"""The life of a treatment session: planned, started, ended, completed, or voided.

Every act on a session is imported from here; the modules beside it hold the parts.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.following import after_void, follow_void
from trialsite.casebook.models import CrfRecord, RecordStatus, Subject, VisitStatus
from trialsite.casebook.services import add_visit, cancel_visit, open_record
from trialsite.casebook.services.holding import held
from trialsite.core.clock import TrialNow, trial_now, trial_today
from trialsite.core.context import because
from trialsite.core.exceptions import TransitionError
from trialsite.crf import writing
from trialsite.crf.hashing import record_hash
from trialsite.crf.registry import form
from trialsite.crf.services import (
    IncompleteError,
    ReasonRequiredError,
    expect_complete,
    judge_record,
)
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol import EventRole
from trialsite.review.services import reconcile
from visits.models import (
    Complication,
    SessionEnd,
    SessionPreparation,
    SessionReading,
    TreatmentSession,
)
from visits.models.session_codes import Modality, State
from visits.models.sessions import FORM_OID
from visits.selectors.products import unconfirmed_loads
from visits.selectors.sessions import minutes_of
from visits.services.checklist import Answer, answer_checklist, override_answer
from visits.services.products.loading import void_loads
from visits.services.session_course import (
    cells_off,
    cells_on,
    correct_times,
    end_session,
)
from visits.services.session_start import (
    SessionRefusedError,
    Team,
    end_causes_of,
    enter_session,
    start_session,
)
from visits.services.session_store import (
    Times,
    follow_times,
    hold_session,
    plan_of,
    session_refusals,
    store_session,
)
from visits.session_checks import Sheet, findings_of

__all__ = [
    "Answer",
    "SessionPlanned",
    "SessionRefusedError",
    "Team",
    "Times",
    "answer_checklist",
    "cells_off",
    "cells_on",
    "change_plan",
    "complete_session",
    "correct_times",
    "end_session",
    "enter_session",
    "override_answer",
    "plan_session",
    "start_session",
    "void_session",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlanned:
    """What is prescribed for a session."""

    planned_minutes: int
    modality: Collection[str]
    modality_other: str = ""
    no_cells_reason: str = ""

    def problems(self) -> dict[str, list[str]]:
        """What of it cannot stand, by field."""
        errors: dict[str, list[str]] = {}
        chosen = set(self.modality)
        if not chosen or not chosen <= set(Modality.values):
            errors["modality"] = [_("Choose what the session is made of.")]
        elif Modality.REACTOR not in chosen and not self.no_cells_reason.strip():
            errors["no_cells_reason"] = [_("A session without the MSC reactor says why.")]
        if Modality.OTHER in chosen and not self.modality_other.strip():
            errors["modality_other"] = [_("Another modality: say which.")]
        if not 1 <= self.planned_minutes <= 32767:
            errors["planned_minutes"] = [_("Enter the minutes that are prescribed.")]
        return errors

    def put_into(self, session: TreatmentSession) -> None:
        """Set the session's columns."""
        order = list(Modality.values)
        session.modality = sorted(set(self.modality), key=order.index)
        session.modality_other = self.modality_other.strip()[:200]
        session.no_cells_reason = self.no_cells_reason.strip()[:300]
        session.planned_minutes = self.planned_minutes


@transaction.atomic
def plan_session(
    *,
    subject: Subject,
    by: User,
    planned_minutes: int,
    modality: Collection[str],
    modality_other: str = "",
    no_cells_reason: str = "",
    on: dt.date | None = None,
) -> TreatmentSession:
    """Prepare the next session of a subject, at a treatment visit of its own.

    Its number is the next one, whatever became of those before; `on` is the day it is
    planned for, or took place where it is entered afterwards.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    planned = SessionPlanned(
        planned_minutes=planned_minutes,
        modality=modality,
        modality_other=modality_other,
        no_cells_reason=no_cells_reason,
    )
    if errors := planned.problems():
        raise ImpossibleError(errors)
    subject = held(subject)
    day = on or trial_today(subject.site.time_zone)
    visit = add_visit(subject=subject, role=EventRole.TREATMENT, on=day, by=by)
    record = _record_at(subject, visit.pk, by=by)
    session = TreatmentSession(
        record=record,
        site_id=subject.site_id,
        subject=subject,
        number=_next_number(subject),
        time_zone=subject.site.time_zone,
        planned_at=TrialNow(),
    )
    planned.put_into(session)
    with session_refusals():
        session.save(force_insert=True)
        writing.advance(record, by=by, complete=False, content_hash=record_hash(record))
    session.refresh_from_db(fields=["planned_at"])
    return session


def _next_number(subject: Subject) -> int:
    """Voided sessions keep their numbers; the subject's row is locked."""
    taken = TreatmentSession.objects.filter(subject=subject)
    return int(taken.aggregate(last=Max("number"))["last"] or 0) + 1


def _record_at(subject: Subject, visit_id: uuid.UUID, *, by: User) -> CrfRecord:
    """The record that the visit expects for its session; else one more."""
    waiting = CrfRecord.objects.standing().filter(
        visit_id=visit_id, form_oid=FORM_OID, status=RecordStatus.NOT_STARTED
    )
    found = waiting.filter(session=None).order_by("repeat_key").first()
    if found is not None:
        return found
    return open_record(subject=subject, form_oid=FORM_OID, visit_id=visit_id, by=by)


@transaction.atomic
def change_plan(
    *,
    session: TreatmentSession,
    planned: SessionPlanned,
    by: User,
    base_version: int | None = None,
    reason: str = "",
) -> TreatmentSession:
    """Change what is prescribed; once the session has started, with a reason."""
    session = hold_session(session, by=by, base_version=base_version)
    if errors := planned.problems():
        raise ImpossibleError(errors)
    if session.started_at is not None and not reason.strip():
        raise ReasonRequiredError(_("The session has started: say why you change this."))
    planned.put_into(session)
    store_session(session, by=by, reason=reason)
    follow_times(session, by=by, reason=reason)
    return session


@transaction.atomic
def complete_session(
    *, session: TreatmentSession, by: User, base_version: int | None = None, reason: str = ""
) -> TreatmentSession:
    """State that the run sheet is whole; what is unusual on it is then asked about.

    Raises IncompleteError with what is missing or unconfirmed.
    """
    session = hold_session(session, by=by, base_version=base_version)
    problems = {}
    if session.state is not State.ENDED:
        problems["ended_at"] = _("The session has not ended.")
    if unconfirmed := unconfirmed_loads(session):
        problems["product"] = " ".join(unconfirmed)
    try:
        expect_complete(session.record, None)
    except IncompleteError as error:
        problems |= error.problems
    if problems:
        raise IncompleteError(problems)
    record = session.record
    if record.status != RecordStatus.COMPLETE:
        content = record_hash(record)
        writing.advance(record, by=by, complete=True, content_hash=content)
    with because(reason.strip() or _("Session completed")):
        judge_session(session)
    return session


def judge_session(session: TreatmentSession) -> None:
    """Ask about what a completed session breaks: each row by its checks, and the whole."""
    record = session.record
    judge_record(record, form(FORM_OID))
    visit = {"record__visit_id": record.visit_id, "record__voided_at": None}
    readings = SessionReading.objects.filter(record=record, voided_at=None)
    sheet = Sheet(
        session=session,
        plan=plan_of(session),
        minutes=minutes_of(session),
        readings=list(readings.order_by("observed_at", "number")),
        complications=Complication.objects.filter(record=record, voided_at=None).count(),
        preparation=SessionPreparation.objects.filter(**visit).first(),
        end=SessionEnd.objects.filter(**visit).first(),
    )
    reconcile(
        record=record,
        findings=findings_of(sheet),
        content_hash=record_hash(record),
    )


@transaction.atomic
def void_session(
    *, session: TreatmentSession, reason: str, by: User, base_version: int | None = None
) -> TreatmentSession:
    """Take out a session that was entered in error; it keeps its number for ever.

    Day zero moves to the next session that started, or is none again; cells go back to the
    stock; of its visit, forms that hold other data stay.
    """
    by.require(Capability.ENTER_DATA, site=session.site_id)
    own = _hold_own_records(session)
    session = hold_session(session, by=by, base_version=base_version)
    if not reason.strip():
        raise ImpossibleError({"reason": [_("Voiding needs a reason.")]})
    reason = reason.strip()[:500]
    with because(reason):
        void_loads(session=session, reason=reason, by=by)
        session.record.refresh_from_db()
        session.voided_at, session.void_reason = trial_now(), reason
        store_session(session, by=by, reason=reason)
        follow_times(session, by=by, reason=reason)
        _void_records(session, own, reason=reason, by=by)
        end_causes_of(session)
    session.record.refresh_from_db()
    return session


#: Forms that speak of the session and of nothing else.
_OWN_FORMS = (FORM_OID, SessionPreparation.form_oid, SessionEnd.form_oid)


def _hold_own_records(session: TreatmentSession) -> list[uuid.UUID]:
    """The session's own records, under lock before the subject is: as each of them is saved."""
    visit_id = session.record.visit_id
    own = CrfRecord.objects.standing().filter(pk=session.pk)
    if visit_id is not None:
        own = CrfRecord.objects.standing().filter(visit=visit_id, form_oid__in=_OWN_FORMS)
    return [each.pk for each in own.select_for_update(no_key=True).order_by("pk")]


def _void_records(
    session: TreatmentSession, own: list[uuid.UUID], *, reason: str, by: User
) -> None:
    """Void the session's own records; cancel its visit where nothing else was entered."""
    visit = session.record.visit
    for record in CrfRecord.objects.standing().filter(pk__in=own).order_by("pk"):
        if record.is_closed:
            raise TransitionError(_("This record is locked. Ask the data manager to unlock it."))
        CrfRecord.objects.filter(pk=record.pk).update(
            voided_at=TrialNow(), void_reason=reason, version=record.version + 1
        )
        record.refresh_from_db()
        follow_void(record, by)
    empty = (RecordStatus.NOT_STARTED, RecordStatus.NOT_DONE)
    if visit is None:
        return
    if not CrfRecord.objects.standing().filter(visit=visit).exclude(status__in=empty).exists():
        visit.refresh_from_db()
        if visit.status != VisitStatus.NOT_REQUIRED:
            cancel_visit(visit=visit, reason=reason, by=by)


@after_void
def refuse_a_record_without_its_session(record: CrfRecord, by: User) -> None:  # noqa: ARG001
    """A session is voided as a whole: its record alone would leave day zero behind it."""
    if record.form_oid != FORM_OID:
        return
    if TreatmentSession.objects.standing().filter(pk=record.pk).exists():
        raise TransitionError(_("A session is voided on its run sheet."))
