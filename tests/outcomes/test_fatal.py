"""A fatal event and the death of the participant: each asks about the other, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import as_person, given, make_record
from tests.outcomes.conftest import SERIOUS, save_death, save_event
from trialsite.casebook.services import void_record
from trialsite.review.models import Query

FATAL: dict[str, Any] = SERIOUS | {
    "grade": "5", "outcome": "FATAL", "results_in_death": "true",
    "started_on": "2026-03-04", "started_time": "", "ended_on": "2026-03-06",
    "aware_at": "2026-03-05T08:00",
}  # fmt: skip


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


@pytest.fixture
def event(cast, subject):
    record = make_record(subject, form_oid="F.AE")
    save_event(record, cast.nurse, **FATAL)
    return record


def test_the_death_answers_the_event_at_once_and_the_event_the_death(cast, subject, event):
    assert asked(event) == {"AE.DEATH_FORM"}
    death = save_death(subject, cast.nurse).record
    assert asked(event) == set()
    assert asked(death) == set()


@pytest.mark.parametrize(
    ("died_on", "asks"),
    [("2026-03-06", False), ("2026-03", False), ("2026-03-07", True), ("2026-02", True)],
)
def test_the_event_ends_on_the_day_of_the_death(cast, subject, event, died_on, asks):
    save_death(subject, cast.nurse, died_on=died_on)
    assert ("AE.DEATH_DATE" in asked(event)) is asks


def test_another_date_of_death_is_asked_about_and_settled_when_it_is_put_right(
    cast, subject, event
):
    save_death(subject, cast.nurse)
    save_death(subject, cast.nurse, 1, died_on="2026-03-08", reason="certificate")
    assert asked(event) == {"AE.DEATH_DATE"}
    save_event(event, cast.nurse, 1, **FATAL | {"ended_on": "2026-03-08"}, reason="certificate")
    assert asked(event) == set()


def test_a_death_taken_back_leaves_the_event_asking(cast, subject, event):
    death = save_death(subject, cast.nurse).record
    with as_person(cast.nurse):
        void_record(record=death, reason="another subject", by=cast.nurse)
    assert asked(event) == {"AE.DEATH_FORM"}


def test_an_event_taken_back_or_no_longer_fatal_leaves_the_death_asking(cast, subject, event):
    death = save_death(subject, cast.nurse).record
    save_event(event, cast.nurse, 1, reason="it was not", ended_on="2026-03-05")
    assert asked(death) == {"DTH.FATAL_EVENT"}
    save_event(event, cast.nurse, 2, **FATAL, reason="it was")
    assert asked(death) == set()
    with as_person(cast.nurse):
        void_record(record=event, reason="twice", by=cast.nurse)
    assert asked(death) == {"DTH.FATAL_EVENT"}
