"""Treatment sessions as a day's work: running, of today, of the week, and to look back on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from trialsite.access.models import User
from trialsite.casebook.protocols import protocol_of
from trialsite.protocol.reminders import ReminderMoment
from visits.models import SessionReading, TreatmentSession
from visits.models.session_codes import State

#: After this time a look back that nobody has taken is no work of today any more.
LOOK_BACK = dt.timedelta(days=2)
_MOST = 50


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One session with what its run sheet asks for."""

    session: TreatmentSession
    #: When the next reading is due, on the clock at the site; None where none is.
    reading_at: dt.datetime | None = None
    reading_late: bool = False

    @property
    def running(self) -> bool:
        return self.session.state == State.RUNNING

    @property
    def prepared(self) -> bool:
        return self.session.state == State.PREPARED


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions that concern a person today."""

    running: list[SessionLine]
    prepared: list[SessionLine]
    today: list[SessionLine]
    #: Ended in the last seven days, today's among them; the latest first.
    week: list[SessionLine]
    #: Ended long enough ago to ask about adverse events, and when that fell due.
    checks: list[tuple[TreatmentSession, dt.datetime]]


def sessions_of(user: User, *, now: dt.datetime, site_id: int | None = None) -> Sessions:
    """The person's sessions by what they ask for; two queries, however many there were."""
    lines = [
        SessionLine(session, *_reading(session, read, now))
        for session, read in _with_readings(_near(user, now, site_id))
    ]
    ended = sorted(
        (line for line in lines if not line.running and not line.prepared),
        key=lambda line: (line.session.started_at or line.session.planned_at).isoformat(),
        reverse=True,
    )
    return Sessions(
        running=[line for line in lines if line.running],
        prepared=[line for line in lines if line.prepared],
        today=[line for line in ended if _is_today(line.session, now)],
        week=ended,
        checks=list(_checks((line.session for line in ended), now)),
    )


def _near(user: User, now: dt.datetime, site_id: int | None) -> list[TreatmentSession]:
    """Sessions not ended, and those that started in the last week on the clock of any site."""
    sessions = TreatmentSession.objects.visible_to(user).filter(voided_at=None)
    if site_id is not None:
        sessions = sessions.at([site_id])
    week_ago = now.replace(tzinfo=None) - dt.timedelta(days=8)
    found = sessions.filter(Q(ended_at=None) | Q(started_at__gte=week_ago))
    return list(
        found.select_related("subject", "site", "record").order_by("started_at", "planned_at")[
            : 4 * _MOST
        ]
    )


def _with_readings(
    sessions: list[TreatmentSession],
) -> Iterable[tuple[TreatmentSession, set[int]]]:
    """Each session with the planned minutes at which it was read."""
    read: dict[uuid.UUID, set[int]] = defaultdict(set)
    keys = [each.pk for each in sessions if each.state == State.RUNNING]
    rows = SessionReading.objects.filter(record__in=keys, voided_at=None)
    zero = {each.pk: each.started_at for each in sessions}
    lines: Iterable[Any] = rows.values_list("record_id", "planned_minute", "observed_at")
    for key, planned, observed in lines:
        start = zero[key]
        if planned is not None:
            read[key].add(planned)
        elif observed is not None and start is not None:
            read[key].add(int((observed - start).total_seconds() // 60))
    return [(session, read[session.pk]) for session in sessions]


def _reading(
    session: TreatmentSession, read: set[int], now: dt.datetime
) -> tuple[dt.datetime | None, bool]:
    """When the next reading of a running session is due, and whether that is past.

    A minute of the protocol's grid counts as read once anything was read at it or later.
    """
    if session.state != State.RUNNING or session.started_at is None:
        return None, False
    plan = protocol_of(session.record.protocol_version_id).sessions
    if plan is None:
        return None, False
    last = max(read, default=-1)
    due = [m for m in plan.readings.due_minutes(session.planned_minutes) if m > last]
    if not due:
        return None, False
    at = session.started_at + dt.timedelta(minutes=due[0])
    wall = now.astimezone(ZoneInfo(session.time_zone)).replace(tzinfo=None)
    return at, at < wall


def _is_today(session: TreatmentSession, now: dt.datetime) -> bool:
    """Whether it started or ended on this day of its site."""
    day = now.astimezone(ZoneInfo(session.time_zone)).date()
    return any(
        wall is not None and wall.date() == day for wall in (session.started_at, session.ended_at)
    )


def _checks(
    sessions: Iterable[TreatmentSession], now: dt.datetime
) -> Iterable[tuple[TreatmentSession, dt.datetime]]:
    """Sessions whose look back the protocol asks for since less than `LOOK_BACK`."""
    for session in sessions:
        if session.ended_at is None:
            continue
        for rule in protocol_of(session.record.protocol_version_id).reminders.rules:
            if rule.moment is not ReminderMoment.SESSION_ENDS:
                continue
            after = dt.timedelta(days=rule.days, hours=rule.hours)
            due = session.ended_at.replace(tzinfo=ZoneInfo(session.time_zone)) + after
            if due <= now < due + LOOK_BACK:
                yield session, due
