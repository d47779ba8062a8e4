"""The course of an event's grade, and what its rows and the event ask of each other."""

from __future__ import annotations

from typing import Any

import pytest

from outcomes.models import AdverseEventGrade
from tests.factories import as_person, given, make_record
from tests.outcomes.conftest import save_event
from trialsite.casebook.models import CrfRecord
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_row, void_row
from trialsite.crf.violations import ImpossibleError
from trialsite.review.models import Query


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


@pytest.fixture
def record(subject):
    return make_record(subject, form_oid="F.AE")


def graded(record, by, on, grade, time="", reason="", **of):
    texts = {"changed_on": on, "changed_time": time, "grade": str(grade)}
    with as_person(by):
        return save_row(
            record=CrfRecord.objects.get(pk=record.pk), group=AdverseEventGrade,
            entry=read_texts(AdverseEventGrade, texts), by=by, reason=reason, **of,
        ).row  # fmt: skip


LONG: dict[str, Any] = {"started_on": "2026-03-03", "started_time": "", "ended_on": "2026-03-08"}


@pytest.mark.parametrize(
    ("rows", "checks"),
    [
        ([("2026-03-03", 1), ("2026-03-05", 2), ("2026-03-07", 1)], set()),
        ([("2026-03", 2)], set()),
        ([("2026-03-03", 1)], {"AE.GRADE_WORST"}),
        ([("2026-03-05", 2)], {"AE.GRADE_FIRST"}),
        ([("2026-03-03", 1), ("2026-03-04", 3)], {"AE.GRADE_WORST", "AEG.WORST"}),
        ([("2026-03-02", 1), ("2026-03-03", 2)], {"AEG.WITHIN"}),
        ([("2026-03-03", 2), ("2026-03-09", 1)], {"AEG.WITHIN"}),
    ],
)
def test_the_grade_is_the_worst_of_its_rows_which_begin_at_the_onset(cast, record, rows, checks):
    for on, grade in rows:
        graded(record, cast.nurse, on, grade)
    save_event(record, cast.nurse, **LONG)
    assert asked(record) == checks


@pytest.mark.parametrize(("time", "asks"), [("10:39", True), ("10:40", False), ("11:01", True)])
def test_the_clock_of_a_row_lies_within_the_events_own(cast, record, time, asks):
    graded(record, cast.nurse, "2026-03-05", 2, time)
    save_event(record, cast.nurse, ended_time="11:00")
    assert asked(record) == ({"AEG.WITHIN"} if asks else set())


def test_a_row_opens_and_closes_the_questions_of_a_complete_event_at_once(cast, record):
    save_event(record, cast.nurse, **LONG)
    graded(record, cast.nurse, "2026-03-03", 1, reason="course")
    assert asked(record) == {"AE.GRADE_WORST"}
    worst = graded(record, cast.nurse, "2026-03-05", 2, reason="course")
    assert asked(record) == set()
    save_event(record, cast.nurse, 1, grade="1", reason="looked again", **LONG)
    assert asked(record) == {"AEG.WORST"}
    with as_person(cast.nurse):
        void_row(
            record=record, group=AdverseEventGrade, row_id=worst.pk, reason="no", by=cast.nurse
        )
    assert asked(record) == set()


def test_a_time_of_a_grade_needs_its_day(cast, record):
    with pytest.raises(ImpossibleError) as refused:
        graded(record, cast.nurse, "2026-03", 2, "10:00")
    assert "changed_on" in refused.value.errors
