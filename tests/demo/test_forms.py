"""The demonstration's texts fit the forms: complete, and plausible enough to raise no query."""

from __future__ import annotations

import random

import pytest

from tests.factories import as_person, make_record, make_subject, make_visit
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.demo.forms import MEDICINES, TEXTS, Patient, fill_visit, give_medicines
from trialsite.review.models import Query


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0, 1.2, 1.4])
def test_every_form_of_a_visit_is_completed_without_a_question(cast, severity, sex):
    chance = random.Random(f"{severity} {sex}")
    patient = Patient(chance=chance, sex=sex, age=40, weight=60, severity=severity)
    subject = make_subject(cast.site)
    visit = make_visit(subject, "SE.SCR", visit_number=10)
    for form_oid in TEXTS.keys() - {"F.VS"}:
        make_record(subject, form_oid=form_oid, visit=visit)
    with as_person(cast.nurse):
        fill_visit(visit=visit, by=cast.nurse, patient=patient)
        records = CrfRecord.objects.filter(visit=visit)
        assert {record.status for record in records} == {RecordStatus.COMPLETE}
        assert not Query.objects.exists()


def test_medicines_are_records_of_the_whole_study(cast):
    subject = make_subject(cast.site)
    with as_person(cast.nurse):
        give_medicines(subject=subject, by=cast.nurse, chance=random.Random(1))
        records = CrfRecord.objects.filter(subject=subject, visit=None)
        assert [record.repeat_key for record in records] == list(range(1, len(MEDICINES) + 1))
        assert {record.status for record in records} == {RecordStatus.COMPLETE}
        assert not Query.objects.exists()
