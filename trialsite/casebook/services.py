"""Subjects, their visits and the records expected of them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import Site, User
from trialsite.casebook.following import follow_void
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    NumberSequence,
    ProtocolVersion,
    RecordStatus,
    Subject,
    SubjectStatus,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import protocol_of, version_in_force
from trialsite.core.clock import TrialNow
from trialsite.core.context import because
from trialsite.core.date_ranges import closed
from trialsite.core.exceptions import DomainError, TransitionError


def next_number(site: Site, kind: str) -> int:
    """The next number of a gap-free sequence at a site; it waits for whoever takes one now."""
    sequence, _made = NumberSequence.objects.get_or_create(site=site, kind=kind)
    sequence = NumberSequence.objects.select_for_update(no_key=True).get(pk=sequence.pk)
    sequence.last += 1
    sequence.save(update_fields=["last"])
    return sequence.last


@transaction.atomic
def add_subject(
    *, site: Site, screening_number: str, by: User, on: dt.date | None = None
) -> Subject:
    """Enter a person who consented into the casebook, under their number of the screening log."""
    by.require(Capability.ADD_SUBJECT, site=site)
    subject = Subject.objects.create(
        site=site,
        screening_number=screening_number,
        protocol_version=version_in_force(site, on=on),
    )
    lay_out_visits(subject=subject, by=by)
    return subject


@transaction.atomic
def set_consent_state(*, subject: Subject, state: str, by: User | None) -> Subject:
    """Keep what the casebook shows of a subject's consent in step with the signed acts.

    The app that keeps those acts says it; without a person the system does.
    """
    if by is not None:
        by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    subject.consent_state = ConsentState(state)
    subject.save(update_fields=["consent_state"])
    return subject


@transaction.atomic
def give_subject_number(*, subject: Subject, by: User) -> Subject:
    """Number an enrolled subject, gap-free at its site; a number is given once."""
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    subject = _held(subject)
    if subject.number is not None:
        raise TransitionError(_("This subject has its number already."))
    site = subject.site
    subject.number = f"{site.code}-{next_number(site, 'subject'):03d}"
    subject.status = SubjectStatus.ENROLLED
    subject.save(update_fields=["number", "status"])
    return subject


@transaction.atomic
def take_back_subject_number(*, subject: Subject, by: User) -> Subject:
    """Undo an enrolment in error before day zero: back in screening, the number is spent."""
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    subject = _held(subject)
    if subject.number is None or subject.status != SubjectStatus.ENROLLED:
        raise TransitionError(_("This subject is not enrolled."))
    if subject.day_zero is not None:
        raise TransitionError(_("Day zero has come: what happened since stays with the subject."))
    subject.number = None
    subject.status = SubjectStatus.SCREENING
    subject.save(update_fields=["number", "status"])
    return subject


#: Between these a subject moves before enrolment; enrolment itself is another act.
_BEFORE_ENROLMENT = (
    SubjectStatus.SCREENING,
    SubjectStatus.SCREEN_FAILED,
    SubjectStatus.WITHDRAWN,
)


@transaction.atomic
def move_in_screening(*, subject: Subject, to: SubjectStatus, by: User) -> Subject:
    """Say where a subject's screening stands: going on, failed, or withdrawn from."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = _held(subject)
    if subject.number is not None or not {subject.status, to} <= set(_BEFORE_ENROLMENT):
        raise TransitionError(_("This subject is no longer in screening."))
    subject.status = to
    subject.save(update_fields=["status"])
    return subject


def _held(subject: Subject) -> Subject:
    """The subject under a row lock, its casebook still open."""
    waiting = Subject.objects.select_for_update(no_key=True, of=("self",)).select_related("site")
    held = waiting.get(pk=subject.pk)
    if held.lock_state != LockState.OPEN:
        raise TransitionError(_("This casebook is locked."))
    return held


@transaction.atomic
def open_record(
    *,
    subject: Subject,
    form_oid: str,
    by: User,
    visit_id: uuid.UUID | None = None,
    protocol_version: ProtocolVersion | None = None,
) -> CrfRecord:
    """One more record of a repeating form; its repeat key was never used before."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    at_visit = Q(visit=None) if visit_id is None else Q(visit_id=visit_id)
    taken = CrfRecord.objects.filter(at_visit, subject=subject, form_oid=form_oid).order_by(
        "-repeat_key"
    )
    last = taken.values_list("repeat_key", flat=True).first() or 0
    return CrfRecord.objects.create(
        site_id=subject.site_id,
        subject=subject,
        visit_id=visit_id,
        form_oid=form_oid,
        repeat_key=last + 1,
        protocol_version=protocol_version or subject.protocol_version,
    )


@transaction.atomic
def void_record(*, record: CrfRecord, reason: str, by: User) -> CrfRecord:
    """Take a record out of the casebook; it and its number stay in the trail for ever."""
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=record.pk)
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.voided_at is not None:
        raise TransitionError(_("This record is already voided."))
    if record.is_closed:
        raise TransitionError(_("This record is locked."))
    if not reason.strip():
        raise DomainError(_("Voiding needs a reason."))
    with because(reason):
        CrfRecord.objects.filter(pk=record.pk).update(
            voided_at=TrialNow(), void_reason=reason, version=record.version + 1
        )
        record.refresh_from_db()
        follow_void(record, by)
    if record.visit_id is not None:
        _expect_again(record)
    return record


def _expect_again(voided: CrfRecord) -> None:
    """The visit still expects the form: an empty record under the next repeat key."""
    others = CrfRecord.objects.filter(visit=voided.visit, form_oid=voided.form_oid)
    if others.exclude(pk=voided.pk).standing().exists():
        return
    last = others.order_by("-repeat_key").values_list("repeat_key", flat=True).first()
    CrfRecord.objects.create(
        site_id=voided.site_id,
        subject_id=voided.subject_id,
        visit_id=voided.visit_id,
        form_oid=voided.form_oid,
        repeat_key=(last or 0) + 1,
        protocol_version_id=voided.protocol_version_id,
    )


@transaction.atomic
def mark_not_done(*, record: CrfRecord, reason: str, by: User) -> CrfRecord:
    """State that a whole form was not done, and why; possible only while it is empty."""
    record = CrfRecord.objects.select_for_update(no_key=True).get(pk=record.pk)
    by.require(Capability.ENTER_DATA, site=record.site_id)
    if record.is_closed:
        raise TransitionError(_("This record is locked."))
    if record.status != RecordStatus.NOT_STARTED:
        raise TransitionError(_("This form has data. Void it, or give the reason item by item."))
    if not reason.strip():
        raise DomainError(_("A form that was not done needs its reason."))
    record.status = RecordStatus.NOT_DONE
    record.not_done_reason = reason
    record.version += 1
    record.save(update_fields=["status", "not_done_reason", "version"])
    return record


@transaction.atomic
def lay_out_visits(*, subject: Subject, by: User) -> list[Visit]:
    """Make the subject's planned visits and the records the protocol expects at each.

    Events without a target day (sessions, unscheduled visits) are made when they happen;
    before day zero the visits are planned and undated. Running it again adds nothing.
    """
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    schedule = protocol_of(subject.protocol_version_id).schedule
    existing = set(subject.visits.values_list("event_oid", flat=True))
    visits = []
    for event in schedule.events:
        if event.target_day is None or event.oid in existing:
            continue
        visit = Visit.objects.create(
            site_id=subject.site_id,
            subject=subject,
            event_oid=event.oid,
            visit_number=event.visitnum_of(1),
            protocol_version_id=subject.protocol_version_id,
        )
        expect_records(visit=visit, form_oids=event.forms)
        visits.append(visit)
    return visits


def expect_records(*, visit: Visit, form_oids: Iterable[str]) -> None:
    """The empty records of the forms expected at a visit, so that what is missing counts."""
    for form_oid in form_oids:
        CrfRecord.objects.get_or_create(
            site_id=visit.site_id,
            subject_id=visit.subject_id,
            visit=visit,
            form_oid=form_oid,
            repeat_key=1,
            defaults={"protocol_version_id": visit.protocol_version_id},
        )


@transaction.atomic
def set_day_zero(*, subject: Subject, day_zero: dt.date, by: User) -> list[Visit]:
    """Anchor the schedule: date the windows of every visit that has not begun.

    Day zero is what the protocol's anchor says; moving it leaves attended visits alone.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = Subject.objects.select_for_update(no_key=True).get(pk=subject.pk)
    subject.day_zero = day_zero
    subject.save(update_fields=["day_zero"])
    schedule = protocol_of(subject.protocol_version_id).schedule
    planned = {visit.event_oid: visit for visit in schedule.expand(day_zero)}
    waiting = (VisitStatus.PLANNED, VisitStatus.DUE)
    moved = []
    for visit in subject.visits.filter(status__in=waiting, event_oid__in=planned):
        plan = planned[visit.event_oid]
        visit.target_on = plan.target_on
        visit.window = closed(plan.window_first, plan.window_last)
        visit.save(update_fields=["target_on", "window"])
        moved.append(visit)
    return moved


@transaction.atomic
def attend_visit(*, visit: Visit, on: dt.date, by: User) -> Visit:
    """State that the visit took place on a date; outside its window it is kept and marked."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = Visit.objects.select_for_update(no_key=True).get(pk=visit.pk)
    if visit.status == VisitStatus.ATTENDED:
        raise TransitionError(_("This visit is already attended."))
    if visit.subject.consent_state == ConsentState.WITHDRAWN:
        raise TransitionError(_("The subject has withdrawn consent for all data."))
    visit.status, visit.attended_on = VisitStatus.ATTENDED, on
    visit.save(update_fields=["status", "attended_on"])
    return visit
