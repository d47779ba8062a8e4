"""Kaplan and Meier's product-limit estimate (J Am Stat Assoc 1958;53:457-481)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from outcomes.endpoints.numbers import (
    Absent,
    Interval,
    complementary_log_log,
    decimal_of,
    many_digits,
)
from outcomes.endpoints.tables import Observed, Row, life_table

_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A day on which something happened, and the estimate from that day on."""

    row: Row
    value: Decimal
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An estimate on one day; where there is no value, or no interval, there is the reason."""

    day: int
    at_risk: int
    value: Decimal | None = None
    interval: Interval | None = None
    absent: Absent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """The first day on which the estimate is a half or less, with its 95 % interval.

    None where the curve, or a limit, never comes down to it (Brookmeyer & Crowley,
    Biometrics 1982;38:29-41, with the limits on the log(-log) scale).
    """

    day: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A survival curve: 1 before its first step; the steps carry the subjects behind them."""

    subjects: int
    events: int
    steps: tuple[Step, ...]

    def at_risk(self, day: int) -> int:
        """How many are under observation just before a day."""
        place = bisect_left(self.steps, day, key=_time)
        return self.steps[place].row.at_risk if place < len(self.steps) else 0

    def at(self, day: int) -> Point:
        """The estimate on a day; none where nobody is left and not everybody had the event."""
        place = bisect_right(self.steps, day, key=_time)
        step = self.steps[place - 1] if place else None
        value, at_risk = step.value if step else Decimal(1), self.at_risk(day)
        if absent := nobody_to_tell(self.subjects, at_risk, value):
            return Point(day=day, at_risk=at_risk, absent=absent)
        interval = step.interval if step else None
        absent = None if interval else Absent.AT_BOUND
        return Point(day=day, at_risk=at_risk, value=value, interval=interval, absent=absent)

    @property
    def median(self) -> Median:
        return Median(
            day=next((step.row.time for step in self.steps if step.value <= _HALF), None),
            low=self._first(lambda interval: interval.low),
            high=self._first(lambda interval: interval.high),
        )

    def _first(self, limit: Callable[[Interval], Decimal]) -> int | None:
        return next(
            (
                step.row.time
                for step in self.steps
                if step.interval is not None and limit(step.interval) <= _HALF
            ),
            None,
        )


def kaplan_meier(observed: Iterable[Observed]) -> Curve:
    """The curve of times to any event. Its variance is Greenwood's (1926), its interval that
    of log(-log S)."""
    rows = life_table(observed)
    survival, greenwood, steps = Fraction(1), Decimal(0), []
    for row in rows:
        died = len(row.events)
        if died:
            survival *= Fraction(row.at_risk - died, row.at_risk)
            greenwood += _term(row.at_risk, died)
        value = decimal_of(survival)
        with many_digits():
            deviation = value * greenwood.sqrt()
        interval = complementary_log_log(value, deviation)
        steps.append(Step(row=row, value=value, interval=interval))
    return Curve(
        subjects=rows[0].at_risk if rows else 0,
        events=sum(len(row.events) for row in rows),
        steps=tuple(steps),
    )


def nobody_to_tell(subjects: int, at_risk: int, survival: Decimal) -> Absent | None:
    """Why a curve says nothing on a day; it goes on for ever once everybody had the event."""
    if subjects == 0:
        return Absent.NOBODY
    return Absent.NOBODY_LEFT if at_risk == 0 and survival > 0 else None


def _term(at_risk: int, died: int) -> Decimal:
    if died == at_risk:
        return Decimal(0)  # the estimate is 0 from here on and has no interval
    with many_digits():
        return Decimal(died) / (at_risk * (at_risk - died))


def _time(step: Step) -> int:
    return step.row.time
