"""Decision C2: what nobody has confirmed cannot decide, whatever parameter it is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.eligibility.engine import JUDGES, evaluate
from screening.eligibility.readings import Reading, explore
from screening.eligibility.verdicts import Finding, Flag, Need, Outcome, Reason
from tests.screening.eligibility import (
    FIRST,
    MET,
    UNKNOWN,
    allergy,
    confirmed,
    confirmed_except,
    consent,
    eligible_person,
    facts,
    item,
    lab,
    protocol_of,
    states,
    verdict,
)
from trialsite.protocol.rules import CATALOGUE

#: The first study as if the listing had given nothing.
ALL_ASSUMED = (
    ("criteria:\n  source: listing", "criteria:\n  source: assumption"),
    ('scale: {value: ["0", I, II, III, IV], source: standard}', 'scale: ["0", I, II, III, IV]'),
)
IN03, IN04, IN06 = "criteria.IN03.rule.", "criteria.IN04.rule.", "criteria.IN06.rule."
EX04 = "criteria.EX04.rule."
INR_OUT, PTA_OUT = lab("INR", "5", draw=1), lab("PTA", "90", draw=1)
NORMAL = (lab("TNF", "4", high="8.1"), lab("CRP", "2", high="5"))


def rising(first, second, hours):
    return lab("BILI", first, hours=2 + hours), lab("BILI", second)


def of_age(birth):
    return facts(birth_date=birth, consent=consent())


def score(inr, **drawn):
    return facts(lab("BILI", "700"), lab("INR", inr, **drawn), lab("CREAT", "60"), dialysis=False)


#: A person for whom each parameter decides: (criterion, facts), everything else confirmed.
DECIDED_BY = {
    "criteria.IN01.rule.lower.value": ("IN01", of_age("1996-01-01")),
    "criteria.IN01.rule.lower.inclusive": ("IN01", of_age("2008-11-21")),
    "criteria.IN01.rule.upper.value": ("IN01", of_age("1966-01-01")),
    "criteria.IN01.rule.upper.inclusive": ("IN01", of_age("1961-11-21")),
    "criteria.IN01.rule.at": ("IN01", of_age("1960-11-22")),
    "criteria.IN01.rule.leap_birthday": (
        "IN01",
        facts(birth_date="2008-02-29", consent=consent(dt.date(2026, 2, 28))),
    ),
    IN03 + "level.value": ("IN03", facts(lab("BILI", "200"))),
    IN03 + "level.inclusive": ("IN03", facts(lab("BILI", "171"))),
    IN03 + "daily_rise.value": ("IN03", facts(*rising("100", "120", 24))),
    IN03 + "daily_rise.inclusive": ("IN03", facts(*rising("150.0", "167.1", 24))),
    IN03 + "minimum_hours": ("IN03", facts(*rising("100", "160", 21))),
    IN03 + "maximum_hours": ("IN03", facts(*rising("1", "160", 100))),
    IN04 + "alternatives.PTA.lower.value": ("IN04", facts(lab("PTA", "25", draw=1), INR_OUT)),
    IN04 + "alternatives.PTA.lower.inclusive": ("IN04", facts(lab("PTA", "20", draw=1), INR_OUT)),
    IN04 + "alternatives.PTA.upper.value": ("IN04", facts(lab("PTA", "35", draw=1), INR_OUT)),
    IN04 + "alternatives.PTA.upper.inclusive": ("IN04", facts(lab("PTA", "40", draw=1), INR_OUT)),
    IN04 + "alternatives.INR.lower.value": ("IN04", facts(lab("INR", "1.6", draw=1), PTA_OUT)),
    IN04 + "alternatives.INR.lower.inclusive": ("IN04", facts(lab("INR", "1.5", draw=1), PTA_OUT)),
    IN04 + "alternatives.INR.upper.value": ("IN04", facts(lab("INR", "2.5", draw=1), PTA_OUT)),
    IN04 + "alternatives.INR.upper.inclusive": ("IN04", facts(lab("INR", "2.6", draw=1), PTA_OUT)),
    "criteria.IN05.rule.scale": ("IN05", facts(items={"I.HE.HEGRADE": (item("0"),)})),
    "criteria.IN05.rule.highest": ("IN05", facts(items={"I.HE.HEGRADE": (item("II"),)})),
    IN06 + "analytes": ("IN06", facts(lab("INTLK6", "99", high="7"), *NORMAL)),
    IN06 + "times_uln": ("IN06", facts(lab("INTLK6", "9", high="7"), *NORMAL)),
    IN06 + "inclusive": ("IN06", facts(lab("INTLK6", "7", high="7"), *NORMAL)),
    "criteria.EX02.rule.agents": ("EX02", facts(allergies=(allergy("heparin", "severe"),))),
    EX04 + "score": ("EX04", score("2.6")),
    EX04 + "threshold": ("EX04", score("2.6")),
    EX04 + "version": ("EX04", score("2.6")),
    EX04 + "rounding": ("EX04", score("2.4397")),
    "labs.rules.purification_lag_hours": ("IN03", facts(lab("BILI", "300", purified="13"))),
    "labs.rules.flagged_criteria": (
        "IN03",
        facts(*rising("100", "110", 24), lab("BILI", "300", hours=1, purified="5")),
    ),
    "labs.rules.flagged_in_criteria": (
        "IN03",
        facts(*rising("100", "110", 24), lab("BILI", "300", hours=1, purified="5")),
    ),
    "labs.rules.eligibility_hours": ("IN03", facts(lab("BILI", "300", hours=30))),
}

#: Parameters that change what is shown, never a verdict.
SHOWN_ONLY = {EX04 + "shown", EX04 + "boundary_low", EX04 + "boundary_high"}
#: Proven below: they decide only where the file says something else.
BY_THEMSELVES = {EX04 + "floors", IN04 + "same_draw"}
OTHER_USES = {
    "labs.rules.flagged_in_trends",
    "labs.rules.ctcae_version",
    "labs.rules.baseline",
    "labs.rules.anticoagulation",
}


def all_confirmed_but(path):
    protocol = protocol_of(FIRST, ALL_ASSUMED)
    return protocol.with_confirmed(one.path for one in protocol.assumptions() if one.path != path)


@pytest.mark.parametrize("path", list(DECIDED_BY))
def test_the_verdict_waits_for_the_assumption_that_decides_it(path):
    criterion, known = DECIDED_BY[path]
    found = verdict(criterion, known, all_confirmed_but(path))
    assert found.state is UNKNOWN
    assert found.assumptions == (path,)
    assert found.reason.parameters == {"paths": (path,)}
    assert Flag.UNCONFIRMED_ASSUMPTION in found.flags
    assert [(one.need, one.name) for one in found.missing] == [(Need.CONFIRMATION, path)]
    settled = verdict(criterion, known, confirmed(FIRST, ALL_ASSUMED))
    assert settled.state is found.as_written is not UNKNOWN
    assert settled.reason == found.written


def test_the_floors_decide_only_in_the_version_that_leaves_them_open():
    aetiology = (("version: {value: unos", "version: {value: aetiology"),)
    protocol = protocol_of(FIRST, aetiology)
    path = EX04 + "floors"
    open_floors = protocol.with_confirmed(
        one.path for one in protocol.assumptions() if one.path != path
    )
    known = facts(
        lab("BILI", "700"), lab("INR", "2.6"), lab("CREAT", "60"), aetiology="other", dialysis=False
    )
    found = verdict("EX04", known, open_floors)
    assert (found.state, found.as_written, found.assumptions) == (UNKNOWN, MET, (path,))
    assert verdict("EX04", known, all_confirmed_but(path)).state is MET


def test_one_draw_decides_where_separate_draws_are_written():
    """The newest draw alone is unknown; the newest of each analyte satisfies."""
    path = IN04 + "same_draw"
    protocol = protocol_of(FIRST, (("same_draw: {value: true", "same_draw: {value: false"),))
    open_draw = protocol.with_confirmed(
        one.path for one in protocol.assumptions() if one.path != path
    )
    known = facts(lab("PTA", "30", hours=5, draw=1), lab("INR", "5", draw=2))
    found = verdict("IN04", known, open_draw)
    assert (found.state, found.as_written, found.assumptions) == (UNKNOWN, MET, (path,))


def test_every_parameter_of_every_rule_is_tried_or_cannot_change_a_verdict():
    """A parameter added to the protocol's rules does not slip by unconfirmed."""
    protocol = protocol_of(FIRST, ALL_ASSUMED)
    paths = {
        one.path
        for one in protocol.assumptions()
        if (
            one.path.startswith("criteria.")
            and ".rule." in one.path
            and ".prompts." not in one.path
        )
        or one.path.startswith("labs.rules.")
    }
    assert paths == set(DECIDED_BY) | SHOWN_ONLY | OTHER_USES | BY_THEMSELVES


def test_every_rule_kind_of_the_catalogue_is_judged():
    assert set(JUDGES) == set(CATALOGUE.values())


def test_an_unconfirmed_conversion_factor_leaves_converted_values_open():
    edit = (
        ("units: {source: standard, mg/dL: 17.104}", "units: {source: assumption, mg/dL: 17.104}"),
    )
    path = "labs.analytes.BILI.units.mg/dL.factor"
    protocol = protocol_of(FIRST, edit)
    open_factor = protocol.with_confirmed(
        one.path for one in protocol.assumptions() if one.path != path
    )
    found = verdict("IN03", facts(lab("BILI", "20", "mg/dL")), open_factor)
    assert (found.state, found.as_written, found.assumptions) == (UNKNOWN, MET, (path,))
    assert verdict("IN03", facts(lab("BILI", "320")), open_factor).state is MET


def test_prompts_decide_nothing_confirmed_or_not():
    known = eligible_person(lab("PLAT", "20"), lab("LACTICAC", "9"))
    everything = states(known)
    assert states(known, confirmed_except(*(f"criteria.EX0{n}" for n in (1, 3, 5)))) == everything


def test_nothing_confirmed_still_decides_what_rests_on_no_assumption():
    """A person far from every bound needs no signature to be judged."""
    found = evaluate(protocol_of(), eligible_person())
    assert found.outcome is Outcome.ELIGIBLE
    assert found.missing == ()


def test_one_signature_settles_a_person_near_a_bound():
    known = eligible_person(lab("PTA", "40", hours=1), lab("INR", "1.2", hours=1))
    before = evaluate(protocol_of(), known)
    assert before.outcome is Outcome.NOT_YET_KNOWN
    assert before.unknown == ("IN04",)
    (need,) = before.missing
    assert need.need is Need.CONFIRMATION
    after = evaluate(protocol_of().with_confirmed([need.name]), known)
    assert after.outcome is Outcome.ELIGIBLE


# The search itself


def decide(formula):
    def judge(reading):
        truth = formula(lambda path, *others: reading.choose(path, others[0], others[1:]))
        return Finding(truth=truth, reason=Reason(code=""))

    return judge


def explored(formula, *open_paths):
    found = explore(decide(formula), frozenset(open_paths))
    return set(found.truths), set(found.paths)


def test_two_assumptions_that_only_together_change_a_verdict_are_both_named():
    both = explored(lambda ask: ask("a", 1, 2) + ask("b", 1, 2) < 4, "a", "b")
    assert both == ({True, False}, {"a", "b"})


def test_an_assumption_that_is_asked_about_but_changes_nothing_is_not_named():
    assert explored(lambda ask: ask("a", 1, 2) > 0 and ask("b", 1, 9) < 5, "a", "b") == (
        {True, False},
        {"b"},
    )


def test_a_question_that_only_another_answer_raises_is_tried():
    found = explored(lambda ask: ask("a", 1, 2) == 1 or ask("b", 1, 2) == 1, "a", "b")
    assert found == ({True, False}, {"a", "b"})


def test_a_confirmed_value_is_never_varied():
    assert explored(lambda ask: ask("a", 1, 2) == 1) == ({True}, set())


def test_one_reading_answers_the_same_question_alike():
    assert explored(lambda ask: ask("a", 1, 2) == ask("a", 1, 2), "a") == ({True}, set())


def tried_one_by_one(judge, open_paths, answers):
    """The search as it reads: every option of the first question, decided from the start."""
    reading = Reading(open_paths, answers)
    truth = judge(reading).truth
    if not reading.asked:
        return {truth}, set()
    path, options = reading.asked[0]
    found = [tried_one_by_one(judge, open_paths, {**answers, path: each}) for each in options]
    parted = {path} if len({frozenset(truths) for truths, _paths in found}) > 1 else set()
    return (
        set().union(*(truths for truths, _paths in found)),
        parted.union(*(paths for _truths, paths in found)),
    )


@given(st.data())
def test_what_was_decided_already_is_not_decided_anew_and_nothing_is_lost(data):
    """A formula of any shape: what it asks next depends on the answers before."""
    table = data.draw(
        st.dictionaries(
            st.tuples(st.sampled_from("abcd"), st.integers(1, 3)),
            st.one_of(st.sampled_from("abcd"), st.sampled_from([True, False, None])),
        )
    )

    def judge(reading):
        at: Any = "a"
        answers: list[int] = []
        while isinstance(at, str) and len(answers) < 6:
            answers.append(reading.choose(at, 1, (2, 3), lambda option, at=at: (at, option % 3)))
            at = table.get((at, answers[-1]), sum(answers) % 2 == 0)
        truth = None if isinstance(at, str) else at
        return Finding(truth=truth, reason=Reason(code=""))

    open_paths = frozenset(data.draw(st.sets(st.sampled_from("abcd"))))
    found = explore(judge, open_paths)
    assert (set(found.truths), set(found.paths)) == tried_one_by_one(judge, open_paths, {})


def test_options_without_different_effect_are_no_question():
    reading = Reading(frozenset({"a"}), {})
    assert reading.choose("a", Decimal(1), (Decimal(2),), lambda _one: None) == 1
    assert reading.asked == []
