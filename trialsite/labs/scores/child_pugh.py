"""Child-Pugh (Pugh et al., Br J Surg 1973) with INR and the albumin limits 28 and 35 g/L."""

from __future__ import annotations

from decimal import Decimal

from .grades import ascites_points, encephalopathy_points, in_points, sum_of_points
from .score import Number, Score, Why, number, settled, without_score, word

ALGORITHM = "CHILD_PUGH"
VERSION = "1973_inr_28"


def child_pugh(
    *,
    bilirubin: Number = None,
    albumin: Number = None,
    inr: Number = None,
    ascites: str | None = None,
    encephalopathy: str | None = None,
    chronic_liver_disease: bool | None = None,
) -> Score:
    """Points and class; it is validated for cirrhosis, so only with chronic liver disease.

    Bilirubin in µmol/L, albumin in g/L; the inputs' `used` are points.
    """
    chronic = word("chronic_liver_disease", chronic_liver_disease)
    inputs = (
        in_points(number("bilirubin", bilirubin, "umol/L"), _bilirubin),
        in_points(number("albumin", albumin, "g/L"), _albumin),
        in_points(number("inr", inr, "{INR}"), _inr),
        ascites_points(ascites),
        encephalopathy_points(encephalopathy),
    )
    if chronic_liver_disease is None:
        return without_score(ALGORITHM, VERSION, (*inputs, chronic), Why.MISSING)
    if not chronic_liver_disease:
        return without_score(ALGORITHM, VERSION, (*inputs, chronic), Why.NOT_APPLICABLE)
    return settled(ALGORITHM, VERSION, inputs, sum_of_points, grade=_class)


def _bilirubin(value: Decimal) -> int:
    if value < 34:
        return 1
    return 2 if value <= 51 else 3


def _albumin(value: Decimal) -> int:
    if value > 35:
        return 1
    return 2 if value >= 28 else 3


def _inr(value: Decimal) -> int:
    if value < Decimal("1.7"):
        return 1
    return 2 if value <= Decimal("2.3") else 3


def _class(raw: Decimal) -> str:
    if raw <= 6:
        return "A"
    return "B" if raw <= 9 else "C"
