"""Effective minutes: how long the blood really ran, interruptions taken out (clinical 1d).

Plain functions over times; never the end less the start. All times of a call are either
moments or all of one wall's clock; `moment` makes a moment of a wall's clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

#: From when to when the circuit stood still; None: it has not run again yet.
Pause = tuple[dt.datetime, dt.datetime | None]

_TENTH = Decimal("0.1")
_SECOND = dt.timedelta(seconds=1)


def moment(wall: dt.datetime, zone: str) -> dt.datetime:
    """The moment at which a wall's clock showed this, in UTC, read as PostgreSQL reads it.

    An hour that comes twice in autumn is the second one (standard time); one that is
    skipped in spring is counted on from before it.
    """
    readings = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
    return max(reading.astimezone(dt.UTC) for reading in readings)


def effective_minutes(
    start: dt.datetime | None, end: dt.datetime | None, interruptions: Iterable[Pause]
) -> Decimal | None:
    """Minutes between start and end in which nothing was interrupted; None while it runs.

    Interruptions may overlap, touch, reach beyond start and end, or be open: one that has
    not ended lasts until the end.
    """
    if start is None or end is None or end < start:
        return None
    still = dt.timedelta()
    reached = start
    for off, on in sorted((off, end if on is None else on) for off, on in interruptions):
        begins, ends = max(off, reached), min(on, end)
        if ends > begins:
            still += ends - begins
            reached = ends
    return _minutes(end - start - still)


def _minutes(span: dt.timedelta) -> Decimal:
    seconds = Decimal(span // _SECOND)
    return (seconds / 60).quantize(_TENTH, rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """How long one session was: on the clock, in effect, and with the cells; None: not yet."""

    circuit: Decimal | None
    effective: Decimal | None
    contact: Decimal | None


def minutes_between(
    *,
    zone: str,
    started_at: dt.datetime | None,
    cells_on_at: dt.datetime | None,
    cells_off_at: dt.datetime | None,
    ended_at: dt.datetime | None,
    interruptions: Iterable[Pause],
) -> Minutes:
    """The minutes of a session whose times are the clock on a wall of this zone."""
    walls = (started_at, ended_at, cells_on_at, cells_off_at)
    start, end, on, off = (None if wall is None else moment(wall, zone) for wall in walls)
    pauses = [
        (moment(stood, zone), None if ran is None else moment(ran, zone))
        for stood, ran in interruptions
    ]
    return Minutes(
        circuit=effective_minutes(start, end, ()),
        effective=effective_minutes(start, end, pauses),
        contact=effective_minutes(on, off, pauses),
    )
