"""Findings at the bedside that scores count in points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum

from .score import ScoreInput, Used, word


class Ascites(StrEnum):
    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


class Encephalopathy(StrEnum):
    """West Haven."""

    NONE = "0"
    GRADE_1 = "I"
    GRADE_2 = "II"
    GRADE_3 = "III"
    GRADE_4 = "IV"


_ASCITES = {Ascites.NONE: 1, Ascites.MILD: 2, Ascites.MODERATE: 3, Ascites.SEVERE: 3}
_ENCEPHALOPATHY = {
    Encephalopathy.NONE: 1,
    Encephalopathy.GRADE_1: 2,
    Encephalopathy.GRADE_2: 2,
    Encephalopathy.GRADE_3: 3,
    Encephalopathy.GRADE_4: 3,
}


def ascites_points(given: str | None) -> ScoreInput:
    """Ascites in points; a code of another vocabulary: ValueError."""
    used = None if given is None else Decimal(_ASCITES[Ascites(given)])
    return word("ascites", given, used)


def encephalopathy_points(given: str | None) -> ScoreInput:
    """Encephalopathy in points; a code of another vocabulary: ValueError."""
    used = None if given is None else Decimal(_ENCEPHALOPATHY[Encephalopathy(given)])
    return word("encephalopathy", given, used)


def in_points(one: ScoreInput, points: Callable[[Decimal], int]) -> ScoreInput:
    """The measured input counted in points; one without a value stays without."""
    return one if one.used is None else replace(one, used=Decimal(points(one.used)))


def sum_of_points(used: Used) -> Decimal:
    return sum(used.values(), Decimal(0))
