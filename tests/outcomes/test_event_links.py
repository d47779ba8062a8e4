"""What an adverse event leads to: the death it caused, the medicines given for it."""

from __future__ import annotations

from typing import Any

import pytest

from outcomes.models import EventMedication
from screening.models.forms.medication import Medication
from tests.factories import as_person, given, make_record, sign_in
from tests.outcomes.conftest import DEATH, SERIOUS, save_death, save_event
from trialsite.casebook.models import CrfRecord
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf, save_row, void_row
from trialsite.review.models import Query

FATAL: dict[str, Any] = SERIOUS | {
    "outcome": "FATAL",
    "grade": "5",
    "results_in_death": "true",
    "started_on": "2026-03-05",
    "ended_on": DEATH["died_on"],
    "ended_time": "",
}


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


@pytest.fixture
def record(subject) -> CrfRecord:
    made: CrfRecord = make_record(subject, form_oid="F.AE")
    return made


def named(record, by, number: int, **of: Any) -> Any:
    with as_person(by):
        return save_row(
            record=CrfRecord.objects.get(pk=record.pk), group=EventMedication,
            entry=read_texts(EventMedication, {"medication": str(number)}), by=by,
            reason="chart", **of,
        ).row  # fmt: skip


def medicine(subject, by, number: int, name: str) -> CrfRecord:
    made: CrfRecord = make_record(subject, form_oid="F.CM", repeat_key=number)
    with as_person(by):
        entry = read_texts(Medication, {"treatment": name})
        save_crf(record=made, entry=entry, by=by, base_version=0, complete=False)
    return made


def page(who, record) -> str:
    answer = sign_in(who).get(f"/records/{record.pk}/", follow=True)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_what_was_treated_names_its_medicines_and_both_lead_to_each_other(cast, subject, record):
    given_for_it = medicine(subject, cast.nurse, 3, "Noradrenaline")
    medicine(subject, cast.nurse, 4, "Lactulose")
    save_event(record, cast.nurse, treated="true")
    assert asked(record) == {"AE.TREATED"}
    row = named(record, cast.nurse, 3)
    assert asked(record) == set()
    event = page(cast.nurse, record)
    assert "Medication 3: Noradrenaline" in event
    assert f"/records/{given_for_it.pk}/" in event
    assert "Lactulose" not in event
    assert "Given for: Hypotension" in page(cast.nurse, given_for_it)
    with as_person(cast.nurse):
        void_row(
            record=CrfRecord.objects.get(pk=record.pk), group=EventMedication, row_id=row.pk,
            reason="another event", by=cast.nurse,
        )  # fmt: skip
    assert asked(record) == {"AE.TREATED"}
    assert "Given for: Hypotension" not in page(cast.nurse, given_for_it)


@pytest.mark.parametrize(("number", "asks"), [(3, set()), (9, {"AECM.KNOWN"})])
def test_a_number_without_its_medication_is_asked_about(cast, subject, record, number, asks):
    medicine(subject, cast.nurse, 3, "Noradrenaline")
    named(record, cast.nurse, number)
    save_event(record, cast.nurse, treated="true")
    assert asked(record) == asks


def test_a_medicine_that_is_named_though_nothing_was_given_is_asked_about(cast, subject, record):
    medicine(subject, cast.nurse, 3, "Noradrenaline")
    named(record, cast.nurse, 3)
    save_event(record, cast.nurse, treated="false")
    assert asked(record) == {"AE.NOT_TREATED"}


def test_a_medicine_that_is_named_twice_is_asked_about(cast, subject, record):
    medicine(subject, cast.nurse, 3, "Noradrenaline")
    for _each in range(2):
        named(record, cast.nurse, 3)
    save_event(record, cast.nurse, treated="true")
    assert asked(record) == {"AECM.TWICE"}


def test_a_fatal_event_leads_to_the_death_and_the_death_to_it(cast, subject, record):
    save_event(record, cast.nurse, **FATAL)
    assert "Record the death" in page(cast.nurse, record)
    assert "Record the death" not in page(cast.monitor, record)
    death = save_death(subject, cast.nurse).record
    found = page(cast.nurse, record)
    assert "Record the death" not in found
    assert f"/records/{death.pk}/" in found
    assert "Fatal: Hypotension" in page(cast.monitor, death)


def test_another_event_is_not_shown_as_the_last_state_of_this_one(cast, subject, record):
    save_event(record, cast.nurse, term="Cough")
    other = make_record(subject, form_oid="F.AE", repeat_key=2)
    save_event(other, cast.nurse)
    assert "Cough" not in page(cast.nurse, other)
