"""What is said of the severity of one value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

VERSION = "CTCAE 5.0"


class Direction(StrEnum):
    """On which side of normal a term lies."""

    LOW = "low"
    HIGH = "high"


class Based(StrEnum):
    """What the limits of a grade were multiples of."""

    LIMITS = "limits"
    BASELINE = "baseline"


class Why(StrEnum):
    """Why a value has no grade, or none that could not be higher."""

    NONE = ""
    #: CTCAE has no grade by numbers for this analyte: nothing is missing.
    NO_TERM = "no_term"
    NO_VALUE = "no_value"
    #: Not known whether it was drawn before the treatment.
    UNDATED = "undated"
    #: A comparator leaves more than one grade.
    LIMIT = "limit"
    NO_RANGE = "no_range"
    UNIT = "unit"
    NO_BASELINE = "no_baseline"
    BASELINE_LIMIT = "baseline_limit"
    BASELINE_RANGE = "baseline_range"
    ANTICOAGULATION = "anticoagulation"
    #: Symptoms, interventions or consequences may make it a higher grade.
    CLINICAL = "clinical"
    VERSION = "version"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabGrade:
    """The grade of a value, 0 for none of its terms, or why it cannot be graded.

    `at_least`: what CTCAE asks beside the number may make it higher; `why` says what.
    """

    grade: int | None = None
    at_least: bool = False
    #: The CTCAE term that the grade belongs to; empty without a grade or at grade 0.
    term: str = ""
    direction: Direction | None = None
    based: Based = Based.LIMITS
    why: Why = Why.NONE
    version: str = VERSION

    @property
    def gradable(self) -> bool:
        return self.grade is not None

    @property
    def said(self) -> str:
        """The grade as it is written: 3, or ≥2; empty where there is none."""
        if self.grade is None:
            return ""
        return f"≥{self.grade}" if self.at_least else str(self.grade)
