"""Change from baseline, worked by hand: which value is the baseline, and who is in which box."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from outcomes.changes.change import Box, Cell, Spread, cell_of, summary_of
from outcomes.changes.readings import baseline_of
from tests.outcomes.changes.people import (
    EXCLUDED,
    MARKED,
    SEVEN,
    WEEK_12,
    day,
    person,
    span,
    value,
)

LATE = day(40)


def cell(one, readings, *, event=SEVEN, base="300", on=LATE, purified=MARKED) -> Cell:
    baseline = value(-1, base) if base else None
    return cell_of(
        person=one, baseline=baseline, readings=readings, event_oid=event, purified=purified, on=on
    )


@pytest.mark.parametrize(
    ("readings", "chosen"),
    [
        ([value(-3, "310"), value(-1, "320"), value(1, "200")], "320"),
        ([value(0, "330", hour=9), value(0, "290", hour=10)], "290"),  # at the start is before
        ([value(0, "290", hour=10), value(0, "280", hour=11)], "290"),
        ([value(-1, "320"), value(0, "<5", hour=9)], "<5"),  # kept, though nothing follows from it
        ([value(1, "200")], None),
        ([], None),
    ],
)
def test_the_baseline_is_the_last_value_before_the_first_treatment(readings, chosen):
    found = baseline_of(readings, person(), MARKED)
    assert (found.text if found else None) == chosen


def test_who_was_never_treated_has_no_baseline():
    assert baseline_of([value(-1, "320")], person(treated_at=None), MARKED) is None


@pytest.mark.parametrize(
    ("purified", "hours", "chosen"),
    [(MARKED, "3", "280"), (EXCLUDED, "3", "320"), (EXCLUDED, "12", "320"),
     (EXCLUDED, "12.1", "280")],
)  # fmt: skip
def test_a_value_soon_after_a_purification_counts_as_the_protocol_says(purified, hours, chosen):
    readings = [value(-2, "320"), value(-1, "280", hours=Decimal(hours))]
    found = baseline_of(readings, person(), purified)
    assert found is not None
    assert found.text == chosen


def test_the_change_is_value_less_baseline_in_decimals():
    found = cell(person(), [value(7, "167.1", event_oid=SEVEN)], base="150")
    assert (found.box, found.change) == (Box.COUNTED, Decimal("17.1"))  # 17.0999… in floats


def test_the_last_value_of_the_visit_counts():
    readings = [value(6, "250", event_oid=SEVEN), value(8, "210", event_oid=SEVEN)]
    assert cell(person(), readings).change == Decimal(-90)


@pytest.mark.parametrize(
    ("fields", "event", "on", "box"),
    [
        ({}, SEVEN, day(7), Box.NOT_YET_DUE),
        ({}, SEVEN, day(8), Box.NOT_YET_DUE),  # the last day of the window
        ({}, SEVEN, day(9), Box.MISSING),
        ({"died_on": span(5)}, SEVEN, day(9), Box.DEAD),
        ({"died_on": span(8)}, SEVEN, day(9), Box.DEAD),
        ({"died_on": span(9)}, SEVEN, day(9), Box.MISSING),
        ({"died_on": span(5)}, WEEK_12, day(9), Box.DEAD),  # known for certain before it is due
        ({"transplanted_on": span(5)}, SEVEN, day(9), Box.TRANSPLANTED),
        ({"transplanted_on": span(5), "died_on": span(7)}, SEVEN, day(9), Box.DEAD),
        ({"transplanted_on": span(20)}, SEVEN, LATE, Box.MISSING),
        ({"left_on": day(3)}, SEVEN, day(9), Box.LEFT),
        ({"left_on": day(20)}, SEVEN, LATE, Box.MISSING),
        ({"treated_at": None}, SEVEN, LATE, Box.NOT_TREATED),
        ({"treated_at": None, "died_on": span(2)}, SEVEN, LATE, Box.NOT_TREATED),
        ({"windows": {}}, SEVEN, LATE, Box.NOT_YET_DUE),
    ],
)
def test_without_a_value_there_is_the_reason(fields, event, on, box):
    assert cell(person(**fields), [], event=event, on=on).box is box


@pytest.mark.parametrize(
    ("transplanted", "box"), [(6, Box.TRANSPLANTED), (7, Box.TRANSPLANTED), (8, Box.COUNTED)]
)
def test_from_the_day_of_a_transplantation_on_it_is_another_liver(transplanted, box):
    one = person(transplanted_on=span(transplanted))
    found = cell(one, [value(7, "40", event_oid=SEVEN)])
    assert found.box is box
    assert (found.change is None) == (box is Box.TRANSPLANTED)


def test_a_transplantation_known_to_the_month_counts_from_its_first_day():
    one = person(transplanted_on=span(5, 30))
    assert cell(one, [value(7, "40", event_oid=SEVEN)]).box is Box.TRANSPLANTED


def test_a_limit_is_never_a_number():
    assert cell(person(), [value(7, "<5", event_oid=SEVEN)]).box is Box.LIMIT
    for base in ("<5", ""):
        found = cell(person(), [value(7, "40", event_oid=SEVEN)], base=base)
        assert (found.box, found.change) == (Box.NO_BASELINE, None)


def test_a_visit_with_nothing_but_purified_blood_is_set_aside_where_the_protocol_says():
    soon = [value(7, "40", event_oid=SEVEN, hours=Decimal(2))]
    assert cell(person(), soon, purified=EXCLUDED).box is Box.SET_ASIDE
    assert cell(person(), soon, purified=MARKED).box is Box.COUNTED


def test_the_summary_is_the_one_computed_by_hand():
    """Changes -100, -40, 0, +20: median -20, range -100 to +20."""
    cells: list[Any] = []
    for base, now in (("300", "200"), ("240", "200"), ("180", "180"), ("100", "120")):
        cells.append((value(-1, base), cell(person(), [value(7, now, event_oid=SEVEN)], base=base)))
    cells += [
        (value(-1, "500"), cell(person(died_on=span(3)), [], base="500")),
        (None, cell(person(treated_at=None), [], base="")),
    ]
    found = summary_of(cells)
    assert found.change == Spread(median=Decimal(-20), low=Decimal(-100), high=Decimal(20))
    assert found.baseline == Spread(median=Decimal(210), low=Decimal(100), high=Decimal(300))
    assert found.value == Spread(median=Decimal(190), low=Decimal(120), high=Decimal(200))
    assert (found.lower, found.same, found.higher) == (2, 1, 1)
    assert dict(found.boxes) == {Box.COUNTED: 4, Box.DEAD: 1, Box.NOT_TREATED: 1}
    assert (found.counted, found.total) == (4, 6)


def test_nobody_has_no_median():
    found = summary_of([(None, Cell(box=Box.MISSING))])
    assert (found.baseline, found.value, found.change, found.total) == (None, None, None, 1)


def test_days_are_those_of_the_place_of_treatment():
    """00:30 in Shanghai on the day of the transplantation is still the day before in UTC."""
    one = person(transplanted_on=span(7))
    late = dt.datetime(2026, 3, 11, 16, 30, tzinfo=dt.UTC)
    assert one.day_of(late) == day(7)
    assert one.transplanted_by(one.day_of(late))
