"""Whether an event came up under treatment: the truth table, without a database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from outcomes.models import AdverseEvent, AdverseEventGrade
from outcomes.selectors.events import is_emergent
from trialsite.core.partial_dates import PartialDate

FIRST = dt.datetime.fromisoformat("2026-03-05T10:00")


def moment(text: str) -> dict[str, Any]:
    day, _sign, time = text.partition(" ")
    return {"on": PartialDate.parse(day), "time": dt.time.fromisoformat(time) if time else None}


def event_of(start: str) -> AdverseEvent:
    event, said = AdverseEvent(), moment(start)
    event.started_on, event.started_time = said["on"], said["time"]
    return event


def grades_of(*rows: tuple[str, int]) -> list[AdverseEventGrade]:
    found = []
    for text, grade in rows:
        row, said = AdverseEventGrade(grade=grade), moment(text)
        row.changed_on, row.changed_time = said["on"], said["time"]
        found.append(row)
    return found


@pytest.mark.parametrize(
    ("start", "emergent"),
    [
        ("2026-03-04", None),  # it may have worsened since
        ("2026-03-05 09:59", None),
        ("2026-03-05 10:00", True),
        ("2026-03-05", None),
        ("2026-03-06", True),
        ("2026-03", None),
        ("2026-02", None),
        ("2026-04", True),
        ("2026", None),
        ("2025", None),
    ],
)
def test_an_event_is_under_treatment_as_far_as_its_dates_tell(start, emergent):
    assert is_emergent(event_of(start), FIRST) is emergent


@pytest.mark.parametrize(
    ("rows", "emergent"),
    [
        ([("2026-03-01", 1), ("2026-03-06", 2)], True),
        ([("2026-03-01", 1), ("2026-03-05 10:00", 2)], True),
        ([("2026-03-01", 1), ("2026-03-05 09:59", 2)], False),
        ([("2026-03-01", 1), ("2026-03-05", 2)], None),
        ([("2026-03-01", 2), ("2026-03-05", 2)], False),
        ([("2026-03-01", 3), ("2026-03-06", 2)], False),
        ([("2026-03-01", 1), ("2026-03-02", 3), ("2026-03-06", 2)], False),
        ([("2026-03-01", 1), ("2026-03", 2), ("2026-03-07", 2)], True),
        ([("2026-03-06", 2)], None),
        ([], None),
    ],
)
def test_what_was_there_before_counts_when_it_worsens_under_treatment(rows, emergent):
    assert is_emergent(event_of("2026-03-01"), FIRST, grades_of(*rows)) is emergent


@pytest.mark.parametrize(
    ("end", "outcome", "emergent"),
    [
        ("2026-03-04", "RECOVERED/RESOLVED", False),
        ("2026-03-04", "FATAL", False),
        ("2026-03-05 09:59", "RECOVERED/RESOLVED", False),
        ("2026-03-05", "RECOVERED/RESOLVED", None),
        ("2026-03-06", "RECOVERED/RESOLVED", None),
        ("2026-03-05", "FATAL", None),
        ("2026-03-05 10:00", "FATAL", True),
        ("2026-03-06", "FATAL", True),
        ("", "FATAL", None),
        ("", "NOT RECOVERED/NOT RESOLVED", None),
    ],
)
def test_what_was_there_before_and_has_no_grades_is_judged_by_its_end(end, outcome, emergent):
    event = event_of("2026-03-01")
    event.outcome = outcome
    if end:
        said = moment(end)
        event.ended_on, event.ended_time = said["on"], said["time"]
    assert is_emergent(event, FIRST) is emergent


def test_a_death_under_treatment_is_worse_than_every_grade_before():
    event = event_of("2026-03-01")
    event.outcome, event.ended_on = "FATAL", moment("2026-03-06")["on"]
    assert is_emergent(event, FIRST, grades_of(("2026-03-01", 3))) is True


def test_nothing_comes_up_under_treatment_where_nothing_was_treated():
    assert is_emergent(event_of("2026-03-06"), None, grades_of(("2026-03-07", 5))) is False
    assert is_emergent(event_of("2026"), None) is False


def test_without_an_onset_nothing_can_be_said():
    assert is_emergent(AdverseEvent(), FIRST) is None
