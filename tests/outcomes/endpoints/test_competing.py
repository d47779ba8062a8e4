"""Aalen-Johansen with death competing: by hand, against another program, and as a whole."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter

from outcomes.endpoints.competing import aalen_johansen
from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.survival import Point, kaplan_meier
from outcomes.endpoints.tables import Cause
from tests.outcomes.endpoints.courses import TEN, near, observations

#: clinical.md 2d: day -> survival free of both, transplanted, dead without. By hand, with 10, 9,
#: 6 and 5 at risk on the days 5, 12, 26 and 40: free 9/10, x 7/9, x 5/6, x 4/5; transplanted
#: 9/10 x 1/9 on day 12 and 7/12 x 1/5 on day 40; dead 1/10, 9/10 x 1/9, 7/10 x 1/6.
TABLE = {
    7: (Fraction(9, 10), Fraction(0), Fraction(1, 10)),
    14: (Fraction(7, 10), Fraction(1, 10), Fraction(1, 5)),
    28: (Fraction(7, 12), Fraction(1, 10), Fraction(19, 60)),
    56: (Fraction(7, 15), Fraction(13, 60), Fraction(19, 60)),
    84: (Fraction(7, 15), Fraction(13, 60), Fraction(19, 60)),
}
#: The same as clinical.md prints them.
PRINTED = {
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
    found = (
        kaplan_meier(seen).at(day),
        aalen_johansen(seen, Cause.TRANSPLANT).at(day),
        aalen_johansen(seen, Cause.DEATH).at(day),
    )
    for point, exact, printed in zip(found, TABLE[day], PRINTED[day], strict=True):
        assert near(point.value, digits(exact))
        assert near(point.value, printed, "0.00005")


def digits(exact: Fraction) -> Decimal:
    """A fraction worked out by hand, with more digits than are compared."""
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def limits_by_hand(value: Fraction, variance: float) -> tuple[float, float]:
    """The limits of log(-log) in binary numbers: nothing of them is the product's."""
    log = math.log(value)
    spread = 1.959963984540054 * math.sqrt(variance) / (value * -log)
    return math.exp(log * math.exp(spread)), math.exp(log * math.exp(-spread))


@pytest.mark.parametrize("day", TABLE)
def test_the_limits_of_transplant_free_survival_of_the_ten(day):
    """Greenwood by hand: 1/(10 x 9), 2/(9 x 7), 1/(6 x 5), 1/(5 x 4)."""
    terms = {5: Fraction(1, 90), 12: Fraction(2, 63), 26: Fraction(1, 30), 40: Fraction(1, 20)}
    free = TABLE[day][0]
    greenwood = sum((term for on, term in terms.items() if on <= day), Fraction(0))
    low, high = limits_by_hand(free, float(free * free * greenwood))
    interval = kaplan_meier(observations(TEN)).at(day).interval
    assert interval is not None
    assert near(interval.low, low)
    assert near(interval.high, high)


#: Day, at risk, transplanted, dead, and the survival free of both just before.
STEPS = (
    (5, 10, 0, 1, Fraction(1)),
    (12, 9, 1, 1, Fraction(9, 10)),
    (26, 6, 0, 1, Fraction(7, 10)),
    (40, 5, 1, 0, Fraction(7, 12)),
)


@pytest.mark.parametrize("day", TABLE)
@pytest.mark.parametrize(("cause", "place"), [(Cause.TRANSPLANT, 1), (Cause.DEATH, 2)])
def test_the_limits_of_the_incidences_of_the_ten(day, cause, place):
    """The delta method (Marubini & Valsecchi 1995, 10.3), written out term by term in
    fractions; the product keeps running sums of decimals instead."""
    at = TABLE[day][place]
    variance, reached = Fraction(0), Fraction(0)
    for on, n, transplanted, dead, before in STEPS:
        if on > day:
            continue
        own, every = (transplanted if cause is Cause.TRANSPLANT else dead), transplanted + dead
        reached += before * Fraction(own, n)
        variance += (at - reached) ** 2 * Fraction(every, n * (n - every))
        variance += before**2 * Fraction(own * (n - own), n**3)
        variance -= 2 * (at - reached) * before * Fraction(own, n**2)
    assert reached == at
    interval = aalen_johansen(observations(TEN), cause).at(day).interval
    if at == 0:
        assert interval is None
        return
    low, high = limits_by_hand(at, float(variance))
    assert interval is not None
    assert near(interval.low, low)
    assert near(interval.high, high)


#: Pairs of day and 0 censored, 1 dead, 2 transplanted; a day; free of both, transplanted, dead.
BY_HAND = {
    "a death on day 0": ([(0, 1), (0, 2), (3, 1), (5, 0)], 3, "1/4", "1/4", "1/2"),
    "all censored": ([(4, 0), (9, 0), (9, 0)], 9, "1", "0", "0"),
    "all end on one day": ([(7, 1), (7, 1), (7, 2)], 7, "0", "1/3", "2/3"),
    "and for ever after": ([(7, 1), (7, 1), (7, 2)], 84, "0", "1/3", "2/3"),
    "censored on the day, at risk": ([(5, 0), (5, 1), (5, 2), (9, 0)], 5, "1/2", "1/4", "1/4"),
    "censored before, not at risk": ([(4, 0), (5, 1), (9, 2)], 9, "0", "1/2", "1/2"),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_was_worked_out_by_hand(name):
    pairs, day, *expected = BY_HAND[name]
    seen = observations(pairs)
    found = (
        kaplan_meier(seen).at(day),
        aalen_johansen(seen, Cause.TRANSPLANT).at(day),
        aalen_johansen(seen, Cause.DEATH).at(day),
    )
    for point, exact in zip(found, expected, strict=True):
        assert near(point.value, digits(Fraction(exact)))


def test_where_nobody_is_left_no_incidence_is_told():
    seen = observations([(5, 1), (9, 2), (30, 0)])
    for cause in (Cause.TRANSPLANT, Cause.DEATH):
        last, beyond = (aalen_johansen(seen, cause).at(day) for day in (30, 31))
        assert near(last.value, digits(Fraction(1, 3)))
        assert (beyond.value, beyond.interval, beyond.absent) == (None, None, Absent.NOBODY_LEFT)


def test_one_minus_the_curve_of_transplantations_alone_would_be_higher():
    """Why death is not censored: clinical.md 2d, the line marked wrong."""
    alone = [(time, 1 if cause == 2 else 0) for time, cause in TEN]
    wrong = kaplan_meier(observations(alone)).at(56).value
    right = aalen_johansen(observations(TEN), Cause.TRANSPLANT).at(56).value
    assert wrong is not None
    assert right is not None
    assert near(1 - wrong, digits(Fraction(13, 45)))  # 1 - 8/9 x 4/5
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
