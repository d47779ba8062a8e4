"""An event that is not serious after all, or voided: nothing ends without being told."""

from __future__ import annotations

import datetime as dt

import pytest

from outcomes.models import SaeCase
from outcomes.services.sae_cases import correct_awareness
from outcomes.services.sae_deadlines import owed_of
from outcomes.services.sae_decisions import agree_taken_back, close_case
from tests.factories import as_person, given, sign_in
from tests.outcomes.conftest import save_event
from tests.outcomes.sae.conftest import (
    FRIDAY,
    event_of,
    first_word,
    local,
    received,
    sent,
    signed,
)
from tests.outcomes.sae.test_cases import SITE_CLOCK, deadlines, fresh, reported
from tests.outcomes.sae.test_reminders import notices
from trialsite.casebook.services import void_record
from trialsite.core.exceptions import NotPermittedError, TransitionError

HOUR = dt.timedelta(hours=1)
MONDAY = FRIDAY + dt.timedelta(days=2, hours=10)


@pytest.fixture
def mild(cast, subject, clock) -> SaeCase:
    """Serious, of the disease: the site's three recipients and no authority."""
    clock(FRIDAY + dt.timedelta(minutes=5))
    return first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")


def untick(case, by):
    """The form no longer calls the event serious."""
    record = event_of(case, by).record
    save_event(
        record, by, record.version, serious="false", hospitalisation="", life_threatening="",
        aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
        ended_on="2026-03-06", related_circuit="NOT RELATED", reason="Planned admission",
    )  # fmt: skip


def tick(case, by):
    record = event_of(case, by).record
    save_event(
        record, by, record.version, serious="true", hospitalisation="true",
        aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
        ended_on="2026-03-06", related_circuit="NOT RELATED", reason="Not planned",
    )  # fmt: skip


def void(case, by):
    with as_person(by):
        void_record(record=event_of(case, by).record, reason="Wrong subject", by=by)


def agree(case, by, reason="Planned before consent"):
    with as_person(by):
        return agree_taken_back(case=case, reason=reason, by=by)


@given
def owed(case):
    return {each.recipient for each in owed_of(fresh(case))}


@pytest.mark.parametrize("take_back", [untick, void])
def test_before_the_first_report_no_clock_stops_until_the_safety_officer_agrees(
    cast, mild, officer, take_back
):
    take_back(mild, cast.nurse)
    assert fresh(mild).closed_at is None
    assert set(deadlines(mild)) == SITE_CLOCK
    assert {local(each.due_at) for each in deadlines(mild).values()} == {"Sat 2026-03-07 23:50"}
    agree(mild, officer)
    closed = fresh(mild)
    assert closed.close_reason == "Planned before consent"
    assert deadlines(mild) == {}
    before = deadlines(mild, standing=False)
    assert {each.replace_reason for each in before.values()} == {"Planned before consent"}


def test_only_the_safety_officer_agrees_and_only_to_what_is_taken_back(cast, mild, officer):
    with as_person(officer), pytest.raises(TransitionError, match="for serious"):
        agree_taken_back(case=mild, reason="x", by=officer)
    untick(mild, cast.nurse)
    with as_person(cast.sub_investigator), pytest.raises(NotPermittedError):
        agree_taken_back(case=mild, reason="x", by=cast.sub_investigator)


def test_serious_again_before_anybody_was_told_leaves_the_clocks_as_they_were(cast, mild, officer):
    untick(mild, cast.nurse)
    tick(mild, cast.nurse)
    assert not fresh(mild).is_taken_back
    assert {local(each.due_at) for each in deadlines(mild).values()} == {"Sat 2026-03-07 23:50"}
    assert deadlines(mild, standing=False) == {}


@pytest.mark.parametrize(("take_back", "word"), [(untick, "not_serious"), (void, "voided")])
def test_whoever_was_sent_a_report_is_owed_one_that_takes_it_back(
    cast, mild, officer, clock, take_back, word
):
    reported(mild, cast, officer, clock)
    clock(MONDAY)
    take_back(mild, cast.nurse)
    assert fresh(mild).closed_at is None
    assert owed(mild) == SITE_CLOCK
    assert {local(each.due_at) for each in deadlines(mild).values()} == {"Tue 2026-03-10 09:50"}
    agree(mild, officer)
    assert fresh(mild).closed_at is None
    assert owed(mild) == SITE_CLOCK
    with as_person(officer), pytest.raises(TransitionError, match="every recipient"):
        close_case(case=mild, reason="Done", by=officer)
    follow_up = reported(mild, cast, officer, clock, "follow_up", MONDAY + 2 * HOUR)
    assert follow_up.content["facts"]["taken_back"] == word
    assert any(each["title"] == "Taken back" for each in follow_up.content["en"]["sections"])
    assert owed(mild) == set()
    with as_person(officer):
        assert close_case(case=fresh(mild), reason="Done", by=officer).closed_at


def test_what_is_taken_back_is_agreed_to_once(cast, mild, officer, clock):
    reported(mild, cast, officer, clock)
    clock(MONDAY)
    untick(mild, cast.nurse)
    agree(mild, officer)
    assert fresh(mild).agreed_by_id == officer.pk
    with as_person(officer), pytest.raises(TransitionError, match="already"):
        agree_taken_back(case=mild, reason="x", by=officer)


def test_closing_what_is_taken_back_is_the_agreement_too(cast, mild, officer, clock):
    reported(mild, cast, officer, clock)
    clock(MONDAY)
    untick(mild, cast.nurse)
    reported(mild, cast, officer, clock, "follow_up", MONDAY + 2 * HOUR)
    with as_person(officer):
        close_case(case=fresh(mild), reason="All were told", by=officer)
    found = fresh(mild)
    assert (found.agreed_by_id, found.agreed_reason) == (officer.pk, "All were told")


def test_since_when_it_is_held_for_serious_follows_a_corrected_awareness(cast, mild):
    """Else a paper that left in between would have told more than was known."""
    earlier = (FRIDAY - 3 * HOUR).replace(tzinfo=None)
    with as_person(cast.nurse):
        correct_awareness(case=mild, aware_at=earlier, reason="Ward log", by=cast.nurse)
    found = fresh(mild)
    assert found.standing_since == found.aware_at == FRIDAY - 3 * HOUR


def test_a_closed_case_is_open_again_when_its_event_is_taken_back(cast, mild, officer, clock):
    reported(mild, cast, officer, clock)
    with as_person(officer):
        close_case(case=mild, reason="Done", by=officer)
    clock(MONDAY)
    void(mild, cast.nurse)
    assert fresh(mild).closed_at is None
    assert owed(mild) == SITE_CLOCK


def test_who_was_told_nothing_yet_is_owed_the_report_until_agreed(cast, mild, officer, clock):
    clock(FRIDAY + HOUR)
    report = signed(mild, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    received(sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse), FRIDAY + 1.6 * HOUR, officer)
    clock(FRIDAY + 5 * HOUR)
    untick(mild, cast.nurse)
    found = deadlines(mild)
    assert local(found["sponsor"].due_at) == "Sun 2026-03-08 04:50"
    assert local(found["ethics"].due_at) == "Sat 2026-03-07 23:50"
    assert owed(mild) == SITE_CLOCK
    agree(mild, officer)
    assert owed(mild) == {"sponsor"}


def test_serious_again_after_it_was_taken_back_is_news_to_all_who_were_told(
    cast, mild, officer, clock
):
    reported(mild, cast, officer, clock)
    clock(MONDAY)
    untick(mild, cast.nurse)
    reported(mild, cast, officer, clock, "follow_up", MONDAY + 2 * HOUR)
    assert owed(mild) == set()
    clock(MONDAY + 5 * HOUR)
    tick(mild, cast.nurse)
    assert owed(mild) == SITE_CLOCK
    assert {local(each.due_at) for each in deadlines(mild).values()} == {"Tue 2026-03-10 14:50"}
    reported(mild, cast, officer, clock, "follow_up", MONDAY + 6 * HOUR)
    assert owed(mild) == set()


def test_the_authority_that_was_told_is_told_of_the_voiding_from_when_the_sponsor_knows(
    cast, case, officer, clock
):
    first = reported(case, cast, officer, clock)
    sent(first, "authority", FRIDAY + 1.3 * HOUR, officer)
    clock(MONDAY)
    void(case, cast.nurse)
    assert "authority" in owed(case)  # further information is still owed
    follow_up = reported(case, cast, officer, clock, "follow_up", MONDAY + 2 * HOUR)
    found = deadlines(case)
    assert local(found["authority_grave"].since) == "Mon 2026-03-09 12:10"
    assert local(found["authority_grave"].due_at) == "Mon 2026-03-16 23:59"
    sent(follow_up, "authority", MONDAY + 2.3 * HOUR, officer)
    assert owed(case) == set()


def test_an_authority_that_knows_nothing_is_owed_the_report_until_the_officer_agrees(
    cast, case, officer, clock
):
    reported(case, cast, officer, clock)
    clock(MONDAY)
    untick(case, cast.nurse)
    assert "authority" in owed(case)
    assert local(deadlines(case)["authority_grave"].due_at) == "Sat 2026-03-14 23:59"
    agree(case, officer)
    assert "authority" not in owed(case)


def test_the_safety_officer_is_told_at_once_that_a_word_is_awaited(cast, mild, officer, run, sink):
    untick(mild, cast.nurse)
    run(FRIDAY + dt.timedelta(minutes=6))
    assert (officer.full_name, "agreement-0") in notices()
    assert cast.sub_investigator.full_name not in {who for who, _step in notices()}
    agree(mild, officer)
    run(FRIDAY + 13 * HOUR)
    assert {step for _who, step in notices()} == {"agreement-0"}


def test_the_officer_agrees_on_the_page_and_the_board_counts_what_waits(cast, mild, officer):
    untick(mild, cast.nurse)
    client = sign_in(officer)
    shown = client.get("/safety/?look=decide").context["page"].object_list
    assert [line.case.pk for line in shown] == [mild.pk]
    page = client.get(f"/safety/cases/{mild.pk}/")
    assert "The clocks run on until the safety officer agrees" in page.content.decode()
    version = page.context["forms"]["agree"]["version"].value()
    body = {"agree-version": version, "agree-reason": "Planned"}
    nurse = sign_in(cast.nurse)
    assert nurse.post(f"/safety/cases/{mild.pk}/agree/", body).status_code == 403
    done = client.post(f"/safety/cases/{mild.pk}/agree/", body, follow=True)
    assert "Planned" in done.content.decode()
    assert fresh(mild).closed_at is not None
