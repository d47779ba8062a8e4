"""A recorded death of which no serious event tells is owed a report, and somebody is told."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.models import SaeCase, UnreportedDeath
from outcomes.selectors.sae_deaths import DeathLine
from outcomes.services.sae_deaths import settle_death
from tests.factories import as_person, given, make_subject, sign_in
from tests.outcomes.conftest import save_death, save_event
from tests.outcomes.sae.conftest import FRIDAY, first_word, local
from trialsite.casebook.models import CrfRecord
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import NotPermittedError
from trialsite.notify.models import Lane, Notice, State

HOUR = dt.timedelta(hours=1)
KNOWN = FRIDAY + dt.timedelta(minutes=5)


@pytest.fixture
def died(cast, subject, clock) -> UnreportedDeath:
    """The death, entered on Friday at 23:55."""
    clock(KNOWN)
    save_death(subject, cast.nurse, died_on="2026-03-06")
    found: UnreportedDeath = given(UnreportedDeath.objects.get)(subject=subject)
    return found


def on_the_board(user) -> list[DeathLine]:
    return [each["line"] for each in sign_in(user).get("/safety/").context["deaths"]]


@given
def notices(state=None) -> set[tuple[str, str]]:
    rows = Notice.objects.filter(kind="sae-death").select_related("recipient")
    if state is not None:
        rows = rows.filter(state=state)
    return {
        (row.recipient.full_name, row.dedupe_key.split(":")[2]) for row in rows if row.recipient
    }


def test_the_board_shows_it_with_the_clocks_of_a_serious_event(cast, died, officer):
    [line] = on_the_board(officer)
    assert {local(clock.due_at) for clock in line.clocks} == {"Sat 2026-03-07 23:55"}
    assert {str(clock.recipient) for clock in line.clocks} == {"sponsor", "institution", "ethics"}
    page = sign_in(officer).get("/safety/").content.decode()
    assert "Deaths without a serious adverse event" in page
    assert "23 h 59 min left" in page


def test_another_sites_nurse_sees_no_death(cast, died):
    assert on_the_board(cast.stranger) == []
    client = sign_in(cast.stranger)
    assert client.get(f"/safety/new/?death={died.pk}").status_code == 404


def test_a_fatal_serious_event_answers_it_and_any_other_does_not(cast, subject, died, officer):
    case = first_word(subject, cast.nurse, term="Bleeding")
    assert len(on_the_board(officer)) == 1
    first_word(subject, cast.nurse, term="Died", criterion="results_in_death", another=True)
    assert on_the_board(officer) == []
    fatal = given(SaeCase.objects.exclude(pk=case.pk).get)()
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=fatal.record_id), reason="x", by=cast.nurse)
    assert len(on_the_board(officer)) == 1


def test_of_a_fatal_event_without_its_awareness_the_clock_counts_from_the_death(
    cast, subject, died, clock
):
    clock(KNOWN + 30 * HOUR)
    with as_person(cast.nurse):
        from_death = sign_in(cast.nurse).get(f"/safety/new/?death={died.pk}").context["form"]
    assert from_death["criterion"].value() == "results_in_death"
    assert f"{from_death['aware_at'].value()}" == "2026-03-06T23:55"
    record = given(CrfRecord.objects.create)(
        site_id=subject.site_id,
        subject=subject,
        form_oid="F.AE",
        repeat_key=9,
        protocol_version_id=subject.protocol_version_id,
    )
    save_event(record, cast.nurse, serious="true", results_in_death="true", grade="5",
               outcome="FATAL", complete="no")  # fmt: skip
    case = given(SaeCase.objects.get)(record=record)
    assert local(case.aware_at) == "Fri 2026-03-06 23:55"
    assert not case.aware_said


def test_a_voided_death_is_owed_nothing(cast, subject, died, officer):
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=died.record_id), reason="x", by=cast.nurse)
    assert on_the_board(officer) == []


def test_it_is_reminded_of_at_the_hours_of_a_report_and_names_no_death(
    cast, subject, died, officer, run, sink
):
    sub, pi = cast.sub_investigator.full_name, cast.investigator.full_name
    run(KNOWN + 11.9 * HOUR)
    assert notices() == set()
    run(KNOWN + 12.1 * HOUR)
    assert notices(State.SENT) == {(sub, "h12")}
    run(KNOWN + 24.1 * HOUR)
    assert {(sub, "h24"), (pi, "h24"), (officer.full_name, "h24")} <= notices(State.SENT)
    lanes = given(lambda: set(Notice.objects.filter(kind="sae-death").values_list("lane")))()
    assert lanes == {(Lane.URGENT,)}
    for mail in sink.arrived:
        text = mail.get_body().get_content()
        assert subject.label in text
        assert "died" not in text.lower()
        assert "death" not in text.lower()


def test_nothing_is_said_once_the_event_is_entered(cast, subject, died, officer, run, sink, clock):
    run(KNOWN + 12.1 * HOUR)
    first_word(subject, cast.nurse, term="Died", criterion="results_in_death")
    run(KNOWN + 24.1 * HOUR)
    assert {step for _who, step in notices()} == {"h12"}


def test_a_death_whose_event_is_voided_is_reminded_of_anew(
    cast, subject, died, officer, run, sink, clock
):
    sub = cast.sub_investigator.full_name
    run(KNOWN + 12.1 * HOUR)
    assert notices(State.SENT) == {(sub, "h12")}
    case = first_word(subject, cast.nurse, term="Died", criterion="results_in_death")
    with as_person(cast.nurse):
        void_record(record=CrfRecord.objects.get(pk=case.record_id), reason="x", by=cast.nurse)
    before = len(sink.arrived)
    run(KNOWN + 12.5 * HOUR)
    of_deaths = [mail for mail in sink.arrived[before:] if "is to be entered" in str(mail)]
    assert len(of_deaths) == 1
    assert len(on_the_board(officer)) == 1


def test_a_death_that_nobody_reports_is_reminded_of_every_further_day(
    cast, subject, died, officer, run, sink
):
    run(KNOWN + 24.1 * HOUR)
    run(KNOWN + 48.1 * HOUR)
    assert (officer.full_name, "h48") in notices(State.SENT)


def test_the_safety_officer_says_with_a_reason_that_none_is_owed(cast, died, officer):
    with as_person(cast.investigator), pytest.raises(NotPermittedError):
        settle_death(death=died, reason="x", by=cast.investigator)
    client = sign_in(officer)
    refused = client.post(f"/safety/deaths/{died.pk}/settle/", {f"death-{died.pk}-reason": ""})
    assert refused.status_code == 422
    client.post(
        f"/safety/deaths/{died.pk}/settle/", {f"death-{died.pk}-reason": "Before the consent"}
    )
    assert on_the_board(officer) == []


def test_when_a_death_was_known_cannot_be_changed_in_the_database(cast, died):
    with as_person(cast.nurse), pytest.raises(Exception, match="was known stays"):
        UnreportedDeath.objects.filter(pk=died.pk).update(known_at=KNOWN + 5 * HOUR)


def test_the_board_asks_the_same_number_of_questions_however_many_deaths(
    cast, died, officer, clock
):
    client = sign_in(officer)
    client.get("/safety/")
    with CaptureQueriesContext(connection) as few:
        client.get("/safety/")
    for number in range(4):
        other = make_subject(cast.site, number=f"001-02{number}", status="enrolled")
        save_death(other, cast.nurse, died_on="2026-03-06")
    with CaptureQueriesContext(connection) as many:
        client.get("/safety/")
    assert len(many) == len(few)
