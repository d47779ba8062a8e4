"""From a course to the time and status of an endpoint, or the reason why there is none.

The rules of `docs/adr/0010-endpoints.md`: an event known only to a span of days counts on the
first of them, and once more on the last, so that a reader sees how much hangs on it; who had
no event is censored on the last day known alive, whatever ended the follow-up later.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from outcomes.endpoints.course import Censored, Course, Span
from outcomes.endpoints.tables import Cause, Observed


class Endpoint(StrEnum):
    """What is timed, each from the anchor."""

    #: To death of any cause; a transplantation neither ends nor censors it.
    OVERALL = "overall"
    #: To death or transplantation, whichever is first; with its causes apart, the conversion.
    TRANSPLANT_FREE = "transplant_free"


class Untimed(StrEnum):
    """Why a subject is in no estimate of an endpoint."""

    NO_ANCHOR = "no_anchor"
    #: The dates contradict each other: it lies before day zero.
    DEATH_BEFORE_ANCHOR = "death_before_anchor"
    TRANSPLANT_BEFORE_ANCHOR = "transplant_before_anchor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Time and status of one subject for one endpoint (CDISC ADTTE: AVAL, CNSR)."""

    course: Course
    endpoint: Endpoint
    #: Days from the anchor; of an event known to a span, the first of its days.
    time: int | None = None
    #: The last day it may have been: the same where the date is exact.
    latest: int | None = None
    cause: Cause = Cause.CENSORED
    #: Why observation ended, of who had no event.
    censored: Censored | None = None
    untimed: Untimed | None = None

    @property
    def key(self) -> uuid.UUID:
        return self.course.subject

    @property
    def exact(self) -> bool:
        return self.time == self.latest


def timed(course: Course, endpoint: Endpoint) -> Timed:
    """The time and status of a course for an endpoint."""
    if course.anchor_on is None:
        return Timed(course=course, endpoint=endpoint, untimed=Untimed.NO_ANCHOR)
    if untimed := _impossible(course, endpoint):
        return Timed(course=course, endpoint=endpoint, untimed=untimed)
    span, cause = _event(course, endpoint)
    if span is not None:
        first, last = course.day(span.earliest), course.day(span.latest)
        # Day zero is the first on which the subject was treated, hence alive.
        first = max(first, 0)
        return Timed(course=course, endpoint=endpoint, time=first, latest=last, cause=cause)
    alive = course.last_alive_on
    time = max(course.day(alive), 0) if alive else 0
    return Timed(course=course, endpoint=endpoint, time=time, latest=time, censored=_why(course))


def observed(times: Iterable[Timed], *, latest: bool = False) -> list[Observed]:
    """What an estimate takes: those with a time, inexact events on their first or last day."""
    return [
        Observed(each.key, each.latest if latest else each.time, each.cause)
        for each in times
        if each.time is not None and each.latest is not None
    ]


def any_inexact(times: Sequence[Timed]) -> bool:
    return any(not each.exact for each in times)


def _event(course: Course, endpoint: Endpoint) -> tuple[Span | None, Cause]:
    if endpoint is Endpoint.TRANSPLANT_FREE and course.transplanted_on is not None:
        return course.transplanted_on, Cause.TRANSPLANT
    return course.died_on, Cause.DEATH if course.died_on else Cause.CENSORED


def _impossible(course: Course, endpoint: Endpoint) -> Untimed | None:
    assert course.anchor_on is not None
    died, transplanted = course.died_on, course.transplanted_on
    if died is not None and died.latest < course.anchor_on:
        return Untimed.DEATH_BEFORE_ANCHOR
    if endpoint is not Endpoint.TRANSPLANT_FREE or transplanted is None:
        return None
    before = transplanted.latest < course.anchor_on
    return Untimed.TRANSPLANT_BEFORE_ANCHOR if before else None


def _why(course: Course) -> Censored:
    if course.withdrawn_on is not None:
        return Censored.WITHDRAWN
    if course.lost_on is not None:
        return Censored.LOST
    return Censored.STUDY_ENDED if course.study_ended_on else Censored.LAST_KNOWN_ALIVE
