"""Trends of the markers that the protocol follows, with sessions marked (decisions C9)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from outcomes.changes.readings import Purified
from outcomes.changes.trend import Trend, elapsed, trend_of
from outcomes.endpoints.course import Course
from outcomes.selectors.readings import Followed, followed, lab_readings
from trialsite.protocol import EventRole, Protocol
from trialsite.protocol.labs import Analyte

#: LBTESTCD of what depends on the laboratory's reagent: two laboratories' values of one person
#: do not make a trend (Bellest, Hepatology 2007; clinical 0.5).
REAGENT_BOUND = frozenset({"PT", "PTA", "INR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One marker with the trend of each subject, by the subject's key."""

    analyte: Analyte
    trends: Mapping[uuid.UUID, Trend]

    @property
    def values(self) -> int:
        return sum(len(trend.points) for trend in self.trends.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMark:
    """A session in days since midnight of day zero."""

    number: int
    begin: Decimal
    end: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Biomarkers:
    """The protocol's markers of some subjects, as of the days of their data cuts."""

    subjects: tuple[Followed, ...]
    markers: tuple[Marker, ...]
    purified: Purified
    #: The days of the protocol's visits, for an axis.
    days: tuple[int, ...]

    def sessions_of(self, one: Followed) -> tuple[SessionMark, ...]:
        """The subject's sessions; none without a day zero to count them from."""
        zero = one.course.anchor_on
        if zero is None:
            return ()
        return tuple(
            SessionMark(
                number=each.number,
                begin=elapsed(each.started_at, zero, one.person),
                end=elapsed(each.ended_at or each.started_at, zero, one.person),
            )
            for each in one.sessions
        )


def biomarkers_of(courses: Iterable[Course], protocol: Protocol) -> Biomarkers:
    """The trends of these subjects; four queries."""
    people = followed(courses)
    keys = protocol.outcomes.biomarkers
    purified = Purified.of(protocol.labs.rules)
    readings = lab_readings(people, keys)
    markers = []
    for key in keys:
        analyte = protocol.labs.analyte(key)
        trends = {
            one.key: trend_of(
                readings[key].get(one.key, []),
                person=one.person,
                purified=purified,
                day_zero=one.course.anchor_on,
                reagent_bound=analyte.testcd in REAGENT_BOUND,
            )
            for one in people
        }
        markers.append(Marker(analyte=analyte, trends=trends))
    return Biomarkers(
        subjects=tuple(people),
        markers=tuple(markers),
        purified=purified,
        days=_days(protocol),
    )


def _days(protocol: Protocol) -> tuple[int, ...]:
    visits = protocol.schedule.with_role(EventRole.FOLLOW_UP)
    return tuple(visit.target_day for visit in visits if visit.target_day is not None)
