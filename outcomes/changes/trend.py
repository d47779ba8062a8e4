"""One marker of one person over time, absolute and in multiples of the baseline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from outcomes.changes.readings import Person, Purified, Reading, baseline_of

_DAY = Decimal(86400)
_DIGITS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value in its place: days since midnight of day zero, and times the baseline.

    `ratio` is of two numbers; of a limit there is `ratio_limit`, which is a limit too.
    """

    reading: Reading
    x: Decimal | None = None
    day: int | None = None
    ratio: Decimal | None = None
    ratio_limit: Decimal | None = None
    is_baseline: bool = False
    #: Drawn soon after a purification, which may have moved it.
    soon_after: bool = False
    #: Another laboratory than the value before it, where that moves the value (clinical 0.5).
    other_laboratory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The values of one marker of one person, the earliest first."""

    points: tuple[Point, ...]
    baseline: Reading | None = None

    @property
    def has_ratio(self) -> bool:
        """Whether multiples of the baseline exist: of none, of a limit and of nought not."""
        return self.baseline is not None and bool(self.baseline.number)

    @property
    def laboratories_differ(self) -> bool:
        return any(point.other_laboratory for point in self.points)


def trend_of(
    readings: Iterable[Reading],
    *,
    person: Person,
    purified: Purified,
    day_zero: dt.date | None,
    reagent_bound: bool = False,
) -> Trend:
    """The trend; `reagent_bound`: two laboratories' values do not compare (PTA, INR)."""
    ordered = sorted(readings, key=lambda each: each.at)
    baseline = baseline_of(ordered, person, purified)
    points = []
    before = ""
    for reading in ordered:
        points.append(
            Point(
                reading=reading,
                x=_place(reading.at, day_zero, person),
                day=(person.day_of(reading.at) - day_zero).days if day_zero else None,
                ratio=_times(reading.number, baseline),
                ratio_limit=_times(reading.limit, baseline) if reading.is_limit else None,
                is_baseline=reading is baseline,
                soon_after=purified.soon_after(reading),
                other_laboratory=reagent_bound and _differ(before, reading.laboratory),
            )
        )
        before = reading.laboratory or before
    return Trend(points=tuple(points), baseline=baseline)


def _differ(before: str, now: str) -> bool:
    return bool(before) and bool(now) and before != now


def _times(number: Decimal | None, baseline: Reading | None) -> Decimal | None:
    if number is None or baseline is None or not baseline.number:
        return None
    with localcontext(prec=_DIGITS):
        return number / baseline.number


def _place(at: dt.datetime, day_zero: dt.date | None, person: Person) -> Decimal | None:
    return elapsed(at, day_zero, person) if day_zero else None


def elapsed(at: dt.datetime, day_zero: dt.date, person: Person) -> Decimal:
    """Days from midnight of day zero on the clock where the person was treated."""
    begin = dt.datetime.combine(day_zero, dt.time())
    passed = at.astimezone(person.zone).replace(tzinfo=None) - begin
    with localcontext(prec=_DIGITS):
        return Decimal(passed // dt.timedelta(seconds=1)) / _DAY
