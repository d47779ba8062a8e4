"""Numbers known exactly or only to a side ("<5"), compared with thresholds by logic alone.

All arithmetic is exact: Decimal products and differences, never a division, never a float.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trialsite.protocol.values import Bound

from .readings import Reading, half_and_double

Truth = bool | None


@dataclass(frozen=True, slots=True)
class Measure:
    """The interval a number lies in; None is an end nobody knows, `open` excludes an end."""

    low: Decimal | None
    high: Decimal | None
    low_open: bool = False
    high_open: bool = False

    @classmethod
    def of(cls, comparator: str, value: Decimal) -> Measure:
        """The number a printed result stands for."""
        match comparator:
            case "<" | "<=":
                return cls(None, value, high_open=comparator == "<")
            case ">" | ">=":
                return cls(value, None, low_open=comparator == ">")
            case _:
                return cls(value, value)

    @property
    def exact(self) -> Decimal | None:
        return self.low if self.low is not None and self.low == self.high else None

    def times(self, factor: Decimal) -> Measure:
        """In another unit; the factor is greater than zero."""
        return Measure(
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
            self.low_open,
            self.high_open,
        )

    def minus(self, other: Measure) -> Measure:
        return Measure(
            None if self.low is None or other.high is None else self.low - other.high,
            None if self.high is None or other.low is None else self.high - other.low,
            self.low_open or other.high_open,
            self.high_open or other.low_open,
        )

    def reaches(self, threshold: Decimal, *, inclusive: bool) -> Truth:
        """Whether the number is above the threshold, or at it where that counts."""
        if self.low is not None and (
            self.low > threshold or (self.low == threshold and (inclusive or self.low_open))
        ):
            return True
        if self.high is not None and (
            self.high < threshold or (self.high == threshold and (self.high_open or not inclusive))
        ):
            return False
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A bound of a rule at its path, with the factor from its unit to the measure's."""

    bound: Bound
    path: str
    factor: Decimal = Decimal(1)

    def admits_from_above(self, measure: Measure, reading: Reading) -> Truth:
        """Whether the measure is within this lower bound."""
        return self._read(measure, reading, upper=False)

    def admits_from_below(self, measure: Measure, reading: Reading) -> Truth:
        """Whether the measure is within this upper bound."""
        return self._read(measure, reading, upper=True)

    def at(self, measure: Measure) -> bool:
        """Whether the measure is exactly the bound as written."""
        return measure.exact is not None and measure.exact == self.bound.value * self.factor

    def _read(self, measure: Measure, reading: Reading, *, upper: bool) -> Truth:
        written = self.bound

        def judge(value: Decimal, inclusive: bool) -> Truth:  # noqa: FBT001 (a bound's own two)
            if not upper:
                return measure.reaches(value * self.factor, inclusive=inclusive)
            beyond = measure.reaches(value * self.factor, inclusive=not inclusive)
            return None if beyond is None else not beyond

        value = reading.choose(
            f"{self.path}.value",
            written.value,
            half_and_double(written.value),
            lambda option: (judge(option, True), judge(option, False)),  # noqa: FBT003
        )
        inclusive = reading.choose(
            f"{self.path}.inclusive",
            written.inclusive,
            (not written.inclusive,),
            lambda option: judge(value, option),
        )
        return judge(value, inclusive)


def both(*truths: Truth) -> Truth:
    """True if all are; false if any is."""
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def either(*truths: Truth) -> Truth:
    """True if any is; false if there is one at least and all are."""
    if any(truth is True for truth in truths):
        return True
    return None if not truths or any(truth is None for truth in truths) else False
