"""What a nurse has typed into a form that is no longer due stays in her view, word for word."""

from __future__ import annotations

import html

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import as_person, given, make_record, make_subject, make_visit, sign_in
from trialsite.casebook.models import CrfRecord, LockState, Visit, VisitStatus
from trialsite.casebook.services import void_record
from trialsite.crf.services import save_draft
from trialsite.dashboard.beside import drafts_of


@pytest.fixture
def subject(cast):
    return make_subject(cast.site)


def typed(cast, subject, number: int = 1, by=None) -> CrfRecord:
    by = by or cast.nurse
    visit = make_visit(subject, "SE.UNS", repeat_key=number)
    record: CrfRecord = make_record(subject, visit=visit)
    with as_person(by):
        save_draft(record=record, texts={"heart_rate": "77", "comment": "in bed"}, by=by,
                   base_version=0)  # fmt: skip
    return record


def today(person) -> str:
    return " ".join(html.unescape(sign_in(person).get("/").content.decode()).split())


@pytest.mark.parametrize("how", ["not required", "missed", "voided", "locked"])
def test_a_draft_of_what_is_no_longer_due_is_listed_with_its_words(cast, subject, how):
    record = typed(cast, subject)
    assert "Kept draft" not in today(cast.nurse)
    visits = given(Visit.objects.filter(records=record).update)
    if how == "not required":
        visits(status=VisitStatus.NOT_REQUIRED, not_required_cause="withdrawal")
    elif how == "missed":
        visits(status=VisitStatus.MISSED, missed_reason="No transport")
    elif how == "voided":
        with as_person(cast.nurse):
            void_record(record=record, reason="another participant", by=cast.nurse)
    else:
        given(CrfRecord.objects.filter(pk=record.pk).update)(lock_state=LockState.LOCKED)
    page = today(cast.nurse)
    assert "Kept draft" in page
    assert f"/records/{record.pk}/" in page
    for words in ("Heart rate", "77", "in bed"):
        assert words in page
    assert "in bed" not in today(cast.second_nurse)


def test_every_kept_draft_is_listed_whatever_else_was_typed(cast, subject):
    old = [typed(cast, subject, number) for number in range(1, 11)]
    for record in old:
        given(Visit.objects.filter(records=record).update)(
            status=VisitStatus.NOT_REQUIRED, not_required_cause="death"
        )
    for number in range(11, 22):
        typed(cast, subject, number)
    with as_person(cast.nurse):
        found = drafts_of(cast.nurse)
    assert {each.draft.record_id for each in found if each.kept} == {each.pk for each in old}
    assert len([each for each in found if not each.kept]) == 8


def test_however_many_there_are_one_question_is_asked(cast, subject):
    typed(cast, subject)
    with as_person(cast.nurse):
        drafts_of(cast.nurse)  # The protocol is read once for a process.
    with as_person(cast.nurse), CaptureQueriesContext(connection) as few:
        drafts_of(cast.nurse)
    for number in range(2, 8):
        typed(cast, subject, number)
    with as_person(cast.nurse), CaptureQueriesContext(connection) as many:
        drafts_of(cast.nurse)
    assert len(many) == len(few)
