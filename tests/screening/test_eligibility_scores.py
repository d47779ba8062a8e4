"""The score above its threshold, in the version that was confirmed."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from screening.eligibility.engine import evaluate
from screening.eligibility.verdicts import Flag, Kind, Need, Outcome, Why
from tests.screening.eligibility import (
    FIRST,
    MET,
    NOT_MET,
    UNKNOWN,
    confirmed,
    confirmed_except,
    eligible_person,
    facts,
    lab,
    verdict,
)

PATH = "criteria.EX04.rule"
VERSIONS = ["unos", "meld_na_2016", "meld_3_0", "aetiology"]


def man(*labs, aetiology="other", sex="M", dialysis=False):
    return facts(*labs, sex=sex, aetiology=aetiology, dialysis=dialysis)


def severe(**others):
    """The acceptance case: bilirubin 700, INR 2.6, creatinine 60, sodium 137, albumin 30."""
    return man(
        lab("BILI", "700"),
        lab("INR", "2.6"),
        lab("CREAT", "60"),
        lab("SODIUM", "137"),
        lab("ALB", "30"),
        **others,
    )


def without_word(name):
    known = eligible_person()
    if name == "sex":
        return dataclasses.replace(known, sex=None)
    return dataclasses.replace(known, aetiology=None)


def raw_of(found):
    raw = found.reason.parameters["raw"]
    assert isinstance(raw, Decimal)
    return raw


def version(name):
    return confirmed(FIRST, (("version: {value: unos", f"version: {{value: {name}"),))


def shown(found):
    """Version, floors, displayed and raw to two places, as listed beside the verdict."""
    return [
        (
            one.parameters["version"],
            one.parameters["floors"],
            one.text,
            str(round(one.parameters["raw"], 2)) if one.parameters["raw"] != "" else "",
        )
        for one in found.evidence
        if one.kind is Kind.SCORE
    ]


@pytest.mark.requirement("DI6")
@pytest.mark.parametrize(
    ("aetiology", "displayed", "raw"), [("other", "27", "27.45"), ("alcoholic", "21", "21.02")]
)
def test_while_the_version_is_unconfirmed_all_versions_are_shown_and_none_decides(
    aetiology, displayed, raw
):
    found = verdict("EX04", severe(aetiology=aetiology), confirmed_except(PATH))
    assert found.state is UNKNOWN
    assert found.as_written is MET
    assert found.reason.code == "assumption_open"
    assert f"{PATH}.version" in found.assumptions
    assert Flag.UNCONFIRMED_ASSUMPTION in found.flags
    listed = shown(found)
    assert list(dict.fromkeys(name for name, *_ in listed)) == VERSIONS
    assert ("unos", True, "31", "31.16") in listed
    assert ("aetiology", False, displayed, raw) in listed
    assert all(one.used for one in found.evidence)


@pytest.mark.parametrize("aetiology", ["other", "alcoholic"])
def test_confirmed_as_unos_the_person_is_excluded_with_31(aetiology):
    found = verdict("EX04", severe(aetiology=aetiology))
    assert (found.state, found.favourable) == (MET, False)
    assert found.reason.code == "score_above"
    assert found.reason.parameters["version"] == "unos"
    assert found.reason.parameters["displayed"] == Decimal(31)
    assert round(raw_of(found), 2) == Decimal("31.16")
    assert [
        one.parameters["version"] for one in found.evidence if one.used and one.kind is Kind.SCORE
    ] == ["unos"]
    assert [one[0] for one in shown(found)] == VERSIONS
    assert evaluate(confirmed(), severe()).outcome is Outcome.INELIGIBLE


@pytest.mark.parametrize(
    ("name", "state"),
    [("unos", MET), ("meld_na_2016", MET), ("meld_3_0", MET), ("aetiology", NOT_MET)],
)
def test_the_confirmed_version_decides_whatever_the_others_say(name, state):
    assert verdict("EX04", severe(aetiology="alcoholic"), version(name)).state is state


def test_versions_that_agree_decide_without_confirmation():
    found = verdict("EX04", eligible_person(), confirmed_except(PATH))
    assert (found.state, found.assumptions) == (NOT_MET, ())
    worse = man(
        lab("BILI", "900"),
        lab("INR", "4.5"),
        lab("CREAT", "250"),
        lab("SODIUM", "128"),
        lab("ALB", "25"),
        aetiology="alcoholic",
    )
    found = verdict("EX04", worse, confirmed_except(PATH))
    assert (found.state, found.assumptions) == (MET, ())


@pytest.mark.parametrize(
    ("absent", "need"),
    [
        ("ALB", (Need.RESULT, "ALB")),
        ("SODIUM", (Need.RESULT, "SODIUM")),
        ("sex", (Need.SEX, "")),
        ("aetiology", (Need.AETIOLOGY, "")),
    ],
)
def test_a_version_that_cannot_be_computed_leaves_the_verdict_open_until_one_is_confirmed(
    absent, need
):
    known = (
        without_word(absent)
        if absent in {"sex", "aetiology"}
        else eligible_person(without=(absent,))
    )
    found = verdict("EX04", known, confirmed_except(PATH))
    assert (found.state, found.as_written) == (UNKNOWN, NOT_MET)
    assert found.assumptions == (f"{PATH}.version",)
    assert any(text == "" for _, _, text, _ in shown(found))
    assert verdict("EX04", known).state is NOT_MET
    needy = {"ALB": "meld_3_0", "SODIUM": "meld_na_2016", "sex": "meld_3_0"}
    chosen = verdict("EX04", known, version(needy.get(absent, "aetiology")))
    assert chosen.state is UNKNOWN
    assert [(one.need, one.name) for one in chosen.missing] == [need]


@pytest.mark.parametrize("absent", ["BILI", "INR", "CREAT"])
def test_a_missing_input_of_the_named_version_is_asked_for(absent):
    found = verdict("EX04", eligible_person(without=(absent,)))
    assert found.state is UNKNOWN
    assert [(one.need, one.name) for one in found.missing] == [(Need.RESULT, absent)]


def test_dialysis_nobody_recorded_is_asked_for():
    found = verdict("EX04", eligible_person(dialysis=None))
    assert [one.need for one in found.missing] == [Need.DIALYSIS]


def test_dialysis_counts_as_the_highest_creatinine():
    known = man(lab("BILI", "320"), lab("INR", "2.1"), lab("CREAT", "70"))
    on_dialysis = man(lab("BILI", "320"), lab("INR", "2.1"), lab("CREAT", "70"), dialysis=True)
    assert verdict("EX04", known).state is NOT_MET
    assert verdict("EX04", on_dialysis).state is MET


def test_a_censored_input_gives_no_score():
    found = verdict("EX04", eligible_person(lab("INR", ">8", hours=1), without=("INR",)))
    assert found.state is UNKNOWN
    assert Flag.CENSORED in found.flags
    assert [(one.need, one.name) for one in found.missing] == [(Need.EXACT_RESULT, "INR")]


def test_two_results_of_one_moment_that_differ_give_no_score():
    twice = eligible_person(lab("INR", "1.8", laboratory="L2"))
    found = verdict("EX04", twice)
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.ONE_RESULT)
    assert Flag.CONFLICTING in found.flags


def near(target, rounding="half_up"):
    """A man whose raw score lies just at a tenth, and the protocol's rounding."""
    edits = (
        ()
        if rounding == "half_up"
        else (("rounding: {value: half_up", f"rounding: {{value: {rounding}"),)
    )
    inr = {"30.45": "2.4397", "30.55": "2.4616", "29.45": "2.2313"}[target]
    return man(lab("BILI", "700"), lab("INR", inr), lab("CREAT", "60")), confirmed(FIRST, edits)


@pytest.mark.parametrize(
    ("target", "rounded", "raw", "boundary"),
    [
        ("29.45", NOT_MET, NOT_MET, False),
        ("30.45", NOT_MET, MET, True),
        ("30.55", MET, MET, False),
    ],
)
def test_rounding_decides_between_30_and_31(target, rounded, raw, boundary):
    known, whole = near(target)
    found = verdict("EX04", known, whole)
    value = raw_of(found)
    assert abs(value - Decimal(target)) < Decimal("0.02")
    assert found.state is rounded
    assert (Flag.AT_BOUNDARY in found.flags) is boundary
    assert verdict("EX04", *near(target, "none")).state is raw
    open_rounding = verdict("EX04", known, confirmed_except(f"{PATH}.rounding"))
    assert open_rounding.state is (rounded if rounded is raw else UNKNOWN)


def test_inputs_of_two_laboratories_are_flagged():
    assert Flag.CROSS_LAB not in verdict("EX04", eligible_person()).flags
    mixed = eligible_person(lab("INR", "1.9", laboratory="L2"), without=("INR",))
    assert Flag.CROSS_LAB in verdict("EX04", mixed).flags


def test_a_stale_input_is_set_aside():
    found = verdict("EX04", eligible_person(lab("CREAT", "70", hours=60), without=("CREAT",)))
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.FRESH_RESULT)
    assert Why.STALE in {one.why for one in found.evidence}


def test_a_post_purification_input_counts_here_unless_the_protocol_lists_the_criterion():
    after = eligible_person(lab("BILI", "320", hours=1, purified="3"), without=("BILI",))
    found = verdict("EX04", after)
    assert found.state is NOT_MET
    assert Flag.POST_PURIFICATION in found.flags
    listed = confirmed(FIRST, (("[IN03, IN04]", "[IN03, IN04, EX04]"),))
    assert verdict("EX04", after, listed).state is UNKNOWN


def test_a_score_nobody_has_a_formula_for_is_not_yet_known():
    other = confirmed(FIRST, (("score: MELD", "score: UKELD"),))
    found = verdict("EX04", severe(), other)
    assert (found.state, found.missing[0].need) == (UNKNOWN, Need.SCORE)
    assert verdict("EX04", severe(), version("of_my_own")).state is UNKNOWN


def test_every_score_opens_to_its_inputs_after_their_limits():
    found = verdict("EX04", severe())
    unos = next(one for one in found.evidence if one.parameters.get("version") == "unos")
    used = {part.name: (part.value, part.used) for part in unos.parts}
    assert used["creatinine"] == ("60", Decimal("88.4"))
    assert used["bilirubin"] == ("700", Decimal(700))
    assert {part.result_id for part in unos.parts} >= {lab("BILI", "700").result_id}
