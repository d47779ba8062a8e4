"""What grading is given: one value with its range, and the value it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from trialsite.labs.results import Flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value with the reporting laboratory's limits of that day, all in one unit.

    `factor` turns the unit into the term's: the same value in two units is the same number.
    """

    value: Decimal | None
    comparator: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    #: Value × factor, limit × limit_factor: in the analyte's canonical unit, exactly.
    factor: Decimal = Decimal(1)
    limit_factor: Decimal = Decimal(1)

    @property
    def amount(self) -> Fraction | None:
        return None if self.value is None else Fraction(self.value) * Fraction(self.factor)

    @property
    def lower(self) -> Fraction | None:
        return None if self.low is None else Fraction(self.low) * Fraction(self.limit_factor)

    @property
    def upper(self) -> Fraction | None:
        return None if self.high is None else Fraction(self.high) * Fraction(self.limit_factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The value before treatment, in the canonical unit, and where it lay in its own range."""

    amount: Decimal
    flag: Flag
    comparator: str = ""
