"""The subject list, the search and the casebook grid: one's own sites, nothing else."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from screening.models.forms import Medication
from tests.dashboard.conftest import NOON, TODAY, inclusive
from tests.factories import (
    as_person,
    given,
    make_record,
    make_subject,
    make_visit,
    sign_in,
)
from trialsite.casebook.models import (
    CrfRecord,
    LockState,
    RecordStatus,
    Subject,
    SubjectStatus,
    VisitStatus,
)
from trialsite.core.clock import trial_today
from trialsite.crf.entry import read_texts
from trialsite.crf.services import save_crf
from trialsite.dashboard.casebook import casebook_of, time_line
from trialsite.dashboard.subjects import normalised

LIST = "/subjects/"
SEARCH = "/search/"


def address(subject: Subject) -> str:
    return reverse("dashboard:subject", args=[subject.pk])


def queries(client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_the_list_holds_ones_own_sites_only(cast, nurse_client):
    mine, theirs = make_subject(cast.site), make_subject(cast.other_site)
    page = nurse_client.get(LIST).content.decode()
    assert mine.screening_number in page
    assert theirs.screening_number not in page


def test_another_sites_casebook_does_not_exist(cast, nurse_client):
    theirs = make_subject(cast.other_site)
    assert nurse_client.get(address(theirs)).status_code == 404
    assert sign_in(cast.stranger).get(address(theirs)).status_code == 200
    nowhere = reverse("dashboard:subject", args=[uuid.uuid4()])
    assert nurse_client.get(nowhere).status_code == 404


def test_a_person_without_casebooks_is_refused(cast):
    client = sign_in(cast.administrator)
    assert client.get(LIST).status_code == 403
    assert client.get(SEARCH, {"q": "001"}).status_code == 403


def test_the_list_costs_the_same_for_any_number_of_subjects(cast, nurse_client):
    def grow(count: int) -> None:
        for _ in range(count):
            subject = make_subject(cast.site)
            visit = make_visit(subject, window=inclusive(TODAY, TODAY))
            make_record(subject, visit=visit)

    grow(3)
    queries(nurse_client, LIST)
    few = queries(nurse_client, LIST)
    grow(27)
    assert queries(nurse_client, LIST) == few


def test_the_casebook_costs_the_same_for_any_number_of_visits(cast, nurse_client):
    subject = make_subject(cast.site)

    def grow(first: int, last: int) -> None:
        for number in range(first, last):
            visit = make_visit(subject, "SE.TRT", repeat_key=number)
            make_record(subject, visit=visit)

    grow(1, 4)
    queries(nurse_client, address(subject))
    few = queries(nurse_client, address(subject))
    grow(4, 31)
    assert queries(nurse_client, address(subject)) == few


def test_the_list_is_cut_into_pages(cast, nurse_client):
    for _ in range(51):
        make_subject(cast.site)
    first = nurse_client.get(LIST)
    assert len(first.context["lines"]) == 50
    assert len(nurse_client.get(LIST, {"page": 2}).context["lines"]) == 1
    assert nurse_client.get(LIST, {"page": "x"}).status_code == 200


def test_the_list_is_narrowed_by_status_number_and_site(cast):
    client = sign_in(cast.investigator)
    enrolled = make_subject(cast.site, status=SubjectStatus.ENROLLED, number="001-001")
    screened = make_subject(cast.other_site)

    def shown(**chosen: str) -> set[Subject]:
        return {line.subject for line in client.get(LIST, chosen).context["lines"]}

    assert shown() == {enrolled, screened}
    assert shown(status="enrolled") == {enrolled}
    assert shown(status="nonsense") == {enrolled, screened}
    assert shown(q="001-001") == {enrolled}
    assert shown(q="zzz") == set()
    client.post("/choices/site/", {"site": cast.other_site.pk, "next": LIST})
    assert shown() == {screened}
    client.post("/choices/site/", {"site": "", "next": LIST})
    assert shown() == {enrolled, screened}


def test_a_line_counts_forms_and_names_the_next_visit(cast, nurse_client):
    today = trial_today("Asia/Shanghai")
    subject = make_subject(cast.site, day_zero=today - dt.timedelta(days=9))
    late = make_visit(
        subject,
        "SE.D7",
        window=inclusive(today - dt.timedelta(days=3), today - dt.timedelta(days=1)),
    )
    make_visit(
        subject,
        "SE.D14",
        window=inclusive(today + dt.timedelta(days=3), today + dt.timedelta(days=7)),
    )
    make_record(subject, visit=late, status=RecordStatus.COMPLETE)
    make_record(subject, visit=late, repeat_key=2)
    (line,) = nurse_client.get(LIST).context["lines"]
    assert (line.done, line.expected, line.day) == (1, 2, 9)
    assert (line.next_visit, line.overdue) == ("Day 7", True)


@pytest.mark.parametrize("typed", ["001-007", " 001-007 ", "００１－００７", "001–007"])
def test_a_whole_number_opens_the_casebook(cast, nurse_client, typed):
    subject = make_subject(cast.site, number="001-007")
    answer = nurse_client.get(SEARCH, {"q": typed})
    assert answer.status_code == 302
    assert answer.url == address(subject)


def test_the_screening_number_is_found_in_either_case(cast, nurse_client):
    subject = make_subject(cast.site, screening_number="001-S001-X")
    assert nurse_client.get(SEARCH, {"q": "001-s001-x"}).url == address(subject)


def test_part_of_a_number_lists_what_matches(cast, nurse_client):
    subject = make_subject(cast.site, number="001-007")
    page = nurse_client.get(SEARCH, {"q": "007"})
    assert [line.subject for line in page.context["lines"]] == [subject]


def test_another_sites_subject_is_invisible_in_search(cast, nurse_client):
    theirs = make_subject(cast.other_site, number="002-001")
    for typed in ("002-001", "002"):
        page = nurse_client.get(SEARCH, {"q": typed})
        assert page.status_code == 200
        assert page.context["lines"] == []
        assert str(theirs.pk) not in page.content.decode()


def test_an_empty_search_explains_itself(cast, nurse_client):
    assert b"Type a number" in nurse_client.get(SEARCH).content


def test_what_was_typed_is_shown_not_executed(cast, nurse_client):
    page = nurse_client.get(SEARCH, {"q": "<script>alert(1)</script>"})
    assert b"<script>alert" not in page.content


def test_numbers_are_compared_as_they_are_written():
    assert normalised(" ００１－ｓ００１ ") == "001-S001"


def test_the_grid_shows_a_state_for_what_is_expected_and_nothing_else(cast):
    subject = make_subject(cast.site, day_zero=TODAY - dt.timedelta(days=3))
    attended = make_visit(
        subject,
        "SE.D1",
        visit_number=70,
        status=VisitStatus.ATTENDED,
        attended_on=TODAY - dt.timedelta(days=2),
        window=inclusive(TODAY, TODAY),
    )
    make_visit(subject, "SE.D3", visit_number=80, window=inclusive(TODAY, TODAY))
    record = make_record(subject, visit=attended, status=RecordStatus.COMPLETE)
    voided = make_record(subject, visit=attended, repeat_key=2)
    loose = make_record(subject)
    _void(voided)
    book = _casebook(cast.nurse, subject)
    (row,) = book.rows
    assert (row.title, row.cells) == ("Vital signs", [[record], []])
    assert [column.name for column in book.columns] == ["Day 1", "Day 3"]
    assert book.loose[0].cells == [[loose]]
    assert (book.day, book.done, book.expected) == (3, 1, 2)


@given
def _void(record) -> None:
    type(record).objects.filter(pk=record.pk).update(voided_at=NOON, void_reason="Wrong subject")


def _casebook(user, subject: Subject):
    with as_person(user):
        loaded = Subject.objects.select_related("site").get(pk=subject.pk)
        return casebook_of(loaded, now=NOON)


def test_flags_say_first_what_everybody_must_know(cast):
    subject = make_subject(cast.site, status=SubjectStatus.DIED, lock_state=LockState.LOCKED)
    words = [str(flag.word) for flag in _casebook(cast.nurse, subject).flags]
    assert words == ["Casebook locked", "Died", "No consent yet"]


def test_the_line_of_time_begins_with_the_first_dated_visit(cast):
    subject = make_subject(cast.site)
    assert time_line(_casebook(cast.nurse, subject)) is None
    make_visit(subject, "SE.D1", window=inclusive(TODAY, TODAY))
    make_visit(
        subject,
        "SE.D28",
        window=inclusive(TODAY + dt.timedelta(days=24), TODAY + dt.timedelta(days=30)),
    )
    line = time_line(_casebook(cast.nurse, subject))
    assert line is not None
    assert line.marks[0].x == line.now < line.marks[1].x <= 94


def test_a_casebook_without_visits_teaches(cast, nurse_client):
    page = nurse_client.get(address(make_subject(cast.site)))
    assert b"No visit is laid out yet" in page.content


def test_nobody_is_added_by_hand_for_a_subject_comes_with_consent(cast, nurse_client):
    assert nurse_client.get("/subjects/new/").status_code == 404
    assert "/screening/new/" in nurse_client.get(LIST).content.decode()


def test_a_form_of_the_whole_study_is_added_and_told_apart_by_what_it_is_about(cast, nurse_client):
    subject = make_subject(cast.site)
    empty = nurse_client.get(address(subject)).content.decode()
    assert "None yet" in empty.split('id="whole-study"')[1]
    opened = nurse_client.post(f"{address(subject)}forms/cm/")
    with as_person(cast.nurse):
        record = CrfRecord.objects.get(subject=subject, form_oid="F.CM")
        entry = read_texts(Medication, {"treatment": "Entecavir"})
        save_crf(record=record, entry=entry, by=cast.nurse, base_version=0)
    assert str(record.pk) in opened.url
    page = nurse_client.get(address(subject)).content.decode()
    assert "1 Entecavir" in page.split('id="whole-study"')[1]


def test_who_enters_no_data_is_offered_no_form_to_add(cast):
    subject = make_subject(cast.site)
    page = sign_in(cast.monitor).get(address(subject))
    assert page.context["whole_study"] == []


def test_empty_forms_of_visits_not_required_are_not_expected(cast, nurse_client):
    subject = make_subject(cast.site, status=SubjectStatus.DIED)
    waived = make_visit(subject, "SE.D14", status=VisitStatus.NOT_REQUIRED)
    seen = make_visit(subject, "SE.D7", status=VisitStatus.ATTENDED, attended_on=TODAY)
    make_record(subject, visit=waived)
    make_record(subject, form_oid="F.HE", visit=waived, status=RecordStatus.COMPLETE)
    make_record(subject, visit=seen)
    assert "1/2" in nurse_client.get(LIST).content.decode()
    assert "1/2" in nurse_client.get(address(subject)).content.decode()
