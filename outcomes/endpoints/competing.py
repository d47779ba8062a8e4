"""Aalen and Johansen's cumulative incidence of one cause where others compete."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
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
from outcomes.endpoints.survival import Point, nobody_to_tell
from outcomes.endpoints.tables import Cause, Observed, Row, life_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A day on which something happened, and the incidence of the cause from that day on."""

    row: Row
    value: Decimal
    interval: Interval | None
    #: The survival free of every cause, from that day on.
    free: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidence:
    """The cumulative incidence of one cause: 0 before its first step."""

    cause: Cause
    subjects: int
    events: int
    steps: tuple[Rise, ...]

    def at_risk(self, day: int) -> int:
        """How many are under observation just before a day."""
        place = bisect_left(self.steps, day, key=_time)
        return self.steps[place].row.at_risk if place < len(self.steps) else 0

    def at(self, day: int) -> Point:
        """The estimate on a day; none where nobody is left and not everybody had an event."""
        place = bisect_right(self.steps, day, key=_time)
        step = self.steps[place - 1] if place else None
        free, at_risk = step.free if step else Decimal(1), self.at_risk(day)
        if absent := nobody_to_tell(self.subjects, at_risk, free):
            return Point(day=day, at_risk=at_risk, absent=absent)
        value, interval = (step.value, step.interval) if step else (Decimal(0), None)
        absent = None if interval else Absent.AT_BOUND
        return Point(day=day, at_risk=at_risk, value=value, interval=interval, absent=absent)


def aalen_johansen(observed: Iterable[Observed], cause: Cause) -> Incidence:
    """The cumulative incidence of a cause (Scand J Stat 1978;5:141-150).

    Its variance is that of the delta method: Marubini & Valsecchi, Analysing Survival Data
    from Clinical Trials and Observational Studies (1995), 10.3; the interval is on the scale
    of log(-log F).
    """
    rows = life_table(observed)
    free, value, steps = Fraction(1), Fraction(0), []
    variance = _Variance()
    for row in rows:
        own = len(row.deaths if cause is Cause.DEATH else row.transplants)
        before = free
        if row.events:
            value += before * Fraction(own, row.at_risk)
            free *= Fraction(row.at_risk - len(row.events), row.at_risk)
        estimate = decimal_of(value)
        variance.add(row, own, decimal_of(before), estimate)
        interval = complementary_log_log(estimate, variance.deviation(estimate))
        steps.append(Rise(row=row, value=estimate, interval=interval, free=decimal_of(free)))
    of_cause = (row.deaths if cause is Cause.DEATH else row.transplants for row in rows)
    return Incidence(
        cause=cause,
        subjects=rows[0].at_risk if rows else 0,
        events=sum(map(len, of_cause)),
        steps=tuple(steps),
    )


class _Variance:
    """The sums of the delta method, kept so that each further day adds one term to each.

    With F the incidence, S the survival free of every cause just before t_i, d_i all events
    and e_i those of the cause among n_i at risk:
    sum (F(t) - F(t_i))^2 d_i / (n_i (n_i - d_i)) + sum S^2 e_i (n_i - e_i) / n_i^3
    - 2 sum (F(t) - F(t_i)) S e_i / n_i^2.
    """

    def __init__(self) -> None:
        self.plain = self.once = self.twice = Decimal(0)
        self.binomial = self.cross = self.cross_once = Decimal(0)

    def add(self, row: Row, own: int, free: Decimal, value: Decimal) -> None:
        n, every = row.at_risk, len(row.events)
        with many_digits():
            if every and every < n:  # nobody is left where all had it, and F(t) stays F(t_i)
                hazard = Decimal(every) / (n * (n - every))
                self.plain += hazard
                self.once += hazard * value
                self.twice += hazard * value * value
            if own:
                self.binomial += free * free * own * (n - own) / Decimal(n**3)
                share = free * own / (n * n)
                self.cross += share
                self.cross_once += share * value

    def deviation(self, value: Decimal) -> Decimal:
        with many_digits():
            squared = self.plain * value * value - 2 * self.once * value + self.twice
            crossed = self.cross * value - self.cross_once
            return max(squared + self.binomial - 2 * crossed, Decimal(0)).sqrt()


def _time(step: Rise) -> int:
    return step.row.time
