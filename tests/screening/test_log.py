"""The screening log: every person considered, each with one number and one outcome."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from screening.models import ScreeningEntry
from screening.models.log import Outcome, Reason
from screening.services.log import (
    EntryError,
    admit,
    close_entry,
    open_entry,
    reopen_entry,
    screen_fail,
    state_same_person,
    void_entry,
)
from tests.factories import as_person, make_entry, make_protocol, make_user
from trialsite.access.capabilities import Role
from trialsite.audit.models import Event
from trialsite.casebook.models import SubjectStatus
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import NotPermittedError, TransitionError
from trialsite.core.ids import is_valid

DAY = dt.timedelta(days=1)


@pytest.fixture
def today(cast) -> dt.date:
    return trial_today(cast.site.time_zone)


@pytest.fixture
def entry(cast, db) -> ScreeningEntry:
    make_protocol(cast.site, cast.other_site)
    return make_entry(cast.site, cast.nurse)


def test_numbers_are_gap_free_with_a_check_character_and_never_given_again(cast, entry):
    with as_person(cast.nurse):
        void_entry(entry=entry, reason="wrong ward list", by=cast.nurse)
    second, third = (make_entry(cast.site, cast.nurse) for _ in range(2))
    other = make_entry(cast.other_site, cast.stranger)
    numbers = [each.number for each in (entry, second, third, other)]
    assert [number[:-2] for number in numbers] == ["001-S001", "001-S002", "001-S003", "002-S001"]
    assert all(is_valid(number) for number in numbers)


def test_a_subject_comes_with_consent_under_the_entrys_number(cast, entry):
    with as_person(cast.nurse):
        subject = admit(entry=entry, by=cast.nurse)
        assert subject.screening_number == entry.number
        assert subject.status == SubjectStatus.SCREENING
        assert subject.visits.exists()
        assert ScreeningEntry.objects.get(pk=entry.pk).subject == subject
        with pytest.raises(TransitionError, match="already"):
            admit(entry=entry, by=cast.nurse)


def close(entry, by, today, outcome=Outcome.DECLINED, **said):
    with as_person(by):
        return close_entry(entry=entry, outcome=outcome, on=said.pop("on", today), by=by, **said)


def test_before_consent_a_screening_ends_in_three_ways(cast, entry, today):
    ends: dict[Outcome, dict[str, list[str]]] = {
        Outcome.DECLINED: {},
        Outcome.NOT_APPROACHED: {"reasons": [Reason.TRANSFERRED]},
        Outcome.NOT_ELIGIBLE: {"criteria": ["EX04", "IN03", "EX04"]},
    }
    for outcome, said in ends.items():
        closed = close(make_entry(cast.site, cast.nurse), cast.nurse, today, outcome, **said)
        assert (closed.outcome, closed.outcome_on, closed.subject_id) == (outcome, today, None)
    assert closed.criteria == ["EX04", "IN03"]


def test_a_screen_failure_keeps_every_criterion_and_reaches_the_casebook(cast, entry, today):
    with as_person(cast.nurse):
        subject = admit(entry=entry, by=cast.nurse)
        failed = screen_fail(
            entry=entry,
            on=today,
            criteria=["IN05", "EX04"],
            reasons=[Reason.INVESTIGATOR],
            by=cast.nurse,
        )
        subject.refresh_from_db()
    assert failed.outcome == Outcome.SCREEN_FAILED
    assert failed.criteria == ["EX04", "IN05"]
    assert failed.reasons == [Reason.INVESTIGATOR]
    assert subject.status == SubjectStatus.SCREEN_FAILED


def test_without_consent_a_failure_is_ineligibility_before_consent(cast, entry, today):
    with as_person(cast.nurse):
        failed = screen_fail(entry=entry, on=today, criteria=["IN01"], by=cast.nurse)
    assert failed.outcome == Outcome.NOT_ELIGIBLE


def test_withdrawing_before_enrolment_ends_the_subjects_part(cast, entry, today):
    with as_person(cast.nurse):
        subject = admit(entry=entry, by=cast.nurse)
    close(entry, cast.nurse, today, Outcome.WITHDREW)
    with as_person(cast.nurse):
        subject.refresh_from_db()
    assert subject.status == SubjectStatus.WITHDRAWN


@pytest.mark.parametrize(
    ("outcome", "said", "field"),
    [
        (Outcome.NOT_APPROACHED, {}, "reasons"),
        (Outcome.NOT_APPROACHED, {"reasons": ["bored"]}, "reasons"),
        (Outcome.NOT_ELIGIBLE, {"reasons": [Reason.DIED]}, "criteria"),
        (Outcome.NOT_ELIGIBLE, {"criteria": ["EX77"]}, "criteria"),
        (Outcome.DECLINED, {"criteria": ["EX01"]}, "criteria"),
        (Outcome.DECLINED, {"reasons": [Reason.OTHER], "comment": " "}, "comment"),
        (Outcome.DECLINED, {"comment": "x" * 501}, "comment"),
        (Outcome.SCREEN_FAILED, {"criteria": ["EX01"]}, "outcome"),
        (Outcome.ENROLLED, {}, "outcome"),
        (Outcome.OPEN, {}, "outcome"),
        ("lost", {}, "outcome"),
    ],
)
def test_an_end_that_does_not_fit_is_refused_beside_its_field(
    cast, entry, today, outcome, said, field
):
    with pytest.raises(EntryError) as refused:
        close(entry, cast.nurse, today, outcome, **said)
    assert field in refused.value.errors


@pytest.mark.parametrize(("days", "stands"), [(-1, False), (0, True), (1, False)])
def test_an_outcome_lies_between_first_contact_and_today(cast, entry, today, days, stands):
    day = today + days * DAY
    if stands:
        assert close(entry, cast.nurse, today, on=day).outcome_on == day
        return
    with pytest.raises(EntryError) as refused:
        close(entry, cast.nurse, today, on=day)
    assert list(refused.value.errors) == ["on"]


def test_a_first_contact_is_never_in_the_future(cast, entry, today):
    with pytest.raises(EntryError, match="not come yet"):
        make_entry(cast.site, cast.nurse, first_contact_on=today + DAY)


def test_after_consent_a_failure_needs_a_reason_and_nobody_is_declined(cast, entry, today):
    with as_person(cast.nurse):
        admit(entry=entry, by=cast.nurse)
    for outcome, field in ((Outcome.SCREEN_FAILED, "reasons"), (Outcome.DECLINED, "outcome")):
        with pytest.raises(EntryError) as refused:
            close(entry, cast.nurse, today, outcome)
        assert field in refused.value.errors


def test_a_closed_screening_goes_on_with_a_reason_and_its_end_stays_in_the_trail(
    cast, entry, today
):
    with as_person(cast.nurse):
        subject = admit(entry=entry, by=cast.nurse)
        screen_fail(entry=entry, on=today, criteria=["EX04"], by=cast.nurse)
        with pytest.raises(EntryError):
            reopen_entry(entry=entry, reason=" ", by=cast.nurse)
        again = reopen_entry(entry=entry, reason="INR was a typing error", by=cast.nurse)
        subject.refresh_from_db()
        events = Event.objects.filter(row_id=str(entry.pk), reason="INR was a typing error")
    assert (again.outcome, again.criteria, again.outcome_on) == (Outcome.OPEN, [], None)
    assert subject.status == SubjectStatus.SCREENING
    with as_person(cast.investigator):
        (event,) = events
        assert event.old is not None
        assert event.old["criteria"] == ["EX04"]


def test_screening_again_is_a_new_entry_that_points_to_the_closed_one(cast, entry, today):
    with pytest.raises(EntryError, match="ended"):
        make_entry(cast.site, cast.nurse, earlier=entry)
    close(entry, cast.nurse, today)
    second = make_entry(cast.site, cast.nurse, earlier=entry)
    assert (second.earlier_id, second.outcome) == (entry.pk, Outcome.OPEN)
    with as_person(cast.nurse), pytest.raises(TransitionError, match="later number"):
        reopen_entry(entry=entry, reason="after all", by=cast.nurse)


def test_likely_the_same_person_is_said_and_taken_back_and_merges_nothing(cast, entry):
    other = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        said = state_same_person(entry=other, other=entry, reason="same ward bed", by=cast.nurse)
        assert said.same_person_as == entry
        assert ScreeningEntry.objects.standing().count() == 2
        back = state_same_person(entry=other, other=None, reason="it was the twin", by=cast.nurse)
        assert back.same_person_as is None
        with pytest.raises(EntryError):
            state_same_person(entry=other, other=other, reason="x", by=cast.nurse)
        with pytest.raises(EntryError):
            state_same_person(entry=other, other=entry, reason=" ", by=cast.nurse)


def test_an_entry_in_error_is_voided_with_reason_and_only_before_consent(cast, entry):
    with as_person(cast.nurse):
        with pytest.raises(EntryError):
            void_entry(entry=entry, reason="", by=cast.nurse)
        voided = void_entry(entry=entry, reason="typed twice", by=cast.nurse)
        assert (voided.void_reason, voided.voided_at is not None) == ("typed twice", True)
        with pytest.raises(TransitionError, match="voided"):
            admit(entry=entry, by=cast.nurse)
    consented = make_entry(cast.site, cast.nurse)
    with as_person(cast.nurse):
        admit(entry=consented, by=cast.nurse)
        with pytest.raises(TransitionError, match="casebook"):
            void_entry(entry=consented, reason="x", by=cast.nurse)


def test_the_recruiter_keeps_the_log_and_admits_nobody(cast, entry, today):
    recruiter = make_user(Role.SITE_RECRUITER, cast.site)
    own = make_entry(cast.site, recruiter)
    with as_person(recruiter), pytest.raises(NotPermittedError):
        admit(entry=own, by=recruiter)
    assert close(own, recruiter, today).outcome == Outcome.DECLINED
    with as_person(cast.nurse):
        admit(entry=entry, by=cast.nurse)
    with pytest.raises(NotPermittedError):
        close(entry, recruiter, today, Outcome.WITHDREW)


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor", "stranger"])
def test_who_does_not_keep_this_sites_log_writes_nothing_into_it(cast, entry, who):
    by = getattr(cast, who)
    with as_person(by), pytest.raises(NotPermittedError):
        open_entry(site=cast.site, first_contact_on=dt.date(2026, 1, 1), source="ward", by=by)


STATES = [
    "outcome = 'declined'",
    "outcome_on = '2026-11-22'",
    "outcome = 'lost', outcome_on = '2026-11-22'",
    "outcome = 'declined', outcome_on = '2020-01-01'",
    "outcome = 'screen_failed', outcome_on = '2026-11-22', reasons = '{died}'",
    "outcome = 'not_eligible', outcome_on = '2026-11-22'",
    "outcome = 'not_approached', outcome_on = '2026-11-22'",
    "outcome = 'not_approached', outcome_on = '2026-11-22', reasons = '{bored}'",
    "outcome = 'declined', outcome_on = '2026-11-22', criteria = '{EX01}'",
    "outcome = 'declined', outcome_on = '2026-11-22', reasons = '{other}'",
    "reasons = '{died}'",
    "comment = 'x'",
    "voided_at = now()",
    "void_reason = 'x'",
    "source = 'street'",
    "earlier_id = id",
    "same_person_as_id = id",
]


@pytest.mark.parametrize("state", STATES)
def test_the_database_holds_the_states_of_an_entry(cast, entry, state):
    statement = f"UPDATE screening_screeningentry SET {state} WHERE id = '{entry.pk}'"
    refused = pytest.raises(IntegrityError, match="screening_entry_")
    with as_person(cast.nurse), refused, transaction.atomic():
        connection.cursor().execute(statement)


def test_a_voided_entry_stays_voided_whoever_asks(cast, entry):
    with as_person(cast.nurse):
        void_entry(entry=entry, reason="typed twice", by=cast.nurse)
        statement = "UPDATE screening_screeningentry SET voided_at = NULL, void_reason = ''"
        with pytest.raises(Exception, match="voiding is not undone"), transaction.atomic():
            connection.cursor().execute(statement)


def test_another_sites_log_is_invisible(cast, entry):
    with as_person(cast.stranger):
        assert not ScreeningEntry.objects.exists()
