"""The arithmetic of estimates: decimals of many digits, and the normal quantile used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

#: Digits carried inside; answers round to what they show.
DIGITS = 40

#: The 0.975 quantile of the standard normal distribution (OEIS A220510).
Z = Decimal("1.9599639845400542355245944305205515279555")

#: The probability that an interval leaves out at each side.
TAIL = Decimal("0.025")


class Absent(StrEnum):
    """Why an estimate or its interval is not there; no number stands in for it."""

    #: Nobody belongs to the denominator.
    NOBODY = "nobody"
    #: Nobody is under observation any more, and not everybody has had the event.
    NOBODY_LEFT = "nobody_left"
    #: The estimate is 0 or 1, where the interval of this method does not exist.
    AT_BOUND = "at_bound"
    #: Somebody of the denominator has not yet come to that day.
    NOT_ALL_DUE = "not_all_due"
    #: A date known only to a span leaves open who belongs to the count.
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided 95 % confidence interval."""

    low: Decimal
    high: Decimal


@contextmanager
def many_digits() -> Iterator[None]:
    """Decimals inside are computed with `DIGITS` digits."""
    with localcontext(Context(prec=DIGITS)):
        yield


def decimal_of(value: Fraction) -> Decimal:
    """A fraction as a decimal of `DIGITS` digits."""
    with many_digits():
        return Decimal(value.numerator) / Decimal(value.denominator)


def complementary_log_log(estimate: Decimal, deviation: Decimal) -> Interval | None:
    """The interval of a probability by the transformation log(-log): p^exp(-+ z s / (p ln p)).

    `deviation` is the standard error of the estimate itself. It stays inside 0 and 1, and
    does not exist at 0, at 1, or where the standard error is 0 (Kalbfleisch & Prentice, The
    Statistical Analysis of Failure Time Data, 2nd ed. 2002, 1.4).
    """
    if not 0 < estimate < 1 or deviation <= 0:
        return None
    with many_digits():
        log = estimate.ln()
        spread = Z * deviation / (estimate * log).copy_abs()
        return Interval(low=(log * spread.exp()).exp(), high=(log * (-spread).exp()).exp())
