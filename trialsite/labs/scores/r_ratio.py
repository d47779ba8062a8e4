"""The pattern of liver injury, Benichou, J Hepatol 1990."""

from __future__ import annotations

from decimal import Decimal

from .score import Number, Score, Used, number, settled

ALGORITHM = "R_RATIO"
VERSION = "1990"


def r_ratio(
    *, alt: Number = None, alt_uln: Number = None, alp: Number = None, alp_uln: Number = None
) -> Score:
    """ALT over its upper limit, by ALP over its own; the limits are the laboratory's."""
    inputs = (
        number("alt", alt, "U/L"),
        number("alt_uln", alt_uln, "U/L"),
        number("alp", alp, "U/L"),
        number("alp_uln", alp_uln, "U/L"),
    )
    return settled(ALGORITHM, VERSION, inputs, _formula, places=2, grade=_pattern)


def _formula(used: Used) -> Decimal:
    # One division: a ratio of exactly 5 or 2 stays exact.
    return used["alt"] * used["alp_uln"] / (used["alt_uln"] * used["alp"])


def _pattern(raw: Decimal) -> str:
    if raw >= 5:
        return "hepatocellular"
    return "cholestatic" if raw <= 2 else "mixed"
