"""The rise per day between two draws, to the last digit."""

from datetime import timedelta
from decimal import Decimal

import pytest

from trialsite.labs.scores import Given, Why, daily_rise, half_up

D = Decimal


@pytest.mark.requirement("DI4")
@pytest.mark.parametrize(
    ("earlier", "later", "elapsed", "raw"),
    [
        ("150.0", "167.1", timedelta(hours=24), "17.1"),
        ("150", "160", timedelta(hours=24), "10"),
        ("140", "182", timedelta(hours=60), "16.8"),
        ("150", "165.2", timedelta(hours=21, minutes=20), "17.1"),
        ("167.1", "150.0", timedelta(hours=24), "-17.1"),
    ],
)
def test_a_daily_rise_is_exact(earlier: str, later: str, elapsed: timedelta, raw: str) -> None:
    score = daily_rise(earlier=D(earlier), later=D(later), elapsed=elapsed)
    assert score.raw == D(raw)


def test_a_daily_rise_of_21_hours() -> None:
    score = daily_rise(earlier=D("150.0"), later=D("165.0"), elapsed=timedelta(hours=21))
    assert score.raw is not None
    assert half_up(score.raw, 6) == D("17.142857")
    assert score.inputs[2].value == 21


@pytest.mark.parametrize(
    ("elapsed", "reason"),
    [
        (timedelta(hours=20), ""),
        (timedelta(hours=20) - timedelta(seconds=1), "not_applicable"),
        (timedelta(days=7), ""),
        (timedelta(days=7, seconds=1), "not_applicable"),
        (timedelta(0), "not_applicable"),
        (timedelta(hours=-24), "not_applicable"),
    ],
)
def test_draws_outside_the_hours_are_not_compared(elapsed: timedelta, reason: str) -> None:
    score = daily_rise(
        earlier=D(150),
        later=D(170),
        elapsed=elapsed,
        minimum_hours=D(20),
        maximum_hours=D(168),
    )
    assert score.reason == reason


def test_a_limit_has_no_rise() -> None:
    score = daily_rise(
        earlier=Given(lacking=Why.CENSORED), later=D(170), elapsed=timedelta(hours=24)
    )
    assert (score.reason, score.missing) == ("censored", ("earlier",))
