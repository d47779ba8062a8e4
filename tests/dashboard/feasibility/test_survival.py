"""A table of times and statuses through the endpoint engine, and as another program has it."""

from __future__ import annotations

import random
import warnings
from decimal import Decimal

import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter

from outcomes.endpoints.report import Endpoints
from tests.dashboard.feasibility.hospital import judged, protocol
from trialsite.dashboard.feasibility.running import RowsError
from trialsite.dashboard.feasibility.survival import endpoints_of_times

MAPPING = """\
survival:
  time: days
  status: status
  codes: {alive: censored, "1": transplanted, dead: dead}
  days: [200, 365]
"""


def synthetic(count: int = 300) -> list[tuple[int, int]]:
    """Times with many ties; 0 censored, 1 transplanted, 2 dead."""
    dice = random.Random(7)
    return [(dice.randrange(1, 400), dice.choice((0, 0, 1, 2, 2))) for _n in range(count)]


def estimated(pairs: list[tuple[int, int]], text: str = MAPPING) -> Endpoints:
    words = ("alive", "1", "dead")
    lines = [f"{time},{words[code]}" for time, code in pairs]
    found = judged("\n".join(["days,status", *lines]).encode(), text)
    assert found.times is not None
    assert not found.people
    return endpoints_of_times(found.times, protocol())


@pytest.fixture(scope="module")
def pairs() -> list[tuple[int, int]]:
    return synthetic()


@pytest.fixture(scope="module")
def found(pairs) -> Endpoints:
    return estimated(pairs)


@pytest.mark.parametrize(("curve", "events"), [("overall", {2}), ("transplant_free", {1, 2})])
def test_survival_agrees_with_another_program(pairs, found, curve, events):
    own = getattr(found, curve).curve
    other = KaplanMeierFitter().fit([t for t, _c in pairs], [c in events for _t, c in pairs])
    limits = other.confidence_interval_survival_function_
    assert own.events == sum(code in events for _t, code in pairs)
    for step in own.steps:
        assert abs(float(step.value) - other.predict(step.row.time)) < 1e-12
        if step.interval:
            low, high = limits.loc[step.row.time]
            assert abs(float(step.interval.low) - low) < 1e-12
            assert abs(float(step.interval.high) - high) < 1e-12


@pytest.mark.parametrize(("cause", "code"), [("transplant", 1), ("death", 2)])
def test_incidence_agrees_with_another_program(pairs, found, cause, code):
    """The other program parts ties by chance; censorings are put after events, as they count."""
    times = [time + (0.5 if kind == 0 else 0.0) for time, kind in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = AalenJohansenFitter(calculate_variance=False, seed=1).fit(
            times, [kind for _t, kind in pairs], event_of_interest=code
        )
    own = getattr(found.conversion, cause)
    for step in own.steps:
        assert abs(float(step.value) - float(other.predict(step.row.time + 0.4))) < 1e-12


def test_the_milestones_count_everybody_once_and_guess_nobody(pairs, found):
    assert {each.day for each in found.milestones} >= {28, 84, 200, 365}
    for each in found.milestones:
        states = {state.value: len(who) for state, who in each.subjects.items()}
        assert sum(states.values()) == len(pairs)
        assert states["dead"] == sum(c == 2 and t <= each.day for t, c in pairs)
        assert states["alive_lt"] == sum(c == 1 and t == each.day for t, c in pairs)
        gone = sum(c == 0 and t < each.day for t, c in pairs)
        gone += sum(c == 1 and t < each.day for t, c in pairs)
        assert states["unknown"] == gone


@pytest.mark.parametrize(
    ("unit", "factor"), [("weeks", 7), ("months", "30.4375"), ("years", "365.25")]
)
def test_times_in_other_units_are_counted_in_days(unit, factor):
    text = MAPPING.replace("  codes", f"  unit: {unit}\n  codes")
    content = b"days,status\n2.5,dead\n0,alive\n"
    found = judged(content, text)
    assert found.times is not None
    expected = int((Decimal("2.5") * Decimal(factor)).quantize(Decimal(1), "ROUND_HALF_UP"))
    assert [each.days for each in found.times.endings] == [expected, 0]


def test_a_code_may_be_printed_as_a_number_and_blank_rows_are_left_out():
    text = MAPPING.replace("alive: censored", '"0": censored').replace("dead: dead", '"2": dead')
    found = judged(b"days,status,x\n10,1.0,\n20,2,\n,,a\n30,0,\n", text)
    assert found.times is not None
    assert [each.cause for each in found.times.endings] == ["transplanted", "dead", "censored"]


@pytest.mark.parametrize("row", ["10,gone", "10,", ",dead", "-1,dead", "99999,dead", "<5,dead"])
def test_a_time_or_status_that_says_nothing_is_told(row):
    with pytest.raises(RowsError) as caught:
        judged(f"days,status\n5,dead\n{row}\n".encode(), MAPPING)
    assert [each.line for each in caught.value.problems] == [3]
