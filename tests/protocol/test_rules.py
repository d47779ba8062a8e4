from decimal import Decimal
from typing import Any

import pytest

from trialsite.protocol import Bound, Protocol
from trialsite.protocol.fields import specs
from trialsite.protocol.rules import CATALOGUE, Rule
from trialsite.protocol.sessions import ReadingSchedule


def bound(value: str, *, inclusive: bool) -> Bound:
    return Bound(value=Decimal(value), unit="1", inclusive=inclusive)


@pytest.mark.parametrize(
    ("inclusive", "value", "as_upper", "as_lower"),
    [
        pytest.param(True, "17.0", True, False, id="below, inclusive"),
        pytest.param(True, "17.1", True, True, id="at, inclusive"),
        pytest.param(True, "17.2", False, True, id="above, inclusive"),
        pytest.param(False, "17.0", True, False, id="below, strict"),
        pytest.param(False, "17.1", False, False, id="at, strict"),
        pytest.param(False, "17.2", False, True, id="above, strict"),
    ],
)
def test_only_an_inclusive_bound_admits_its_own_value(
    *, inclusive: bool, value: str, as_upper: bool, as_lower: bool
) -> None:
    limit = bound("17.1", inclusive=inclusive)
    assert limit.admits_from_below(Decimal(value)) is as_upper
    assert limit.admits_from_above(Decimal(value)) is as_lower


def test_a_difference_of_two_draws_reaches_a_threshold_a_float_would_miss() -> None:
    assert 167.1 - 150.0 < 17.1
    rise = Decimal("167.1") - Decimal("150.0")
    assert bound("17.1", inclusive=True).admits_from_above(rise)


@pytest.mark.parametrize("rule", list(CATALOGUE.values()), ids=list(CATALOGUE))
def test_every_rule_kind_says_what_it_means(rule: type[Rule]) -> None:
    assert rule.__doc__
    assert not rule.__doc__.startswith(f"{rule.__name__}(")
    assert CATALOGUE[rule.kind] is rule


@pytest.mark.parametrize("rule", list(CATALOGUE.values()), ids=list(CATALOGUE))
def test_every_parameter_with_a_source_is_named_in_both_languages(rule: type[Rule]) -> None:
    section: Any = rule
    for spec in specs(section):
        if spec.value:
            assert spec.value.text.en
            assert spec.value.text.zh


def test_every_criterion_is_worded_in_both_languages_and_numbered_in_order(
    protocol: Protocol,
) -> None:
    for prefix in ("IN", "EX"):
        numbers = [c.number for c in protocol.criteria if c.id.startswith(prefix)]
        assert numbers == list(range(1, len(numbers) + 1))
    for criterion in protocol.criteria:
        assert criterion.text.en != criterion.text.zh
        assert protocol.criterion(criterion.id) is criterion


def test_an_unknown_criterion_is_said_so(protocol: Protocol) -> None:
    with pytest.raises(LookupError, match="IN99"):
        protocol.criterion("IN99")


def test_readings_are_due_from_before_the_start_until_after_the_end() -> None:
    readings = ReadingSchedule(
        from_start=(-15, 0, 15, 30),
        every=30,
        after_end=(30, 120),
        interval_for_count=60,
        extra_count=3,
    )
    assert readings.due_minutes(90) == (-15, 0, 15, 30, 60, 90, 120, 210)
    assert readings.due_minutes(20) == (-15, 0, 15, 20, 50, 140)
    assert readings.fewest(359) == 8
    assert readings.fewest(360) == 9
