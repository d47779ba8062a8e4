"""Courses and values written down by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from outcomes.changes.readings import Person, Purified, Reading, Window
from outcomes.endpoints.course import Span
from trialsite.protocol.labs import PostPurificationUse

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZERO = dt.date(2026, 3, 5)
#: The first session begins on day zero at ten.
BEGIN = dt.datetime(2026, 3, 5, 10, tzinfo=SHANGHAI)
SEVEN, WEEK_12 = "SE.D7", "SE.W12"
MARKED = Purified(lag=Decimal(12), use=PostPurificationUse.MARKED)
EXCLUDED = Purified(lag=Decimal(12), use=PostPurificationUse.EXCLUDED)


def at(day: int, hour: int = 8, minute: int = 0) -> dt.datetime:
    """A moment on a day counted from day zero, on the clock in Shanghai."""
    on = ZERO + dt.timedelta(days=day)
    return dt.datetime.combine(on, dt.time(hour, minute), SHANGHAI)


def value(day: int, number: str, hour: int = 8, **fields: Any) -> Reading:
    """A value; one written with < or > is a limit."""
    limit = number[0] if number[0] in "<>" else ""
    amount = Decimal(number.lstrip("<>"))
    return Reading(
        at=at(day, hour),
        text=number,
        number=None if limit else amount,
        limit=amount if limit else None,
        comparator=limit,
        **fields,
    )


def person(**fields: Any) -> Person:
    """Somebody treated on day zero, with the windows of two visits."""
    windows = {
        SEVEN: Window(first=day(6), last=day(8)),
        WEEK_12: Window(first=day(77), last=day(91)),
    }
    known: dict[str, Any] = {"zone": SHANGHAI, "treated_at": BEGIN, "windows": windows}
    return Person(**(known | fields))


def day(count: int) -> dt.date:
    return ZERO + dt.timedelta(days=count)


def span(first: int, last: int | None = None) -> Span:
    return Span(earliest=day(first), latest=day(first if last is None else last))
