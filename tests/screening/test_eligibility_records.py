"""Encephalopathy, allergies, consent, and what only the investigator can judge."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from screening.eligibility.engine import evaluate
from screening.eligibility.facts import Answer
from screening.eligibility.verdicts import Flag, Kind, Need, Outcome, Why
from tests.screening.eligibility import (
    DAY_ZERO,
    JUDGEMENTS,
    MET,
    NOT_MET,
    SECOND,
    UNKNOWN,
    allergy,
    confirmed,
    consent,
    eligible_person,
    facts,
    item,
    judged,
    lab,
    protocol_of,
    verdict,
)

HE = "I.HE.HEGRADE"


def grade(*items):
    return verdict("IN05", facts(items={HE: items}))


@pytest.mark.parametrize(
    ("value", "state", "boundary"),
    [
        ("0", MET, False),
        ("I", MET, False),
        ("II", MET, True),
        ("III", NOT_MET, False),
        ("IV", NOT_MET, False),
    ],
)
def test_encephalopathy_up_to_grade_ii_is_accepted(value, state, boundary):
    found = grade(item(value))
    assert found.state is state
    assert (Flag.AT_BOUNDARY in found.flags) is boundary
    assert found.evidence[0].record_id == item(value).record_id


def test_the_latest_grade_counts():
    assert grade(item("III", hours=1), item("I", hours=20)).state is NOT_MET
    assert grade(item("I", hours=1), item("III", hours=20)).state is MET
    assert grade(item("III", hours=-2), item("I", hours=20)).state is MET


def test_a_grade_on_an_unfinished_form_waits_for_its_completion():
    found = grade(item("I", complete=False), item("0", hours=30))
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.FORM_COMPLETION)
    assert found.evidence[0].why is Why.FORM_INCOMPLETE


def test_two_grades_of_one_moment_must_agree():
    assert grade(item("II"), item("III", serial=1)).state is UNKNOWN
    assert grade(item("0"), item("I", serial=1)).state is MET


def test_a_grade_outside_the_scale_and_none_at_all_are_asked_for():
    for known in ((), (item("V"),)):
        found = grade(*known)
        assert (found.state, found.missing[0].need) == (UNKNOWN, Need.ITEM)


# Allergies


@pytest.mark.parametrize(
    ("known", "state", "need"),
    [
        pytest.param(None, UNKNOWN, Need.ALLERGIES, id="nobody asked"),
        pytest.param((), NOT_MET, None, id="asked, none"),
        pytest.param((("heparin", "severe"),), MET, None, id="severe"),
        pytest.param((("heparin", "moderate"),), NOT_MET, None, id="not severe"),
        pytest.param((("heparin", ""),), UNKNOWN, Need.ALLERGY_SEVERITY, id="not graded"),
        pytest.param((("latex", "severe"),), NOT_MET, None, id="another agent"),
        pytest.param((("latex", ""), ("plasma", "mild")), NOT_MET, None, id="only others ungraded"),
        pytest.param((("heparin", ""), ("protamine", "severe")), MET, None, id="one is enough"),
    ],
)
def test_a_severe_allergy_to_an_agent_of_the_treatment_excludes(known, state, need):
    allergies = None if known is None else tuple(allergy(*one) for one in known)
    found = verdict("EX02", facts(allergies=allergies))
    assert found.state is state
    assert [one.need for one in found.missing] == ([need] if need else [])
    assert found.favourable == {MET: False, NOT_MET: True, UNKNOWN: None}[state]


# Consent


@pytest.mark.parametrize(
    ("given", "state", "code"),
    [
        (consent(), MET, "own_consent"),
        (consent(signer="representative"), NOT_MET, "consent_by_another"),
        (consent(valid=False), NOT_MET, "consent_not_in_force"),
        (consent(capacity="lost"), MET, "own_consent"),
        (None, UNKNOWN, "not_enough"),
        (consent(dt.date(2026, 11, 23)), UNKNOWN, "not_enough"),
    ],
)
def test_the_participant_must_have_signed_a_consent_in_force(given, state, code):
    found = verdict("IN08", facts(consent=given))
    assert (found.state, found.reason.code) == (state, code)


# Judgement


@pytest.mark.parametrize(
    ("criterion", "answer", "state", "favourable"),
    [
        ("IN02", Answer.MET, MET, True),
        ("IN02", Answer.NOT_MET, NOT_MET, False),
        ("IN02", Answer.UNKNOWN, UNKNOWN, None),
        ("EX06", Answer.MET, MET, False),
        ("EX06", Answer.NOT_MET, NOT_MET, True),
    ],
)
def test_the_investigator_decides_what_is_theirs(criterion, answer, state, favourable):
    found = verdict(criterion, facts(judgements={criterion: judged(answer)}))
    assert (found.state, found.favourable) == (state, favourable)
    if state is not UNKNOWN:
        assert found.reason.parameters == {"by": "Ivy Investigator", "at": DAY_ZERO}


def test_an_unanswered_judgement_is_asked_for():
    (need,) = verdict("IN07", facts()).missing
    assert (need.need, need.name) == (Need.JUDGEMENT, "IN07")


def test_a_judgement_never_overrides_a_criterion_with_a_rule():
    judgements = {"EX04": judged(Answer.NOT_MET), "IN03": judged(Answer.MET)}
    found = evaluate(confirmed(), facts(judgements=judgements))
    assert found.verdict("EX04").state is UNKNOWN
    assert found.verdict("IN03").state is UNKNOWN


PROMPTS = [
    pytest.param("EX01", lab("FIBRINO", "0.9"), True, id="fibrinogen below"),
    pytest.param("EX01", lab("FIBRINO", "1.0"), False, id="fibrinogen at"),
    pytest.param("EX01", lab("FIBRINO", "99", "mg/dL"), True, id="in another unit"),
    pytest.param("EX01", lab("PLAT", "<50"), True, id="a limit"),
    pytest.param("EX01", lab("DDIMER", "0.6", high="0.5"), True, id="above the laboratory's"),
    pytest.param("EX01", lab("DDIMER", "0.5", high="0.5"), False, id="at the laboratory's"),
    pytest.param("EX01", lab("DDIMER", "9"), False, id="no range, no prompt"),
    pytest.param("EX01", lab("PLAT", "20", hours=300), True, id="an old value prompts too"),
    pytest.param("EX03", lab("LACTICAC", "4.1"), True, id="lactate above"),
    pytest.param("EX03", lab("LACTICAC", "4.0"), False, id="lactate at"),
]


@pytest.mark.parametrize(("criterion", "result", "fires"), PROMPTS)
@pytest.mark.parametrize("answer", [Answer.MET, Answer.NOT_MET])
def test_a_prompt_asks_for_a_second_look_and_decides_nothing(criterion, result, fires, answer):
    found = verdict(criterion, facts(result, judgements={criterion: judged(answer)}))
    assert (Flag.PROMPT in found.flags) is fires
    (shown,) = [one for one in found.evidence if one.kind is Kind.LAB]
    assert (shown.text, shown.used, shown.why) == (result.text, False, Why.SHOWN_ONLY)
    assert found.state is (MET if answer is Answer.MET else NOT_MET)


@pytest.mark.parametrize(
    ("oid", "value", "fires"),
    [
        ("I.VS.MAP", Decimal("64.9"), True),
        ("I.VS.MAP", Decimal(65), False),
        ("I.CM.PRESSOR", True, True),
        ("I.CM.PRESSOR", False, False),
        ("I.CM.PRESSOR", "norepinephrine", True),
    ],
)
def test_bedside_values_prompt_too(oid, value, fires):
    found = verdict("EX03", facts(items={oid: (item(value),)}))
    assert (Flag.PROMPT in found.flags) is fires
    assert found.state is UNKNOWN


def test_another_study_prompts_in_its_own_unit():
    high = verdict("EX01", facts(lab("CREAT", "177")), confirmed(SECOND))
    assert Flag.PROMPT in high.flags
    normal = verdict("EX01", facts(lab("CREAT", "176.8")), confirmed(SECOND))
    assert Flag.PROMPT not in normal.flags


# Overall


def test_a_person_who_meets_everything_is_eligible():
    found = evaluate(confirmed(), eligible_person())
    assert (found.against, found.unknown, found.missing) == ((), (), ())
    assert found.outcome is Outcome.ELIGIBLE
    assert [each.criterion for each in found.verdicts] == [
        each.id for each in protocol_of().criteria
    ]


def test_one_unfavourable_criterion_is_enough_even_while_others_are_open():
    found = evaluate(
        confirmed(), eligible_person(judgements={}, allergies=(allergy("plasma", "severe"),))
    )
    assert found.outcome is Outcome.INELIGIBLE
    assert found.against == ("EX02",)
    assert set(found.unknown) == set(JUDGEMENTS)


def test_one_open_criterion_leaves_the_whole_open_and_says_what_to_do():
    found = evaluate(confirmed(), eligible_person(without=("INR",)))
    assert found.outcome is Outcome.NOT_YET_KNOWN
    assert found.unknown == ("EX04",)
    assert [(one.need, one.name) for one in found.missing] == [(Need.RESULT, "INR")]


def test_what_several_criteria_lack_is_listed_once():
    found = evaluate(confirmed(), eligible_person(consent=None))
    assert [one.need for one in found.missing] == [Need.CONSENT]
    assert found.unknown == ("IN01", "IN08")


@pytest.mark.parametrize("name", list(JUDGEMENTS))
def test_each_judgement_alone_can_keep_a_person_out(name):
    against = Answer.NOT_MET if name.startswith("IN") else Answer.MET
    found = evaluate(confirmed(), eligible_person(judgements={**JUDGEMENTS, name: judged(against)}))
    assert (found.outcome, found.against) == (Outcome.INELIGIBLE, (name,))


def test_another_study_evaluates_too():
    found = evaluate(
        confirmed(SECOND),
        facts(
            lab("K", "4.2"), birth_date="1970-01-01", judgements={"EX01": judged(Answer.NOT_MET)}
        ),
    )
    assert found.outcome is Outcome.ELIGIBLE
    assert [each.criterion for each in found.verdicts] == ["IN01", "IN02", "EX01"]
