"""The case of a serious adverse event follows its event, and its clocks are kept."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import ProgrammingError, connection

from outcomes.models import SaeCase, SaeDeadline, SaeReceipt
from outcomes.sae_clock import is_suspected
from outcomes.services.sae_cases import correct_awareness
from outcomes.services.sae_deadlines import owed_of
from outcomes.services.sae_decisions import (
    agree_easing,
    close_case,
    confirm_expedited,
    reopen_case,
)
from outcomes.services.sae_entry import SameEventError
from outcomes.services.sae_receipts import void_acknowledgement, void_receipt
from tests.factories import as_person, given, make_record, sign_in
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
from trialsite.casebook.models import CrfRecord
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError

HOUR = dt.timedelta(hours=1)
BEFORE = FRIDAY - dt.timedelta(hours=4)
SITE_CLOCK = {"sponsor", "institution", "ethics"}


@given
def deadlines(case: SaeCase, *, standing: bool = True) -> dict[str, SaeDeadline]:
    rows = SaeDeadline.objects.filter(case=case, replaced_at__isnull=standing)
    return {row.rule: row for row in rows}


@given
def fresh(case: SaeCase) -> SaeCase:
    return SaeCase.objects.get(pk=case.pk)


@given
def case_of(record: CrfRecord) -> SaeCase:
    return SaeCase.objects.get(record=record)


@given
def cases(record: CrfRecord) -> int:
    return SaeCase.objects.filter(record=record).count()


def test_a_serious_event_opens_one_case_however_often_it_is_saved(cast, subject):
    record = make_record(subject, form_oid="F.AE", repeat_key=1)
    save_event(record, cast.nurse, serious="false")
    assert cases(record) == 0
    save_event(record, cast.nurse, 1, serious="true", hospitalisation="true", reason="Longer stay")
    first = case_of(record)
    save_event(record, cast.nurse, 2, serious="true", hospitalisation="true", term="Sepsis",
               reason="More exact")  # fmt: skip
    assert case_of(record) == first
    assert not first.aware_said


def test_the_clock_of_an_event_whose_awareness_nobody_said_counts_from_the_entry(cast, subject):
    record = make_record(subject, form_oid="F.AE", repeat_key=1)
    save_event(record, cast.nurse, serious="true", life_threatening="true")
    case = case_of(record)
    assert case.aware_at == case.opened_at
    assert {each.since for each in deadlines(case).values()} == {case.opened_at}


def test_the_sites_reports_are_due_24_hours_after_awareness_across_midnight_and_a_weekend(case):
    found = deadlines(case)
    assert set(found) == SITE_CLOCK
    assert {local(each.due_at) for each in found.values()} == {"Sat 2026-03-07 23:50"}


def test_a_corrected_awareness_keeps_the_deadlines_that_stood_with_the_reason(cast, case):
    earlier = FRIDAY - dt.timedelta(hours=3)
    with as_person(cast.nurse):
        correct_awareness(
            case=case, aware_at=earlier.replace(tzinfo=None), reason="The ward called at 20:50",
            by=cast.nurse,
        )  # fmt: skip
    assert {local(each.due_at) for each in deadlines(case).values()} == {"Sat 2026-03-07 20:50"}
    before = deadlines(case, standing=False)
    assert {local(each.due_at) for each in before.values()} == {"Sat 2026-03-07 23:50"}
    assert {each.replace_reason for each in before.values()} == {"The ward called at 20:50"}
    assert fresh(case).clock_version == case.clock_version + 1


def test_a_correction_needs_a_reason_and_lies_not_in_the_future(cast, case):
    with as_person(cast.nurse), pytest.raises(DomainError, match="Say why"):
        correct_awareness(
            case=case, aware_at=BEFORE.replace(tzinfo=None), reason=" ", by=cast.nurse
        )
    with as_person(cast.nurse), pytest.raises(DomainError):
        correct_awareness(
            case=case,
            aware_at=(FRIDAY + dt.timedelta(days=3)).replace(tzinfo=None),
            reason="x",
            by=cast.nurse,
        )


def test_an_awareness_emptied_in_the_form_stops_no_clock(cast, case):
    record = event_of(case, cast.nurse).record
    save_event(record, cast.nurse, record.version, serious="true", life_threatening="true",
               complete="no")  # fmt: skip
    assert {local(each.due_at) for each in deadlines(case).values()} == {"Sat 2026-03-07 23:50"}
    assert fresh(case).aware_said


def test_the_sponsors_clock_begins_with_the_sending_until_the_receipt_says_when(
    cast, case, officer, clock
):
    saturday = FRIDAY + dt.timedelta(hours=10)
    clock(saturday)
    report = signed(case, cast.sub_investigator)
    clock(saturday + dt.timedelta(days=2))
    receipt = sent(report, "sponsor", saturday + dt.timedelta(minutes=20), cast.nurse)
    found = deadlines(case)
    assert local(found["authority_grave"].since) == "Sat 2026-03-07 10:10"
    assert local(found["authority_grave"].due_at) == "Sat 2026-03-14 23:59"
    received(receipt, saturday + dt.timedelta(days=1), officer)
    found = deadlines(case)
    assert local(found["authority_grave"].since) == "Sun 2026-03-08 09:50"
    assert local(found["authority_grave"].due_at) == "Sun 2026-03-15 23:59"
    before = deadlines(case, standing=False)["authority_grave"]
    assert before.replace_reason == "The sponsor received the report"


def test_the_sponsors_days_are_calendar_days_across_the_weekend(cast, case, officer, clock):
    saturday = FRIDAY + dt.timedelta(hours=10)
    clock(saturday)
    report = signed(case, cast.sub_investigator)
    clock(saturday + dt.timedelta(minutes=30))
    receipt = sent(report, "sponsor", saturday + dt.timedelta(minutes=20), cast.nurse)
    received(receipt, saturday + dt.timedelta(minutes=25), officer)
    found = deadlines(case)
    assert local(found["authority_grave"].due_at) == "Sat 2026-03-14 23:59"
    assert local(found["authority_grave_follow_up"].due_at) == "Sun 2026-03-22 23:59"
    assert "authority_other" not in found


def test_the_sponsors_clock_follows_the_judgement_and_says_what_it_replaced(
    cast, case, officer, clock
):
    clock(FRIDAY + dt.timedelta(hours=1))
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + dt.timedelta(hours=2))
    receipt = sent(report, "sponsor", FRIDAY + dt.timedelta(minutes=70), cast.nurse)
    received(receipt, FRIDAY + dt.timedelta(minutes=75), officer)
    doctor = cast.sub_investigator
    record = event_of(case, doctor).record
    save_event(record, doctor, record.version, serious="true", hospitalisation="true",
               aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
               ended_on="2026-03-06", reason="Never in danger")  # fmt: skip
    found = deadlines(case)
    assert local(found["authority_other"].due_at) == "Sun 2026-03-22 23:59"
    assert "authority_grave" not in found
    assert deadlines(case, standing=False)["authority_grave"].replace_reason == "Never in danger"
    save_event(record, doctor, record.version + 1, serious="true", hospitalisation="true",
               aware_at="2026-03-06T23:50", started_on="2026-03-06", started_time="22:30",
               ended_on="2026-03-06", **dict.fromkeys(UNJUDGED, "NOT RELATED"),
               reason="Line")  # fmt: skip
    assert set(deadlines(case)) == SITE_CLOCK


def test_a_deadline_cannot_be_changed_in_the_database(cast, case):
    with as_person(cast.nurse), pytest.raises(Exception, match="replaced, never changed"):
        SaeDeadline.objects.filter(case=case).update(due_at=FRIDAY + dt.timedelta(days=9))


def test_the_same_event_is_asked_about_before_it_is_entered_twice(cast, subject, case):
    with pytest.raises(SameEventError) as asked:
        first_word(subject, cast.nurse, term="  septic SHOCK ")
    assert [event.pk for event in asked.value.found] == [case.record_id]
    with pytest.raises(SameEventError):
        first_word(subject, cast.nurse, term="Collapse")
    other = first_word(subject, cast.nurse, term="Collapse", another=True)
    assert other.record_id != case.record_id


def test_an_event_of_a_complication_is_that_of_the_complication(cast, subject, complication, clock):
    clock(FRIDAY + dt.timedelta(minutes=5))
    case = first_word(subject, cast.nurse, complication=complication)
    later = (FRIDAY + dt.timedelta(hours=19)).replace(tzinfo=None)
    clock(FRIDAY + dt.timedelta(hours=19, minutes=5))
    said = {"aware_at": later, "reporter": "Dr Late", "term": "Something else"}
    again = first_word(subject, cast.nurse, complication=complication, **said)
    assert case.pk == again.pk
    # Who reports it a second time begins no second clock, and overwrites nobody's word.
    assert (again.aware_at, again.reporter) == (case.aware_at, "Dr Wei, ICU")
    assert event_of(case, cast.nurse).term != "Something else"
    assert event_of(case, cast.nurse).description == "SBP 70, fluids"


def test_what_a_second_reporter_suspects_is_kept_and_counts_beside_the_first(
    cast, subject, complication, clock
):
    clock(FRIDAY + dt.timedelta(minutes=5))
    case = first_word(subject, cast.nurse, complication=complication, suspected="disease")
    said = {"reporter": "Dr Late", "suspected": "circuit", "term": "Circuit clotted"}
    first_word(subject, cast.sub_investigator, complication=complication, **said)
    with as_person(cast.nurse):
        now = SaeCase.objects.get(pk=case.pk)
        [word] = now.further_words.all()
        assert (word.reporter, word.suspected, word.term) == (
            "Dr Late",
            "circuit",
            "Circuit clotted",
        )
        assert word.said_by_id == cast.sub_investigator.pk
        assert (now.reporter, now.suspected) == ("Dr Wei, ICU", "disease")
        assert is_suspected(event_of(case, cast.nurse), now)
    # Whoever presses the button twice says nothing new.
    first_word(subject, cast.sub_investigator, complication=complication, **said)
    with as_person(cast.nurse):
        assert fresh(case).further_words.count() == 1
    page = sign_in(cast.nurse).get(f"/safety/cases/{case.pk}/").content.decode()
    assert "Dr Late" in page
    assert "Circuit clotted" in page


def test_a_second_reporter_who_knew_before_lays_the_clock_earlier(
    cast, subject, complication, clock
):
    clock(FRIDAY + dt.timedelta(minutes=5))
    case = first_word(subject, cast.nurse, complication=complication)
    earlier = (FRIDAY - HOUR).replace(tzinfo=None)
    first_word(subject, cast.nurse, complication=complication, aware_at=earlier)
    assert {local(each.since) for each in deadlines(case).values()} == {"Fri 2026-03-06 22:50"}


@pytest.mark.parametrize("change", ["UPDATE outcomes_furtherword SET suspected = 'disease'",
                                    "DELETE FROM outcomes_furtherword"])  # fmt: skip
def test_a_second_word_stays_what_it_was(cast, subject, complication, clock, change):
    clock(FRIDAY + dt.timedelta(minutes=5))
    first_word(subject, cast.nurse, complication=complication, suspected="disease")
    first_word(subject, cast.nurse, complication=complication, reporter="Dr Late")
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        as_person(cast.nurse),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


def test_a_follow_up_that_nobody_was_sent_is_no_follow_up_yet(cast, mild, officer, clock):
    reported(mild, cast, officer, clock)

    def state() -> tuple[str, str]:
        line = sign_in(officer).get(f"/safety/cases/{mild.pk}/").context["line"]
        return line.state, line.state_word

    assert state() == ("acknowledged", "Acknowledged")
    clock(FRIDAY + 3 * HOUR)
    further = signed(mild, cast.sub_investigator, "follow_up")
    assert state() == ("acknowledged", "Acknowledged")
    clock(FRIDAY + 4 * HOUR)
    sent(further, "ethics", FRIDAY + 3.5 * HOUR, cast.nurse)
    assert state() == ("followed_up", "Follow-up 1")
    say(mild, cast.nurse, **DEAD)
    # Of the upgrade nobody has been told: that report is still to be made.
    assert state()[0] == "draft"


def test_the_monitor_reports_nothing_and_the_nurse_confirms_nothing(cast, subject, case):
    with pytest.raises(NotPermittedError):
        first_word(subject, cast.monitor)
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        confirm_expedited(case=case, expedited="susar", reason="x", by=cast.nurse)
    with as_person(cast.sub_investigator), pytest.raises(NotPermittedError):
        close_case(case=case, reason="x", by=cast.sub_investigator)


def test_nothing_is_confirmed_before_the_site_has_judged(cast, case, officer):
    with as_person(officer), pytest.raises(TransitionError, match="not yet judged"):
        confirm_expedited(case=case, expedited="uade", reason="x", by=officer)


def test_a_case_closes_only_when_every_recipient_has_its_report(cast, case, officer, clock):
    with as_person(officer), pytest.raises(TransitionError, match="every recipient"):
        close_case(case=case, reason="Nothing more", by=officer)
    clock(FRIDAY + dt.timedelta(hours=1))
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + dt.timedelta(hours=2))
    receipts = {to: sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse) for to in SITE_CLOCK}
    with as_person(officer), pytest.raises(TransitionError, match="every recipient"):
        close_case(case=case, reason="Nothing more", by=officer)
    sent(report, "authority", FRIDAY + 1.5 * HOUR, officer)
    clock(FRIDAY + dt.timedelta(hours=3))
    further = signed(case, cast.sub_investigator, "follow_up")
    clock(FRIDAY + dt.timedelta(hours=4))
    sent(further, "authority", FRIDAY + 3.5 * HOUR, officer)
    with as_person(officer), pytest.raises(TransitionError, match="sponsor’s receipt"):
        close_case(case=case, reason="Nothing more", by=officer)
    received(receipts["sponsor"], FRIDAY + 1.6 * HOUR, officer)
    with as_person(officer):
        assert close_case(case=case, reason="Nothing more", by=officer).closed_at
        assert reopen_case(case=case, reason="Relapse", by=officer).closed_at is None


def reported(case, cast, officer, clock, kind="initial", at=FRIDAY + dt.timedelta(hours=1)):
    """One report, signed at this moment, sent to the site's recipients and received."""
    clock(at)
    report = signed(case, cast.sub_investigator, kind)
    clock(at + dt.timedelta(minutes=30))
    for to in sorted(SITE_CLOCK):
        receipt = sent(report, to, at + dt.timedelta(minutes=10), cast.nurse)
        received(receipt, at + dt.timedelta(minutes=20), officer)
    return report


def say(case, by, **texts):
    """The event's form, saved anew: known since Friday, in hospital for longer."""
    record = event_of(case, by).record
    said = {
        "serious": "true", "hospitalisation": "true", "aware_at": "2026-03-06T23:50",
        "started_on": "2026-03-06", "started_time": "22:30", "ended_on": "2026-03-06",
        "related_circuit": "NOT RELATED", "reason": "Known since",
    }  # fmt: skip
    save_event(record, by, record.version, **said | texts)


@pytest.fixture
def mild(cast, subject, clock) -> SaeCase:
    """An event that keeps in hospital and that nobody lays to the treatment."""
    clock(FRIDAY + dt.timedelta(minutes=5))
    return first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")


DEAD = {"results_in_death": "true", "outcome": "FATAL", "grade": "5"}


def test_a_closed_case_opens_again_when_the_event_turns_fatal_and_is_reported_further(
    cast, mild, officer, clock
):
    reported(mild, cast, officer, clock)
    reported(mild, cast, officer, clock, "final", FRIDAY + dt.timedelta(hours=5))
    with as_person(officer):
        close_case(case=mild, reason="Nothing more", by=officer)
    clock(FRIDAY + dt.timedelta(days=2))
    say(mild, cast.nurse, **DEAD, related_circuit="PROBABLE")
    assert "authority_grave" in deadlines(mild)
    assert fresh(mild).closed_at is None
    assert signed(mild, cast.sub_investigator, "follow_up").number == 2
    with pytest.raises(TransitionError, match="final report is signed already"):
        signed(mild, cast.sub_investigator, "final")


def test_a_closed_case_stays_closed_when_what_is_corrected_asks_for_no_report(
    cast, mild, officer, clock
):
    reported(mild, cast, officer, clock)
    with as_person(officer):
        close_case(case=mild, reason="Nothing more", by=officer)
    say(mild, cast.nurse, aware_at="2026-03-06T23:40")
    assert {local(each.since) for each in deadlines(mild).values()} == {"Fri 2026-03-06 23:40"}
    assert fresh(mild).close_reason == "Nothing more"


def test_what_turns_fatal_after_the_first_report_is_reported_anew_within_its_own_time(
    cast, mild, officer, clock
):
    first = reported(mild, cast, officer, clock)
    sent(first, "authority", FRIDAY + dt.timedelta(minutes=80), officer)
    known = FRIDAY + dt.timedelta(days=3)
    clock(known)
    say(mild, cast.nurse, **DEAD, related_circuit="PROBABLE")
    found = deadlines(mild)
    assert {local(found[to].due_at) for to in SITE_CLOCK} == {"Tue 2026-03-10 23:50"}
    assert local(found["authority_grave"].due_at) == "Mon 2026-03-16 23:59"
    assert {each.rule for each in given(owed_of)(mild)} == set(found)
    second = reported(mild, cast, officer, clock, "follow_up", known + dt.timedelta(hours=2))
    found = deadlines(mild)
    assert local(found["authority_grave"].due_at) == "Tue 2026-03-17 23:59"
    assert {each.recipient for each in given(owed_of)(mild)} == {"authority"}
    sent(second, "authority", known + dt.timedelta(hours=2, minutes=20), officer)
    assert "authority_grave" not in {each.rule for each in given(owed_of)(mild)}


UNJUDGED = {"related_cells": "", "related_circuit": "", "related_anticoagulant": ""}


@pytest.mark.parametrize(
    ("suspected", "judged", "suspect"),
    [
        ("circuit", {"related_anticoagulant": "NOT RELATED"}, True),
        ("circuit", {"related_anticoagulant": "POSSIBLE"}, True),
        ("circuit", {"related_anticoagulant": "POSSIBLE", "expectedness": "EXPECTED"}, True),
        (
            "circuit",
            {
                "related_anticoagulant": "POSSIBLE",
                "related_circuit": "NOT RELATED",
                "related_cells": "NOT RELATED",
                "expectedness": "NOT_ASSESSED",
            },
            True,
        ),
        ("unknown", {"results_in_death": "true", "outcome": "FATAL"}, True),
        ("unknown", {"grade": "5"}, True),
        ("unknown", {}, False),
        ("disease", {"grade": "5"}, False),
        ("circuit", dict.fromkeys(UNJUDGED, "NOT RELATED"), False),
    ],
)
def test_a_suspicion_counts_until_every_cause_is_judged(
    cast, subject, clock, suspected, judged, suspect
):
    clock(FRIDAY + dt.timedelta(minutes=5))
    case = first_word(subject, cast.nurse, criterion="hospitalisation", suspected=suspected)
    say(case, cast.nurse, **UNJUDGED | judged, complete="no")
    with as_person(cast.nurse):
        assert is_suspected(event_of(case, cast.nurse), fresh(case)) is suspect


def test_further_information_is_another_report_than_the_first_the_authority_was_sent(
    cast, case, officer, clock
):
    reported(case, cast, officer, clock)
    second = reported(case, cast, officer, clock, "follow_up", FRIDAY + dt.timedelta(hours=3))
    sent(second, "authority", FRIDAY + dt.timedelta(hours=3, minutes=20), officer)
    assert [each.rule for each in given(owed_of)(case)] == ["authority_grave_follow_up"]
    third = reported(case, cast, officer, clock, "follow_up", FRIDAY + dt.timedelta(hours=5))
    sent(third, "authority", FRIDAY + dt.timedelta(hours=5, minutes=20), officer)
    assert given(owed_of)(case) == []


def test_an_awareness_corrected_to_after_the_first_signature_makes_nothing_owed_again(
    cast, mild, officer, clock
):
    reported(mild, cast, officer, clock)
    clock(FRIDAY + 5 * HOUR)
    say(mild, cast.nurse, aware_at="2026-03-07T03:00")
    assert {local(each.since) for each in deadlines(mild).values()} == {"Sat 2026-03-07 03:00"}
    assert given(owed_of)(mild) == []


def test_voiding_a_sending_opens_a_closed_case_again(cast, mild, officer, clock):
    reported(mild, cast, officer, clock)
    with as_person(officer):
        close_case(case=mild, reason="Nothing more", by=officer)
        ethics = SaeReceipt.objects.get(recipient="ethics")
        void_acknowledgement(receipt=ethics, reason="Another case's", by=officer)
        void_receipt(receipt=ethics, reason="x", by=officer)
    assert fresh(mild).closed_at is None
    assert [each.recipient for each in given(owed_of)(mild)] == ["ethics"]


def test_voiding_what_the_sponsor_was_sent_ends_the_sponsors_clock_when_that_is_agreed(
    cast, case, officer, clock
):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    receipt = sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse)
    assert "authority_grave" in deadlines(case)
    with as_person(cast.nurse):
        void_receipt(receipt=receipt, reason="Wrong address", by=cast.nurse)
    assert "authority_grave" in deadlines(case)
    with as_person(officer):
        agree_easing(case=case, reason="It never arrived", by=officer)
    assert set(deadlines(case)) == SITE_CLOCK
