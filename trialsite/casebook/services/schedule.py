"""The schedule in time: laid out from the protocol, anchored at day zero, added to."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import ClosingCause, Subject, Visit, VisitStatus
from trialsite.casebook.moments import death_problem
from trialsite.casebook.protocols import event_of, protocol_of
from trialsite.casebook.services.closings import close_schedule, closed_problem, settle
from trialsite.casebook.services.holding import held, keep_visit
from trialsite.casebook.services.records import expect_records, expect_records_of
from trialsite.core.context import because, reason_given
from trialsite.core.date_ranges import closed
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol import EventRole, StudyEventDef

#: What goes on after an early termination: safety, survival, and the visit itself.
KEPT_AFTER_TERMINATION = frozenset(
    {EventRole.EARLY_TERMINATION, EventRole.SURVIVAL_CONTACT, EventRole.EXTRA}
)


@transaction.atomic
def lay_out_visits(*, subject: Subject, by: User) -> list[Visit]:
    """Make the subject's planned visits and the records the protocol expects at each.

    Events without a target day (sessions, unscheduled visits) are made when they happen;
    before day zero the visits are planned and undated. Running it again adds nothing.
    """
    by.require(Capability.ADD_SUBJECT, site=subject.site_id)
    schedule = protocol_of(subject.protocol_version_id).schedule
    existing = set(subject.visits.values_list("event_oid", flat=True))
    planned = [
        event
        for event in schedule.events
        if event.target_day is not None and event.oid not in existing
    ]
    visits = Visit.objects.bulk_create(
        Visit(
            site_id=subject.site_id,
            subject=subject,
            event_oid=event.oid,
            visit_number=event.visitnum_of(1),
            protocol_version_id=subject.protocol_version_id,
        )
        for event in planned
    )
    expect_records_of(zip(visits, (event.forms for event in planned), strict=True))
    return visits


@transaction.atomic
def set_day_zero(
    *, subject: Subject, day_zero: dt.date | None, by: User, reason: str = ""
) -> list[Visit]:
    """Anchor the schedule: date the windows of every visit that has not begun.

    Day zero is what the protocol's anchor says. Moving it leaves alone what was opened,
    attended or missed; None takes the dates away again. Answers the visits that moved.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    before = subject.day_zero
    if day_zero is not None and (problem := death_problem(subject, day_zero)):
        raise DomainError(problem)
    if before is not None and before != day_zero and not reason and not reason_given():
        reason = _("Day zero moved from %(before)s to %(after)s.") % {
            "before": before.isoformat(),
            "after": day_zero.isoformat() if day_zero else _("not yet"),
        }
    with because(reason or reason_given()):
        if before != day_zero:
            subject.day_zero = day_zero
            subject.save(update_fields=["day_zero"])
        return _anchor(subject)


def _anchor(subject: Subject) -> list[Visit]:
    """Give every visit that has not begun its dates; what moved, with its version counted up."""
    waiting = (VisitStatus.PLANNED, VisitStatus.NOT_REQUIRED)
    rows = subject.visits.select_for_update(no_key=True).filter(status__in=waiting)
    moved = [visit for visit in rows.order_by("pk") if place(visit, subject.day_zero)]
    for visit in moved:
        visit.anchor_version += 1
        keep_visit(visit, "target_on", "window", "anchor_version")
    settle(subject)
    return moved


def place(visit: Visit, day_zero: dt.date | None) -> bool:
    """Set the dates that follow from day zero; whether they are others than before.

    A visit without a target day has the dates it was given when it was added.
    """
    event = event_of(visit)
    if event.target_day is None:
        return False
    plan = event.planned_from(day_zero) if day_zero is not None else None
    ends = (plan.window_first, plan.window_last) if plan else None
    target = plan.target_on if plan else None
    if (visit.target_on, visit.window_ends) == (target, ends):
        return False
    visit.target_on, visit.window = target, closed(*ends) if ends else None
    return True


@transaction.atomic
def add_visit(
    *,
    subject: Subject,
    on: dt.date,
    by: User,
    role: EventRole | None = None,
    event_oid: str = "",
    stands_for: Visit | None = None,
) -> Visit:
    """Add a visit that is not laid out in advance, under its next repeat key.

    A session, an unscheduled visit, a survival contact (`stands_for`: the milestone missed in
    person), an early termination; this one ends the schedule but for survival. Its window
    counts from its own cause by the protocol's `days_allowed`.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    event = _event_to_add(subject, role, event_oid)
    problem = death_problem(subject, on) or closed_problem(subject, event.role, on)
    if problem:
        raise DomainError(problem)
    visit = _next_visit(subject, event)
    visit.target_on = on
    visit.window = _window_of(event, on, stands_for)
    visit.stands_for = stands_for
    keep_visit(visit)
    expect_records(visit=visit, form_oids=event.forms)
    if event.role is EventRole.EARLY_TERMINATION:
        close_schedule(
            subject=subject,
            after=on,
            cause=ClosingCause.EARLY_TERMINATION,
            keep=KEPT_AFTER_TERMINATION,
            by=by,
        )
    return visit


def _event_to_add(subject: Subject, role: EventRole | None, oid: str) -> StudyEventDef:
    schedule = protocol_of(subject.protocol_version_id).schedule
    found = schedule.with_role(role) if role is not None else (schedule.event(oid),)
    if len(found) != 1:
        raise DomainError(_("The protocol plans no such visit."))
    if found[0].target_day is not None:
        raise TransitionError(_("This visit is laid out by the protocol: it is there already."))
    return found[0]


def _next_visit(subject: Subject, event: StudyEventDef) -> Visit:
    """The next occurrence; where the protocol allows no more, one that was added in error."""
    taken = subject.visits.select_for_update(no_key=True).filter(event_oid=event.oid)
    last = taken.order_by("-repeat_key").first()
    repeat_key = last.repeat_key + 1 if last else 1
    if repeat_key > event.repeat_limit:
        again = taken.filter(not_required_cause=ClosingCause.ERROR).order_by("repeat_key").first()
        if again is None:
            raise TransitionError(
                _("The protocol allows this visit %(times)s times.") % {"times": event.repeat_limit}
            )
        again.status, again.not_required_cause = VisitStatus.PLANNED, ""
        again.anchor_version += 1
        return again
    return Visit(
        site_id=subject.site_id,
        subject=subject,
        event_oid=event.oid,
        repeat_key=repeat_key,
        visit_number=event.visitnum_of(repeat_key),
        protocol_version_id=subject.protocol_version_id,
    )


def _window_of(event: StudyEventDef, on: dt.date, stands_for: Visit | None) -> object:
    """What stands for a visit that is not required has no days to keep."""
    spared = stands_for is not None and stands_for.status == VisitStatus.NOT_REQUIRED
    if event.days_allowed is None or spared:
        return None
    allowed = dt.timedelta(days=event.days_allowed)
    ends = stands_for.window_ends if stands_for is not None else None
    return closed(ends[0], ends[1] + allowed) if ends else closed(on, on + allowed)
