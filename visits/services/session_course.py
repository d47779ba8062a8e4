"""A running session: cells on and off, the end, and later corrections of its times."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields

from django.db import transaction
from django.utils.translation import gettext as _

from trialsite.access.models import User
from trialsite.core.exceptions import TransitionError
from trialsite.crf.services import ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from visits.models import TreatmentSession
from visits.models.session_codes import State
from visits.services.products.loading import judge_thawing
from visits.services.session_durations import propose_duration
from visits.services.session_start import Team, expect_team, propose_of_plan
from visits.services.session_store import (
    Times,
    expect_possible,
    expect_stop,
    follow_times,
    hold_session,
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
    expect_stop(stop_reason, stop_comment)
    expect_possible(session, {"ended_at": ended_at, "cells_off_at": cells_off_at})
    session.ended_at = ended_at
    session.stop_reason, session.stop_comment = stop_reason, stop_comment.strip()
    if session.cells_on_at is not None:
        session.cells_off_at = session.cells_off_at or cells_off_at or ended_at
    store_session(session, by=by)
    follow_times(session, by=by)
    propose_duration(session)
    return session


def _running(session: TreatmentSession, *, by: User, base_version: int | None) -> TreatmentSession:
    session = hold_session(session, by=by, base_version=base_version)
    if session.state is State.PREPARED:
        raise TransitionError(_("The circuit has not been started."))
    if session.state is not State.RUNNING:
        raise TransitionError(_("This session has ended. Correct its times with a reason."))
    return session


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
    team: Team | None = None,
) -> TreatmentSession:
    """Correct what was entered of a started session, with a reason; day zero follows.

    An end is corrected here and not made: `end_session` makes it.
    """
    session = hold_session(session, by=by, base_version=base_version)
    _expect_correctable(session, times, reason)
    expect_possible(session, {each.name: getattr(times, each.name) for each in fields(times)})
    for each in fields(times):
        setattr(session, each.name, getattr(times, each.name))
    if team is not None:
        _put_team(session, team)
    if stop_reason is not None:
        session.stop_reason = stop_reason
    if stop_comment is not None:
        session.stop_comment = stop_comment.strip()
    if session.ended_at is None:
        session.stop_reason = session.stop_comment = ""
    else:
        expect_stop(session.stop_reason, session.stop_comment)
    store_session(session, by=by, reason=reason)
    follow_times(session, by=by, reason=reason)
    judge_thawing(session=session)
    propose_of_plan(session)
    propose_duration(session)
    return session


def _put_team(session: TreatmentSession, team: Team) -> None:
    assert session.started_at is not None
    expect_team(session, team, on=session.started_at.date())
    for each in fields(team):
        setattr(session, each.name, getattr(team, each.name))


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
