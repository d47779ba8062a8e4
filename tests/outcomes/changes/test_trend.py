"""Trends of markers, worked by hand: multiples of the baseline, limits, marks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from outcomes.changes.trend import Trend, trend_of
from tests.outcomes.changes.people import EXCLUDED, MARKED, ZERO, person, value


def trend(*readings, purified=MARKED, **fields) -> Trend:
    options: dict[str, Any] = {"person": person(), "day_zero": ZERO} | fields
    return trend_of(readings, purified=purified, **options)


def test_a_multiple_is_value_by_baseline():
    found = trend(value(-2, "200"), value(-1, "80"), value(1, "120"), value(7, "20"))
    assert [point.ratio for point in found.points] == [Decimal("2.5"), 1, Decimal("1.5"),
                                                       Decimal("0.25")]  # fmt: skip
    assert [point.is_baseline for point in found.points] == [False, True, False, False]
    assert [point.day for point in found.points] == [-2, -1, 1, 7]


def test_days_are_counted_from_midnight_of_day_zero():
    """Eight in the evening of day 3 is 3 and 5/6 days after midnight of day zero."""
    (point,) = trend(value(3, "1", hour=20)).points
    assert point.x is not None
    assert abs(point.x - Decimal(230) / 60) < Decimal("1e-20")


def test_a_limit_stays_a_limit():
    found = trend(value(-1, "8"), value(3, "<0.2"), value(7, ">4000"))
    below, above = found.points[1:]
    assert (below.ratio, below.ratio_limit) == (None, Decimal("0.025"))
    assert (above.ratio, above.ratio_limit) == (None, Decimal(500))
    assert below.reading.number is None


@pytest.mark.parametrize("baseline", ["<0.2", "0"])
def test_of_a_limit_or_nought_there_are_no_multiples(baseline):
    found = trend(value(-1, baseline), value(3, "4"))
    assert not found.has_ratio
    assert [(point.ratio, point.ratio_limit) for point in found.points] == [(None, None)] * 2


def test_a_limit_as_baseline_gives_way_to_no_older_number():
    found = trend(value(-3, "8"), value(-1, "<0.2"), value(3, "4"))
    assert found.baseline is not None
    assert found.baseline.text == "<0.2"


def test_without_a_value_before_treatment_there_are_no_multiples():
    found = trend(value(1, "8"), value(3, "4"))
    assert found.baseline is None
    assert [point.ratio for point in found.points] == [None, None]


def test_who_was_never_treated_has_values_without_a_place():
    found = trend(value(-1, "8"), person=person(treated_at=None), day_zero=None)
    (point,) = found.points
    assert (point.x, point.day, point.ratio) == (None, None, None)


@pytest.mark.parametrize(("hours", "marked"), [("0", True), ("12", True), ("12.1", False)])
def test_values_soon_after_a_purification_are_marked_and_kept(hours, marked):
    (point,) = trend(value(3, "5", hours=Decimal(hours))).points
    assert point.soon_after is marked


def test_what_the_protocol_leaves_out_is_no_baseline_and_still_shown():
    found = trend(
        value(-2, "10"), value(-1, "4", hours=Decimal(2)), value(3, "5"), purified=EXCLUDED
    )
    assert found.baseline is not None
    assert found.baseline.text == "10"
    assert len(found.points) == 3


def test_a_change_of_laboratory_is_marked_where_it_moves_the_value():
    labs = ["A", "A", "", "B", "B", "A"]
    readings = [value(n, "40", laboratory=lab) for n, lab in enumerate(labs)]
    bound = trend(*readings, reagent_bound=True)
    assert [p.other_laboratory for p in bound.points] == [False, False, False, True, False, True]
    assert bound.laboratories_differ
    assert not trend(*readings).laboratories_differ


def test_values_come_in_the_order_of_time_whatever_the_order_of_entry():
    found = trend(value(7, "1"), value(-1, "2"), value(3, "4"))
    assert [point.day for point in found.points] == [-1, 3, 7]
    assert found.points[0].reading.at < dt.datetime(2026, 3, 5, tzinfo=dt.UTC)
