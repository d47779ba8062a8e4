"""Many rows typed in one go: the same casebook as when each is typed by itself."""

from __future__ import annotations

import pytest

from tests.engine.models import Reading
from tests.factories import as_person, make_record, make_subject
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.crf.entry import read_texts
from trialsite.crf.models import stored
from trialsite.crf.rows import add_rows
from trialsite.crf.services import save_row, void_row
from trialsite.crf.violations import ImpossibleError
from visits.models import SessionReading

FLOWS = ("100", "105", "90")


def entries(*flows):
    return [
        read_texts(
            Reading,
            {"read_at": f"2026-03-05T1{hour}:00", "blood_flow": flow, "venous": "80"},
        )
        for hour, flow in enumerate(flows)
    ]


def sheet_of(cast):
    return make_record(make_subject(cast.site), form_oid="F.TRUN")


def stands(sheet):
    record = CrfRecord.objects.get(pk=sheet.pk)
    rows = stored(Reading).filter(record=sheet).order_by("number")
    said = [(row.number, row.version, row.read_at, row.blood_flow, row.venous) for row in rows]
    return record.status, record.content_hash, record.first_entered_at is not None, said


def test_rows_added_at_once_stand_as_rows_added_one_by_one(cast):
    at_once, one_by_one = sheet_of(cast), sheet_of(cast)
    with as_person(cast.nurse):
        saved = add_rows(record=at_once, group=Reading, entries=entries(*FLOWS), by=cast.nurse)
        for entry in entries(*FLOWS):
            save_row(record=one_by_one, group=Reading, entry=entry, by=cast.nurse)
        assert len(saved) == 3
        assert stands(at_once) == stands(one_by_one)
        assert stands(at_once)[0] == RecordStatus.IN_PROGRESS
        trail = Event.objects.filter(record_id=at_once.pk, table_name=Reading._meta.db_table)
        assert [event.operation for event in trail] == ["I", "I", "I"]


def test_numbers_go_on_after_those_that_were_used(cast):
    sheet = sheet_of(cast)
    with as_person(cast.nurse):
        first = save_row(record=sheet, group=Reading, entry=entries("100")[0], by=cast.nurse).row
        void_row(record=sheet, group=Reading, row_id=first.pk, reason="twice", by=cast.nurse)
        saved = add_rows(record=sheet, group=Reading, entries=entries(*FLOWS), by=cast.nurse)
        assert [getattr(each.row, "number", None) for each in saved] == [2, 3, 4]


def test_one_impossible_row_takes_all_of_them_back(cast):
    sheet = sheet_of(cast)
    with as_person(cast.nurse):
        with pytest.raises(ImpossibleError):
            add_rows(record=sheet, group=Reading, entries=entries("100", "-1"), by=cast.nurse)
        assert stands(sheet)[3] == []


def test_nothing_to_add_changes_nothing(cast):
    sheet = sheet_of(cast)
    with as_person(cast.nurse):
        assert add_rows(record=sheet, group=Reading, entries=[], by=cast.nurse) == []
        assert CrfRecord.objects.get(pk=sheet.pk).status == RecordStatus.NOT_STARTED


def test_rows_of_another_form_are_refused_and_so_is_who_enters_nothing(cast):
    sheet = sheet_of(cast)
    with as_person(cast.nurse), pytest.raises(DomainError):
        add_rows(record=sheet, group=SessionReading, entries=entries("100"), by=cast.nurse)
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        add_rows(record=sheet, group=Reading, entries=entries("100"), by=cast.monitor)
