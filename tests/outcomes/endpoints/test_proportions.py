"""Crude proportions against published intervals and the beta distribution of scipy."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta

from outcomes.endpoints.numbers import Absent
from outcomes.endpoints.proportions import (
    clopper_pearson,
    incomplete_beta,
    proportion,
    wilson,
)
from tests.outcomes.endpoints.courses import near

#: Newcombe, Stat Med 1998;17:857-872, table I: methods 3 (Wilson) and 5 (Clopper-Pearson).
NEWCOMBE = [
    (81, 263, ("0.2553", "0.3662"), ("0.2527", "0.3676")),
    (15, 148, ("0.0624", "0.1605"), ("0.0578", "0.1617")),
    (0, 20, ("0", "0.1611"), ("0", "0.1684")),
    (1, 29, ("0.0061", "0.1718"), ("0.0009", "0.1776")),
]
#: clinical.md 2d.
DESIGN = [
    (7, 10, ("0.3968", "0.8922"), ("0.3475", "0.9333")),
    (6, 9, ("0.3542", "0.8794"), None),
    (10, 10, None, ("0.6915", "1")),
    (0, 10, None, ("0", "0.3085")),
]


@pytest.mark.parametrize(("count", "of", "by_score", "exact"), [*NEWCOMBE, *DESIGN])
def test_published_intervals_come_out(count, of, by_score, exact):
    for found, printed in ((wilson(count, of), by_score), (clopper_pearson(count, of), exact)):
        if printed is not None:
            assert near(found.low, printed[0], "0.00005")
            assert near(found.high, printed[1], "0.00005")


@pytest.mark.parametrize("of", [1, 2, 9, 10, 57, 400])
def test_the_exact_interval_is_that_of_the_beta_distribution(of):
    for count in {0, 1, of // 3, of // 2, of - 1, of}:
        found = clopper_pearson(count, of)
        if count:
            assert near(found.low, repr(float(beta.ppf(0.025, count, of - count + 1))))
        if count < of:
            assert near(found.high, repr(float(beta.ppf(0.975, count + 1, of - count))))


@given(st.integers(1, 300), st.integers(1, 300), st.decimals("0.001", "0.999", places=3))
def test_the_incomplete_beta_function_is_that_of_another_program(a, b, x):
    assert near(incomplete_beta(a, b, x), repr(float(betainc(a, b, float(x)))), "1e-10")


@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_its_proportion_and_mirrors_its_complement(pair):
    count, of = pair
    for method in (wilson, clopper_pearson):
        here, there = method(count, of), method(of - count, of)
        assert 0 <= here.low <= Decimal(count) / of <= here.high <= 1
        assert abs(here.low - (1 - there.high)) < Decimal("1e-15")


@given(st.integers(1, 40).flatmap(lambda of: st.tuples(st.integers(1, of), st.just(of))))
def test_at_the_exact_limit_the_tail_has_its_probability(pair):
    count, of = pair
    low = clopper_pearson(count, of).low
    assert near(incomplete_beta(count, of - count + 1, low), "0.025", "1e-15")


def test_where_there_is_nobody_there_is_no_proportion():
    nobody = proportion(0, 0)
    assert (nobody.value, nobody.wilson, nobody.exact) == (None, None, None)
    assert nobody.absent is Absent.NOBODY


def test_a_reason_takes_the_place_of_the_estimate_and_the_counts_stay():
    waiting = proportion(2, 5, absent=Absent.NOT_ALL_DUE)
    assert (waiting.count, waiting.of, waiting.value) == (2, 5, None)
    assert waiting.wilson is None


@pytest.mark.parametrize("pair", [(-1, 3), (4, 3)])
def test_what_is_no_count_is_refused(pair):
    with pytest.raises(ValueError, match="of 3"):
        proportion(*pair)
