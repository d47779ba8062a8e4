"""Kaplan-Meier against published data, an estimate nobody here wrote, and by hand."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times

from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.survival import kaplan_meier
from tests.outcomes.endpoints.courses import (
    MAINTAINED,
    NOT_MAINTAINED,
    PLACEBO,
    TEN,
    TREATED,
    near,
    observations,
)

#: As printed: day -> survival (Kleinbaum & Klein, Survival Analysis, 3rd ed., ch. 2; Miller
#: 1981, table of the data set aml).
PUBLISHED = {
    "treated": (
        TREATED,
        {6: "0.8571", 7: "0.8067", 10: "0.7529", 13: "0.6902", 16: "0.6275", 22: "0.5378",
         23: "0.4482"},
        23,
    ),
    "placebo": (
        PLACEBO,
        {1: "0.9048", 2: "0.8095", 3: "0.7619", 4: "0.6667", 5: "0.5714", 8: "0.3810",
         11: "0.2857", 12: "0.1905", 15: "0.1429", 17: "0.0952", 22: "0.0476", 23: "0"},
        8,
    ),
    "maintained": (
        MAINTAINED,
        {9: "0.9091", 13: "0.8182", 18: "0.7159", 23: "0.6136", 31: "0.4909", 34: "0.3682",
         48: "0.1841"},
        31,
    ),
    "not maintained": (
        NOT_MAINTAINED,
        {5: "0.8333", 8: "0.6667", 12: "0.5833", 23: "0.4861", 27: "0.3889", 30: "0.2917",
         33: "0.1944", 43: "0.0972", 45: "0"},
        23,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_curves_and_medians_come_out(name):
    pairs, printed, median = PUBLISHED[name]
    curve = kaplan_meier(observations(pairs))
    for time, value in printed.items():
        assert near(curve.at(time).value, value, "0.00005"), time
    assert curve.median.day == median
    assert (curve.subjects, curve.events) == (len(pairs), sum(cause for _t, cause in pairs))


@pytest.mark.parametrize("name", PUBLISHED)
def test_curve_and_interval_agree_with_another_program(name):
    """lifelines takes no tie of death and censoring apart, and these have none but such as it
    orders as we do; its interval is that of log(-log) too."""
    pairs, printed, _median = PUBLISHED[name]
    curve = kaplan_meier(observations(pairs))
    other = KaplanMeierFitter().fit([t for t, _c in pairs], [c for _t, c in pairs])
    limits = other.confidence_interval_
    for time in printed:
        point = curve.at(time)
        assert near(point.value, other.predict(time))
        if point.interval is not None:
            assert near(point.interval.low, limits.loc[time].iloc[0])
            assert near(point.interval.high, limits.loc[time].iloc[1])
    low, high = median_survival_times(limits).iloc[0]
    assert (curve.median.low, curve.median.high) == (low, None if high == float("inf") else high)


def test_overall_survival_of_the_ten_with_the_transplanted_followed():
    """clinical.md 2d: transplanted on day 12 and alive on day 84, on day 40 and dead on day 60."""
    followed = [
        (84, 0) if pair == (12, 2) else (60, 1) if pair == (40, 2) else pair for pair in TEN
    ]
    curve = kaplan_meier(observations(followed))
    # At risk 10, 9, 7 and 5 on the days 5, 12, 26 and 60: 9/10, x 8/9, x 6/7, x 4/5.
    exact = {7: (9, 10), 14: (4, 5), 28: (24, 35), 56: (24, 35), 84: (96, 175)}
    printed = {7: "0.9000", 14: "0.8000", 28: "0.6857", 56: "0.6857", 84: "0.5486"}
    for time, (above, below) in exact.items():
        assert near(curve.at(time).value, Decimal(above) / Decimal(below))
        assert near(curve.at(time).value, printed[time], "0.00005")


def test_death_on_day_zero():
    curve = kaplan_meier(observations([(0, 1), (3, 0), (5, 0)]))
    assert curve.at(0).at_risk == 3
    assert near(curve.at(0).value, "0.66666666666666666667")
    # By hand: Greenwood's sum is 1/(3 x 2), and the limits are exp(ln(2/3) exp(+-z s)).
    log = math.log(2 / 3)
    spread = 1.959963984540054 * math.sqrt(1 / 6) / -log
    interval = curve.at(0).interval
    assert interval is not None
    assert near(interval.low, math.exp(log * math.exp(spread)))
    assert near(interval.high, math.exp(log * math.exp(-spread)))
    assert near(interval.low, "0.0541", "0.00005")
    assert near(interval.high, "0.9452", "0.00005")


def test_who_is_censored_on_a_day_is_at_risk_of_its_deaths():
    tied = kaplan_meier(observations([(5, 0), (5, 1), (9, 0)]))
    apart = kaplan_meier(observations([(6, 0), (5, 1), (9, 0)]))
    assert tied.at(5).at_risk == 3
    assert tied.at(5).value == apart.at(5).value
    assert near(tied.at(5).value, 2 / 3)


def test_nobody_has_died():
    curve = kaplan_meier(observations([(10, 0), (20, 0), (30, 0)]))
    point = curve.at(20)
    assert (point.value, point.interval, point.absent) == (Decimal(1), None, Absent.AT_BOUND)
    assert (curve.median.day, curve.median.low, curve.median.high) == (None, None, None)


def test_all_die_on_one_day():
    curve = kaplan_meier(observations([(7, 1)] * 4))
    assert curve.at(6).value == 1
    for day in (7, 8, 84):
        point = curve.at(day)
        assert (point.value, point.interval, point.absent) == (Decimal(0), None, Absent.AT_BOUND)
    assert curve.median.day == 7


def test_after_the_last_observation_there_is_no_estimate():
    curve = kaplan_meier(observations([(5, 1), (30, 0)]))
    assert curve.at(30).value == Decimal("0.5")
    beyond = curve.at(31)
    assert (beyond.value, beyond.interval, beyond.at_risk) == (None, None, 0)
    assert beyond.absent is Absent.NOBODY_LEFT


def test_without_subjects_there_is_no_curve():
    curve = kaplan_meier([])
    assert curve.at(7).absent is Absent.NOBODY
    assert (curve.at(7).value, curve.median.day) == (None, None)


def test_a_time_before_day_zero_is_refused():
    with pytest.raises(ValueError, match="before day 0"):
        kaplan_meier(observations([(-1, 1)]))


def test_each_step_names_its_subjects():
    (first, *_rest) = kaplan_meier(observations([(5, 1), (5, 0), (9, 1)])).steps
    assert [key.int for key in first.row.events] == [0]
    assert [key.int for key in first.row.censored] == [1]
