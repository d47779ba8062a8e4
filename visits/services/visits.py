"""What happens to visits with all that follows: consent is asked, deviations are proposed."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from screening.selectors.consent import consent_fact
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.casebook.models import (
    ClosingCause,
    CrfRecord,
    Subject,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.casebook.moments import day_problem, death_problem
from trialsite.casebook.protocols import event_of, visit_name
from trialsite.casebook.services import (
    add_visit,
    attend_visit,
    cancel_visit,
    closed_problem,
    miss_visit,
    open_record,
    open_visit,
    take_back_visit,
)
from trialsite.casebook.services.holding import held
from trialsite.conduct.kinds import declare_kind
from trialsite.conduct.models import Category, Importance
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.protocol import EventRole

OUT_OF_WINDOW = declare_kind(
    "visit_out_of_window",
    gettext_lazy("Visit outside its window"),
    category=Category.VISIT,
    importance=Importance.MINOR,
)
MISSED = declare_kind(
    "visit_missed",
    gettext_lazy("Missed visit"),
    category=Category.VISIT,
    importance=Importance.MINOR,
)

#: What people add from a subject's casebook; sessions come with their run sheet.
ADDABLE = (EventRole.EXTRA, EventRole.SURVIVAL_CONTACT, EventRole.EARLY_TERMINATION)


#: What takes visits away and may leave survival contacts.
_SURVIVAL_LEFT = (ClosingCause.WITHDRAWAL, ClosingCause.EARLY_TERMINATION)


class VisitError(DomainError):
    """What was said of a visit cannot stand; `errors` says why, by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(" ".join(text for texts in errors.values() for text in texts))
        self.errors = errors

    @classmethod
    def unless(cls, **problems: str) -> None:
        """Raise where any field has a problem; an empty text is none."""
        found = {field: [text] for field, text in problems.items() if text}
        if found:
            raise cls(found)


def begin(*, visit: Visit, by: User, base_version: int | None = None) -> Visit:
    """Start a visit that goes on now. Consent is asked by procedures, not by observations."""
    _refuse_session(visit, by)
    today = trial_today(visit.subject.site.time_zone)
    problem = seen_problem(visit.subject, today)
    if problem:
        raise DomainError(problem)
    return open_visit(visit=visit, by=by, base_version=base_version)


@transaction.atomic
def attend(
    *,
    visit: Visit,
    on: dt.date,
    mode: str,
    by: User,
    reason: str = "",
    base_version: int | None = None,
) -> Visit:
    """State that a visit took place. Outside its window it is kept, marked, and proposed as a
    deviation once; before consent, after death or in the future it is refused."""
    _refuse_session(visit, by)
    said = visit.status in (VisitStatus.ATTENDED, VisitStatus.MISSED)
    VisitError.unless(
        on=seen_problem(visit.subject, on),
        mode="" if mode in VisitMode.values else _("Say how the person was seen."),
        reason=_("Say why this is corrected.") if said and not reason.strip() else "",
    )
    visit = attend_visit(
        visit=visit, on=on, mode=mode, by=by, reason=reason, base_version=base_version
    )
    if visit.days_outside(on):
        _propose_out_of_window(visit, on)
    else:
        _taken_back(visit, OUT_OF_WINDOW.code)
    _taken_back(visit, MISSED.code)
    return visit


@transaction.atomic
def miss(*, visit: Visit, reason: str, by: User, base_version: int | None = None) -> Visit:
    """State that a visit did not take place, and why; a deviation is proposed once."""
    _refuse_session(visit, by)
    VisitError.unless(reason="" if reason.strip() else _("A missed visit needs its reason."))
    visit = miss_visit(visit=visit, reason=reason, by=by, base_version=base_version)
    text = _("%(visit)s was missed: %(reason)s") % {
        "visit": visit_name(visit),
        "reason": visit.missed_reason,
    }
    last = visit.window_ends[1] if visit.window_ends else visit.target_on
    _propose(visit, MISSED.code, text, last)
    _taken_back(visit, OUT_OF_WINDOW.code)
    return visit


@transaction.atomic
def take_back(*, visit: Visit, reason: str, by: User, base_version: int | None = None) -> Visit:
    """Undo what was said of a visit in error; it is planned again."""
    _refuse_session(visit, by)
    VisitError.unless(reason="" if reason.strip() else _("Give the reason."))
    visit = take_back_visit(visit=visit, reason=reason, by=by, base_version=base_version)
    _taken_back(visit, OUT_OF_WINDOW.code, MISSED.code)
    return visit


@transaction.atomic
def cancel(*, visit: Visit, reason: str, by: User, base_version: int | None = None) -> Visit:
    """Take out a visit that was added in error."""
    _refuse_session(visit, by)
    VisitError.unless(reason="" if reason.strip() else _("Give the reason."))
    visit = cancel_visit(visit=visit, reason=reason, by=by, base_version=base_version)
    _taken_back(visit, OUT_OF_WINDOW.code, MISSED.code)
    return visit


@transaction.atomic
def add(
    *,
    subject: Subject,
    role: EventRole,
    on: dt.date,
    by: User,
    mode: str = "",
    stands_for: Visit | None = None,
) -> Visit:
    """Add an unscheduled visit, a survival contact or an early termination.

    A contact has taken place, an unscheduled visit has unless its day is still to come; for
    an early termination `on` is the day participation ended, its visit follows.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    if role not in ADDABLE:
        raise DomainError(_("This visit is not added by hand."))
    today = trial_today(subject.site.time_zone)
    happened = role is EventRole.SURVIVAL_CONTACT or (role is EventRole.EXTRA and on <= today)
    ahead = role is EventRole.EXTRA and on > today
    VisitError.unless(
        on=death_problem(subject, on) if ahead else seen_problem(subject, on),
        mode=_("Say how the person was seen.") if happened and not mode else "",
        stands_for=_contact_problem(subject, role, stands_for, today),
    )
    visit = add_visit(subject=subject, role=role, on=on, by=by, stands_for=stands_for)
    return attend(visit=visit, on=on, mode=mode, by=by) if happened else visit


@transaction.atomic
def plan_contact(*, subject: Subject, stands_for: Visit, by: User) -> Visit:
    """Plan a survival contact for a milestone nobody was seen at: attempts come before it.

    It has not taken place yet; the one that is planned already is answered again.
    """
    by.require(Capability.ENTER_DATA, site=subject.site_id)
    subject = held(subject)
    waiting = subject.visits.filter(stands_for=stands_for, status=VisitStatus.PLANNED)
    found = waiting.order_by("repeat_key").last()
    if found is not None:
        return found
    today = trial_today(subject.site.time_zone)
    problem = _contact_problem(subject, EventRole.SURVIVAL_CONTACT, stands_for, today)
    VisitError.unless(stands_for=contact_problem(subject, today) or problem)
    return add_visit(
        subject=subject, role=EventRole.SURVIVAL_CONTACT, on=today, by=by, stands_for=stands_for
    )


@transaction.atomic
def start_form(*, visit: Visit, form_oid: str, by: User) -> CrfRecord:
    """Open a form that the protocol allows at a visit without expecting it."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    if form_oid not in event_of(visit).optional_forms:
        raise DomainError(_("The protocol has no such form at this visit."))
    if visit.status == VisitStatus.NOT_REQUIRED:
        raise TransitionError(_("This visit is not required."))
    return open_record(
        subject=visit.subject,
        form_oid=form_oid,
        visit_id=visit.pk,
        protocol_version=visit.protocol_version,
        by=by,
    )


def _refuse_session(visit: Visit, by: User) -> None:
    """A session's visit follows its run sheet: nothing is said of it elsewhere."""
    by.require(Capability.ENTER_DATA, site=visit.site_id)
    if event_of(visit).role is EventRole.TREATMENT:
        raise TransitionError(_("A treatment session is started and ended on its run sheet."))


def seen_problem(subject: Subject, on: dt.date) -> str:
    """Why the person cannot have been seen for the study on a day; empty where they can."""
    problem = day_problem(subject, on)
    if problem:
        return problem
    fact = consent_fact(subject)
    if fact is None:
        return _("No consent is on record.")
    if on < fact.given_on:
        return _("This is before the consent of %(date)s.") % {"date": fact.given_on.isoformat()}
    return ""


def can_be_contacted_for(visit: Visit, today: dt.date) -> bool:
    """Whether a contact may stand for this milestone: its time has come, nobody was seen.

    Where an early end or a withdrawal has taken the visit away, survival is still asked for
    as far as the scope goes (decisions C5): whether it does, `contact_problem` says.
    """
    if event_of(visit).role is not EventRole.FOLLOW_UP:
        return False
    if visit.status == VisitStatus.NOT_REQUIRED:
        ends = visit.window_ends
        past = ends is not None and ends[0] <= today
        return past and visit.not_required_cause in _SURVIVAL_LEFT
    state = visit.state_on(today)
    return state in (VisitStatus.DUE, VisitStatus.MISSED, VisitStatus.OPEN)


def contact_problem(subject: Subject, today: dt.date) -> str:
    """Why nobody may be asked any more whether the subject is alive: what was withdrawn
    includes contact. Empty where they may; one query."""
    return closed_problem(
        subject,
        EventRole.SURVIVAL_CONTACT,
        today + dt.timedelta(days=1),
        cause=ClosingCause.WITHDRAWAL,
    )


def _contact_problem(
    subject: Subject, role: EventRole, stands_for: Visit | None, today: dt.date
) -> str:
    if role is not EventRole.SURVIVAL_CONTACT:
        return ""
    if stands_for is None or stands_for.subject_id != subject.pk:
        return _("Say which visit was missed in person.")
    if not can_be_contacted_for(stands_for, today):
        return _("This visit was not missed in person.")
    return ""


def _propose_out_of_window(visit: Visit, on: dt.date) -> None:
    ends = visit.window_ends
    assert ends is not None
    text = _("%(visit)s took place on %(date)s, outside its window of %(first)s to %(last)s.") % {
        "visit": visit_name(visit),
        "date": on.isoformat(),
        "first": ends[0].isoformat(),
        "last": ends[1].isoformat(),
    }
    _propose(visit, OUT_OF_WINDOW.code, text, on)


def _propose(visit: Visit, kind: str, text: str, on: dt.date | None) -> None:
    today = trial_today(visit.subject.site.time_zone)
    propose_deviation(
        site=visit.subject.site,
        kind=kind,
        key=key_of(visit, kind),
        description=text,
        subject=visit.subject,
        occurred_on=PartialDate.parse(min(on or today, today).isoformat()),
    )


def _taken_back(visit: Visit, *kinds: str) -> None:
    """What was proposed of a visit under these rules is not so any more."""
    for kind in kinds:
        end_deviation_cause(site=visit.subject.site, key=key_of(visit, kind))


def key_of(visit: Visit, kind: str) -> str:
    """Under which a visit's deviation is proposed, once."""
    return f"{kind}:{visit.pk}"
