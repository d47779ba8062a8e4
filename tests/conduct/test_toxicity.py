"""The Bayesian toxicity monitor: exact tails, and the boundaries of the proposed rule."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from trialsite.conduct.beta import probability_above
from trialsite.conduct.toxicity import boundaries, boundary, is_crossed, posterior
from trialsite.protocol import Protocol, load, study_path

STUDY: Protocol = load(study_path("nct06904755"))
(MONITOR,) = STUDY.proposals.monitors
WHOLE = st.integers(1, 40)
LIMITS = st.decimals("0.01", "0.99", places=2)


@drawn(limit=LIMITS, a=WHOLE, b=WHOLE)
def test_the_tail_is_that_of_the_binomial_for_whole_parameters(limit, a, b):
    """P(Beta(a, b) > x) is the probability of fewer than a successes among a + b - 1."""
    x, n = Fraction(limit), a + b - 1
    exact = sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a))
    found = probability_above(limit, Decimal(a), Decimal(b))
    assert abs(Fraction(found) - exact) < Fraction(1, 10**25)


@drawn(limit=LIMITS, a=st.decimals("0.1", 30, places=1), b=st.decimals("0.1", 30, places=1))
def test_both_tails_make_one(limit, a, b):
    above = probability_above(limit, a, b)
    below = probability_above(1 - limit, b, a)
    assert abs(above + below - 1) < Decimal("1e-25")


@drawn(n=st.integers(1, 30), events=st.integers(0, 29))
def test_one_event_more_is_never_less_alarming(n, events):
    events = min(events, n - 1)
    assert posterior(MONITOR, n, events) < posterior(MONITOR, n, events + 1)


@pytest.mark.parametrize("wrong", [("0", "1", "1"), ("1", "1", "1"), ("0.2", "0", "1")])
def test_there_is_no_tail_outside_the_distribution(wrong):
    with pytest.raises(ValueError, match="no tail"):
        probability_above(*(Decimal(each) for each in wrong))


#: Clinical.md 2e: Beta(0.4, 1.6), stop if P(p > 0.20) > 0.90.
PUBLISHED = {1: None, 2: 2, 3: 2, 4: 3, 5: 3, 6: 3, 7: 4, 8: 4, 9: 4, 10: 5}


@pytest.mark.requirement("PR1")
def test_the_proposed_rule_has_the_boundaries_that_were_computed_for_it():
    assert dict(boundaries(MONITOR, 10)) == PUBLISHED


@pytest.mark.parametrize(("n", "fewest"), [(n, e) for n, e in PUBLISHED.items() if e])
def test_the_rule_is_crossed_at_its_boundary_and_not_below(n, fewest):
    assert is_crossed(MONITOR, n, fewest)
    assert not is_crossed(MONITOR, n, fewest - 1)


def test_before_the_first_subject_nothing_is_crossed():
    assert not is_crossed(MONITOR, 0, 0)
    assert boundary(MONITOR, 0) is None


def test_a_tail_is_what_numerical_integration_gives():
    """Beta(0.4, 1.6) above 0.2, integrated in 400,000 steps with binary floats."""
    assert abs(posterior(MONITOR, 0, 0) - Decimal("0.36067786018352743")) < Decimal("1e-13")
