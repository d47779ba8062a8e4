"""What ends a schedule, and what gives it back: death, withdrawal, early termination."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import (
    ClosingCause,
    ScheduleClosing,
    Subject,
    SubjectStatus,
    Visit,
    VisitStatus,
)
from trialsite.casebook.protocols import event_of
from trialsite.casebook.services.holding import held, keep_visit
from trialsite.core.clock import TrialNow, trial_today
from trialsite.core.context import because, reason_given
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.protocol import EventRole


@transaction.atomic
def close_schedule(
    *,
    subject: Subject,
    after: dt.date,
    cause: str,
    by: User | None,
    keep: Collection[EventRole] = frozenset(),
    scope: str = "",
) -> list[Visit]:
    """End a subject's schedule from a day on: what has not begun is not required.

    Visits whose window ended before that day stay as they are (they may be missed), and
    those of a kept role. The same cause and scope again corrects the day. Without a
    person the system does it. Answers the visits that changed.
    """
    if by is not None:
        by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    cause = ClosingCause(cause)
    _close(subject, cause, after, scope=scope, keep=keep)
    with because(reason_given() or str(cause.label)):
        return settle(subject)


@transaction.atomic
def reopen_schedule(
    *, subject: Subject, cause: str, by: User | None, scope: str = ""
) -> list[Visit]:
    """Take back what ended the schedule; what nothing else ends is planned again."""
    if by is not None:
        by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    closing = _standing(subject).filter(cause=cause, scope=scope).first()
    if closing is None:
        return []
    _revoke(closing)
    with because(
        reason_given() or _("Taken back: %(cause)s") % {"cause": closing.get_cause_display()}
    ):
        return settle(subject)


@transaction.atomic
def record_death(*, subject: Subject, died_on: str, by: User) -> Subject:
    """State that a participant died, on a date known as far as it is known; it ends the schedule.

    The earliest day the date leaves possible counts for the schedule, so that nobody is
    asked after a person who may be dead. Called again it corrects the date.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    try:
        day = PartialDate.parse(died_on)
    except ValueError as error:
        message = _("Enter a year (2026), a month (2026-03) or a date (2026-03-05).")
        raise DomainError(message) from error
    if day.earliest > trial_today(subject.site.time_zone):
        raise DomainError(_("This date lies in the future."))
    known = subject.status == SubjectStatus.DIED
    before = "" if known else subject.status
    subject.status, subject.died_on = SubjectStatus.DIED, str(day)
    subject.save(update_fields=["status", "died_on"])
    _close(subject, ClosingCause.DEATH, day.earliest, status_before=before)
    with because(reason_given() or _("Died on %(date)s") % {"date": day}):
        settle(subject)
    return subject


@transaction.atomic
def revoke_death(*, subject: Subject, by: User) -> Subject:
    """Take back a death recorded in error: the subject is what they were, visits are planned."""
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    closing = _standing(subject).filter(cause=ClosingCause.DEATH).first()
    if closing is None:
        raise TransitionError(_("No death is recorded."))
    subject.status, subject.died_on = SubjectStatus(closing.status_before), ""
    subject.save(update_fields=["status", "died_on"])
    _revoke(closing)
    with because(reason_given() or _("The record of death was taken back")):
        settle(subject)
    return subject


def closed_problem(
    subject: Subject, role: EventRole, on: dt.date, *, cause: ClosingCause | None = None
) -> str:
    """Why no visit of a role may be added on a day; empty where it may.

    With a `cause` only closings of that cause are looked at.
    """
    for closing in _standing(subject):
        if cause is not None and closing.cause != cause:
            continue
        if closing.after < on and role not in closing.kept:
            return _("From %(date)s on this is not done any more: %(cause)s.") % {
                "date": closing.after.isoformat(),
                "cause": closing.get_cause_display(),
            }
    return ""


def settle(subject: Subject) -> list[Visit]:
    """Let each visit that has not begun follow from the closings that stand; what changed.

    The closings alone decide, whatever the order they came in, so that an act taken back
    never reopens what another one still ends.
    """
    closings = list(_standing(subject))
    waiting = (VisitStatus.PLANNED, VisitStatus.NOT_REQUIRED)
    rows = subject.visits.select_for_update(no_key=True).filter(status__in=waiting)
    changed = []
    for visit in rows.exclude(not_required_cause=ClosingCause.ERROR).order_by("pk"):
        cause = next((each.cause for each in closings if _ends(each, visit)), "")
        if visit.not_required_cause == cause:
            continue
        visit.status = VisitStatus.NOT_REQUIRED if cause else VisitStatus.PLANNED
        visit.not_required_cause = cause
        keep_visit(visit, "status", "not_required_cause")
        changed.append(visit)
    return changed


def _ends(closing: ScheduleClosing, visit: Visit) -> bool:
    event = event_of(visit)
    ends = visit.window_ends
    last = ends[1] if ends else visit.target_on
    return event.role not in closing.kept and (last is None or last >= closing.after)


def _standing(subject: Subject) -> QuerySet[ScheduleClosing]:
    return ScheduleClosing.objects.filter(subject=subject, revoked_at=None)


def _close(
    subject: Subject,
    cause: ClosingCause,
    after: dt.date,
    *,
    scope: str = "",
    keep: Collection[EventRole] = frozenset(),
    status_before: str = "",
) -> None:
    closing = _standing(subject).filter(cause=cause, scope=scope).first() or ScheduleClosing(
        site_id=subject.site_id,
        subject=subject,
        cause=cause,
        scope=scope,
        status_before=status_before,
        closed_at=TrialNow(),
    )
    if (closing.after, closing.kept) != (after, sorted(keep)) or closing._state.adding:
        closing.after, closing.kept = after, sorted(keep)
        closing.save()


def _revoke(closing: ScheduleClosing) -> None:
    closing.revoked_at = TrialNow()
    closing.save(update_fields=["revoked_at"])
