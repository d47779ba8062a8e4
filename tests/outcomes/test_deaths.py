"""The death of a participant: the casebook's date, the schedule, and what stays possible."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from outcomes.models import Death
from outcomes.services.deaths import open_death
from tests.factories import as_person, given, make_record, make_subject, make_visit, sign_in
from tests.outcomes.conftest import DEATH, save_death, save_event, treated
from trialsite.audit.models import Event
from trialsite.casebook.models import CrfRecord, Subject, SubjectStatus, Visit, VisitStatus
from trialsite.casebook.services import record_death, set_day_zero, void_record
from trialsite.conduct.models import ProposalStatus, ProposedHold
from trialsite.crf.entry import read_texts
from trialsite.crf.registry import form
from trialsite.crf.services import ReasonRequiredError, judge_record, save_crf
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import LabPanel
from trialsite.review.models import Query
from visits.models import VitalSigns


@given
def state(subject) -> tuple[str, str]:
    found = Subject.objects.get(pk=subject.pk)
    return found.status, found.died_on


@given
def planned(subject) -> set[str]:
    """The states of the visits that are laid out."""
    return set(Visit.objects.filter(subject=subject).values_list("status", flat=True))


@given
def asked(record) -> set[str]:
    return set(Query.objects.unresolved().filter(record=record).values_list("check_oid", flat=True))


@given
def proposed(subject) -> list[tuple[str, str, bool]]:
    rows = ProposedHold.objects.filter(subject=subject).order_by("raised_at", "trigger")
    return [(row.trigger, row.status, row.cause_ended_at is None) for row in rows]


def vital_signs(subject, by, at, *, record=None, version=0, reason=""):
    if record is None:
        again = given(Visit.objects.filter(subject=subject, event_oid="SE.UNS").count)() + 1
        record = make_record(subject, visit=make_visit(subject, "SE.UNS", repeat_key=again))
    entry = read_texts(VitalSigns, {"assessed_at": at, "systolic": "90", "diastolic": "50"})
    with as_person(by):
        return save_crf(record=record, entry=entry, by=by, base_version=version, reason=reason)


def test_a_saved_date_is_the_casebooks_and_ends_the_schedule(cast, subject):
    with as_person(cast.nurse):
        set_day_zero(subject=subject, day_zero=dt.date(2026, 3, 5), by=cast.nurse)
    assert VisitStatus.NOT_REQUIRED not in planned(subject)
    save_death(subject, cast.nurse, complete="no")
    assert state(subject) == (SubjectStatus.DIED, "2026-03-06")
    assert VisitStatus.NOT_REQUIRED in planned(subject)


@pytest.mark.parametrize("died_on", ["2026", "2026-03", "2026-03-06"])
def test_a_date_is_kept_as_precisely_as_it_is_known(cast, subject, died_on):
    save_death(subject, cast.nurse, died_on=died_on)
    assert state(subject) == (SubjectStatus.DIED, died_on)


def test_the_form_is_kept_without_a_date_and_nobody_is_dead_by_it(cast, subject):
    save_death(subject, cast.nurse, died_on="", complete="no")
    assert state(subject) == (SubjectStatus.ENROLLED, "")


def test_a_correction_moves_the_date_with_its_reason_in_the_trail(cast, subject):
    record = save_death(subject, cast.nurse).record
    with pytest.raises(ReasonRequiredError):
        save_death(subject, cast.nurse, 1, died_on="2026-03-07")
    save_death(subject, cast.nurse, 1, died_on="2026-03-07", reason="certificate")
    assert state(subject) == (SubjectStatus.DIED, "2026-03-07")
    with as_person(cast.investigator):
        moved = Event.objects.filter(subject_id=subject.pk, table_name="casebook_subject")
        assert [each.reason for each in moved.order_by("-eid")[:1]] == ["certificate"]
    assert record.form_oid == "F.DTH"


@pytest.mark.parametrize("how", ["voided", "emptied"])
def test_a_death_taken_back_plans_the_schedule_again(cast, subject, how):
    before = planned(subject)
    record = save_death(subject, cast.nurse, complete="no").record
    if how == "voided":
        with as_person(cast.nurse):
            void_record(record=record, reason="another subject", by=cast.nurse)
    else:
        save_death(subject, cast.nurse, 1, died_on="", complete="no")
    assert state(subject) == (SubjectStatus.ENROLLED, "")
    assert planned(subject) == before
    assert vital_signs(subject, cast.nurse, "2026-03-20T10:00")


def test_a_form_without_its_date_takes_no_death_back_that_came_another_way(cast, subject):
    with as_person(cast.nurse):
        record_death(subject=subject, died_on="2026-03-08", by=cast.nurse)
    save_death(subject, cast.nurse, died_on="", complete="no")
    save_death(subject, cast.nurse, 1, died_on="", source="FAMILY", complete="no")
    assert state(subject) == (SubjectStatus.DIED, "2026-03-08")


def test_after_a_voided_record_the_death_is_recorded_anew(cast, subject):
    first = save_death(subject, cast.nurse).record
    with as_person(cast.nurse):
        void_record(record=first, reason="wrong day", by=cast.nurse)
    second = save_death(subject, cast.nurse, died_on="2026-03-09").record
    assert (second.pk != first.pk, second.repeat_key) == (True, 2)
    assert state(subject) == (SubjectStatus.DIED, "2026-03-09")


def test_there_is_one_record_of_a_death_however_often_it_is_opened(cast, subject):
    with as_person(cast.nurse):
        assert open_death(subject=subject, by=cast.nurse) == open_death(
            subject=subject, by=cast.nurse
        )
    client = sign_in(cast.nurse)
    first, second = (client.post(f"/subjects/{subject.pk}/death/") for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]


@pytest.mark.parametrize(
    ("texts", "item"),
    [
        ({"died_on": "2027-01-01"}, "died_on"),
        ({"died_on": "2026-03", "died_time": "10:00"}, "died_on"),
        ({"died_on": "", "died_time": "10:00"}, "died_time"),
    ],
)
def test_a_date_that_cannot_be_is_refused_beside_its_item(cast, subject, texts, item):
    with pytest.raises(ImpossibleError) as refused:
        save_death(subject, cast.nurse, complete="no", **texts)
    assert item in refused.value.errors
    assert state(subject) == (SubjectStatus.ENROLLED, "")


def test_after_death_nothing_is_observed_but_late_results_and_follow_up_go_on(
    cast, subject, session
):
    event = make_record(subject, form_oid="F.AE")
    save_event(event, cast.nurse)
    save_death(subject, cast.nurse)
    with pytest.raises(ImpossibleError) as refused:
        vital_signs(subject, cast.nurse, "2026-03-07T08:00")
    assert refused.value.errors == {
        "assessed_at": ["The participant died on 2026-03-06: this is later."]
    }
    assert vital_signs(subject, cast.nurse, "2026-03-06T08:00")
    assert save_event(event, cast.nurse, 1, related_cells="POSSIBLE", reason="autopsy").changed
    late = make_record(subject, form_oid="F.AE", repeat_key=2)
    assert save_event(late, cast.nurse, term="Sepsis")


@pytest.mark.parametrize(
    ("seen", "died_on", "asks"),
    [
        ("2026-03-07T08:00", "2026-03-06", True),
        ("2026-03-06T08:00", "2026-03-06", False),
        ("2026-03-07T08:00", "2026-03", False),
        ("2026-04-01T08:00", "2026-03", True),
        ("2026-04-01T08:00", "2026", False),
    ],
)
def test_a_death_before_an_earlier_entry_is_kept_and_asked_about(
    cast, subject, seen, died_on, asks
):
    kept = vital_signs(subject, cast.nurse, seen)
    saved = save_death(subject, cast.nurse, died_on=died_on)
    assert ("DTH.SEEN_LATER" in asked(saved.record)) is asks
    assert state(subject) == (SubjectStatus.DIED, died_on)
    with as_person(cast.nurse):
        assert VitalSigns.objects.get(pk=kept.record.pk).systolic == 90


def test_the_question_ends_when_the_observation_is_corrected(cast, subject):
    kept = vital_signs(subject, cast.nurse, "2026-03-17T08:00")
    record = save_death(subject, cast.nurse).record
    assert "DTH.SEEN_LATER" in asked(record)
    vital_signs(subject, cast.nurse, "2026-03-05T08:00", record=kept.record, version=1)
    with as_person(cast.nurse):
        judge_record(CrfRecord.objects.get(pk=record.pk), form("F.DTH"))
    assert "DTH.SEEN_LATER" not in asked(record)


@pytest.mark.parametrize("of", ["draw", "session", "voided", "another"])
def test_whatever_dates_an_observation_counts_and_nothing_else(cast, subject, of):
    @given
    def draw(whose) -> CrfRecord:
        record = make_record(whose, form_oid="F.LB")
        LabPanel.objects.create(
            record=record, site_id=whose.site_id, subject=whose, time_zone="Asia/Shanghai",
            collected_at=dt.datetime.fromisoformat("2026-03-09T08:00"),
        )  # fmt: skip
        return record

    if of == "session":
        treated(subject, cast.nurse, "2026-03-09T10:00")
    elif of == "another":
        draw(make_subject(cast.site))
    else:
        record = draw(subject)
        if of == "voided":
            with as_person(cast.nurse):
                void_record(record=record, reason="wrong subject", by=cast.nurse)
    record = save_death(subject, cast.nurse).record
    assert ("DTH.SEEN_LATER" in asked(record)) is (of in {"draw", "session"})


def test_the_fatal_event_is_asked_for_until_there_is_one(cast, subject):
    record = save_death(subject, cast.nurse).record
    assert "DTH.FATAL_EVENT" in asked(record)
    fatal: dict[str, Any] = {
        "grade": "5",
        "outcome": "FATAL",
        "serious": "true",
        "results_in_death": "true",
    }
    save_event(make_record(subject, form_oid="F.AE"), cast.nurse, **fatal)
    with as_person(cast.nurse):
        judge_record(CrfRecord.objects.get(pk=record.pk), form("F.DTH"))
    assert "DTH.FATAL_EVENT" not in asked(record)


@pytest.mark.parametrize(
    ("texts", "triggers"),
    [
        ({"died_on": "2026-03-05", "died_time": "16:40"}, ["death_after_session"]),
        ({"died_on": "2026-03-05"}, ["death_after_session"]),
        ({"died_on": "2026-03-06", "died_time": "16:00"}, ["death_after_session"]),
        ({"died_on": "2026-03-06", "died_time": "16:01"}, []),
        ({"died_on": "2026-03-06"}, ["death_after_session"]),
        ({"died_on": "2026-03-07"}, []),
        ({"died_on": "2026-03"}, ["death_after_session"]),
        ({"died_on": "2026-04"}, []),
        ({"died_on": "2026-03-07", "related_cells": "POSSIBLE"}, ["death_related"]),
        ({"died_on": "2026-03-07", "related_circuit": "NOT ASSESSABLE"}, ["death_related"]),
        ({"died_on": "2026-03-05", "related_anticoagulant": "DEFINITE"},
         ["death_after_session", "death_related"]),
    ],
)  # fmt: skip
def test_a_death_soon_after_a_session_or_related_proposes_a_hold(
    cast, subject, session, texts, triggers
):
    save_death(subject, cast.nurse, **texts)
    assert sorted(each[0] for each in proposed(subject)) == triggers


def test_a_death_without_treatment_proposes_nothing(cast, subject):
    save_death(subject, cast.nurse)
    assert proposed(subject) == []


def test_a_proposal_is_made_once_and_says_when_its_cause_was_taken_back(cast, subject, session):
    record = save_death(subject, cast.nurse, complete="no").record
    save_death(subject, cast.nurse, 1, source="HOSPITAL", complete="no")
    assert proposed(subject) == [("death_after_session", ProposalStatus.OPEN, True)]
    with as_person(cast.nurse):
        void_record(record=record, reason="another subject", by=cast.nurse)
    assert proposed(subject) == [("death_after_session", ProposalStatus.OPEN, False)]
    save_death(subject, cast.nurse)
    assert [each[2] for each in proposed(subject)] == [False, True]


def test_the_bedside_page_completes_the_death_and_shows_it_on_the_list(cast, subject):
    client = sign_in(cast.nurse)
    place = client.post(f"/subjects/{subject.pk}/death/").headers["Location"]
    answer = client.post(place, DEATH | {"version": "0", "action": "complete"})
    assert answer.status_code == 302
    shown = client.get(f"/subjects/{subject.pk}/adverse-events/").content.decode()
    assert "2026-03-06" in shown
    assert "Liver failure" in shown
    assert state(subject) == (SubjectStatus.DIED, "2026-03-06")


def test_a_client_opens_and_enters_a_death(cast, api, subject):
    nurse = api("nurse")
    opened = nurse.post(f"subjects/{subject.pk}/death/")
    assert opened.status_code == 200
    body = {"values": {"died_on": "2026-03-06"}, "complete": False}
    saved = nurse.put(f"crf/dth/{opened.json()['id']}/", body, version=0)
    assert saved.status_code == 200, saved.content
    assert state(subject) == (SubjectStatus.DIED, "2026-03-06")


def test_in_a_locked_casebook_no_death_is_opened(cast, subject):
    given(Subject.objects.filter(pk=subject.pk).update)(lock_state="locked")
    shown = sign_in(cast.nurse).get(f"/subjects/{subject.pk}/adverse-events/").content.decode()
    assert "Record the death" not in shown
    assert Death.form_oid == "F.DTH"
