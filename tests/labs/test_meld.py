"""The MELD family against published vectors and against a computation of its own."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsite.labs.results import canonical_of
from trialsite.labs.scores import (
    AETIOLOGY,
    MELD_3_0,
    MELD_NA_2016,
    UNOS,
    VERSIONS,
    Given,
    Score,
    Why,
    half_up,
    meld,
)
from trialsite.labs.scores.meld import BILIRUBIN_FACTOR, CREATININE_FACTOR
from trialsite.protocol import Protocol
from trialsite.protocol.rules import ScoreAbove

D = Decimal
NAMES = ("female", "bilirubin", "inr", "creatinine", "sodium", "albumin")
PATIENTS = {
    "V1": (False, D(10), D("0.9"), D(60), D(140), D(45)),
    "V2": (False, D(171), D("1.5"), D(70), D(138), D(32)),
    "V3": (True, D(320), D("2.1"), D("88.4"), D(134), D(30)),
    "V5": (False, D(450), D("2.6"), D("106.1"), D(132), D(27)),
    "V9": (False, D("34.208"), D("1.5"), D("106.08"), D(138), D(35)),
}


def _score(version: str, vector: str, **more: Any) -> Score:
    given: dict[str, Any] = dict(zip(NAMES, PATIENTS[vector], strict=True))
    given |= {"dialysis": False, "alcoholic_or_biliary": False} | more
    return meld(version=version, **given)


@pytest.mark.requirement("DI4")
@pytest.mark.parametrize(
    ("vector", "version", "raw", "shown"),
    [
        ("V1", UNOS, "6.4300", 6),
        ("V2", UNOS, "19.6741", 20),
        ("V3", UNOS, "25.8114", 26),
        ("V5", UNOS, "31.2387", 31),
        ("V9", UNOS, "15.3361", 15),
        ("V1", MELD_NA_2016, "6", 6),
        ("V2", MELD_NA_2016, "20.0000", 20),
        ("V3", MELD_NA_2016, "27.3860", 27),
        ("V5", MELD_NA_2016, "32.4850", 32),
        ("V9", MELD_NA_2016, "15", 15),
        ("V1", MELD_3_0, "6.0000", 6),
        ("V2", MELD_3_0, "20.7394", 21),
        ("V3", MELD_3_0, "28.7066", 29),
        ("V5", MELD_3_0, "33.0185", 33),
        ("V9", MELD_3_0, "14.8775", 15),
    ],
)
def test_published_vectors(vector: str, version: str, raw: str, shown: int) -> None:
    score = _score(version, vector)
    assert score.raw is not None
    assert (half_up(score.raw, 4), score.displayed) == (D(raw), D(shown))
    assert (score.algorithm, score.version, score.reason) == ("MELD", version, "")


ACCEPTANCE: dict[str, Any] = {
    "bilirubin": D(700),
    "inr": D("2.6"),
    "creatinine": D(60),
    "sodium": D(137),
    "albumin": D(30),
    "female": False,
    "dialysis": False,
}


def test_the_patient_on_whom_the_versions_disagree() -> None:
    unos = meld(version=UNOS, **ACCEPTANCE)
    assert unos.raw is not None
    assert (half_up(unos.raw, 2), unos.displayed) == (D("31.16"), D(31))
    for alcoholic, raw, shown in ((False, "27.45", 27), (True, "21.02", 21)):
        score = meld(version=AETIOLOGY, floors=False, alcoholic_or_biliary=alcoholic, **ACCEPTANCE)
        assert score.raw is not None
        assert (half_up(score.raw, 2), score.displayed) == (D(raw), D(shown))
    floored = meld(version=AETIOLOGY, alcoholic_or_biliary=False, **ACCEPTANCE)
    assert floored.raw is not None
    assert half_up(floored.raw, 2) == D("31.16")


def test_the_aetiology_version_takes_values_below_one_only_without_floors() -> None:
    floored = _score(AETIOLOGY, "V1")
    assert floored.raw is not None
    assert half_up(floored.raw, 4) == D("6.4300")
    # 3.78 ln(10/17.104) + 11.2 ln 0.9 + 9.57 ln(60/88.4) + 6.43
    free = _score(AETIOLOGY, "V1", floors=False)
    assert free.raw is not None
    assert half_up(free.raw, 4) == D("-0.4875")


def test_inputs_show_what_was_used() -> None:
    used = {one.name: one.used for one in meld(version=MELD_3_0, **ACCEPTANCE).inputs}
    assert used["creatinine"] == D("88.4")
    assert used["bilirubin"] == 700
    assert {one.unit for one in meld(**ACCEPTANCE).inputs} == {"umol/L", "{INR}", ""}
    clamped = meld(version=MELD_3_0, **(ACCEPTANCE | {"sodium": D(120), "albumin": D(12)}))
    used = {one.name: one.used for one in clamped.inputs}
    assert (used["sodium"], used["albumin"]) == (D(125), D(15))


@pytest.mark.parametrize(
    ("version", "cap"), [(UNOS, "353.6"), (MELD_NA_2016, "353.6"), (MELD_3_0, "265.2")]
)
def test_on_dialysis_creatinine_counts_as_its_cap(version: str, cap: str) -> None:
    on_dialysis = _score(version, "V3", dialysis=True)
    assert on_dialysis.raw == _score(version, "V3", creatinine=D(cap)).raw
    assert on_dialysis.raw == _score(version, "V3", creatinine=D(2000)).raw
    assert on_dialysis.raw == _score(version, "V3", creatinine=None, dialysis=True).raw


@pytest.mark.parametrize(
    ("version", "needs"),
    [
        (UNOS, {"bilirubin", "inr", "creatinine", "dialysis"}),
        (MELD_NA_2016, {"bilirubin", "inr", "creatinine", "dialysis", "sodium"}),
        (
            MELD_3_0,
            {"bilirubin", "inr", "creatinine", "dialysis", "sodium", "albumin", "female"},
        ),
        (AETIOLOGY, {"bilirubin", "inr", "creatinine", "alcoholic_or_biliary"}),
    ],
)
def test_a_version_without_an_input_it_needs_is_not_computed(version: str, needs: set[str]) -> None:
    assert set(meld(version=version).missing) == needs
    for name in needs:
        score = _score(version, "V3", **{name: None})
        assert (score.raw, score.displayed) == (None, None)
        assert (score.missing, score.reason) == ((name,), "missing")


def test_a_limit_is_never_taken_for_a_value() -> None:
    score = _score(UNOS, "V3", inr=Given(value=D(8), lacking=Why.CENSORED))
    assert (score.raw, score.reason, score.missing) == (None, "censored", ("inr",))
    both = _score(UNOS, "V3", inr=Given(lacking=Why.CENSORED), bilirubin=None)
    assert (both.reason, both.missing) == ("missing", ("bilirubin", "inr"))


def test_without_floors_a_zero_has_no_logarithm() -> None:
    assert _score(AETIOLOGY, "V3", floors=False, bilirubin=D(0)).reason == "undefined"
    assert _score(UNOS, "V3", inr=D(-1)).reason == "undefined"


def test_an_unknown_version_is_an_error() -> None:
    with pytest.raises(LookupError):
        meld(version="meld_4_0", **ACCEPTANCE)


def test_the_study_asks_for_versions_there_are(study: Protocol) -> None:
    rules = [one.rule for one in study.criteria if isinstance(one.rule, ScoreAbove)]
    assert rules
    for rule in rules:
        assert {rule.version, *rule.shown} <= set(VERSIONS)


def test_the_factors_of_the_formula_are_those_of_the_protocol(study: Protocol) -> None:
    for key, factor in (("BILI", BILIRUBIN_FACTOR), ("CREAT", CREATININE_FACTOR)):
        assert canonical_of(study.labs.analyte(key), D(1), "mg/dL") == factor


def _floats(version: str, numbers: list[float], female: bool, alcoholic: bool) -> float:
    """The published formulas once more, in binary floats, written apart from the product."""
    bil, inr, cr, na, alb = numbers
    b, i = max(bil / 17.104, 1.0), max(inr, 1.0)
    c = max(cr / 88.4, 1.0)
    na, alb = min(max(na, 125.0), 137.0), min(max(alb / 10, 1.5), 3.5)
    if version == "aetiology":
        return (
            3.78 * math.log(b)
            + 11.2 * math.log(i)
            + 9.57 * math.log(c)
            + (0.0 if alcoholic else 6.43)
        )
    if version == "meld_3_0":
        c = min(c, 3.0)
        return (
            (1.33 if female else 0.0)
            + 4.56 * math.log(b)
            + 0.82 * (137 - na)
            - 0.24 * (137 - na) * math.log(b)
            + 9.09 * math.log(i)
            + 11.14 * math.log(c)
            + 1.85 * (3.5 - alb)
            - 1.83 * (3.5 - alb) * math.log(c)
            + 6
        )
    c = min(c, 4.0)
    first = 9.57 * math.log(c) + 3.78 * math.log(b) + 11.2 * math.log(i) + 6.43
    if version == "unos":
        return first
    whole = math.floor(first + 0.5)
    if whole <= 11:
        return float(whole)
    return whole + 1.32 * (137 - na) - 0.033 * whole * (137 - na)


amounts = st.fixed_dictionaries(
    {
        "female": st.booleans(),
        "bilirubin": st.decimals(5, 1500, places=1),
        "inr": st.decimals("0.6", 12, places=2),
        "creatinine": st.decimals(20, 1000, places=1),
        "sodium": st.decimals(115, 160, places=0),
        "albumin": st.decimals(10, 55, places=1),
        "alcoholic_or_biliary": st.booleans(),
    }
)


@pytest.mark.parametrize("version", VERSIONS)
@settings(deadline=None)
@given(given=amounts)
def test_floats_written_apart_agree(version: str, given: dict[str, Any]) -> None:
    score = meld(version=version, dialysis=False, **given)
    numbers = [float(given[name]) for name in NAMES[1:]]
    expected = _floats(version, numbers, given["female"], given["alcoholic_or_biliary"])
    assert score.raw is not None
    assert abs(float(score.raw) - expected) < 1e-9


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["bilirubin", "inr", "creatinine"])
@settings(deadline=None)
@given(given=amounts, more=st.decimals("0.1", 300, places=1))
def test_a_worse_value_never_lowers_the_score(
    version: str, name: str, given: dict[str, Any], more: Decimal
) -> None:
    better = meld(version=version, dialysis=False, **given)
    worse = meld(version=version, dialysis=False, **(given | {name: given[name] + more}))
    assert better.raw is not None
    assert worse.raw is not None
    assert worse.raw >= better.raw
    if version != AETIOLOGY:
        assert better.displayed is not None
        assert 6 <= better.displayed <= 40


@pytest.mark.parametrize(
    ("name", "fall"), [("sodium", st.integers(1, 20)), ("albumin", st.integers(1, 20))]
)
def test_lower_sodium_and_albumin_never_lower_the_score(
    name: str, fall: st.SearchStrategy[int]
) -> None:
    version = MELD_NA_2016 if name == "sodium" else MELD_3_0

    @settings(deadline=None)
    @given(given=amounts, less=fall)
    def holds(given: dict[str, Any], less: int) -> None:
        # With creatinine of 3 mg/dL albumin weighs nothing: 1.85 against 1.83 ln 3.
        patient = given | {"creatinine": min(given["creatinine"], D(200))}
        better = meld(version=version, dialysis=False, **patient)
        worse = meld(
            version=version, dialysis=False, **(patient | {name: max(given[name] - less, D(1))})
        )
        if better.raw is not None and better.raw <= 40:
            assert worse.raw is not None
            assert worse.raw >= better.raw

    holds()


@settings(deadline=None)
@given(given=amounts)
def test_what_is_displayed_is_the_raw_score_half_up(given: dict[str, Any]) -> None:
    for version in VERSIONS:
        score = meld(version=version, dialysis=False, **given)
        assert score.raw is not None
        whole = int((score.raw + D("0.5")) // 1)
        limited = whole if version == AETIOLOGY else min(max(whole, 6), 40)
        assert score.displayed == limited
