"""Where each subject stands on the protocol's days (clinical 2d, decisions C11)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from outcomes.endpoints.course import Course
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.proportions import Proportion, proportion


class State(StrEnum):
    """Where a subject stands at the end of a day counted from the anchor."""

    ALIVE_NATIVE = "alive_native"
    ALIVE_LT = "alive_lt"
    #: Alive for certain; the date of the transplantation leaves open whether with the own liver.
    ALIVE_EITHER = "alive_either"
    DEAD = "dead"
    #: Due, and no dated evidence decides. Never taken for alive.
    UNKNOWN = "unknown"
    NOT_YET_DUE = "not_yet_due"
    #: Enrolled without day zero: the day does not exist for this subject.
    NO_ANCHOR = "no_anchor"


ALIVE = (State.ALIVE_NATIVE, State.ALIVE_LT, State.ALIVE_EITHER)


def state_on(course: Course, day: int) -> State:
    """The state of a subject at the end of a day.

    Alive is proven by dated evidence of that day or later, a transplantation or a death
    dated later included. A death known only to a span that the day cuts decides nothing.
    Who died is dead on every later day, also before that day has come.
    """
    if course.anchor_on is None:
        return State.NO_ANCHOR
    on = course.date_of(day)
    dead = course.died_on.by(on) if course.died_on is not None else False
    if dead:
        return State.DEAD
    if on > course.cut_on:
        return State.NOT_YET_DUE
    if dead is None or not _proven_alive(course, on):
        return State.UNKNOWN
    if course.transplanted_on is None:
        return State.ALIVE_NATIVE
    done = course.transplanted_on.by(on)
    if done is None:
        return State.ALIVE_EITHER
    return State.ALIVE_LT if done else State.ALIVE_NATIVE


def is_due(course: Course, day: int) -> bool:
    """Whether the day has come for the subject, alive or not; without day zero it never does."""
    return course.anchor_on is not None and course.date_of(day) <= course.cut_on


def _proven_alive(course: Course, on: dt.date) -> bool:
    """Whether the person was seen, transplanted or died on that day or later."""
    return (
        course.died_on is not None
        or (course.last_alive_on is not None and course.last_alive_on >= on)
        or (course.transplanted_on is not None and course.transplanted_on.earliest >= on)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One of the protocol's days: every enrolled subject in exactly one state.

    The three denominators (decisions C11): `enrolled`, `dosed`, and `evaluable`: for whom
    the day has come and whose state on it is known. `unknown` stands beside them and is never
    left out. Who died before the day has come is dead, and evaluable once it has: counting
    the dead before the living would make survival too low.
    """

    day: int
    #: State -> the subjects in it, in the order of the courses.
    subjects: Mapping[State, tuple[Course, ...]]
    enrolled: int
    dosed: int
    evaluable: int
    #: Dead, but the day has not come yet: not among the evaluable.
    dead_before_due: int
    #: Proven alive of enrolled, dosed, evaluable; with or without a transplantation.
    alive_of_enrolled: Proportion
    alive_of_dosed: Proportion
    alive_of_evaluable: Proportion
    #: Proven alive with the own liver, of evaluable.
    native_of_evaluable: Proportion

    def count(self, *states: State) -> int:
        """How many are in one of these states."""
        return sum(len(self.subjects[state]) for state in states)

    @property
    def alive(self) -> int:
        return self.count(*ALIVE)

    @property
    def unknown(self) -> int:
        return self.count(State.UNKNOWN)


def milestone(courses: Sequence[Course], day: int) -> Milestone:
    """The table's line for a day: each course in its state, and the proportions."""
    found: dict[State, list[Course]] = {state: [] for state in State}
    for course in courses:
        found[state_on(course, day)].append(course)
    waiting = [*found[State.NOT_YET_DUE], *found[State.NO_ANCHOR]]
    early = sum(not is_due(course, day) for course in found[State.DEAD])
    alive = [course for state in ALIVE for course in found[state]]
    evaluable = len(alive) + len(found[State.DEAD]) - early
    dosed = [course for course in courses if course.dosed]
    undecided = Absent.UNDECIDED if found[State.ALIVE_EITHER] else None
    return Milestone(
        day=day,
        subjects={state: tuple(members) for state, members in found.items()},
        enrolled=len(courses),
        dosed=len(dosed),
        evaluable=evaluable,
        dead_before_due=early,
        alive_of_enrolled=proportion(len(alive), len(courses), absent=not_all_due(waiting, day)),
        alive_of_dosed=proportion(
            sum(course.dosed for course in alive),
            len(dosed),
            absent=not_all_due([each for each in waiting if each.dosed], day),
        ),
        alive_of_evaluable=proportion(len(alive), evaluable),
        native_of_evaluable=proportion(len(found[State.ALIVE_NATIVE]), evaluable, absent=undecided),
    )


def not_all_due(courses: Iterable[Course], day: int) -> Absent | None:
    """Whether somebody may still come to the day: a rate of them all would then be too low."""
    for course in courses:
        waits = course.anchor_on is None and course.may_be_dosed
        if waits or state_on(course, day) is State.NOT_YET_DUE:
            return Absent.NOT_ALL_DUE
    return None
