"""Starting a session: the gate says every reason that stands in the way, and what follows.

Holds, withdrawal and death are pulled at this moment (decisions H1); what stops on the
page "can I treat now?" is what refuses here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Decimal
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from screening.selectors.consent import consent_fact
from screening.services.consent import (
    ProcedureRefusedError,
    note_refused_procedure,
    procedures_refusal,
)
from trialsite.access.capabilities import Capability
from trialsite.access.models import User
from trialsite.conduct.order import decide_under_holds
from trialsite.conduct.services.deviations import end_deviation_cause, propose_deviation
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.violations import ImpossibleError
from trialsite.protocol.sessions import SessionPlan
from visits.effective import moment
from visits.kinds import IN_SPITE, OFF_DURATION, SHORT_GAP, TOO_MANY
from visits.models import TreatmentSession
from visits.selectors.people import physicians_of, staff_of
from visits.selectors.readiness import readiness
from visits.selectors.sessions import last_ended
from visits.services.products.loading import judge_thawing
from visits.services.session_durations import propose_duration
from visits.services.session_store import (
    Times,
    expect_possible,
    expect_stop,
    follow_times,
    hold_session,
    plan_of,
    store_session,
)

#: A start that lies so far back is entered afterwards, not made now.
LATE_AFTER = dt.timedelta(minutes=60)


class SessionRefusedError(ProcedureRefusedError):
    """No session may start now; `reasons` says every one.

    `propose` notes an attempt that consent does not carry; whoever answers the refusal
    hands it to `trialsite.access.keeping.keep`.
    """

    def __init__(self, reasons: list[str], propose: Callable[[], None]) -> None:
        super().__init__(" ".join(reasons), propose)
        self.reasons = reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The people of a session; operator and second checker are two (decisions C15)."""

    operator: User
    second_checker: User
    physician: User


@transaction.atomic
def start_session(
    *,
    session: TreatmentSession,
    started_at: dt.datetime,
    operator: User,
    second_checker: User,
    physician: User,
    by: User,
    base_version: int | None = None,
    late_reason: str = "",
) -> TreatmentSession:
    """Start the circuit of a prepared session; the first one makes its date day zero.

    Raises SessionRefusedError with every reason why none may start. A session that took
    place and is entered afterwards is a fact and not asked for: with `late_reason` an
    investigator enters it, and what stands against it is proposed as a deviation.
    """
    session = hold_session(session, by=by, base_version=base_version)
    team = Team(operator=operator, second_checker=second_checker, physician=physician)
    return _begin(session, Times(started_at=started_at), team, by=by, late_reason=late_reason)


@transaction.atomic
def enter_session(
    *,
    session: TreatmentSession,
    times: Times,
    stop_reason: str,
    operator: User,
    second_checker: User,
    physician: User,
    by: User,
    stop_comment: str = "",
    base_version: int | None = None,
    late_reason: str = "",
) -> TreatmentSession:
    """Enter a whole session afterwards, from start to end, as it was written down.

    Raises as `start_session`; a session that runs now does not stand in its way.
    """
    session = hold_session(session, by=by, base_version=base_version)
    if times.ended_at is None:
        raise ImpossibleError({"ended_at": [_("Say when the circuit ended.")]})
    expect_stop(stop_reason, stop_comment)
    session.stop_reason, session.stop_comment = stop_reason, stop_comment.strip()
    team = Team(operator=operator, second_checker=second_checker, physician=physician)
    session = _begin(session, times, team, by=by, late_reason=late_reason)
    judge_thawing(session=session)
    propose_duration(session)
    return session


def _begin(
    session: TreatmentSession, times: Times, team: Team, *, by: User, late_reason: str
) -> TreatmentSession:
    """Pass the gate, set times and people, and let everything follow."""
    if session.started_at is not None:
        raise TransitionError(_("This session has been started."))
    if times.started_at is None:
        raise ImpossibleError({"started_at": [_("Say when the circuit started.")]})
    expect_possible(session, {each.name: getattr(times, each.name) for each in fields(times)})
    expect_team(session, team, on=times.started_at.date())
    # Two first treatments at one gate, and a hold that is being placed, come one after the
    # other; the rules that count sessions are judged under the same lock (`outcomes`).
    decide_under_holds(changing=True)
    reasons = _refusals(session, times)
    if reasons and not _is_late(session, times.started_at, late_reason):
        raise SessionRefusedError(reasons, _noting(session))
    if reasons:
        by.require(Capability.SIGN_FORM, site=session.site_id)
    for part in (times, team):
        for each in fields(part):
            setattr(session, each.name, getattr(part, each.name))
    if session.ended_at is not None and session.cells_on_at is not None:
        session.cells_off_at = session.cells_off_at or session.ended_at
    plan = plan_of(session)
    session.distinct_people = plan.distinct_checkers if plan else 2
    store_session(session, by=by, reason=late_reason)
    follow_times(session, by=by, reason=late_reason)
    _propose(session, reasons, late_reason)
    return session


def _refusals(session: TreatmentSession, times: Times) -> list[str]:
    """Every reason why the session may not start."""
    stops = readiness(session.subject, session=session).stops
    over = times.ended_at is not None
    said = [line.said for line in stops if not (over and line.key == "running")]
    fact = consent_fact(session.subject)
    if (
        fact is not None
        and times.started_at is not None
        and times.started_at.date() < fact.given_on
    ):
        said.append(
            _("This is before the consent of %(date)s.") % {"date": fact.given_on.isoformat()}
        )
    return said


def _is_late(session: TreatmentSession, started_at: dt.datetime, reason: str) -> bool:
    """Whether the start lies back so far that nobody asks for leave any more, and says why."""
    passed = trial_now() - moment(started_at, session.time_zone)
    return bool(reason.strip()) and passed > LATE_AFTER


def _noting(session: TreatmentSession) -> Callable[[], None]:
    """What notes the attempt where consent is what stands in its way."""
    refusal = procedures_refusal(session.subject)
    if not refusal:
        return lambda: None
    return partial(
        note_refused_procedure,
        subject=session.subject,
        procedure=_("Treatment session"),
        reason=refusal,
    )


def expect_team(session: TreatmentSession, team: Team, *, on: dt.date) -> None:
    """The people work at the site, the physician is an investigator, and they differ."""
    errors: dict[str, list[str]] = {}
    site = session.subject.site
    staff = staff_of(site, on=on)
    for name in ("operator", "second_checker"):
        if getattr(team, name) not in staff:
            errors[name] = [_("This person was not delegated to this here on that day.")]
    if team.physician not in physicians_of(site, on=on):
        errors["physician"] = [_("Not delegated as an investigator here on that day.")]
    plan = plan_of(session)
    people = plan.distinct_checkers if plan else 2
    if people > 1 and team.operator == team.second_checker:
        errors["second_checker"] = [_("Operator and second checker are two people.")]
    if people > 2 and team.physician in (team.operator, team.second_checker):
        errors.setdefault("physician", []).append(_("The physician is a third person."))
    if errors:
        raise ImpossibleError(errors)


def _propose(session: TreatmentSession, reasons: list[str], late_reason: str) -> None:
    """Put before the site what of this start deviates from the plan."""
    if reasons:
        _deviation(
            session,
            IN_SPITE.code,
            _("Session %(number)d was entered afterwards (%(why)s). It could not have started: ")
            % {"number": session.number, "why": late_reason.strip()}
            + " ".join(reasons),
        )
    propose_of_plan(session)


def propose_of_plan(session: TreatmentSession) -> None:
    """Propose what of a started session deviates from the plan: too soon, or too many."""
    plan = plan_of(session)
    if plan is None or session.started_at is None:
        return
    _propose_gap(session, plan)
    held = TreatmentSession.objects.started().filter(subject=session.subject).count()
    if held > plan.sessions_at_most:
        _deviation(
            session,
            TOO_MANY.code,
            _("Session %(number)d: the protocol plans %(most)d at most.")
            % {"number": session.number, "most": plan.sessions_at_most},
        )
    else:
        _taken_back(session, TOO_MANY.code)


def _propose_gap(session: TreatmentSession, plan: SessionPlan) -> None:
    """A session too soon after the one before; corrected times may take that back."""
    assert session.started_at is not None
    before = last_ended(session.subject, before=session.started_at)
    if before is None or before.ended_at is None:
        _taken_back(session, SHORT_GAP.code)
        return
    start = moment(session.started_at, session.time_zone)
    gap = start - moment(before.ended_at, before.time_zone)
    hours = (Decimal(int(gap.total_seconds())) / 3600).quantize(
        Decimal("0.1"), rounding=ROUND_FLOOR
    )
    if hours >= plan.gap_hours:
        _taken_back(session, SHORT_GAP.code)
        return
    said = _(
        "Session %(number)d began %(hours)s hours after the one before; planned are %(least)s."
    )
    least = f"{plan.gap_hours.normalize():f}"
    names = {"number": session.number, "hours": hours, "least": least}
    _deviation(session, SHORT_GAP.code, said % names)


def _taken_back(session: TreatmentSession, *kinds: str) -> None:
    """What was proposed of a session under these rules is judged anew, or not so any more."""
    for kind in kinds:
        end_deviation_cause(site=session.subject.site, key=f"{kind}:{session.pk}")


def end_causes_of(session: TreatmentSession) -> None:
    """A voided session deviates from nothing."""
    _taken_back(session, OFF_DURATION.code, SHORT_GAP.code, TOO_MANY.code, IN_SPITE.code)


def _deviation(session: TreatmentSession, kind: str, description: str) -> None:
    assert session.started_at is not None
    propose_deviation(
        site=session.subject.site,
        kind=kind,
        key=f"{kind}:{session.pk}",
        description=description,
        subject=session.subject,
        occurred_on=PartialDate.parse(session.started_at.date().isoformat()),
    )
