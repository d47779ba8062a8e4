"""The life of a session: planned, started, ended, corrected, completed, voided."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from screening.models.consent import Scope as Withdrawn
from tests.factories import as_person, given, make_site, make_user
from tests.screening.consenting import make_document, wall, withdraw
from tests.visits.treating import (
    answered,
    end,
    ended,
    entered,
    fresh,
    planned,
    prepared,
    read,
    running,
    start,
    treatable,
)
from trialsite.access.capabilities import Role
from trialsite.casebook.models import CrfRecord, RecordStatus, Visit, VisitStatus
from trialsite.casebook.services import void_record
from trialsite.conduct.models import Deviation
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.core.guards import APP
from trialsite.crf.services import IncompleteError, ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from trialsite.labs.models import PurificationInterval
from trialsite.review.models import Query
from visits.models import Interruption, TreatmentSession
from visits.models.session_codes import State
from visits.selectors.sessions import minutes_of
from visits.services.sessions import (
    SessionPlanned,
    SessionRefusedError,
    Times,
    cells_off,
    cells_on,
    change_plan,
    complete_session,
    correct_times,
    plan_session,
    void_session,
)


@pytest.fixture
def subject(cast):
    return treatable(cast)


def stored(session: TreatmentSession) -> TreatmentSession:
    found = given(TreatmentSession.objects.select_related("record", "subject__site", "site").get)
    return found(pk=session.pk)


def visit_of(session: TreatmentSession) -> Visit:
    found = given(lambda: stored(session).record.visit)()
    assert found is not None
    return found


def purification(session: TreatmentSession) -> list[tuple[dt.datetime, dt.datetime | None]]:
    rows = PurificationInterval.objects.filter(origin=session.pk, voided_at=None)
    return given(lambda: list(rows.values_list("started_at", "ended_at")))()


def proposed(subject) -> list[str]:
    rows = Deviation.objects.filter(subject=subject).order_by("kind")
    return given(lambda: list(rows.values_list("kind", flat=True)))()


def test_planning_makes_a_visit_of_its_own_with_the_forms_of_a_session(cast, subject):
    session = planned(cast, subject)
    visit = visit_of(session)
    forms = given(lambda: sorted(visit.records.values_list("form_oid", flat=True)))()
    assert forms == ["F.TX", "F.TXE", "F.TXP", "F.VS"]
    assert (session.number, session.state) == (1, State.PREPARED)
    assert stored(session).record.status == RecordStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"modality": []}, "modality"),
        ({"modality": ["SPELL"]}, "modality"),
        ({"modality": ["PE"], "no_cells_reason": " "}, "no_cells_reason"),
        ({"modality": ["REACTOR", "OTHER"]}, "modality_other"),
        ({"planned_minutes": 0}, "planned_minutes"),
    ],
)
def test_a_plan_that_cannot_stand_says_so_at_its_field(cast, subject, changes, field):
    said = {"planned_minutes": 360, "modality": ["REACTOR"]} | changes
    with as_person(cast.nurse), pytest.raises(ImpossibleError) as refused:
        plan_session(subject=subject, by=cast.nurse, **said)
    assert list(refused.value.errors) == [field]
    assert given(TreatmentSession.objects.filter(subject=subject).count)() == 0


def test_who_enters_no_data_plans_and_starts_nothing(cast, subject):
    with as_person(cast.monitor), pytest.raises(NotPermittedError):
        plan_session(subject=subject, by=cast.monitor, planned_minutes=360, modality=["REACTOR"])
    session = prepared(cast, subject)
    with pytest.raises(NotPermittedError):
        start(cast, session, wall(subject.site, hours=-1), by=cast.monitor)


def test_a_session_runs_from_start_to_end_and_everything_follows(cast, subject):
    site = subject.site
    session = running(cast, subject, hours=-6)
    assert stored(session).state is State.RUNNING
    assert purification(session) == [(wall(site, hours=-6), None)]
    with as_person(cast.nurse):
        session = cells_on(session=session, at=wall(site, hours=-5.5), by=cast.nurse)
        session = cells_off(session=session, at=wall(site, hours=-1), by=cast.nurse)
    session = end(cast, session, wall(site), by=cast.nurse)
    assert stored(session).state is State.ENDED
    assert purification(session) == [(wall(site, hours=-6), wall(site))]
    visit = visit_of(session)
    assert (visit.status, visit.attended_on) == (VisitStatus.ATTENDED, wall(site, hours=-6).date())
    assert proposed(subject) == []


def test_the_minutes_of_a_session_leave_out_its_interruptions(cast, subject):
    site = subject.site
    session = ended(cast, subject, hours=-7, lasting=6)
    for off, on in ((-6, -5.75), (-5.8, -5.5), (-2, -1.5)):
        texts = {
            "off_at": wall(site, hours=off).isoformat(timespec="minutes"),
            "on_at": wall(site, hours=on).isoformat(timespec="minutes"),
            "reason": "ALARM",
        }
        read(session, cast.nurse, texts, group=Interruption)
    with as_person(cast.nurse):
        found = minutes_of(stored(session))
    assert [found.circuit, found.effective, found.contact] == [360, 300, None]


def test_cells_that_are_on_come_off_with_the_circuit(cast, subject):
    session = running(cast, subject, hours=-3, minutes=180)
    with as_person(cast.nurse):
        session = cells_on(session=session, at=wall(subject.site, hours=-2), by=cast.nurse)
    session = end(cast, session, wall(subject.site))
    assert stored(session).cells_off_at == wall(subject.site)


@pytest.mark.parametrize(
    ("on", "off", "over", "field"),
    [
        (-5, None, None, "cells_on_at"),
        (-3, -3.5, None, "cells_off_at"),
        (-3, -2, -2.5, "cells_off_at"),
        (None, None, -5, "ended_at"),
        (1, None, None, "cells_on_at"),
        (None, None, 1, "ended_at"),
    ],
)
def test_times_out_of_order_and_times_to_come_are_refused_at_their_field(
    cast, subject, on, off, over, field
):
    running_one, site = running(cast, subject, hours=-4), subject.site

    def course() -> None:
        session = stored(running_one)
        if on is not None:
            session = cells_on(session=session, at=wall(site, hours=on), by=cast.nurse)
        if off is not None:
            session = cells_off(session=session, at=wall(site, hours=off), by=cast.nurse)
        if over is not None:
            end(cast, session, wall(site, hours=over))

    with as_person(cast.nurse), pytest.raises(ImpossibleError) as refused:
        course()
    assert field in refused.value.errors


ACTS = {
    "start": lambda cast, session, at: start(cast, session, at),
    "on": lambda cast, session, at: cells_on(session=session, at=at, by=cast.nurse),
    "off": lambda cast, session, at: cells_off(session=session, at=at, by=cast.nurse),
    "end": lambda cast, session, at: end(cast, session, at),
}


@pytest.mark.parametrize(
    ("act", "state"),
    [
        ("on", prepared),
        ("off", prepared),
        ("end", prepared),
        ("off", running),
        ("start", running),
        ("on", ended),
        ("end", ended),
        ("start", ended),
    ],
)
def test_an_act_that_does_not_fit_the_state_is_refused(cast, subject, act, state):
    made = state(cast, subject)
    with as_person(cast.nurse), pytest.raises(TransitionError):
        ACTS[act](cast, made, wall(subject.site))


def test_two_who_act_on_one_session_do_not_overwrite_each_other(cast, subject):
    session = running(cast, subject, hours=-3)
    seen = session.record.version
    with as_person(cast.nurse):
        cells_on(session=session, at=wall(subject.site, hours=-2), by=cast.nurse, base_version=seen)
    with as_person(cast.investigator), pytest.raises(StaleError) as stale:
        cells_on(
            session=session,
            at=wall(subject.site, hours=-1),
            by=cast.investigator,
            base_version=seen,
        )
    assert stale.value.current["cells_on_at"] == wall(subject.site, hours=-2).isoformat(
        timespec="minutes"
    )


@pytest.mark.parametrize(
    ("lasting", "kinds"),
    [(6, []), (6.25, []), (5.75, []), (6.3, ["session_duration"]), (2, ["session_duration"])],
)
def test_a_duration_off_the_prescription_is_proposed_as_a_deviation(cast, subject, lasting, kinds):
    ended(cast, subject, hours=-7, lasting=lasting)
    assert proposed(subject) == kinds


def test_what_is_proposed_says_its_figures_in_plain_numbers(cast, subject):
    ended(cast, subject, hours=-16, lasting=5)
    ended(cast, fresh(subject), hours=-6, lasting=6)
    rows = given(lambda: list(Deviation.objects.filter(subject=subject)))()
    said = " ".join(each.description for each in rows)
    assert "ran 300 minutes; 360 were prescribed" in said
    assert "planned are 20." in said


@pytest.mark.parametrize(("gap", "kinds"), [(19.5, ["session_gap"]), (20, []), (30, [])])
def test_a_gap_below_the_plan_is_proposed_as_a_deviation(cast, subject, gap, kinds):
    ended(cast, subject, hours=-12 - gap, lasting=6)
    ended(cast, fresh(subject), hours=-6, lasting=6)
    assert proposed(subject) == kinds


def test_a_correction_needs_a_reason_and_moves_what_follows(cast, subject):
    site = subject.site
    session = ended(cast, subject, hours=-7)
    times = Times(started_at=wall(site, hours=-31), ended_at=wall(site, hours=-25))
    with as_person(cast.nurse):
        with pytest.raises(ReasonRequiredError):
            correct_times(session=session, times=times, reason=" ", by=cast.nurse)
        session = correct_times(session=session, times=times, reason="Wrong day", by=cast.nurse)
    assert purification(session) == [(times.started_at, times.ended_at)]
    assert fresh(subject).day_zero == wall(site, hours=-31).date()
    visit = visit_of(session)
    assert visit.attended_on == wall(site, hours=-31).date()


def test_a_correction_cannot_undo_the_start_nor_make_the_end(cast, subject):
    session = running(cast, subject, hours=-3)
    now = wall(subject.site)
    with as_person(cast.nurse):
        with pytest.raises(ImpossibleError):
            correct_times(session=session, times=Times(started_at=None), reason="x", by=cast.nurse)
        both = Times(started_at=wall(subject.site, hours=-3), ended_at=now)
        with pytest.raises(TransitionError):
            correct_times(session=session, times=both, reason="x", by=cast.nurse)


def test_an_end_entered_too_early_is_taken_back_by_a_correction(cast, subject):
    session = ended(cast, subject, hours=-3, lasting=2)
    times = Times(started_at=stored(session).started_at)
    with as_person(cast.nurse):
        again = correct_times(session=session, times=times, reason="Wrong bed", by=cast.nurse)
    assert stored(again).state is State.RUNNING
    assert stored(again).stop_reason == ""


class TestDayZero:
    def test_it_is_the_local_date_of_the_first_session(self, cast, subject):
        site = subject.site
        running(cast, subject, hours=-3)
        assert fresh(subject).day_zero == wall(site, hours=-3).date()

    @pytest.mark.parametrize(
        ("zone", "clock"),
        [
            ("Asia/Shanghai", 22),
            ("Asia/Shanghai", 6),
            ("America/New_York", 22),
            ("Pacific/Auckland", 5),
        ],
    )
    def test_late_in_the_evening_it_is_the_date_on_the_wall(self, cast, zone, clock):
        site = make_site("077", time_zone=zone)
        nurse = make_user(Role.RESEARCH_NURSE, site)
        subject = treatable(cast, site=site)
        at = wall(site, days=-2).replace(hour=clock, minute=0)
        session = start(cast, prepared(cast, subject), at, second_checker=nurse)
        assert fresh(subject).day_zero == at.date()
        assert stored(session).time_zone == zone

    def test_a_second_session_leaves_it_alone(self, cast, subject):
        ended(cast, subject, hours=-60)
        before = fresh(subject).day_zero
        ended(cast, fresh(subject), hours=-8)
        assert fresh(subject).day_zero == before

    def test_a_session_entered_late_that_was_earlier_moves_it(self, cast, subject):
        ended(cast, subject, hours=-8)
        entered(cast, prepared(cast, fresh(subject)), hours=-60)
        assert fresh(subject).day_zero == wall(subject.site, hours=-60).date()

    def test_voiding_the_first_moves_it_to_the_next_and_voiding_that_takes_it_away(
        self, cast, subject
    ):
        first = ended(cast, subject, hours=-60)
        second = ended(cast, fresh(subject), hours=-8)
        with as_person(cast.nurse):
            void_session(session=stored(first), reason="Other patient", by=cast.nurse)
        assert fresh(subject).day_zero == wall(subject.site, hours=-8).date()
        with as_person(cast.nurse):
            void_session(session=stored(second), reason="Other patient", by=cast.nurse)
        assert fresh(subject).day_zero is None
        planned_visits = given(
            lambda: list(
                subject.visits.filter(event_oid__startswith="SE.D").values_list(
                    "target_on", "status"
                )
            )
        )()
        assert set(planned_visits) == {(None, VisitStatus.PLANNED)}


class TestVoiding:
    def test_a_voided_session_keeps_its_number(self, cast, subject):
        first = prepared(cast, subject)
        with as_person(cast.nurse):
            void_session(session=first, reason="Entered twice", by=cast.nurse)
        again = planned(cast, fresh(subject))
        assert (stored(first).number, stored(first).state, again.number) == (1, State.VOIDED, 2)

    def test_it_takes_its_visit_and_purification_with_it(self, cast, subject):
        session = ended(cast, subject)
        with as_person(cast.nurse):
            void_session(session=session, reason="Other patient", by=cast.nurse)
        assert purification(session) == []
        visit = visit_of(session)
        assert visit.status == VisitStatus.NOT_REQUIRED
        left = CrfRecord.objects.standing().filter(visit=visit)
        assert given(lambda: [each.form_oid for each in left])() == ["F.VS"]

    def test_its_record_is_not_voided_without_it(self, cast, subject):
        session = ended(cast, subject)
        with as_person(cast.nurse), pytest.raises(TransitionError):
            void_record(record=session.record, reason="Wrong form", by=cast.nurse)
        assert stored(session).record.voided_at is None

    def test_it_needs_a_reason(self, cast, subject):
        session = prepared(cast, subject)
        with as_person(cast.nurse), pytest.raises(ImpossibleError):
            void_session(session=session, reason="  ", by=cast.nurse)

    def test_nothing_happens_to_it_afterwards(self, cast, subject):
        session = prepared(cast, subject)
        with as_person(cast.nurse):
            void_session(session=session, reason="Entered twice", by=cast.nurse)
        with pytest.raises(TransitionError):
            start(cast, session, wall(subject.site, hours=-1))

    def test_in_its_time_another_session_may_lie(self, cast, subject):
        session = ended(cast, subject, hours=-7)
        with as_person(cast.nurse):
            void_session(session=session, reason="Other machine", by=cast.nurse)
        assert ended(cast, fresh(subject), hours=-7).number == 2


class TestOverlap:
    def test_sessions_of_one_subject_never_overlap(self, cast, subject):
        ended(cast, subject, hours=-10, lasting=6)
        with pytest.raises(ImpossibleError) as refused:
            ended(cast, fresh(subject), hours=-5, lasting=3)
        assert refused.value.errors == {
            "started_at": ["Another session of this participant lies in this time."]
        }

    def test_a_correction_into_another_session_is_refused(self, cast, subject):
        ended(cast, subject, hours=-40, lasting=6)
        second = ended(cast, fresh(subject), hours=-8, lasting=6)
        times = Times(started_at=wall(subject.site, hours=-36), ended_at=wall(subject.site))
        with as_person(cast.nurse), pytest.raises(ImpossibleError) as refused:
            correct_times(session=second, times=times, reason="Wrong day", by=cast.nurse)
        assert "started_at" in refused.value.errors

    @pytest.mark.parametrize("over", [-30, None])
    def test_not_even_sql_of_the_application_makes_them_overlap(self, cast, subject, over):
        site = subject.site
        ended(cast, subject, hours=-40, lasting=6)
        second = prepared(cast, fresh(subject))
        until = None if over is None else wall(site, hours=over)
        people = [cast.nurse.pk, cast.investigator.pk, cast.investigator.pk]
        values = [wall(site, hours=-36), until, "COMPLETED" if until else "", *people, second.pk]
        with as_person(cast.nurse), connection.cursor() as cursor:
            cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname=current_user")
            assert cursor.fetchone() == (APP, False)
            with (
                pytest.raises(IntegrityError, match="sessions_never_overlap"),
                transaction.atomic(),
            ):
                cursor.execute(
                    "UPDATE visits_treatmentsession SET started_at = %s, ended_at = %s, "
                    "stop_reason = %s, operator_id = %s, second_checker_id = %s, "
                    "physician_id = %s WHERE record_id = %s",
                    values,
                )

    def test_another_subject_may_be_treated_at_the_same_time(self, cast, subject):
        document = make_document(cast, cast.site, version="2.0", days=-90)
        other = treatable(cast, document)
        running(cast, subject, hours=-3)
        assert running(cast, other, hours=-3).state is State.RUNNING


class TestCompleting:
    def reading(self, cast, session, hours: float, **texts: str) -> None:
        said = {
            "observed_at": wall(session.subject.site, hours=hours).isoformat(timespec="minutes"),
            "systolic": "118",
            "diastolic": "70",
            "heart_rate": "80",
        }
        read(session, cast.nurse, said | texts)

    def test_a_session_that_runs_is_not_complete(self, cast, subject):
        session = running(cast, subject, hours=-3)
        with as_person(cast.nurse), pytest.raises(IncompleteError) as refused:
            complete_session(session=session, by=cast.nurse)
        assert list(refused.value.problems) == ["ended_at"]

    def test_rows_without_what_is_essential_stand_in_the_way(self, cast, subject):
        session = ended(cast, subject, hours=-7)
        self.reading(cast, session, -6, systolic="", heart_rate="")
        with as_person(cast.nurse), pytest.raises(IncompleteError) as refused:
            complete_session(session=session, by=cast.nurse)
        assert "Systolic blood pressure" in refused.value.problems["G.TXR"]

    def test_what_the_whole_sheet_does_not_fit_is_asked_and_asked_once(self, cast, subject):
        session = ended(cast, subject, hours=-7)
        for hours, pre in ((-6.5, "150"), (-4, "150"), (-2, "260")):
            self.reading(cast, session, hours, prefilter_pressure=pre, return_pressure="60")
        with as_person(cast.nurse):
            done = complete_session(session=session, by=cast.nurse)
            complete_session(session=stored(done), by=cast.nurse)
        assert stored(done).record.status == RecordStatus.COMPLETE
        asked = Query.objects.filter(record=session.pk, row_id=None)
        oids = given(lambda: sorted(asked.values_list("check_oid", flat=True)))()
        assert oids == ["TX.FILTER_DROP", "TX.READINGS"]

    def test_completed_data_change_with_a_reason_only(self, cast, subject):
        session = ended(cast, subject, hours=-7)
        with as_person(cast.nurse):
            complete_session(session=session, by=cast.nurse)
            said = SessionPlanned(planned_minutes=300, modality=["PE"], no_cells_reason="No lot")
            with pytest.raises(ReasonRequiredError):
                change_plan(session=stored(session), planned=said, by=cast.nurse)
            change_plan(session=stored(session), planned=said, by=cast.nurse, reason="Misread")
        assert stored(session).planned_minutes == 300

    def test_a_signature_falls_with_a_changed_time(self, cast, subject):
        session = ended(cast, subject, hours=-7)
        before = stored(session).record.content_hash
        times = Times(started_at=wall(subject.site, hours=-7.5), ended_at=stored(session).ended_at)
        with as_person(cast.nurse):
            correct_times(session=session, times=times, reason="Misread", by=cast.nurse)
        after = stored(session).record.content_hash
        assert before != after
        self.reading(cast, stored(session), -6)
        assert stored(session).record.content_hash not in (before, after)


def test_a_whole_session_may_be_entered_afterwards(cast, subject):
    site = subject.site
    session = planned(cast, subject, on=wall(site, days=-3).date())
    answered(cast, session)
    session = entered(cast, session, hours=-72, by=cast.nurse)
    assert fresh(subject).day_zero == wall(site, days=-3).date()
    assert stored(session).state is State.ENDED
    assert purification(session) == [(wall(site, hours=-72), wall(site, hours=-66))]


def test_what_is_entered_afterwards_may_lie_before_a_session_that_runs(cast, subject):
    running(cast, subject, hours=-3)
    session = prepared(cast, fresh(subject))
    with pytest.raises(SessionRefusedError):
        start(cast, session, wall(subject.site, hours=-60))
    assert entered(cast, session, hours=-60).state is State.ENDED


def test_whoever_withdraws_treatment_is_not_treated_but_a_running_session_ends(cast, subject):
    session = running(cast, subject, hours=-6)
    withdraw(cast, fresh(subject), Withdrawn.TREATMENT)
    assert stored(end(cast, session, wall(subject.site))).state is State.ENDED


def test_the_session_of_another_site_is_not_seen(cast, subject):
    session = running(cast, subject, hours=-6)
    with as_person(cast.stranger):
        assert not TreatmentSession.objects.filter(pk=session.pk).exists()
        assert not TreatmentSession.objects.visible_to(cast.stranger).exists()
