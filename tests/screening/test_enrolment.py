"""Enrolment: only whom consent, decision, holds and target admit, and never one too many."""

from __future__ import annotations

import datetime as dt
import threading
from functools import partial

import psycopg
import pytest
from django.db import IntegrityError, connection, connections, transaction

from screening.models import Enrolment, ScreeningEntry, StudyEnrolment
from screening.models.log import Outcome
from screening.selectors.enrolment import enrolled_total, enrolment_state
from screening.services.enrolment import EnrolmentRefused, enrol_subject, void_enrolment
from screening.services.log import screen_fail
from tests.factories import (
    as_person,
    given,
    make_cast,
    make_entry,
    make_protocol,
    make_subject,
)
from tests.screening.conftest import entry_of, make_screened
from trialsite.audit.models import Event
from trialsite.casebook.models import LockState, SubjectStatus
from trialsite.casebook.services import set_day_zero
from trialsite.core.clock import trial_today
from trialsite.core.exceptions import DomainError, NotPermittedError, TransitionError


@pytest.fixture
def subject(cast):
    make_protocol(cast.site, cast.other_site)
    return make_screened(cast.site, cast.nurse)


def enrol(subject, by):
    with as_person(by):
        return enrol_subject(subject=subject, by=by)


def reasons(subject, by) -> list[str]:
    with as_person(by), pytest.raises(EnrolmentRefused) as refused:
        enrol_subject(subject=subject, by=by)
    return refused.value.reasons


def test_enrolment_gives_the_number_and_says_so_everywhere(cast, subject, said):
    enrolled = enrol(subject, cast.nurse)
    assert (enrolled.number, enrolled.status) == ("001-001", SubjectStatus.ENROLLED)
    entry = entry_of(subject)
    assert (entry.outcome, entry.outcome_on) == (Outcome.ENROLLED, trial_today("Asia/Shanghai"))
    with as_person(cast.investigator):
        (row,) = Enrolment.objects.all()
        assert (row.number, row.target, row.enrolled_by) == ("001-001", 10, cast.nurse)
        assert enrolled_total() == 1
        event = Event.objects.get(act="enrolled")
    assert event.subject_id == subject.pk
    assert event.new == {"number": "001-001", "place": 1, "target": 10}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("consented", False, "No consent is on file."),
        ("valid", False, "not valid"),
        ("reconsent_due", True, "consent again"),
        ("decided", False, "No investigator has signed"),
        ("eligible", False, "not eligible"),
        ("stands", False, "Data changed"),
        ("holds", ("Enrolment is held: SAE under review.",), "held"),
    ],
)
def test_each_missing_condition_refuses(cast, subject, said, field, value, says):
    setattr(said, field, value)
    (reason,) = reasons(subject, cast.nurse)
    assert says in reason
    assert entry_of(subject).outcome == Outcome.OPEN


def test_every_reason_is_said_at_once(cast, subject, said):
    said.consented, said.decided, said.holds = False, False, ("Held.", "Gate closed.")
    assert len(reasons(subject, cast.nurse)) == 4


def test_without_evidence_nobody_is_enrolled(cast, subject):
    said = reasons(subject, cast.nurse)
    assert "No consent is on file." in said
    assert "No investigator has signed a decision of eligibility." in said


def test_nobody_is_enrolled_twice_or_after_a_failure_or_from_a_locked_casebook(cast, subject, said):
    enrol(subject, cast.nurse)
    assert "not in screening" in reasons(subject, cast.nurse)[0]
    failed = make_screened(cast.site, cast.nurse)
    with as_person(cast.nurse):
        screen_fail(
            entry=entry_of(failed),
            on=trial_today("Asia/Shanghai"),
            criteria=["EX04"],
            by=cast.nurse,
        )
    assert "not in screening" in reasons(failed, cast.nurse)[0]
    locked = make_screened(cast.site, cast.nurse)
    given(type(locked).objects.filter(pk=locked.pk).update)(lock_state=LockState.LOCKED)
    assert reasons(locked, cast.nurse) == ["This casebook is locked."]


def test_a_subject_without_a_log_entry_is_not_enrolled(cast, said):
    with pytest.raises(TransitionError, match="screening log"):
        enrol(make_subject(cast.site), cast.nurse)


@pytest.mark.parametrize("who", ["monitor", "data_manager", "auditor", "stranger"])
def test_who_adds_no_subjects_enrols_nobody(cast, subject, said, who):
    with pytest.raises(NotPermittedError):
        enrol(subject, getattr(cast, who))


def test_the_target_of_the_version_in_force_counts_over_all_sites(
    cast, subject, said, protocol_for
):
    make_protocol(cast.site, cast.other_site, path=protocol_for(2, "2.0"))
    first = make_screened(cast.other_site, cast.stranger)
    second, third = (make_screened(cast.site, cast.nurse) for _ in range(2))
    assert enrol(first, cast.stranger).number == "002-001"
    assert enrol(second, cast.nurse).number == "001-001"
    (reason,) = reasons(third, cast.nurse)
    assert reason == "The target is reached: 2 of 2 are enrolled."
    make_protocol(cast.site, path=protocol_for(3, "3.0"))
    assert enrol(third, cast.nurse).number == "001-002"


def test_a_site_learns_total_target_and_state_but_nothing_else(cast, subject, said):
    enrol(subject, cast.nurse)
    said.holds = ("Enrolment is held.",)
    with as_person(cast.stranger):
        state = enrolment_state(cast.other_site)
        assert not Enrolment.objects.exists()
    assert (state.enrolled, state.target, state.places_left) == (1, 10, 9)
    assert (state.is_open, state.refusals) == (False, ("Enrolment is held.",))


def test_a_site_without_a_protocol_is_closed(cast, said):
    with as_person(cast.nurse):
        state = enrolment_state(cast.site)
    assert (state.is_open, state.target) == (False, None)


def test_an_enrolment_in_error_gives_the_place_back_and_not_the_number(cast, subject, said):
    enrol(subject, cast.nurse)
    with as_person(cast.investigator):
        back = void_enrolment(subject=subject, reason="wrong person", by=cast.investigator)
        assert (back.number, back.status) == (None, SubjectStatus.SCREENING)
        assert enrolled_total() == 0
        (row,) = Enrolment.objects.all()
        assert (row.number, row.void_reason) == ("001-001", "wrong person")
        assert Event.objects.get(act="enrolment_voided").reason == "wrong person"
    assert entry_of(subject).outcome == Outcome.OPEN
    assert enrol(subject, cast.nurse).number == "001-002"


def test_an_enrolment_is_taken_back_by_an_investigator_with_reason_before_day_zero(
    cast, subject, said
):
    enrol(subject, cast.nurse)
    with as_person(cast.nurse), pytest.raises(NotPermittedError):
        void_enrolment(subject=subject, reason="x", by=cast.nurse)
    with as_person(cast.investigator), pytest.raises(DomainError, match="error"):
        void_enrolment(subject=subject, reason=" ", by=cast.investigator)
    with as_person(cast.nurse):
        set_day_zero(subject=subject, day_zero=dt.date(2026, 11, 1), by=cast.nurse)
    with as_person(cast.investigator), pytest.raises(TransitionError, match="Day zero"):
        void_enrolment(subject=subject, reason="x", by=cast.investigator)
    assert given(enrolled_total)() == 1


def test_an_unenrolled_subject_has_no_enrolment_to_take_back(cast, subject, said):
    with as_person(cast.investigator), pytest.raises(TransitionError, match="not enrolled"):
        void_enrolment(subject=subject, reason="x", by=cast.investigator)


def test_the_database_itself_refuses_one_too_many(cast, subject, said, protocol_for):
    make_protocol(cast.site, path=protocol_for(1, "2.0"))
    enrol(subject, cast.nurse)
    other = make_screened(cast.site, cast.nurse)
    with as_person(cast.nurse):
        row = Enrolment.objects.get()
        refused = pytest.raises(IntegrityError, match="study_enrolment_within_target")
        with refused, transaction.atomic():
            Enrolment.objects.create(
                site=cast.site,
                subject=other,
                number="001-099",
                enrolled_at=row.enrolled_at,
                enrolled_on=row.enrolled_on,
                enrolled_by=cast.nurse,
                protocol_version=row.protocol_version,
                target=1,
            )


@pytest.mark.parametrize("pointer", ["earlier_id", "same_person_as_id"])
def test_an_entry_points_to_no_entry_of_another_site(cast, pointer):
    mine = make_entry(cast.site, cast.nurse).pk
    theirs = make_entry(cast.other_site, cast.stranger).pk
    point = f"UPDATE screening_screeningentry SET {pointer} = %s WHERE id = %s"
    with as_person(cast.nurse), pytest.raises(Exception) as refused, transaction.atomic():
        connection.cursor().execute(point, [theirs, mine])
    cause = refused.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.sqlstate == "TS020"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE screening_studyenrolment SET enrolled = 0",
        "INSERT INTO screening_studyenrolment (id, enrolled, target) VALUES (2, 0, 99)",
        "UPDATE screening_enrolment SET number = '001-999'",
        "UPDATE screening_enrolment SET target = 99",
        "DELETE FROM screening_enrolment",
        "UPDATE screening_screeningentry SET outcome = 'enrolled', outcome_on = '2026-11-22' "
        "WHERE outcome = 'open'",
        "UPDATE screening_screeningentry SET number = '001-S999-X'",
        "UPDATE screening_screeningentry SET outcome = 'open', outcome_on = NULL "
        "WHERE outcome = 'enrolled'",
    ],
)
def test_the_count_and_the_enrolments_are_not_rewritten_by_sql(cast, subject, said, statement):
    enrol(subject, cast.nurse)
    make_screened(cast.site, cast.nurse)
    with as_person(cast.nurse), pytest.raises(Exception) as refused, transaction.atomic():
        connection.cursor().execute(statement)
    cause = refused.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.sqlstate in {"42501", "TS003", "TS021"}


def test_fifty_enrolments_at_once_at_two_sites_fill_the_target_exactly(
    committed, said, protocol_for
):
    cast = make_cast()
    make_protocol(cast.site, cast.other_site, path=protocol_for(40, "2.0"))
    people = [(cast.site, cast.nurse), (cast.other_site, cast.stranger)]
    waiting = [(make_screened(site, by), by) for site, by in people for _ in range(25)]
    outcomes = at_once(*(partial(tried, subject, by) for subject, by in waiting))
    numbers = sorted(got for got in outcomes if isinstance(got, str))
    refused = [got for got in outcomes if not isinstance(got, str)]
    assert (len(numbers), len(refused)) == (40, 10)
    assert refused == [["The target is reached: 40 of 40 are enrolled."]] * 10
    for site in ("001", "002"):
        mine = [number for number in numbers if number.startswith(site)]
        assert mine == [f"{site}-{n:03d}" for n in range(1, len(mine) + 1)]
    with as_person(cast.investigator):
        assert Enrolment.objects.count() == StudyEnrolment.objects.get().enrolled == 40
        assert ScreeningEntry.objects.filter(outcome=Outcome.ENROLLED).count() == 40


def tried(subject, by) -> str | list[str]:
    try:
        return str(enrol(subject, by).number)
    except EnrolmentRefused as refused:
        return refused.reasons


def at_once(*acts):
    """Run these at the same moment, each on its own connection; their results in order."""
    results, start = [None] * len(acts), threading.Barrier(len(acts))

    def run(n, act):
        try:
            start.wait()
            results[n] = act()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
