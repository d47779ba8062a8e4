"""The signed decision: it follows from data and answers, and stands while they do."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from screening.eligibility.again import frozen
from screening.eligibility.verdicts import Flag, Need, State
from screening.models import CriterionAnswer, EligibilityEvaluation
from screening.models.forms import Allergies, Examination, MedicalHistory
from screening.selectors.eligibility import (
    live_evaluation,
    reproduce,
    signatures_of,
    signed_decision,
    signed_decisions,
)
from screening.services.consent_records import FieldsError
from screening.services.eligibility import DECISION, sign_eligibility
from tests.factories import Cast, as_person, given, make_record
from tests.screening.deciding import (
    HISTORY,
    NO_ALLERGIES,
    RESULTS,
    complete,
    confirm_all,
    decide,
    draw,
    examination,
    favourable,
    live,
    make_candidate,
    record_of,
)
from tests.signing import proof_of
from trialsite.access.models import User
from trialsite.casebook.models import Subject
from trialsite.casebook.services import void_record
from trialsite.core.clock import trial_now
from trialsite.core.exceptions import NotPermittedError
from trialsite.labs.codes import PurificationKind, PurificationSource
from trialsite.labs.models import PurificationInterval
from trialsite.review.signatures import void_signature


@pytest.fixture
def subject(cast) -> Subject:
    found = make_candidate(cast)
    confirm_all(cast)
    return found


def stands(cast: Cast, subject: Subject, **options: dt.datetime) -> tuple[bool, str]:
    with as_person(cast.nurse):
        decision = signed_decision(subject, **options)
    assert decision is not None
    return decision.stands, " ".join(decision.reasons)


def refused(
    cast: Cast, subject: Subject, by: User | None = None, **changed: str
) -> dict[str, list[str]]:
    answers = {**favourable(cast, subject), **changed}
    with pytest.raises(FieldsError) as error:
        decide(cast, subject, {name: text for name, text in answers.items() if text}, by=by)
    assert not given(EligibilityEvaluation.objects.exists)()
    return error.value.errors


def test_a_person_whom_nothing_keeps_out_is_declared_eligible(cast, subject):
    evaluation = decide(cast, subject)
    assert (evaluation.decision, evaluation.against, evaluation.number) == ("eligible", [], 1)
    assert stands(cast, subject) == (True, "")
    with as_person(cast.nurse):
        assert frozen(reproduce(evaluation)) == evaluation.verdicts
        (signature,) = signatures_of([evaluation]).values()
        assert signature.record_id == evaluation.pk
        assert CriterionAnswer.objects.filter(evaluation=evaluation).count() == 14


def test_nobody_is_eligible_while_a_criterion_is_not_yet_known(cast):
    subject = make_candidate(cast, results={k: v for k, v in RESULTS.items() if k != "INR"})
    confirm_all(cast)
    errors = refused(cast, subject, EX04="")
    assert list(errors) == ["EX04"]
    assert "INR: no result yet" in errors["EX04"][0]


def test_every_criterion_is_answered_before_a_person_is_eligible(cast, subject):
    assert set(refused(cast, subject, EX06="", IN03="")) == {"EX06"}
    assert set(refused(cast, subject, IN03="")) == {"IN03"}


def test_an_answer_never_overrides_the_data(cast, subject):
    assert "The data say: Met" in refused(cast, subject, IN03="not_met")["IN03"][0]


def test_one_unfavourable_criterion_is_enough_to_be_not_eligible(cast, subject):
    evaluation = decide(cast, subject, {"EX06": "met"}, notes={"EX06": "Lives too far away"})
    assert (evaluation.decision, evaluation.against) == ("ineligible", ["EX06"])
    assert stands(cast, subject) == (True, "")
    with as_person(cast.nurse):
        later = trial_now() + dt.timedelta(days=4)
    # Results grow old; what spoke against the person still does.
    assert stands(cast, subject, at=later) == (True, "")


@pytest.mark.parametrize("answers", [{"XX01": "met"}, {"EX06": "unknown"}])
def test_unknown_criteria_and_answers_are_refused(cast, subject, answers):
    with pytest.raises(FieldsError) as error:
        decide(cast, subject, answers)
    assert set(error.value.errors) == set(answers)


def test_a_value_at_the_boundary_is_the_principal_investigators_to_sign(cast):
    subject = make_candidate(cast, results={**RESULTS, "PTA": "40"})
    confirm_all(cast)
    assert "IN04" in refused(cast, subject)[DECISION][0]
    assert decide(cast, subject, by=cast.investigator).decision == "eligible"


def test_a_nurse_cannot_sign_and_nobody_signs_with_anothers_proof(cast, subject):
    with pytest.raises(NotPermittedError):
        decide(cast, subject, by=cast.nurse)
    answers = favourable(cast, subject)
    with as_person(cast.sub_investigator), pytest.raises(NotPermittedError):
        sign_eligibility(
            subject=subject,
            answers=answers,
            by=cast.sub_investigator,
            proof=proof_of(cast.investigator),
        )


def test_a_changed_result_takes_the_decision_down_and_a_new_one_supersedes_it(cast, subject):
    decide(cast, subject)
    draw(cast, subject, {"INR": "5", "PTA": "60"}, hours=-0.1)
    fell, why = stands(cast, subject)
    assert not fell
    assert "IN04: now Not met" in why
    second = decide(cast, subject, {"IN04": "not_met", "EX04": "met"})
    assert (second.number, second.decision) == (2, "ineligible")
    assert stands(cast, subject) == (True, "")


def test_results_that_have_grown_too_old_take_the_decision_down(cast, subject):
    decide(cast, subject)
    with as_person(cast.nurse):
        now = trial_now()
    assert stands(cast, subject, at=now + dt.timedelta(hours=40))[0]
    fell, why = stands(cast, subject, at=now + dt.timedelta(hours=60))
    assert not fell
    assert "draw again" in why


def test_a_new_alarm_asks_for_the_judgement_anew(cast, subject):
    decide(cast, subject)
    draw(cast, subject, {"FIBRINO": "0.6"}, hours=-0.1)
    fell, why = stands(cast, subject)
    assert not fell
    assert "EX01 was judged before this was known: Fibrinogen 0.6." in why


def test_a_voided_signature_takes_the_decision_down(cast, subject):
    evaluation = decide(cast, subject)
    with as_person(cast.sub_investigator):
        (signature,) = signatures_of([evaluation]).values()
        void_signature(signature=signature, reason="Wrong person", by=cast.sub_investigator)
    assert stands(cast, subject) == (False, "The signature under the decision does not stand.")


def test_what_was_signed_is_not_rewritten_by_sql(cast, subject):
    evaluation = decide(cast, subject)
    statements = (
        "UPDATE screening_eligibilityevaluation SET decision = 'ineligible', against = '{EX01}'",
        "UPDATE screening_criterionanswer SET note = 'else'",
        "DELETE FROM screening_criterionanswer",
        "DELETE FROM screening_eligibilityevaluation",
    )
    with as_person(cast.sub_investigator):
        for statement in statements:
            with (
                pytest.raises(DatabaseError, match="permission denied"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
        assert EligibilityEvaluation.objects.get().decision == evaluation.decision


def test_unconfirmed_assumptions_leave_the_verdict_open_until_confirmed(cast):
    results = {**RESULTS, "PTA": "40", "INR": "5"}
    subject = make_candidate(cast, results=results)
    before = live(cast, subject).evaluation.verdict("IN04")
    assert before.state is State.NOT_YET_KNOWN
    assert Need.CONFIRMATION in {each.need for each in before.missing}
    confirm_all(cast)
    assert live(cast, subject).evaluation.verdict("IN04").state is State.MET


def test_a_form_that_is_not_complete_is_evidence_but_decides_nothing(cast, subject):
    record = make_record(subject, form_oid=Examination.form_oid)
    later = examination(subject, grade="III", wrong_in_place="4")
    complete(cast, subject, Examination, later, finished=False, record=record)
    verdict = live(cast, subject).evaluation.verdict("IN05")
    assert verdict.state is State.NOT_YET_KNOWN
    assert Need.FORM_COMPLETION in {each.need for each in verdict.missing}


@pytest.mark.parametrize(
    ("texts", "finished", "state"),
    [
        ({}, True, State.NOT_MET),
        ({"plasma": "SEVERE", "plasma_reaction": "Shock"}, True, State.MET),
        ({"plasma": "MILD", "plasma_reaction": "Rash"}, True, State.NOT_MET),
        ({"dmso": "SEVERE", "dmso_reaction": "Shock"}, True, State.NOT_MET),
        ({"heparin": "", "heparin.missing": "UNK"}, True, State.NOT_YET_KNOWN),
        ({}, False, State.NOT_YET_KNOWN),
        ({"heparin": "SEVERE", "heparin_reaction": "HIT"}, False, State.MET),
    ],
)
def test_allergies_count_agent_by_agent(cast, texts, finished, state):
    subject = make_candidate(cast)
    confirm_all(cast)
    record = record_of(subject, Allergies.form_oid)
    if finished:
        complete(cast, subject, Allergies, NO_ALLERGIES | texts, record=record)
    else:
        with as_person(cast.nurse):
            void_record(record=record, reason="Wrong person", by=cast.nurse)
        complete(cast, subject, Allergies, NO_ALLERGIES | texts, finished=False)
    assert live(cast, subject).evaluation.verdict("EX02").state is state


def on_dialysis(subject: Subject, *spans: tuple[float, float]) -> None:
    """Renal replacement from so many hours ago for so many hours."""
    now = trial_now().astimezone(dt.timezone(dt.timedelta(hours=8))).replace(tzinfo=None)
    for ago, hours in spans:
        began = now - dt.timedelta(hours=ago)
        PurificationInterval.objects.create(
            site_id=subject.site_id,
            subject=subject,
            kind=PurificationKind.CRRT,
            source=PurificationSource.EARLIER,
            started_at=began,
            ended_at=began + dt.timedelta(hours=hours),
            time_zone="Asia/Shanghai",
        )


@pytest.mark.parametrize(
    ("spans", "history", "expected"),
    [
        ((), "false", False),
        ((), "true", True),
        (((100, 24),), "false", True),
        (((100, 23.5),), "false", False),
        (((100, 4), (50, 4)), "false", True),
        (((180, 24), (100, 4)), "false", True),
        (((300, 30), (100, 4)), "false", False),
    ],
)
def test_dialysis_is_what_was_done_within_the_week(cast, spans, history, expected):
    subject = make_candidate(cast, history={"dialysis": history})
    given(on_dialysis)(subject, *spans)
    assert live(cast, subject).facts.dialysis is expected


def test_results_before_consent_are_routine_care(cast, subject):
    draw(cast, subject, {"BILI": "300"}, hours=-8)
    facts = live(cast, subject).facts
    marked = {fact.text: fact.routine_care for fact in facts.labs if fact.analyte == "BILI"}
    assert marked == {"320": False, "300": True}


def queries(cast: Cast, subject: Subject) -> int:
    with as_person(cast.nurse), CaptureQueriesContext(connection) as seen:
        live_evaluation(subject)
    return len(seen)


def test_an_evaluation_takes_as_many_queries_for_two_hundred_results_as_for_six(cast, subject):
    few = queries(cast, subject)
    for hour in range(40):
        draw(cast, subject, {"BILI": "310", "INR": "2", "CREAT": "70", "PTA": "33", "CRP": "20"},
             hours=-2 - hour / 4)  # fmt: skip
    assert queries(cast, subject) == few
    assert few <= 18


def test_the_decisions_of_many_take_as_many_queries_as_of_one(cast, subject):
    decide(cast, subject)
    others = [make_candidate(cast) for _ in range(2)]
    for other in others:
        decide(cast, other)

    def counted(chosen: list[Subject]) -> int:
        with as_person(cast.nurse), CaptureQueriesContext(connection) as seen:
            found = signed_decisions(chosen)
        assert all(decision.stands for decision in found.values())
        assert len(found) == len(chosen)
        return len(seen)

    assert counted([subject]) == counted([subject, *others])


def test_the_facts_name_what_the_history_says(cast):
    subject = make_candidate(cast, history={"cause": "ALCOHOL", "alcohol_daily": "80"})
    facts = live(cast, subject).facts
    assert (facts.aetiology, facts.chronic_liver_disease) == ("alcoholic", False)
    assert facts.birth_date == "1980-05-06"
    assert facts.sex == "M"
    complete(
        cast,
        subject,
        MedicalHistory,
        HISTORY | {"diabetes": "true"},
        record=record_of(subject, MedicalHistory.form_oid),
    )
    assert Flag.PROMPT in {
        mark
        for piece in live(cast, subject).evaluation.verdict("EX05").evidence
        for mark in piece.marks
    }


def test_without_a_signature_there_is_no_decision(cast, subject):
    with as_person(cast.nurse):
        assert signed_decision(subject) is None
        assert signed_decisions([]) == {}
