"""All endpoints of a set of courses: what page, REST and files show, each number with its
anchor, its definition, and the subjects behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from outcomes.endpoints.competing import Incidence, aalen_johansen
from outcomes.endpoints.conversion import Converted, converted
from outcomes.endpoints.course import Course
from outcomes.endpoints.milestones import Milestone, milestone
from outcomes.endpoints.survival import Curve, Point, kaplan_meier
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Endpoint, Timed, any_inexact, observed, timed
from trialsite.protocol import Anchor

#: Counts up when a definition of `docs/adr/0010-endpoints.md` changes what a number means.
VERSION = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """One time-to-event endpoint by Kaplan and Meier.

    `curve.steps[i].row` carries the keys of the subjects (`Course.subject`) of a step; `times`
    one entry for each enrolled subject, in the order of the courses, those without a time with
    the reason (`Timed.untimed`). `points` are the protocol's days. Where a date is inexact,
    `curve_latest` and `points_latest` are the same with such events on the last day they may
    have been on; else None and empty. An estimate that is not there has its reason in
    `Point.absent`.
    """

    endpoint: Endpoint
    times: tuple[Timed, ...]
    curve: Curve
    points: tuple[Point, ...]
    curve_latest: Curve | None
    points_latest: tuple[Point, ...]

    @property
    def left_out(self) -> tuple[Timed, ...]:
        """Enrolled subjects in no estimate, each with its reason."""
        return tuple(each for each in self.times if each.untimed is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Conversion to transplantation, death competing (Aalen and Johansen), and crude counts.

    It stands on the same times as transplant-free survival: on every day the incidences of
    transplantation and of death without it and transplant-free survival add up to 1.
    """

    transplant: Incidence
    death: Incidence
    transplant_points: tuple[Point, ...]
    death_points: tuple[Point, ...]
    crude: tuple[Converted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Everything that is estimated of the subjects in `courses`, none of it typed."""

    version: str
    anchor: Anchor
    #: The cut asked for; None: the present day at each site.
    on: dt.date | None
    #: Every enrolled subject, by site and number.
    courses: tuple[Course, ...]
    survival_days: tuple[int, ...]
    conversion_days: tuple[int, ...]
    overall: Survival
    transplant_free: Survival
    conversion: Conversion
    milestones: tuple[Milestone, ...]

    @property
    def enrolled(self) -> int:
        return len(self.courses)

    @property
    def dosed(self) -> int:
        return sum(course.dosed for course in self.courses)

    @property
    def untreated(self) -> tuple[Course, ...]:
        """Enrolled without day zero: in no estimate, and always listed (decisions C11)."""
        return tuple(course for course in self.courses if course.anchor_on is None)

    @property
    def doubtful(self) -> tuple[Course, ...]:
        """Courses with something to look at, each with what it is."""
        return tuple(course for course in self.courses if course.doubts)


def estimate(
    courses: Sequence[Course],
    *,
    anchor: Anchor,
    survival_days: Sequence[int],
    conversion_days: Sequence[int],
    on: dt.date | None,
) -> Endpoints:
    """Every endpoint of these courses, at the protocol's days."""
    free = survival_of(courses, Endpoint.TRANSPLANT_FREE, survival_days)
    return Endpoints(
        version=VERSION,
        anchor=anchor,
        on=on,
        courses=tuple(courses),
        survival_days=tuple(survival_days),
        conversion_days=tuple(conversion_days),
        overall=survival_of(courses, Endpoint.OVERALL, survival_days),
        transplant_free=free,
        conversion=_conversion(courses, free, conversion_days),
        milestones=tuple(milestone(courses, day) for day in survival_days),
    )


def survival_of(courses: Sequence[Course], endpoint: Endpoint, days: Sequence[int]) -> Survival:
    """One endpoint of these courses by Kaplan and Meier."""
    times = tuple(timed(course, endpoint) for course in courses)
    curve = kaplan_meier(observed(times))
    latest = kaplan_meier(observed(times, latest=True)) if any_inexact(times) else None
    return Survival(
        endpoint=endpoint,
        times=times,
        curve=curve,
        points=tuple(curve.at(day) for day in days),
        curve_latest=latest,
        points_latest=tuple(latest.at(day) for day in days) if latest else (),
    )


def _conversion(courses: Sequence[Course], free: Survival, days: Sequence[int]) -> Conversion:
    table = observed(free.times)
    transplant = aalen_johansen(table, Cause.TRANSPLANT)
    death = aalen_johansen(table, Cause.DEATH)
    return Conversion(
        transplant=transplant,
        death=death,
        transplant_points=tuple(transplant.at(day) for day in days),
        death_points=tuple(death.at(day) for day in days),
        crude=tuple(converted(courses, day) for day in days),
    )
