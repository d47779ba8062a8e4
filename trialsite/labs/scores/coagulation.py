"""The prothrombin activity an INR lets expect, to find results that contradict each other.

Never a substitute for a measured activity: the two are different assays, and in liver
failure reagents agree on the activity alone (Robert and Chazouilleres, Hepatology 1996).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from .score import Number, Score, Used, number, settled

ALGORITHM = "EXPECTED_PTA"
VERSION = "0.6_ratio"

DISCORDANT = "discordant"
CONCORDANT = "concordant"
#: Percentage points between reported and expected that are asked about.
TOLERANCE = Decimal(15)

_C = Decimal("0.6")


def expected_pta(
    *,
    inr: Number = None,
    isi: Number = Decimal(1),
    reported: Number = None,
    tolerance: Decimal = TOLERANCE,
) -> Score:
    """The expected activity in per cent; graded when a `reported` one is there to compare.

    (C - 0.6 C) / (P - 0.6 C) with P/C = INR^(1/ISI); undefined up to a ratio of 0.6.
    """
    inputs = (number("inr", inr, "{INR}"), number("isi", isi))
    score = settled(ALGORITHM, VERSION, inputs, _formula, places=1)
    measured = number("reported", reported, "%")
    score = replace(score, inputs=(*inputs, measured))
    if score.raw is None or measured.used is None:
        return score
    far = abs(score.raw - measured.used) > tolerance
    return replace(score, grade=DISCORDANT if far else CONCORDANT)


def _formula(used: Used) -> Decimal:
    ratio = used["inr"] if used["isi"] == 1 else (used["inr"].ln() / used["isi"]).exp()
    # At 0.6 the curve has its pole; below it an activity would be negative.
    return 100 * (1 - _C) / (ratio - _C) if ratio > _C else Decimal("NaN")
