"""Every verdict can be said, in full sentences, without a code or a placeholder left over."""

from __future__ import annotations

import ast
import datetime as dt
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils.translation import override

import screening.eligibility
from screening.eligibility import words
from screening.eligibility.engine import evaluate
from screening.eligibility.facts import Answer
from screening.eligibility.verdicts import Flag, Missing, Need, Outcome, State, Why
from screening.eligibility.words import Speaker
from tests.screening.eligibility import (
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

NAMES = {"I.HE.HEGRADE": "HE grade (West Haven)", "heparin": "Heparin"}
SPEAKER = Speaker(confirmed(), NAMES)


def severe():
    labs = (lab("BILI", "700"), lab("INR", "2.6"), lab("CREAT", "60"), lab("ALB", "30"))
    return facts(*labs, lab("SODIUM", "137"), sex="M", aetiology="other", dialysis=False)


@pytest.mark.parametrize(
    ("criterion", "known", "headline", "reason"),
    [
        (
            "EX04",
            severe(),
            "Excluded, 31",
            "MELD is 31 (version UNOS, computed 31.16), above 30.",
        ),
        (
            "EX04",
            eligible_person(),
            "Not excluded, 25",
            "MELD is 25 (version UNOS, computed 24.69), not above 30.",
        ),
        (
            "IN03",
            facts(lab("BILI", "10.0", "mg/dL")),
            "Met, 10.0 mg/dL",
            "Total bilirubin 10.0 mg/dL (171.04 µmol/L) reaches 171 µmol/L.",
        ),
        (
            "IN03",
            facts(lab("BILI", "150.0", hours=26), lab("BILI", "167.1")),
            "Met, 17.1 µmol/L/d",
            "Total bilirubin rises by 17.1 per day over 24 h; 17.1 µmol/L is reached.",
        ),
        (
            "IN03",
            facts(lab("BILI", "150.0", hours=26), lab("BILI", "167.0999")),
            "Not met, 167.0999 µmol/L",
            "Total bilirubin 167.0999 µmol/L does not reach 171 µmol/L, and the rise of 17.09 per "
            "day in 24 h does not reach 17.1 µmol/L.",
        ),
        (
            "IN04",
            facts(lab("INR", "1.9")),
            "Met, 1.9",
            "INR 1.9 is within 1.5 to 2.6.",
        ),
        (
            "IN04",
            facts(lab("PTA", "42"), lab("INR", "2.7")),
            "Not met",
            "None is in its range: Prothrombin activity 42 %, INR 2.7.",
        ),
        (
            "IN01",
            facts(birth_date="1981-05-06", consent=consent()),
            "Met, 45",
            "45 years on 2026-11-21, within 18 to 65.",
        ),
        (
            "IN06",
            facts(lab("CRP", "80", high="5")),
            "Met, 80 mg/L",
            "C-reactive protein 80 mg/L is above 1 × the upper limit 5 of L1.",
        ),
        (
            "EX02",
            facts(allergies=(allergy("heparin", "severe"),)),
            "Excluded",
            "Severe allergy to: Heparin.",
        ),
        (
            "IN02",
            facts(judgements={"IN02": judged(Answer.MET)}),
            "Met",
            "Ivy Investigator answered on 2026-11-22 12:00: applies.",
        ),
    ],
)
def test_a_verdict_names_the_value_that_decided(criterion, known, headline, reason):
    found = verdict(criterion, known)
    assert SPEAKER.headline(found) == headline
    assert SPEAKER.reason(found) == reason


def test_an_open_assumption_says_what_is_written_and_what_must_be_confirmed():
    speaker = Speaker(protocol_of(), NAMES)
    found = verdict("EX04", severe(), protocol_of())
    assert speaker.headline(found) == "Not yet known"
    assert "MELD is 31 (version UNOS, computed 31.16)" in speaker.reason(found)
    said = [speaker.missing(need) for need in found.missing]
    assert "The principal investigator must confirm: EX04 · Version of the formula = unos." in said


def test_times_are_told_by_the_clock_of_the_site():
    found = verdict("IN02", facts(judgements={"IN02": judged(Answer.MET)}))
    assert "04:00" in Speaker(confirmed(), NAMES, dt.UTC).reason(found)


def test_names_follow_the_language():
    with override("zh-hans"):
        assert SPEAKER.analyte("BILI") == "总胆红素"
        assert "总胆红素" in SPEAKER.missing(Missing(need=Need.RESULT, name="BILI"))


PEOPLE = [
    eligible_person(),
    severe(),
    facts(),
    facts(
        lab("BILI", "160"),
        lab("PTA", "30", purified="2"),
        lab("CRP", "80"),
        lab("INR", ">8"),
        lab("FIBRINO", "0.5"),
        consent=consent(signer="representative"),
        birth_date="2008",
        items={"I.HE.HEGRADE": (item("III"),), "I.VS.MAP": (item(Decimal(50)),)},
        allergies=(allergy("heparin", ""),),
    ),
    eligible_person(
        lab("BILI", "100", hours=25, routine=True),
        lab("BILI", "110", hours=1),
        lab("PTA", "90", hours=1),
        lab("INR", "5", hours=1),
        lab("CRP", "1", high="5", hours=1),
        without=("BILI", "INTLK6"),
        consent=consent(valid=False),
        birth_date="2015-01-01",
        allergies=(allergy("latex", "severe"),),
    ),
    eligible_person(
        lab("BILI", "3", hours=1), lab("BILI", "4", hours=1, laboratory="L2"), dialysis=None
    ),
]


@pytest.mark.parametrize("protocol", [confirmed(), protocol_of()], ids=["confirmed", "open"])
@pytest.mark.parametrize("known", PEOPLE)
def test_every_part_of_every_verdict_can_be_said(known, protocol):
    speaker = Speaker(protocol, NAMES)
    for found in evaluate(protocol, known).verdicts:
        said = [speaker.headline(found), speaker.reason(found)]
        said += [speaker.missing(need) for need in found.missing]
        said += [speaker.flag(flag) for flag in found.flags]
        for piece in found.evidence:
            said += [speaker.evidence(piece), speaker.set_aside(piece), speaker.not_computed(piece)]
        assert not [text for text in said if "%(" in text or "_" in text]


def test_only_the_words_know_django():
    package = Path(screening.eligibility.__file__).parent
    plain = tomllib.loads((package.parents[1] / "pyproject.toml").read_text("utf-8"))
    contracts = plain["tool"]["importlinter"]["contracts"]
    named = next(one for one in contracts if "Eligibility" in one["name"])["source_modules"]
    modules = {path.stem for path in package.iterdir() if not path.stem.startswith("__")}
    assert {f"screening.eligibility.{name}" for name in modules - {"words"}} < set(named)


def test_every_code_of_the_engine_has_its_words():
    package = Path(screening.eligibility.__file__).parent
    codes = {
        word.value
        for path in package.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("Reason", "_reason"))
        for keyword in [*call.args, *(each.value for each in call.keywords if each.arg == "code")]
        for word in ast.walk(keyword)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }
    codes |= {"consent_by_another", "consent_not_in_force", "own_consent"}
    codes |= {"grade_accepted", "grade_too_high"}
    assert codes == set(words.REASONS)
    assert set(words.NEEDS) == set(Need)
    assert set(words.FLAGS) == set(Flag)
    assert set(words.SET_ASIDE) == set(Why)
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.STATES) == {(kind, state) for kind in (True, False) for state in State}
