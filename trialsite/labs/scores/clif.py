"""CLIF-C organ failure and CLIF-C ACLF, Jalan et al., J Hepatol 2014."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from .grades import encephalopathy_points, in_points, sum_of_points
from .meld import BILIRUBIN_FACTOR, CREATININE_FACTOR
from .score import Number, Score, ScoreInput, Used, Why, number, settled, without_score, word

ORGAN_FAILURE = "CLIF_C_OF"
ACLF = "CLIF_C_ACLF"
VERSION = "2014"

_WORST = Decimal(3)


def clif_of(
    *,
    bilirubin: Number = None,
    creatinine: Number = None,
    encephalopathy: str | None = None,
    inr: Number = None,
    mean_arterial_pressure: Number = None,
    oxygen_ratio: Number = None,
    saturation_ratio: Number = None,
    renal_replacement: bool | None = None,
    vasopressors: bool | None = None,
) -> Score:
    """Six organs of 1 to 3 points; bilirubin and creatinine in µmol/L, `used` are points.

    Respiration counts `oxygen_ratio` (PaO2/FiO2), without it `saturation_ratio` (SpO2/FiO2).
    """
    kidney = in_points(
        number("creatinine", creatinine, "umol/L"),
        _steps(2 * CREATININE_FACTOR, Decimal("3.5") * CREATININE_FACTOR),
    )
    circulation = in_points(
        number("mean_arterial_pressure", mean_arterial_pressure, "mm[Hg]"),
        lambda value: 1 if value >= 70 else 2,
    )
    inputs = (
        in_points(
            number("bilirubin", bilirubin, "umol/L"),
            _steps(6 * BILIRUBIN_FACTOR, 12 * BILIRUBIN_FACTOR),
        ),
        *_worst_when(kidney, "renal_replacement", supported=renal_replacement),
        encephalopathy_points(encephalopathy),
        in_points(number("inr", inr, "{INR}"), _steps(Decimal("2.0"), Decimal("2.5"))),
        *_worst_when(circulation, "vasopressors", supported=vasopressors),
        _lungs(oxygen_ratio, saturation_ratio),
    )
    return settled(ORGAN_FAILURE, VERSION, inputs, sum_of_points)


def _steps(two: Decimal, three: Decimal) -> Callable[[Decimal], int]:
    """1 point below `two`, 2 from there, 3 from `three`."""
    return lambda value: 1 + (value >= two) + (value >= three)


def _falling(one: int, two: int) -> Callable[[Decimal], int]:
    """1 point above `one`, 2 above `two`, else 3."""
    return lambda value: 3 - (value > two) - (value > one)


def _worst_when(
    organ: ScoreInput, support: str, *, supported: bool | None
) -> tuple[ScoreInput, ScoreInput]:
    """The organ's points, three under support, measured or not; support itself has none."""
    if supported:
        organ = replace(organ, used=_WORST, lacking=Why.NONE)
    return organ, replace(word(support, supported), used=None)


def _lungs(oxygen_ratio: Number, saturation_ratio: Number) -> ScoreInput:
    arterial = number("oxygen_ratio", oxygen_ratio)
    if arterial.lacking is not Why.MISSING:
        return in_points(arterial, _falling(300, 200))
    by_saturation = number("saturation_ratio", saturation_ratio)
    if by_saturation.lacking is Why.MISSING:
        return arterial
    return in_points(by_saturation, _falling(357, 214))


def clif_aclf(
    *,
    organ_failure: Number = None,
    age: Number = None,
    wbc: Number = None,
    acute_on_chronic: bool | None = None,
) -> Score:
    """The score from 0 to 100 for acute-on-chronic failure alone; leucocytes in 10*9/L.

    `organ_failure` is the raw score of `clif_of`, age in years.
    """
    inputs = (
        number("organ_failure", organ_failure, "{score}"),
        number("age", age, "a"),
        number("wbc", wbc, "10*9/L"),
    )
    phenotype = word("acute_on_chronic", acute_on_chronic)
    if acute_on_chronic is None:
        return without_score(ACLF, VERSION, (*inputs, phenotype), Why.MISSING)
    if not acute_on_chronic:
        return without_score(ACLF, VERSION, (*inputs, phenotype), Why.NOT_APPLICABLE)
    return settled(ACLF, VERSION, inputs, _aclf, limits=(0, 100))


def _aclf(used: Used) -> Decimal:
    return 10 * (
        Decimal("0.33") * used["organ_failure"]
        + Decimal("0.04") * used["age"]
        + Decimal("0.63") * used["wbc"].ln()
        - 2
    )
