"""Whether a session may start: every reason is said, and a fact entered afterwards is kept."""

from __future__ import annotations

import pytest

from screening.models import ConsentDocument
from screening.models.consent import Scope as Withdrawn
from screening.models.forms.examination import Examination
from screening.services.consent import ProcedureRefusedError
from tests.factories import as_person, given, make_record, make_subject
from tests.screening.consenting import assess, make_document, wall, withdraw
from tests.signing import proof_of
from tests.visits.products import load, received, released, released_long_ago
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
from trialsite.casebook.models import CrfRecord, SubjectStatus
from trialsite.casebook.services import record_death
from trialsite.conduct.models import Deviation, RuleKind, Scope
from trialsite.conduct.services.holds import place_hold, switch_rule
from trialsite.core.exceptions import NotPermittedError, StaleError, TransitionError
from trialsite.crf.services import ReasonRequiredError
from trialsite.crf.violations import ImpossibleError
from visits.models import TreatmentSession
from visits.models.session_codes import State
from visits.selectors.readiness import readiness
from visits.services.checklist import questions_of
from visits.services.products import quarantine_lot
from visits.services.sessions import (
    Answer,
    SessionRefusedError,
    answer_checklist,
    override_answer,
)


@pytest.fixture
def subject(cast):
    return treatable(cast)


def hold(cast, site=None) -> None:
    with as_person(cast.investigator):
        place_hold(site=site, scope=Scope.TREATMENT, reason="Leak elsewhere", by=cast.investigator)


def reasons_of(cast, session, *, hours: float = -0.5) -> list[str]:
    with pytest.raises(SessionRefusedError) as refused:
        start(cast, session, wall(session.subject.site, hours=hours))
    assert given(TreatmentSession.objects.get)(pk=session.pk).state is State.PREPARED
    return refused.value.reasons


def proposals(subject) -> list[str]:
    rows = Deviation.objects.filter(subject=subject).order_by("kind")
    return given(lambda: list(rows.values_list("kind", flat=True)))()


def test_with_nothing_in_the_way_a_session_starts(cast, subject):
    assert running(cast, subject, hours=-0.5).state is State.RUNNING


def test_a_hold_stops_the_start_and_says_why(cast, subject):
    session = prepared(cast, subject)
    hold(cast)
    (reason,) = reasons_of(cast, session)
    assert "Leak elsewhere" in reason


def test_the_first_session_of_the_next_subject_asks_the_sentinel_gate(cast, subject):
    """And no session after it: the gate speaks of whom the treatment has not reached."""
    version = subject.protocol_version
    with as_person(cast.investigator):
        switch_rule(
            version=version, kind=RuleKind.GATE, rule="sentinel", active=True,
            reason="board of 3 May", by=cast.investigator, proof=proof_of(cast.investigator),
        )  # fmt: skip
    waiting = treatable(cast, given(ConsentDocument.objects.get)())
    first, second = prepared(cast, subject), prepared(cast, waiting)
    end(cast, start(cast, first, wall(subject.site, hours=-9)), wall(subject.site, hours=-3))
    (reason,) = reasons_of(cast, second)
    assert "1 subject has no data of day 7 yet" in reason
    with as_person(cast.investigator):
        line = readiness(fresh(waiting)).line("hold")
        assert (line.verdict, line.said) == ("stop", reason)
        assert readiness(fresh(subject)).line("hold").verdict == "ok"
    with as_person(cast.investigator):
        record_death(
            subject=fresh(subject), died_on=wall(subject.site).date().isoformat(),
            by=cast.investigator,
        )  # fmt: skip
    (reason,) = reasons_of(cast, second)
    assert "only a signed review" in reason


def test_a_hold_that_came_meanwhile_does_not_keep_a_session_from_ending(cast, subject):
    session = running(cast, subject, hours=-6)
    hold(cast)
    assert end(cast, session, wall(subject.site)).state is State.ENDED


def test_re_consent_due_stops_the_start_and_the_attempt_is_proposed_as_a_deviation(cast, subject):
    session = prepared(cast, subject)
    make_document(cast, cast.site, version="2.0", days=-1, reconsent=True)
    with pytest.raises(ProcedureRefusedError) as refused:
        start(cast, session, wall(subject.site, hours=-0.5))
    assert "Re-consent to version 2.0 is due" in str(refused.value)
    with as_person(cast.investigator):
        refused.value.propose()
        refused.value.propose()
    assert proposals(subject) == ["procedure_without_consent"]


def test_lost_capacity_without_a_representative_stops_the_start(cast, subject):
    session = prepared(cast, subject)
    assess(cast, subject, "lost", grade="II", by=cast.investigator)
    assert "Capacity to consent was lost" in reasons_of(cast, session)[0]


def test_withdrawn_treatment_stops_the_start(cast, subject):
    session = prepared(cast, subject)
    withdraw(cast, subject, Withdrawn.TREATMENT)
    assert any("withdrawn" in reason for reason in reasons_of(cast, session))


def test_nobody_is_treated_before_enrolment(cast):
    subject = treatable(cast)
    given(lambda: type(subject).objects.filter(pk=subject.pk).update(status="screening"))()
    session = prepared(cast, fresh(subject))
    assert reasons_of(cast, session) == ["Not enrolled: In screening."]


def test_another_session_that_runs_stops_the_start(cast, subject):
    session = prepared(cast, subject)
    running(cast, fresh(subject), hours=-3)
    assert reasons_of(cast, session) == ["Session 2 is running."]


def test_every_reason_is_said_at_once(cast, subject):
    session = planned(cast, subject, modality=["REACTOR"], no_cells_reason="")
    hold(cast)
    withdraw(cast, subject, Withdrawn.TREATMENT)
    found = reasons_of(cast, session)
    assert len(found) == 4
    assert any("No cells are loaded" in each for each in found)
    assert any("Not answered" in each for each in found)


def test_observations_go_on_while_sessions_are_refused(cast, subject):
    session = running(cast, subject, hours=-2)
    hold(cast)
    make_document(cast, cast.site, version="2.0", days=-1, reconsent=True)
    texts = {
        "observed_at": wall(subject.site, hours=-1).isoformat(timespec="minutes"),
        "systolic": "100",
        "diastolic": "60",
        "heart_rate": "90",
    }
    assert read(session, cast.nurse, texts).row.pk


class TestCells:
    def session(self, cast, subject):
        made = planned(cast, subject, modality=["REACTOR"], no_cells_reason="")
        answered(cast, made)
        return made

    def test_without_loaded_cells_no_session_with_the_reactor_starts(self, cast, subject):
        assert reasons_of(cast, self.session(cast, subject)) == ["No cells are loaded."]

    def test_with_a_released_lot_it_starts(self, cast, subject):
        session, lot = self.session(cast, subject), released(cast)
        received(cast, lot)
        load(cast, session, lot)
        assert start(cast, session, wall(subject.site)).state is State.RUNNING

    def test_a_signature_falls_with_other_cells(self, cast, subject):
        session, lot = self.session(cast, subject), released_long_ago(cast)
        hashes = given(CrfRecord.objects.values_list("content_hash", flat=True).get)
        before = hashes(pk=session.pk)
        load(cast, session, lot)
        assert hashes(pk=session.pk) != before

    def test_a_lot_that_was_quarantined_after_loading_stops_the_start(self, cast, subject):
        session, lot = self.session(cast, subject), released_long_ago(cast)
        load(cast, session, lot)
        with as_person(cast.investigator):
            quarantine_lot(lot=lot, reason="Late mycoplasma", by=cast.investigator)
        (reason,) = reasons_of(cast, session)
        assert reason == f"{lot.code}: This lot is in quarantine."


class TestChecklist:
    def test_each_unanswered_question_is_named(self, cast, subject):
        session = planned(cast, subject)
        with as_person(cast.nurse):
            answer_checklist(
                session=session, answers={"consent": Answer(answer=True)}, by=cast.nurse
            )
        (reason,) = reasons_of(cast, session)
        assert "No active bleeding" in reason
        assert "Consent valid" not in reason

    def test_a_no_needs_a_physician_who_says_why(self, cast, subject):
        session = planned(cast, subject)
        answered(cast, session, no=("bleeding",))
        (reason,) = reasons_of(cast, session)
        assert "No active bleeding" in reason
        with as_person(cast.nurse), pytest.raises(NotPermittedError):
            override_answer(session=session, key="bleeding", reason="Oozing", by=cast.nurse)
        with as_person(cast.sub_investigator):
            with pytest.raises(ImpossibleError):
                override_answer(
                    session=session, key="bleeding", reason=" ", by=cast.sub_investigator
                )
            override_answer(
                session=session, key="bleeding", reason="Oozing only", by=cast.sub_investigator
            )
        assert start(cast, session, wall(subject.site, hours=-0.5)).state is State.RUNNING

    def test_a_yes_is_not_overridden(self, cast, subject):
        session = prepared(cast, subject)
        with as_person(cast.investigator), pytest.raises(TransitionError):
            override_answer(session=session, key="bleeding", reason="x", by=cast.investigator)

    def test_a_changed_answer_loses_what_let_it_pass(self, cast, subject):
        session = planned(cast, subject)
        answered(cast, session, no=("bleeding",))
        by = cast.investigator
        with as_person(by):
            override_answer(session=session, key="bleeding", reason="Oozing", by=by)
            again = Answer(answer=False, reason="Now melaena", base_version=2)
            answer_checklist(session=session, answers={"bleeding": again}, by=by)
        assert len(reasons_of(cast, session)) == 1

    def test_two_people_answer_side_by_side_and_never_over_each_other(self, cast, subject):
        session = planned(cast, subject)
        with as_person(cast.nurse):
            one = {"labs": Answer(answer=True)}
            answer_checklist(session=session, answers=one, by=cast.nurse)
        by = cast.investigator
        with as_person(by):
            two = {"circuit": Answer(answer=True)}
            answer_checklist(session=session, answers=two, by=by)
            with pytest.raises(StaleError):
                answer_checklist(session=session, answers={"labs": Answer(answer=False)}, by=by)
            found = {each.key: each.answer for each in questions_of(session)}
        assert found["labs"] is not None
        assert (found["labs"].answer, found["labs"].answered_by) == (True, cast.nurse)

    def test_after_the_start_an_answer_changes_with_a_reason_only(self, cast, subject):
        session = running(cast, subject, hours=-1)
        again = {"labs": Answer(answer=False, base_version=1)}
        with as_person(cast.nurse):
            with pytest.raises(ReasonRequiredError):
                answer_checklist(session=session, answers=again, by=cast.nurse)
            answer_checklist(session=session, answers=again, by=cast.nurse, reason="Read wrongly")

    def test_a_question_that_the_protocol_does_not_ask_is_refused(self, cast, subject):
        session = planned(cast, subject)
        with as_person(cast.nurse), pytest.raises(ImpossibleError):
            answer_checklist(session=session, answers={"moon": Answer(answer=True)}, by=cast.nurse)


class TestPeople:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"second_checker": "investigator"}, "second_checker"),
            ({"second_checker": "stranger"}, "second_checker"),
            ({"operator": "monitor"}, "operator"),
            ({"physician": "nurse"}, "physician"),
        ],
    )
    def test_they_are_of_the_site_two_of_them_and_the_physician_is_one(
        self, cast, subject, changes, field
    ):
        session = prepared(cast, subject)
        people = {name: getattr(cast, who) for name, who in changes.items()}
        with pytest.raises(ImpossibleError) as refused:
            start(cast, session, wall(subject.site, hours=-0.5), **people)
        assert list(refused.value.errors) == [field]

    def test_the_physician_may_be_one_of_the_two(self, cast, subject):
        assert running(cast, subject, hours=-0.5).physician == cast.investigator


class TestAfterwards:
    def test_a_session_that_took_place_is_entered_in_spite_by_an_investigator(self, cast, subject):
        session = prepared(cast, subject)
        hold(cast)
        with pytest.raises(SessionRefusedError):
            entered(cast, session, hours=-30)
        with pytest.raises(NotPermittedError):
            entered(cast, session, hours=-30, by=cast.nurse, late_reason="From paper")
        done = entered(cast, session, hours=-30, late_reason="From paper")
        assert done.state is State.ENDED
        assert proposals(subject) == ["session_in_spite"]

    def test_a_start_of_this_hour_asks_for_leave_whatever_is_said(self, cast, subject):
        session = prepared(cast, subject)
        hold(cast)
        with pytest.raises(SessionRefusedError):
            start(cast, session, wall(subject.site, hours=-0.9), late_reason="From paper")


class TestDeath:
    def die(self, cast, subject, days: float = 0) -> None:
        day = wall(subject.site, days=days).date().isoformat()
        with as_person(cast.investigator):
            record_death(subject=fresh(subject), died_on=day, by=cast.investigator)

    def test_the_dead_are_not_treated(self, cast, subject):
        session = prepared(cast, subject)
        self.die(cast, subject)
        reasons = reasons_of(cast, session)
        assert reasons[0].startswith("The participant died on")

    def test_no_session_starts_on_a_day_after_death(self, cast, subject):
        session = prepared(cast, subject)
        self.die(cast, subject, days=-2)
        with pytest.raises(ImpossibleError) as refused:
            entered(cast, session, hours=-10, late_reason="From paper")
        assert "started_at" in refused.value.errors

    def test_a_circuit_is_taken_down_after_death(self, cast, subject):
        session = running(cast, subject, hours=-30)
        self.die(cast, subject, days=-1)
        assert end(cast, session, wall(subject.site), why="ARREST").state is State.ENDED


class TestReadiness:
    def lines(self, cast, subject, **said):
        with as_person(cast.nurse):
            found = readiness(fresh(subject), **said)
        return found, {line.key: line.verdict for line in found.lines}

    def test_a_screened_person_is_not_treated(self, cast):
        found, verdicts = self.lines(cast, make_subject(cast.site))
        assert not found.may_treat
        assert (verdicts["enrolment"], verdicts["consent"]) == ("stop", "stop")

    def test_unknown_is_said_as_unknown_and_stops_nothing(self, cast, subject):
        _found, verdicts = self.lines(cast, subject)
        assert {key for key, each in verdicts.items() if each == "unknown"} == {
            "capacity",
            "encephalopathy",
            "labs",
            "checklist",
        }

    def test_without_a_prepared_session_the_site_needs_a_lot(self, cast, subject):
        _found, verdicts = self.lines(cast, subject)
        assert verdicts["product"] == "stop"
        received(cast, released(cast))
        found, verdicts = self.lines(cast, subject)
        assert (verdicts["product"], found.may_treat) == ("ok", True)

    @pytest.mark.parametrize(
        ("grade", "hours", "verdict"),
        [("I", -2, "ok"), ("II", -23, "ok"), ("II", -25, "warn"), ("III", -1, "warn")],
    )
    def test_encephalopathy_is_that_of_the_last_assessment(
        self, cast, subject, grade, hours, verdict
    ):
        @given
        def examined(repeat_key, grade, at):
            record = make_record(subject, form_oid="F.HE", repeat_key=repeat_key)
            Examination.objects.create(
                record=record,
                site_id=subject.site_id,
                subject=subject,
                assessed_at=at,
                grade=grade,
                time_zone=subject.site.time_zone,
            )

        examined(1, "IV", wall(subject.site, days=-9))
        examined(2, grade, wall(subject.site, hours=hours))
        found, verdicts = self.lines(cast, subject)
        assert verdicts["encephalopathy"] == verdict
        assert f"{-hours}" in found.line("encephalopathy").said

    def test_a_short_gap_warns(self, cast, subject):
        ended(cast, subject, hours=-12, lasting=6)
        found, verdicts = self.lines(cast, subject)
        assert verdicts["gap"] == "warn"
        said = found.line("gap").said
        assert "Session 1 ended 6.0 hours ago" in said
        assert "plans 20 hours at least" in said

    def test_what_stops_is_what_the_start_refuses(self, cast, subject):
        session = planned(cast, subject)
        hold(cast)
        found, _verdicts = self.lines(cast, subject)
        assert [line.said for line in found.stops] == reasons_of(cast, session)
        assert found.session == session

    def test_it_costs_the_same_however_much_there_is(
        self, cast, subject, django_assert_max_num_queries
    ):
        for hours in (-200, -150, -100):
            ended(cast, fresh(subject), hours=hours)
        prepared(cast, fresh(subject))
        with as_person(cast.nurse):
            person = fresh(subject)
            with django_assert_max_num_queries(25):
                readiness(person)


def test_who_died_is_no_longer_enrolled(cast, subject):
    with as_person(cast.investigator):
        day = wall(subject.site).date().isoformat()
        record_death(subject=subject, died_on=day, by=cast.investigator)
    assert fresh(subject).status == SubjectStatus.DIED
