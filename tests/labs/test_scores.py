"""Scores: published vectors as literals, and what a score refuses to say."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from trialsite.labs.facts import LabFact
from trialsite.labs.scores import (
    EarlierCreatinine,
    Given,
    Score,
    Why,
    albi,
    child_pugh,
    clif_aclf,
    clif_of,
    expected_pta,
    half_up,
    kdigo_stage,
    mean_arterial_pressure,
    plasma_volume,
    r_ratio,
)

D = Decimal


def test_a_half_is_rounded_up_and_never_to_even() -> None:
    assert [half_up(D(text)) for text in ("0.5", "1.5", "2.5", "-2.5", "30.49999")] == [
        1,
        2,
        3,
        -3,
        30,
    ]


def test_a_little_below_zero_is_displayed_without_a_sign() -> None:
    assert (str(half_up(D("-0.4"))), str(half_up(D("-0.004"), 2))) == ("0", "0.00")


def _fact(comparator: str, canonical: str | None) -> LabFact:
    value = None if canonical is None else D(canonical)
    return LabFact(
        result_id=UUID(int=7),
        record_id=UUID(int=8),
        draw=UUID(int=9),
        analyte="BILI",
        text="as printed",
        comparator=comparator,
        value=value,
        unit="umol/L",
        canonical=value,
        canonical_unit="umol/L",
        laboratory="LAB1",
        collected_at=datetime(2026, 1, 5, 8, tzinfo=UTC),
        low=None,
        high=None,
        hours_since_purification=None,
        routine_care=False,
        missing="" if canonical else "not_done",
    )


@pytest.mark.parametrize(
    ("fact", "reason", "missing"),
    [
        (_fact("", "171"), "", ()),
        (_fact(">", "800"), "censored", ("bilirubin",)),
        (_fact("", None), "missing", ("bilirubin",)),
        (None, "missing", ("bilirubin",)),
        (_fact("", "-5"), "undefined", ("bilirubin",)),
    ],
)
def test_the_reason_why_there_is_no_score_survives(
    fact: LabFact | None, reason: str, missing: tuple[str, ...]
) -> None:
    score = albi(bilirubin=Given.of(fact), albumin=D(32))
    assert (score.reason, score.missing) == (reason, missing)
    assert (score.raw is None) == bool(reason)
    assert score.inputs[0].source_id == (UUID(int=7) if fact else None)


@pytest.mark.parametrize(
    ("bilirubin", "albumin", "raw", "grade"),
    [
        ("10", "45", "-3.1650", "1"),
        ("171", "32", "-1.2462", "3"),
        ("320", "30", "-0.8966", "3"),
        ("450", "27", "-0.5439", "3"),
        ("34.208", "35", "-1.9625", "2"),
    ],
    ids=["V1", "V2", "V3", "V5", "V9"],
)
def test_albi(bilirubin: str, albumin: str, raw: str, grade: str) -> None:
    score = albi(bilirubin=D(bilirubin), albumin=D(albumin))
    assert score.raw is not None
    assert (half_up(score.raw, 4), score.grade) == (D(raw), grade)
    assert score.displayed == half_up(score.raw, 2)


@pytest.mark.parametrize(
    ("albumin", "shown", "grade"),
    [
        ("38.36", "-2.60", "1"),
        ("38.35", "-2.60", "2"),
        ("24.12", "-1.39", "2"),
        ("24.11", "-1.39", "3"),
    ],
)
def test_the_albi_grade_is_that_of_the_unrounded_score(
    albumin: str, shown: str, grade: str
) -> None:
    score = albi(bilirubin=D(10), albumin=D(albumin))
    assert (score.displayed, score.grade) == (D(shown), grade)


def test_no_bilirubin_has_no_logarithm() -> None:
    assert albi(bilirubin=D(0), albumin=D(32)).reason == "undefined"


CHILD: dict[str, Any] = {
    "bilirubin": D(320),
    "albumin": D(30),
    "inr": D("2.1"),
    "ascites": "none",
    "encephalopathy": "I",
    "chronic_liver_disease": True,
}


@pytest.mark.parametrize(
    ("change", "points", "grade"),
    [
        ({}, 10, "C"),
        ({"bilirubin": D("33.9")}, 8, "B"),
        ({"bilirubin": D(34)}, 9, "B"),
        ({"bilirubin": D(51)}, 9, "B"),
        ({"bilirubin": D("51.1")}, 10, "C"),
        ({"albumin": D("35.1")}, 9, "B"),
        ({"albumin": D(35)}, 10, "C"),
        ({"albumin": D(28)}, 10, "C"),
        ({"albumin": D("27.9")}, 11, "C"),
        ({"inr": D("1.69")}, 9, "B"),
        ({"inr": D("1.7")}, 10, "C"),
        ({"inr": D("2.3")}, 10, "C"),
        ({"inr": D("2.31")}, 11, "C"),
        ({"ascites": "mild"}, 11, "C"),
        ({"ascites": "moderate"}, 12, "C"),
        ({"ascites": "severe"}, 12, "C"),
        ({"encephalopathy": "0"}, 9, "B"),
        ({"encephalopathy": "III"}, 11, "C"),
        (
            {"bilirubin": D(20), "albumin": D(40), "inr": D(1), "encephalopathy": "0"},
            5,
            "A",
        ),
        ({"bilirubin": D(20), "albumin": D(40), "inr": D(1)}, 6, "A"),
        ({"bilirubin": D(20), "albumin": D(40), "inr": D(1), "ascites": "mild"}, 7, "B"),
    ],
)
def test_child_pugh(change: dict[str, Any], points: int, grade: str) -> None:
    score = child_pugh(**(CHILD | change))
    assert (score.raw, score.displayed, score.grade) == (D(points), D(points), grade)


@pytest.mark.parametrize(("chronic", "reason"), [(False, Why.NOT_APPLICABLE), (None, Why.MISSING)])
def test_child_pugh_is_for_chronic_liver_disease(chronic: bool | None, reason: Why) -> None:
    score = child_pugh(**(CHILD | {"chronic_liver_disease": chronic}))
    assert (score.raw, score.reason) == (None, reason)


def test_a_code_of_another_vocabulary_is_not_scored() -> None:
    with pytest.raises(ValueError):
        child_pugh(**(CHILD | {"ascites": "some"}))


CLIF: dict[str, Any] = {
    "bilirubin": D(320),
    "creatinine": D("88.4"),
    "encephalopathy": "I",
    "inr": D("2.1"),
    "mean_arterial_pressure": D(86),
    "oxygen_ratio": D(350),
    "renal_replacement": False,
    "vasopressors": False,
}


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({}, 10),
        ({"bilirubin": D("205.247")}, 9),
        ({"bilirubin": D("205.248")}, 10),
        ({"bilirubin": D("102.623")}, 8),
        ({"bilirubin": D("102.624")}, 9),
        ({"creatinine": D("176.8")}, 11),
        ({"creatinine": D("309.4")}, 12),
        ({"creatinine": None, "renal_replacement": True}, 12),
        ({"encephalopathy": "0"}, 9),
        ({"encephalopathy": "III"}, 11),
        ({"inr": D("1.99")}, 9),
        ({"inr": D("2.5")}, 11),
        ({"mean_arterial_pressure": D("69.9")}, 11),
        ({"mean_arterial_pressure": None, "vasopressors": True}, 12),
        ({"oxygen_ratio": D(300)}, 11),
        ({"oxygen_ratio": D(200)}, 12),
        ({"oxygen_ratio": None, "saturation_ratio": D(358)}, 10),
        ({"oxygen_ratio": None, "saturation_ratio": D(357)}, 11),
        ({"oxygen_ratio": None, "saturation_ratio": D(214)}, 12),
    ],
)
def test_clif_organ_failure(change: dict[str, Any], points: int) -> None:
    score = clif_of(**(CLIF | change))
    assert (score.raw, score.reason) == (D(points), Why.NONE)


@pytest.mark.parametrize(
    "name", ["bilirubin", "creatinine", "encephalopathy", "inr", "oxygen_ratio", "vasopressors"]
)
def test_clif_organ_failure_names_what_lacks(name: str) -> None:
    score = clif_of(**(CLIF | {name: None}))
    assert (score.raw, score.missing, score.reason) == (None, (name,), "missing")


@pytest.mark.parametrize(
    ("organs", "age", "wbc", "raw", "shown"),
    [
        (8, 45, "7.0", "36.659", 37),
        (10, 58, "11.2", "51.420", 51),
        (12, 62, "18.5", "62.782", 63),
    ],
)
def test_clif_aclf(organs: int, age: int, wbc: str, raw: str, shown: int) -> None:
    score = clif_aclf(organ_failure=D(organs), age=D(age), wbc=D(wbc), acute_on_chronic=True)
    assert score.raw is not None
    assert (half_up(score.raw, 3), score.displayed) == (D(raw), D(shown))


@pytest.mark.parametrize(
    ("phenotype", "reason"), [(False, Why.NOT_APPLICABLE), (None, Why.MISSING)]
)
def test_clif_aclf_is_not_for_acute_failure(phenotype: bool | None, reason: Why) -> None:
    score = clif_aclf(organ_failure=D(8), age=D(45), wbc=D(7), acute_on_chronic=phenotype)
    assert (score.raw, score.reason) == (None, reason)


@pytest.mark.parametrize(
    ("alt", "alt_uln", "alp", "alp_uln", "shown", "pattern"),
    [
        (800, 40, 150, 125, "16.67", "hepatocellular"),
        (300, 40, 400, 125, "2.34", "mixed"),
        (120, 40, 500, 125, "0.75", "cholestatic"),
        (200, 40, 125, 125, "5.00", "hepatocellular"),
        (80, 40, 125, 125, "2.00", "cholestatic"),
    ],
)
def test_r_ratio(alt: int, alt_uln: int, alp: int, alp_uln: int, shown: str, pattern: str) -> None:
    score = r_ratio(alt=D(alt), alt_uln=D(alt_uln), alp=D(alp), alp_uln=D(alp_uln))
    assert (score.displayed, score.grade) == (D(shown), pattern)


def test_no_ratio_to_nothing() -> None:
    score = r_ratio(alt=D(40), alt_uln=D(40), alp=D(0), alp_uln=D(125))
    assert score.reason == "undefined"


def _kdigo(now: str, baseline: str | None, hours: str | None = None, **more: bool) -> Score:
    before = None if baseline is None else D(baseline)
    earlier = [EarlierCreatinine(hours=D(hours), creatinine=before)] if hours else []
    return kdigo_stage(
        creatinine=D(now),
        baseline=before,
        earlier=earlier,
        renal_replacement=more.get("renal_replacement", False),
    )


@pytest.mark.parametrize(
    ("now", "baseline", "hours", "stage"),
    [
        ("110", "80", "40", 1),
        ("165", "80", "100", 2),
        ("241", "80", "100", 3),
        ("360", "300", "40", 3),
        ("106.5", "80", "48", 1),
        ("106.49", "80", "48", 0),
        ("110", "80", "48.01", 0),
        ("120", "80", "100", 1),
        ("119.9", "80", "100", 0),
        ("159.9", "80", "100", 1),
        ("160", "80", "100", 2),
        ("240", "80", "100", 3),
        ("360", "350", "40", 0),
    ],
)
def test_kdigo_stage(now: str, baseline: str, hours: str, stage: int) -> None:
    score = _kdigo(now, baseline, hours)
    assert (score.raw, score.grade, score.reason) == (D(stage), str(stage), Why.NONE)


def test_a_stage_without_a_draw_in_48_hours_says_so() -> None:
    assert _kdigo("90", "80", "100").missing == ("lowest_48_hours",)
    assert _kdigo("90", "80", "40").missing == ()


def test_renal_replacement_is_stage_three_whatever_else_is_known() -> None:
    assert _kdigo("90", None, renal_replacement=True).raw == 3
    assert _kdigo("90", None).missing == ("baseline", "lowest_48_hours")


def test_bedside_formulas() -> None:
    pressure = mean_arterial_pressure(systolic=D(118), diastolic=D(70))
    assert (pressure.raw, str(pressure.displayed)) == (D(86), "86.0")
    volume = plasma_volume(weight=D(65), haematocrit=D(33))
    assert (volume.raw, volume.displayed) == (D("3.0485"), D("3.05"))


@pytest.mark.parametrize(
    ("inr", "isi", "shown"),
    [
        ("1.5", "1", "44.4"),
        ("1.6", "1", "40.0"),
        ("1.9", "1", "30.8"),
        ("1.93", "1", "30.1"),
        ("2.6", "1", "20.0"),
        ("1.5", "1.2", "49.9"),
        ("2.6", "1.2", "24.7"),
    ],
)
def test_expected_activity(inr: str, isi: str, shown: str) -> None:
    assert expected_pta(inr=D(inr), isi=D(isi)).displayed == D(shown)


@pytest.mark.parametrize(
    ("reported", "grade"),
    [("35", "concordant"), ("35.1", "discordant"), ("5", "concordant"), ("4.9", "discordant")],
)
def test_activity_and_inr_contradict_beyond_fifteen_points(reported: str, grade: str) -> None:
    assert expected_pta(inr=D("2.6"), reported=D(reported)).grade == grade


def test_the_curve_of_expected_activity_ends_at_its_pole() -> None:
    assert expected_pta(inr=D("0.6")).reason == "undefined"
    assert expected_pta(inr=D("0.5")).reason == "undefined"
