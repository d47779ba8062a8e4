"""Whether an adverse event came up under treatment: derived, never typed (ICH E9 glossary)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from outcomes.models import AdverseEvent, AdverseEventGrade
from outcomes.models.codes import Outcome
from trialsite.core.partial_dates import PartialDate


def is_emergent(
    event: AdverseEvent,
    first: dt.datetime | None,
    grades: Sequence[AdverseEventGrade] = (),
) -> bool | None:
    """Whether an event began at or after the first treatment, or worsened after it.

    `first` is the start of the subject's first session on the clock at the site, None where
    nothing was treated: then nothing came up under treatment. On the day of that session
    the time decides; None means that the dates given do not tell. What was there before and
    went on tells only by its grades from then on: without them it may have worsened.
    """
    if event.started_on is None:
        return None
    if first is None:
        return False
    onset = began_under(event, first)
    worse = _worsened(event, grades, first)
    if onset or worse:
        return True
    return None if onset is None or worse is None else False


def began_under(event: AdverseEvent, first: dt.datetime) -> bool | None:
    """Whether an event began at or after the first treatment; None: its dates do not tell."""
    if event.started_on is None:
        return None
    return _at_or_after(event.started_on, event.started_time, first)


def _worsened(
    event: AdverseEvent, grades: Iterable[AdverseEventGrade], first: dt.datetime
) -> bool | None:
    """Whether a grade after the first treatment is worse than every one before it."""
    ended = None
    if event.ended_on is not None:
        ended = _at_or_after(event.ended_on, event.ended_time, first)
    if ended and event.outcome == Outcome.FATAL:
        # It ends with the death, and nothing before that was as grave.
        return True
    placed = [
        (_at_or_after(row.changed_on, row.changed_time, first), row.grade)
        for row in grades
        if row.changed_on is not None and row.grade is not None
    ]
    if not placed:
        return False if ended is False else None
    before = max((grade for after, grade in placed if after is False), default=None)
    if before is None:
        # Without a grade before there is nothing to compare the later ones with.
        return None
    worse = {after for after, grade in placed if after is not False and grade > before}
    return True if True in worse else (None if worse else False)


def _at_or_after(day: PartialDate | Any, time: dt.time | None, first: dt.datetime) -> bool | None:
    if time is not None and day.day is not None:
        return dt.datetime.combine(day.earliest, time) >= first
    if day.earliest > first.date():
        return True
    return False if day.latest < first.date() else None
