"""What an invented person's laboratory says hangs on one number: how ill they are that day."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise

import pytest

from trialsite.demo.labs import ANALYTES, values_on
from trialsite.demo.severity import Illness, Trend

DAYS = (0, 1, 3, 7, 14, 28, 56, 84)


def course(trend: Trend, key: str) -> list[float]:
    """The mean of many persons, day by day."""
    illness, found = Illness(trend), []
    for day in DAYS:
        values = [values_on(random.Random(seed), day, illness)[key] for seed in range(40)]
        found.append(float(sum(values) / len(values)))
    return found


@pytest.mark.parametrize("key", ["BILI", "INR", "AMMONIA", "LACTICAC", "CRP"])
def test_what_is_high_falls_in_recovery_and_rises_in_deterioration(key):
    better, worse = course(Trend.RECOVERING, key), course(Trend.DETERIORATING, key)
    assert better[0] > 1.3 * better[-1]
    assert worse[4] > 1.1 * worse[0]
    assert course(Trend.STABLE, key)[4] > better[4]


def test_prothrombin_activity_goes_against_the_ratio_in_every_draw():
    for seed in range(200):
        chance = random.Random(seed)
        values = values_on(chance, chance.choice(DAYS), Illness(chance.choice(list(Trend))))
        activity, ratio = values["PTA"], values["INR"]
        assert abs(activity - min(Decimal(120), 40 / (ratio - Decimal("0.6")))) <= 1
        assert (activity < 40) == (ratio > Decimal("1.60")) or abs(activity - 40) <= 1


def test_everything_is_worst_together_and_one_number_says_when():
    """The more severe, the more each marker is away from well, whoever it is."""
    for trend in Trend:
        illness = Illness(trend)
        by_severity = sorted(DAYS, key=illness.severity)
        for key in ("BILI", "INR", "AMMONIA", "LACTICAC"):
            found = dict(zip(DAYS, course(trend, key), strict=True))
            values = [found[day] for day in by_severity]
            assert values[0] <= values[-1]
            ups = sum(b > 0.93 * a for a, b in pairwise(values))
            assert ups == len(values) - 1, (trend, key, values)


def test_a_new_liver_makes_well():
    before, after = (Illness(Trend.STABLE, grafted=23).severity(day) for day in (23, 40))
    assert before > 0.7
    assert after < 0.02


def test_every_number_stays_where_a_living_body_can_have_it():
    sick = Illness(Trend.DETERIORATING)
    for seed in range(100):
        values = values_on(random.Random(seed), 28, sick)
        assert Decimal(7) < values["PH"] < Decimal("7.7")
        assert values["PLAT"] > 10
        assert values["INR"] < 4
        assert values["FIBRINO"] > Decimal("0.4")
        assert all(values[key] >= 0 for key in ANALYTES if key != "BASEEXCS")
