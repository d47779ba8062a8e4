"""States on the protocol's days, what is counted of them, and times from courses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.endpoints.conversion import converted
from outcomes.endpoints.course import Censored, Course
from outcomes.endpoints.milestones import ALIVE, State, milestone, state_on
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.report import estimate
from outcomes.endpoints.tables import Cause
from outcomes.endpoints.timing import Endpoint, Untimed, timed
from tests.outcomes.endpoints.courses import ZERO, course, day, near
from trialsite.protocol import Text
from trialsite.protocol.study import Anchor, AnchorKind

DAYS = (7, 14, 28, 56, 84)
NATIVE, LT, EITHER, DEAD, UNKNOWN, LATER = (
    State.ALIVE_NATIVE,
    State.ALIVE_LT,
    State.ALIVE_EITHER,
    State.DEAD,
    State.UNKNOWN,
    State.NOT_YET_DUE,
)
ANCHOR = Anchor(kind=AnchorKind.FIRST_TREATMENT, printed=Text(en="Day 0", zh="第0天"))

UNTREATED = {"dosed_on": None, "anchor_on": None}


@pytest.mark.parametrize(
    ("said", "states"),
    [
        ({"seen": 84}, [NATIVE] * 5),
        ({"seen": 83}, [NATIVE, NATIVE, NATIVE, NATIVE, UNKNOWN]),
        ({}, [UNKNOWN] * 5),
        ({"seen": 20}, [NATIVE, NATIVE, UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"seen": 10, "died": 40}, [NATIVE, NATIVE, NATIVE, DEAD, DEAD]),
        ({"died": 0}, [DEAD] * 5),
        ({"died": 28}, [NATIVE, NATIVE, DEAD, DEAD, DEAD]),
        ({"transplanted": 20, "seen": 84}, [NATIVE, NATIVE, LT, LT, LT]),
        ({"transplanted": 28, "seen": 28}, [NATIVE, NATIVE, LT, UNKNOWN, UNKNOWN]),
        ({"transplanted": 60, "seen": 9}, [NATIVE, NATIVE, NATIVE, NATIVE, UNKNOWN]),
        ({"transplanted": 20, "died": 50}, [NATIVE, NATIVE, LT, DEAD, DEAD]),
        ({"died": (22, 51), "seen": 14}, [NATIVE, NATIVE, UNKNOWN, DEAD, DEAD]),
        ({"died": (28, 51), "seen": 28}, [NATIVE, NATIVE, UNKNOWN, DEAD, DEAD]),
        ({"died": (29, 51), "seen": 29}, [NATIVE, NATIVE, NATIVE, DEAD, DEAD]),
        ({"transplanted": (10, 30), "seen": 84}, [NATIVE, EITHER, EITHER, LT, LT]),
        ({"seen": 28, "cut": 30}, [NATIVE, NATIVE, NATIVE, LATER, LATER]),
        ({"seen": 28, "cut": 56}, [NATIVE, NATIVE, NATIVE, UNKNOWN, LATER]),
        ({"died": 10, "cut": 20}, [NATIVE, DEAD, DEAD, DEAD, DEAD]),
        (UNTREATED, [State.NO_ANCHOR] * 5),
        (UNTREATED | {"died": 40}, [State.NO_ANCHOR] * 5),
    ],
)
def test_where_a_subject_stands_on_each_day(said, states):
    one = course(**said)
    assert [state_on(one, each) for each in DAYS] == states


def test_a_death_before_its_day_has_come_is_not_counted_before_the_living():
    """Ten on day 12, one dead: 0 of 1 would be a survival of nought on day 28."""
    courses = [course(1, died=10, cut=12), *(course(n, seen=12, cut=12) for n in range(2, 11))]
    line = milestone(courses, 28)
    assert (line.evaluable, line.dead_before_due, line.count(DEAD)) == (0, 1, 1)
    assert line.count(LATER) == 9
    assert line.alive_of_evaluable.absent is Absent.NOBODY
    assert line.alive_of_dosed.absent is Absent.NOT_ALL_DUE


def test_a_rate_of_all_treated_waits_for_the_last_of_them():
    courses = [course(1, seen=60), course(2, seen=20, cut=20)]
    assert milestone(courses, 28).alive_of_dosed.absent is Absent.NOT_ALL_DUE
    assert near(milestone(courses, 14).alive_of_dosed.value, 1)


def test_the_enrolled_who_may_still_be_treated_hold_the_rate_of_all_enrolled():
    waiting = course(2, **UNTREATED)
    never = course(3, **UNTREATED, treatment_ended_on=day(5))
    assert milestone([course(1, seen=60), waiting], 28).alive_of_enrolled.value is None
    line = milestone([course(1, seen=60), never], 28)
    assert (line.alive_of_enrolled.count, line.alive_of_enrolled.of) == (1, 2)
    assert near(line.alive_of_enrolled.value, "0.5")


def test_an_inexact_transplantation_leaves_the_native_livers_uncounted_and_survival_counted():
    line = milestone([course(1, seen=60, transplanted=(20, 40)), course(2, seen=60)], 28)
    assert near(line.alive_of_evaluable.value, 1)
    assert line.native_of_evaluable.absent is Absent.UNDECIDED


@pytest.mark.parametrize(
    ("said", "overall", "free"),
    [
        ({"seen": 30}, (30, 30, Cause.CENSORED), (30, 30, Cause.CENSORED)),
        ({"died": 12}, (12, 12, Cause.DEATH), (12, 12, Cause.DEATH)),
        (
            {"transplanted": 12, "seen": 30},
            (30, 30, Cause.CENSORED),
            (12, 12, Cause.TRANSPLANT),
        ),
        ({"transplanted": 12, "died": 12}, (12, 12, Cause.DEATH), (12, 12, Cause.TRANSPLANT)),
        ({"died": (22, 51)}, (22, 51, Cause.DEATH), (22, 51, Cause.DEATH)),
        ({"died": (-5, 3)}, (0, 3, Cause.DEATH), (0, 3, Cause.DEATH)),
        ({"died": (20, 40), "cut": 30}, (20, 30, Cause.DEATH), (20, 30, Cause.DEATH)),
        ({}, (0, 0, Cause.CENSORED), (0, 0, Cause.CENSORED)),
    ],
)
def test_time_and_status_of_each_endpoint(said, overall, free):
    for endpoint, expected in ((Endpoint.OVERALL, overall), (Endpoint.TRANSPLANT_FREE, free)):
        found = timed(course(**said), endpoint)
        assert (found.time, found.latest, found.cause) == expected


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"seen": 20}, Censored.LAST_KNOWN_ALIVE),
        ({"seen": 20, "lost": 60}, Censored.LOST),
        ({"seen": 70, "lost": 60}, Censored.LAST_KNOWN_ALIVE),
        ({"seen": 30, "withdrawn": 30}, Censored.WITHDRAWN),
        ({"seen": 84, "study_ended_on": day(84)}, Censored.STUDY_ENDED),
        ({"seen": 84, "treatment_ended_on": day(5)}, Censored.LAST_KNOWN_ALIVE),
    ],
)
def test_who_had_no_event_is_censored_on_the_last_day_known_alive(said, why):
    found = timed(course(**said), Endpoint.OVERALL)
    assert (found.time, found.censored) == (said["seen"], why)


@pytest.mark.parametrize(
    ("said", "overall", "free"),
    [
        (UNTREATED, Untimed.NO_ANCHOR, Untimed.NO_ANCHOR),
        ({"died": -1}, Untimed.DEATH_BEFORE_ANCHOR, Untimed.DEATH_BEFORE_ANCHOR),
        ({"transplanted": -3, "seen": 9}, None, Untimed.TRANSPLANT_BEFORE_ANCHOR),
    ],
)
def test_who_is_in_no_estimate_is_listed_with_the_reason(said, overall, free):
    found = estimated([course(1, **said), course(2, seen=30)])
    for part, expected in ((found.overall, overall), (found.transplant_free, free)):
        assert [each.untimed for each in part.times] == [expected, None]
        assert part.curve.subjects == (1 if expected else 2)
        assert len(part.left_out) == (1 if expected else 0)


def test_an_inexact_death_is_shown_on_its_first_and_on_its_last_day():
    found = estimated([course(1, died=(22, 51)), course(2, seen=90), course(3, seen=90)])
    assert [near(p.value, "0.66666666667") for p in found.overall.points] == [
        False, False, True, True, True,
    ]  # fmt: skip
    assert [near(p.value, 1) for p in found.overall.points_latest] == [
        True, True, True, False, False,
    ]  # fmt: skip
    exact = estimated([course(1, died=22), course(2, seen=90)])
    assert (exact.overall.curve_latest, exact.overall.points_latest) == (None, ())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"seen": 84}, "not"),
        ({"transplanted": 20}, "done"),
        ({"transplanted": 40}, "not"),
        ({"died": 10}, "not"),
        ({"died": (10, 40)}, "not"),
        ({"seen": 20}, "open"),
        ({"transplanted": (20, 40)}, "open"),
        ({"seen": 20, "cut": 20}, "waits"),
    ],
)
def test_who_had_been_transplanted_by_day_28(said, expected):
    found = converted([course(**said)], 28)
    counts = (len(found.transplanted), len(found.unsettled), found.not_yet_due)
    assert counts == (expected == "done", expected == "open", expected == "waits")
    assert (found.crude.absent is Absent.NOT_ALL_DUE) == (expected == "waits")


def estimated(courses: list[Course]):
    return estimate(
        courses, anchor=ANCHOR, survival_days=DAYS, conversion_days=(28, 56, 84), on=None
    )


@st.composite
def lives(draw) -> Course:
    """Any consistent course: seen before what ends it, transplanted before the death."""
    if draw(st.integers(0, 9)) == 0:
        return course(draw(st.integers(1, 10**6)), **UNTREATED)
    cut = draw(st.integers(0, 120))
    said: dict[str, Any] = {"cut": cut, "seen": draw(st.integers(0, cut))}
    if draw(st.booleans()):
        first = draw(st.integers(0, cut))
        said["died"] = (first, draw(st.integers(first, cut)))
        said["seen"] = draw(st.integers(0, first))
    if draw(st.booleans()):
        end = said["died"][0] if "died" in said else cut
        first = draw(st.integers(0, end))
        said["transplanted"] = (first, draw(st.integers(first, end)))
    return course(draw(st.integers(1, 10**6)), **said)


@given(st.lists(lives(), max_size=12))
def test_every_enrolled_subject_is_in_exactly_one_state_of_every_milestone(courses):
    for line in estimated(courses).milestones:
        assert sum(map(len, line.subjects.values())) == line.enrolled == len(courses)
        assert line.evaluable == line.alive + line.count(DEAD) - line.dead_before_due
        assert (
            line.evaluable
            + line.unknown
            + line.count(LATER)
            + line.count(State.NO_ANCHOR)
            + line.dead_before_due
            == line.enrolled
        )


@given(st.lists(lives(), max_size=12))
def test_later_milestones_never_raise_the_dead_to_life(courses):
    """Nor is anybody alive with the own liver after having been transplanted."""
    for one in courses:
        states = [state_on(one, each) for each in range(0, 121, 3)]
        if DEAD in states:
            assert set(states[states.index(DEAD) :]) == {DEAD}
        if LT in states:
            assert NATIVE not in states[states.index(LT) :]


@given(st.lists(lives(), max_size=12))
def test_transplant_free_survival_never_exceeds_survival_where_nothing_is_censored(courses):
    """Where everybody is followed to the end, the curves are crude proportions."""
    followed = [one for one in courses if one.anchor_on and one.died_on and one.died_on.exact]
    found = estimated(followed)
    for overall, free in zip(found.overall.points, found.transplant_free.points, strict=True):
        if overall.value is not None and free.value is not None:
            assert free.value <= overall.value


@given(st.lists(lives(), max_size=12))
def test_more_evidence_never_makes_a_known_state_unknown(courses):
    for one in courses:
        if one.anchor_on is None or one.died_on is not None:
            continue
        later = course(one.subject.int, cut=120, seen=120)
        for each in DAYS:
            if state_on(one, each) in ALIVE:
                assert state_on(later, each) in ALIVE


def test_the_anchor_is_day_zero():
    assert course().date_of(0) == ZERO
    assert course().day(day(7)) == 7
