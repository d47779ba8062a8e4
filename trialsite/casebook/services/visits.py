"""One visit's course: opened, attended, missed, taken back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import (
    ClosingCause,
    ConsentState,
    CrfRecord,
    RecordStatus,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.moments import day_problem
from trialsite.casebook.protocols import event_of
from trialsite.casebook.services.closings import reopen_schedule, settle
from trialsite.casebook.services.holding import held_visit, keep_visit
from trialsite.casebook.services.schedule import place
from trialsite.core.clock import TrialNow, trial_today
from trialsite.core.context import because, reason_given
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.protocol import EventRole

_COURSE = (
    "status",
    "opened_at",
    "attended_on",
    "mode",
    "missed_reason",
    "not_required_cause",
    "visit_number",
)


@transaction.atomic
def open_visit(*, visit: Visit, by: User, base_version: int | None = None) -> Visit:
    """Begin a visit that is going on now; from here on its dates no longer move."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = held_visit(visit, base_version=base_version)
    _refuse_withdrawn(visit)
    if visit.status != VisitStatus.PLANNED:
        raise TransitionError(_said(visit))
    if problem := day_problem(visit.subject, trial_today(visit.subject.site.time_zone)):
        raise DomainError(problem)
    visit.status, visit.opened_at = VisitStatus.OPEN, TrialNow()
    keep_visit(visit, *_COURSE)
    visit.refresh_from_db(fields=["opened_at"])
    return visit


@transaction.atomic
def attend_visit(
    *,
    visit: Visit,
    on: dt.date,
    by: User,
    mode: str = VisitMode.ON_SITE,
    reason: str = "",
    base_version: int | None = None,
) -> Visit:
    """State that the visit took place on a date; outside its window it is kept and marked.

    What was already said of it (another date, that it was missed) changes with a reason.
    """
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = held_visit(visit, base_version=base_version)
    _refuse_withdrawn(visit)
    settled = visit.status in (VisitStatus.ATTENDED, VisitStatus.MISSED)
    if settled and not reason.strip():
        raise TransitionError(_said(visit))
    if visit.not_required_cause == ClosingCause.ERROR:
        raise TransitionError(_said(visit))
    if mode not in VisitMode.values:
        raise DomainError(_("Say how the person was seen."))
    if problem := day_problem(visit.subject, on):
        raise DomainError(problem)
    _clear(visit)
    visit.status, visit.attended_on, visit.mode = VisitStatus.ATTENDED, on, mode
    if event_of(visit).visitnum is None:
        visit.visit_number = _number_after(visit, on)
    with because(reason.strip() or reason_given()):
        keep_visit(visit, *_COURSE)
    return visit


@transaction.atomic
def miss_visit(*, visit: Visit, reason: str, by: User, base_version: int | None = None) -> Visit:
    """State that the visit did not take place, and why; what was collected of it stays."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = held_visit(visit, base_version=base_version)
    reason = reason.strip()[:500]
    if not reason:
        raise DomainError(_("A missed visit needs its reason."))
    today = trial_today(visit.subject.site.time_zone)
    if visit.status != VisitStatus.OPEN and visit.state_on(today) != VisitStatus.DUE:
        planned = visit.status == VisitStatus.PLANNED
        raise TransitionError(_("Its time has not come yet.") if planned else _said(visit))
    visit.status, visit.missed_reason = VisitStatus.MISSED, reason
    with because(reason):
        keep_visit(visit, *_COURSE)
    return visit


@transaction.atomic
def take_back_visit(
    *, visit: Visit, reason: str, by: User, base_version: int | None = None
) -> Visit:
    """Undo what was said of a visit in error: it is planned again, by the present day zero."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = held_visit(visit, base_version=base_version)
    if visit.status not in (VisitStatus.OPEN, VisitStatus.ATTENDED, VisitStatus.MISSED):
        raise TransitionError(_said(visit))
    with because(_stated(reason)):
        _clear(visit)
        visit.status, visit.opened_at = VisitStatus.PLANNED, None
        if place(visit, visit.subject.day_zero):
            visit.anchor_version += 1
        keep_visit(visit, *_COURSE, "target_on", "window", "anchor_version")
        settle(visit.subject)
    visit.refresh_from_db()
    return visit


@transaction.atomic
def cancel_visit(*, visit: Visit, reason: str, by: User, base_version: int | None = None) -> Visit:
    """Take out a visit that was added in error; its number stays with it.

    Visits the protocol lays out cannot be cancelled, nor one whose forms hold data.
    """
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    visit = held_visit(visit, base_version=base_version)
    event = event_of(visit)
    if event.target_day is not None:
        raise TransitionError(_("This visit is laid out by the protocol: say why it was missed."))
    if visit.status == VisitStatus.NOT_REQUIRED:
        raise TransitionError(_said(visit))
    empty = (RecordStatus.NOT_STARTED, RecordStatus.NOT_DONE)
    if CrfRecord.objects.standing().filter(visit=visit).exclude(status__in=empty).exists():
        raise TransitionError(_("Its forms hold data. Void them first."))
    with because(_stated(reason)):
        _clear(visit)
        visit.status, visit.opened_at = VisitStatus.NOT_REQUIRED, None
        visit.not_required_cause = ClosingCause.ERROR
        keep_visit(visit, *_COURSE)
        if event.role is EventRole.EARLY_TERMINATION:
            reopen_schedule(subject=visit.subject, cause=ClosingCause.EARLY_TERMINATION, by=by)
    return visit


def _clear(visit: Visit) -> None:
    visit.attended_on, visit.mode = None, ""
    visit.missed_reason = visit.not_required_cause = ""
    if event_of(visit).visitnum is None:
        visit.visit_number = None


def _number_after(visit: Visit, on: dt.date) -> Decimal:
    """The next free hundredth after the visit before it, as SDTM numbers unplanned visits."""
    others = visit.subject.visits.exclude(pk=visit.pk).exclude(visit_number=None)
    before = others.filter(attended_on__lte=on).aggregate(last=Max("visit_number"))["last"]
    whole = Decimal(int(before or 0))
    taken = others.filter(visit_number__gte=whole, visit_number__lt=whole + 1)
    return Decimal(taken.aggregate(last=Max("visit_number"))["last"] or whole) + Decimal("0.01")


def _stated(reason: str) -> str:
    if not reason.strip():
        raise DomainError(_("Give the reason."))
    return reason.strip()[:500]


def _refuse_withdrawn(visit: Visit) -> None:
    if visit.subject.consent_state == ConsentState.WITHDRAWN:
        raise TransitionError(_("The subject has withdrawn consent for all data."))


def _said(visit: Visit) -> str:
    """What already stands of a visit, for whoever wants to say something else."""
    if visit.status == VisitStatus.ATTENDED:
        return _("This visit is already attended.")
    return _("This visit says: %(state)s.") % {"state": visit.get_status_display()}
