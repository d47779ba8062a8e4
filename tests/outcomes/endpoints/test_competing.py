"""Aalen-Johansen with death competing: by hand, against another program, and as a whole."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter

from outcomes.endpoints.competing import aalen_johansen
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.survival import Point, kaplan_meier
from outcomes.endpoints.tables import Cause
from tests.outcomes.endpoints.courses import TEN, near, observations

#: clinical.md 2d: day -> survival free of both, transplanted, dead without.
TABLE = {
    7: ("0.9000", "0", "0.1000"),
    14: ("0.7000", "0.1000", "0.2000"),
    28: ("0.5833", "0.1000", "0.3167"),
    56: ("0.4667", "0.2167", "0.3167"),
    84: ("0.4667", "0.2167", "0.3167"),
}

#: Times without ties and none on day 0: what the other program can take.
UNTIED = (
    (3, 1), (5, 2), (8, 0), (11, 1), (13, 2), (17, 2), (19, 0), (23, 1), (29, 0), (31, 2), (37, 1),
    (41, 0), (43, 1), (47, 0),
)  # fmt: skip

_times = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=25)


@pytest.mark.parametrize("day", TABLE)
def test_the_table_of_the_design(day):
    seen = observations(TEN)
    free, transplanted, dead = TABLE[day]
    assert near(kaplan_meier(seen).at(day).value, free, "0.00005")
    assert near(aalen_johansen(seen, Cause.TRANSPLANT).at(day).value, transplanted, "0.00005")
    assert near(aalen_johansen(seen, Cause.DEATH).at(day).value, dead, "0.00005")


def test_one_minus_the_curve_of_transplantations_alone_would_be_higher():
    """Why death is not censored: clinical.md 2d, the line marked wrong."""
    alone = [(time, 1 if cause == 2 else 0) for time, cause in TEN]
    wrong = kaplan_meier(observations(alone)).at(56).value
    right = aalen_johansen(observations(TEN), Cause.TRANSPLANT).at(56).value
    assert wrong is not None
    assert right is not None
    assert near(1 - wrong, "0.2889", "0.00005")
    assert right < 1 - wrong


@pytest.mark.parametrize(("cause", "code"), [(Cause.DEATH, 1), (Cause.TRANSPLANT, 2)])
def test_incidence_and_variance_agree_with_another_program(cause, code):
    found = aalen_johansen(observations(UNTIED), cause)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = AalenJohansenFitter(calculate_variance=True).fit(
            [t for t, _c in UNTIED], [c for _t, c in UNTIED], event_of_interest=code
        )
    for time, _cause in UNTIED:
        point = found.at(time)
        assert near(point.value, other.cumulative_density_.loc[time].iloc[0])
        limits = other.confidence_interval_.loc[time]
        if point.interval is not None:
            assert near(point.interval.low, limits.iloc[0])
            assert near(point.interval.high, limits.iloc[1])


def test_the_variance_of_one_cause_alone_is_that_of_its_curve():
    """Without a competing event the incidence is one minus Kaplan-Meier, and its variance is
    Greenwood's. By hand: 2 of 10 die on day 4, 3 of 8 on day 9."""
    pairs = [(4, 1), (4, 1), (9, 1), (9, 1), (9, 1), *[(20, 0)] * 5]
    incidence = aalen_johansen(observations(pairs), Cause.DEATH)
    assert incidence.at(9).value == Decimal("0.5")
    # Greenwood: 0.5^2 (2/(10 x 8) + 3/(8 x 5)) = 0.025; the scale's factor is F ln F.
    interval = incidence.at(9).interval
    assert interval is not None
    log = math.log(0.5)
    spread = 1.959963984540054 * math.sqrt(0.025) / (0.5 * -log)
    assert near(interval.low, math.exp(log * math.exp(spread)))
    assert near(interval.high, math.exp(log * math.exp(-spread)))


@given(_times)
def test_the_three_always_add_up_to_one(pairs):
    seen = observations(pairs)
    free = kaplan_meier(seen)
    transplanted = aalen_johansen(seen, Cause.TRANSPLANT)
    dead = aalen_johansen(seen, Cause.DEATH)
    for day in range(32):
        points: list[Point] = [free.at(day), transplanted.at(day), dead.at(day)]
        values = [point.value for point in points if point.value is not None]
        if not values:
            assert {point.absent for point in points} == {Absent.NOBODY_LEFT}
            continue
        assert len(values) == 3
        assert abs(sum(values, Decimal(0)) - 1) < Decimal("1e-25")


@given(_times)
def test_no_estimate_leaves_its_bounds_and_each_lies_in_its_interval(pairs):
    seen = observations(pairs)
    for each in (
        kaplan_meier(seen),
        aalen_johansen(seen, Cause.TRANSPLANT),
        aalen_johansen(seen, Cause.DEATH),
    ):
        for step in each.steps:
            assert 0 <= step.value <= 1
            if step.interval is not None:
                assert 0 <= step.interval.low <= step.value <= step.interval.high <= 1


@given(_times)
def test_survival_never_rises_and_incidence_never_falls(pairs):
    seen = observations(pairs)
    survival = [step.value for step in kaplan_meier(seen).steps]
    assert survival == sorted(survival, reverse=True)
    for cause in (Cause.TRANSPLANT, Cause.DEATH):
        incidence = [step.value for step in aalen_johansen(seen, cause).steps]
        assert incidence == sorted(incidence)


@given(_times, st.randoms(use_true_random=False))
def test_the_order_of_the_subjects_changes_nothing(pairs, chance):
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    one, other = kaplan_meier(observations(pairs)), kaplan_meier(observations(shuffled))
    assert [(s.row.time, s.row.at_risk, s.value) for s in one.steps] == [
        (s.row.time, s.row.at_risk, s.value) for s in other.steps
    ]


@given(_times)
def test_without_censoring_the_estimates_are_the_crude_proportions(pairs):
    events = [(time, cause or 1) for time, cause in pairs]
    seen, of = observations(events), len(events)
    for day in (0, 5, 15, 30):
        dead = sum(time <= day and cause == 1 for time, cause in events)
        both = sum(time <= day for time, _cause in events)
        assert near(aalen_johansen(seen, Cause.DEATH).at(day).value, str(Decimal(dead) / of))
        assert near(kaplan_meier(seen).at(day).value, str(1 - Decimal(both) / of))
