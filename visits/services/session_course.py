"""A running session: cells on and off, the end, and later corrections of its times."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.conduct.services.deviations import propose_deviation
from trialsite.core.exceptions import TransitionError
from trialsite.core.partial_dates import PartialDate
from trialsite.crf.services import ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from visits.kinds import OFF_DURATION
from visits.models import TreatmentSession
from visits.models.session_codes import State, StopReason
from visits.selectors.sessions import minutes_of
from visits.services.products.loading import judge_thawing
from visits.services.session_start import propose_of_plan
from visits.services.session_store import (
    expect_possible,
    follow_times,
    hold_session,
    plan_of,
    store_session,
)


@transaction.atomic
def cells_on(
    *, session: TreatmentSession, at: dt.datetime, by: User, base_version: int | None = None
) -> TreatmentSession:
    """The cell reactor is part of the circuit from now on."""
    session = _running(session, by=by, base_version=base_version)
    if session.cells_on_at is not None:
        raise TransitionError(_("The cells are on already. Correct the time with a reason."))
    expect_possible(session, {"cells_on_at": at})
    session.cells_on_at = at
    store_session(session, by=by)
    judge_thawing(session=session)
    return session


@transaction.atomic
def cells_off(
    *, session: TreatmentSession, at: dt.datetime, by: User, base_version: int | None = None
) -> TreatmentSession:
    """The cell reactor has been taken out of the circuit."""
    session = _running(session, by=by, base_version=base_version)
    if session.cells_on_at is None:
        raise TransitionError(_("The cells are not on."))
    if session.cells_off_at is not None:
        raise TransitionError(_("The cells are off already. Correct the time with a reason."))
    expect_possible(session, {"cells_off_at": at})
    session.cells_off_at = at
    store_session(session, by=by)
    return session


@transaction.atomic
def end_session(
    *,
    session: TreatmentSession,
    ended_at: dt.datetime,
    stop_reason: str,
    by: User,
    stop_comment: str = "",
    cells_off_at: dt.datetime | None = None,
    base_version: int | None = None,
) -> TreatmentSession:
    """End the circuit; a started session can always be ended, whatever hold came meanwhile.

    Cells that are still on come off with the circuit. A duration that is off by more than
    the protocol's tolerance is proposed as a deviation.
    """
    session = _running(session, by=by, base_version=base_version)
    errors = {}
    if stop_reason not in StopReason.values:
        errors["stop_reason"] = [_("Say why the session ended.")]
    elif stop_reason == StopReason.OTHER and not stop_comment.strip():
        errors["stop_comment"] = [_("Another reason: say which.")]
    if errors:
        raise ImpossibleError(errors)
    expect_possible(session, {"ended_at": ended_at, "cells_off_at": cells_off_at})
    session.ended_at = ended_at
    session.stop_reason, session.stop_comment = stop_reason, stop_comment.strip()
    if session.cells_on_at is not None:
        session.cells_off_at = session.cells_off_at or cells_off_at or ended_at
    store_session(session, by=by)
    follow_times(session, by=by)
    _propose_duration(session)
    return session


def _running(session: TreatmentSession, *, by: User, base_version: int | None) -> TreatmentSession:
    session = hold_session(session, by=by, base_version=base_version)
    if session.state is State.PREPARED:
        raise TransitionError(_("The circuit has not been started."))
    if session.state is not State.RUNNING:
        raise TransitionError(_("This session has ended. Correct its times with a reason."))
    return session


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """All times of a session as they shall stand, on the clock at the site."""

    started_at: dt.datetime | None
    cells_on_at: dt.datetime | None = None
    cells_off_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None

    @classmethod
    def of(cls, session: TreatmentSession) -> Times:
        """As they stand."""
        return cls(**{each.name: getattr(session, each.name) for each in fields(cls)})


@transaction.atomic
def correct_times(
    *,
    session: TreatmentSession,
    times: Times,
    reason: str,
    by: User,
    base_version: int | None = None,
    stop_reason: str | None = None,
    stop_comment: str | None = None,
) -> TreatmentSession:
    """Correct what was entered of a started session, with a reason; day zero follows.

    An end is corrected here and not made: `end_session` makes it.
    """
    session = hold_session(session, by=by, base_version=base_version)
    _expect_correctable(session, times, reason)
    expect_possible(session, {each.name: getattr(times, each.name) for each in fields(times)})
    for each in fields(times):
        setattr(session, each.name, getattr(times, each.name))
    if stop_reason is not None:
        session.stop_reason = stop_reason
    if stop_comment is not None:
        session.stop_comment = stop_comment.strip()
    if session.stop_reason not in ("", *StopReason.values):
        raise ImpossibleError({"stop_reason": [_("Say why the session ended.")]})
    if session.ended_at is None:
        session.stop_reason = session.stop_comment = ""
    store_session(session, by=by, reason=reason)
    follow_times(session, by=by, reason=reason)
    judge_thawing(session=session)
    propose_of_plan(session)
    _propose_duration(session)
    return session


def _expect_correctable(session: TreatmentSession, times: Times, reason: str) -> None:
    if not reason.strip():
        raise ReasonRequiredError(_("Say why you correct this."))
    if session.started_at is None:
        raise TransitionError(_("The circuit has not been started."))
    if times.started_at is None:
        raise ImpossibleError(
            {"started_at": [_("A session that did not start is voided, with its reason.")]}
        )
    if times.ended_at is not None and session.ended_at is None:
        raise TransitionError(_("The session is running: end it."))


def _propose_duration(session: TreatmentSession) -> None:
    """A circuit that ran much shorter or longer than prescribed (clinical 1b)."""
    plan, ran = plan_of(session), minutes_of(session).circuit
    if plan is None or ran is None or session.started_at is None:
        return
    off = ran - Decimal(session.planned_minutes)
    if abs(off) <= plan.duration_tolerance_minutes:
        return
    said = _(
        "Session %(number)d ran %(ran)s minutes; %(planned)d were prescribed, tolerance "
        "%(tolerance)d. It ended: %(why)s."
    )
    propose_deviation(
        site=session.subject.site,
        kind=OFF_DURATION.code,
        key=f"{OFF_DURATION.code}:{session.pk}",
        description=said
        % {
            "number": session.number,
            "ran": ran.normalize().to_integral() if ran == ran.to_integral() else ran,
            "planned": session.planned_minutes,
            "tolerance": plan.duration_tolerance_minutes,
            "why": session.get_stop_reason_display(),
        },
        subject=session.subject,
        occurred_on=PartialDate.parse(session.started_at.date().isoformat()),
    )
