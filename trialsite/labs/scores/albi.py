"""ALBI, Johnson et al., J Clin Oncol 2015."""

from __future__ import annotations

from decimal import Decimal

from .score import Number, Score, Used, number, settled

ALGORITHM = "ALBI"
VERSION = "2015"


def albi(*, bilirubin: Number = None, albumin: Number = None) -> Score:
    """Bilirubin in µmol/L and albumin in g/L; the grade is that of the unrounded score."""
    inputs = (number("bilirubin", bilirubin, "umol/L"), number("albumin", albumin, "g/L"))
    return settled(ALGORITHM, VERSION, inputs, _formula, places=2, grade=_grade)


def _formula(used: Used) -> Decimal:
    return Decimal("0.66") * used["bilirubin"].log10() - Decimal("0.085") * used["albumin"]


def _grade(raw: Decimal) -> str:
    if raw <= Decimal("-2.60"):
        return "1"
    return "2" if raw <= Decimal("-1.39") else "3"
