"""Owed reports are reminded of at the protocol's hours, whatever the night, and stop when sent."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from outcomes.sae_notices import plan
from outcomes.services.deputies import name_deputy
from outcomes.services.sae_cases import correct_awareness
from tests.factories import as_person, given, make_subject
from tests.outcomes.conftest import save_death
from tests.outcomes.sae.conftest import FRIDAY, first_word, received, sent, signed
from tests.outcomes.sae.test_cases import DEAD, say
from trialsite.access.models import User
from trialsite.core.exceptions import DomainError, NotPermittedError
from trialsite.notify.models import Lane, Notice, State

HOUR = dt.timedelta(hours=1)
KIND = "sae-report"


@given
def notices(state=None) -> list[tuple[str, str]]:
    """Who was told what, in time: the reader and the step."""
    rows = Notice.objects.filter(kind=KIND).select_related("recipient").order_by("due_at", "pk")
    if state is not None:
        rows = rows.filter(state=state)
    return [
        (row.recipient.full_name if row.recipient else "nobody", row.dedupe_key.split(":")[2])
        for row in rows
    ]


@pytest.fixture
def told(cast, officer, sink):
    """The names, short."""
    return {
        "sub": cast.sub_investigator.full_name,
        "pi": cast.investigator.full_name,
        "officer": officer.full_name,
        "nurse": cast.nurse.full_name,
    }


def test_the_investigator_is_reminded_after_12_hours_and_the_study_after_20(case, told, run):
    run(FRIDAY + 11.9 * HOUR)
    assert notices() == []
    run(FRIDAY + 12 * HOUR)
    assert notices() == [(told["sub"], "h12")]
    run(FRIDAY + 20 * HOUR)
    assert {(told["sub"], "h20"), (told["pi"], "h20"), (told["officer"], "h20")} <= set(notices())
    run(FRIDAY + 24 * HOUR)
    assert {step for _who, step in notices(State.SENT)} == {"h12", "h20", "h24"}


def test_a_reminder_leaves_at_night_in_quiet_hours_and_in_no_digest(case, told, run):
    # 20 hours after Friday 23:50 is Saturday 19:50; 24 hours are 23:50, when sites are quiet.
    run(FRIDAY + 24 * HOUR)
    assert (told["sub"], "h24") in notices(State.SENT)
    lanes = given(lambda: set(Notice.objects.filter(kind=KIND).values_list("lane", flat=True)))()
    assert lanes == {Lane.URGENT}


def test_whoever_comes_late_hears_the_last_word_once(case, told, run):
    run(FRIDAY + 23 * HOUR)
    assert {step for _who, step in notices()} == {"h20"}


def test_nothing_is_said_once_every_recipient_has_the_report(cast, case, told, run, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    for to in ("sponsor", "institution"):
        sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse)
    run(FRIDAY + 12 * HOUR)
    assert notices() == [(told["sub"], "h12")]
    sent(report, "ethics", FRIDAY + 12 * HOUR, cast.nurse)
    run(FRIDAY + 24 * HOUR)
    assert notices() == [(told["sub"], "h12")]


def test_the_mail_names_the_recipients_still_owed_and_nothing_of_the_event(
    cast, case, told, run, clock, sink
):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse)
    run(FRIDAY + 12 * HOUR)
    [mail] = sink.arrived
    text = mail.get_body().get_content()
    assert "Ethics committee: by 2026-03-07 23:50" in text
    assert "Sponsor:" not in text
    assert "shock" not in text


def test_a_death_does_not_end_the_reminders(cast, subject, case, told, run):
    save_death(subject, cast.nurse, died_on="2026-03-06")
    run(FRIDAY + 20 * HOUR)
    assert (told["officer"], "h20") in notices(State.SENT)


def test_a_deputy_is_reminded_on_the_days_named_and_hears_nothing_after(cast, case, told, run):
    with as_person(cast.sub_investigator):
        name_deputy(
            site=cast.site, person=cast.sub_investigator, deputy=cast.nurse,
            first_day=dt.date(2026, 3, 7), last_day=dt.date(2026, 3, 7),
            by=cast.sub_investigator,
        )  # fmt: skip
    run(FRIDAY + 12 * HOUR)
    assert set(notices()) == {(told["sub"], "h12"), (told["nurse"], "h12")}
    run(FRIDAY + 24.2 * HOUR)
    assert (told["nurse"], "h24") not in notices()


@pytest.mark.parametrize("who", ["stranger", "monitor"])
def test_only_who_may_report_there_is_a_deputy(cast, case, who):
    with as_person(cast.sub_investigator), pytest.raises(DomainError, match="may report"):
        name_deputy(
            site=cast.site, person=cast.sub_investigator, deputy=getattr(cast, who),
            first_day=dt.date(2026, 3, 7), last_day=dt.date(2026, 3, 8),
            by=cast.sub_investigator,
        )  # fmt: skip
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        name_deputy(
            site=cast.site, person=cast.sub_investigator, deputy=cast.nurse,
            first_day=dt.date(2026, 3, 7), last_day=dt.date(2026, 3, 8), by=cast.nurse,
        )  # fmt: skip


def test_a_corrected_awareness_is_reminded_of_anew(cast, case, told, run):
    run(FRIDAY + 12 * HOUR)
    with as_person(cast.nurse):
        correct_awareness(
            case=case, aware_at=(FRIDAY - 8 * HOUR).replace(tzinfo=None), reason="Ward log",
            by=cast.nurse,
        )  # fmt: skip
    run(FRIDAY + 12.1 * HOUR)
    assert (told["officer"], "h20") in notices(State.SENT)


def test_the_sponsors_days_are_the_safety_officers(cast, case, officer, told, run, clock):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    for to in ("sponsor", "institution", "ethics"):
        receipt = sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse)
        received(receipt, FRIDAY + 1.6 * HOUR, officer)
    run(FRIDAY + 6.1 * 24 * HOUR)
    assert {step for _who, step in notices()} == {"authority_grave-2"}
    run(FRIDAY + 7.1 * 24 * HOUR)
    assert (told["officer"], "authority_grave-1") in notices(State.SENT)
    assert told["sub"] not in {who for who, _step in notices()}
    sent(report, "authority", FRIDAY + 7.1 * 24 * HOUR, officer)
    run(FRIDAY + 8.1 * 24 * HOUR)
    assert "authority_grave-0" not in {step for _who, step in notices()}


def test_a_clock_that_proves_to_begin_later_is_reminded_of_anew(
    cast, case, officer, told, run, clock
):
    """The sponsor had the report on Sunday, not when it was sent: their days are others."""
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    receipt = sent(report, "sponsor", FRIDAY + 1.5 * HOUR, cast.nurse)
    run(FRIDAY + 6.1 * 24 * HOUR)
    assert notices().count((told["officer"], "authority_grave-2")) == 1
    clock(FRIDAY + 6.2 * 24 * HOUR)
    received(receipt, FRIDAY + 36 * HOUR, officer)
    run(FRIDAY + 7.1 * 24 * HOUR)
    assert notices().count((told["officer"], "authority_grave-2")) == 2


def test_what_is_still_owed_after_the_last_hour_is_reminded_of_every_day(case, told, run):
    run(FRIDAY + 24 * HOUR)
    run(FRIDAY + 47.9 * HOUR)
    assert "h48" not in {step for _who, step in notices()}
    run(FRIDAY + 48.1 * HOUR)
    run(FRIDAY + 72.1 * HOUR)
    assert {(told["sub"], "h48"), (told["officer"], "h72")} <= set(notices(State.SENT))


def test_a_report_to_the_authority_that_is_late_is_reminded_of_every_day(
    cast, case, officer, told, run, clock
):
    clock(FRIDAY + HOUR)
    report = signed(case, cast.sub_investigator)
    clock(FRIDAY + 2 * HOUR)
    for to in ("sponsor", "institution", "ethics"):
        sent(report, to, FRIDAY + 1.5 * HOUR, cast.nurse)
    run(FRIDAY + 8.1 * 24 * HOUR)
    run(FRIDAY + 9.1 * 24 * HOUR)
    steps = {step for _who, step in notices(State.SENT)}
    assert {"authority_grave-0", "authority_grave+1"} <= steps


def test_an_upgrade_is_reminded_of_at_its_own_hours_beside_what_is_long_overdue(
    cast, subject, told, officer, run, clock
):
    clock(FRIDAY + dt.timedelta(minutes=5))
    mild = first_word(subject, cast.nurse, criterion="hospitalisation", suspected="disease")
    clock(FRIDAY + HOUR)
    sent(signed(mild, cast.sub_investigator), "sponsor", FRIDAY + HOUR, cast.nurse)
    # Institution and ethics committee are forgotten; on Monday at 09:50 it turns fatal.
    upgraded = FRIDAY + 58 * HOUR
    run(upgraded - HOUR)
    clock(upgraded)
    say(mild, cast.nurse, **DEAD)
    before = set(notices(State.SENT))
    run(upgraded + 12.1 * HOUR)
    assert (told["sub"], "h12") in set(notices(State.SENT)) - before


def test_what_is_owed_is_read_with_as_many_questions_however_many_cases(
    cast, subject, case, told, clock
):
    def asked() -> int:
        with as_person(officer_of(told)), CaptureQueriesContext(connection) as seen:
            plan(FRIDAY + 13 * HOUR)
        return len(seen)

    few = asked()
    for number in range(4):
        other = first_word(make_subject(cast.site, number=f"001-03{number}"), cast.nurse)
        clock(FRIDAY + HOUR)
        sent(signed(other, cast.sub_investigator), "sponsor", FRIDAY + HOUR, cast.nurse)
    assert asked() == few


@given
def officer_of(told):
    return User.objects.get(full_name=told["officer"])
