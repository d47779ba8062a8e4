"""Conversion to transplantation, crudely counted (clinical 2d); the incidence is in `competing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outcomes.endpoints.course import Course
from outcomes.endpoints.milestones import is_due
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.proportions import Proportion, proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """How many of the dosed were transplanted by a day, and who.

    `transplanted` are those proven to be; of those in `unsettled` it is not known: observation
    ended before the day with the own liver, or the date of the transplantation leaves it open.
    """

    day: int
    transplanted: tuple[Course, ...]
    unsettled: tuple[Course, ...]
    not_yet_due: int
    crude: Proportion


def converted(courses: Sequence[Course], day: int) -> Converted:
    """The count by the end of a day. Counting is final once every dosed subject has come to it."""
    dosed = [course for course in courses if course.dosed and course.anchor_on is not None]
    by_then = [(course, _by(course, day)) for course in dosed]
    done = tuple(course for course, known in by_then if known)
    unknown = [course for course, known in by_then if known is None]
    waiting = [course for course in unknown if not is_due(course, day)]
    unsettled = tuple(course for course in unknown if is_due(course, day))
    absent = Absent.NOT_ALL_DUE if waiting else None
    return Converted(
        day=day,
        transplanted=done,
        unsettled=unsettled,
        not_yet_due=len(waiting),
        crude=proportion(len(done), len(dosed), absent=absent),
    )


def _by(course: Course, day: int) -> bool | None:
    """Whether a transplantation was done by a day; None where nothing proves the one or other."""
    on = course.date_of(day)
    if course.transplanted_on is not None:
        return course.transplanted_on.by(on)
    if course.died_on is not None:
        return False  # whenever it was, the death came with the own liver
    seen = course.last_alive_on is not None and course.last_alive_on >= on
    return False if seen else None
