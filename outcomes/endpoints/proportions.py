"""Crude proportions with the intervals of Wilson and of Clopper and Pearson."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from outcomes.endpoints.numbers import TAIL, Absent, Interval, Z, many_digits

_TINY = Decimal("1e-60")
_ENOUGH = Decimal("1e-36")
#: Where the bisection of a quantile stops.
_NARROW = Decimal("1e-20")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """`count` of `of`: the figures first, then the estimate where there is one."""

    count: int
    of: int
    value: Decimal | None = None
    wilson: Interval | None = None
    exact: Interval | None = None
    #: Why there is no estimate.
    absent: Absent | None = None


def proportion(count: int, of: int, *, absent: Absent | None = None) -> Proportion:
    """`count` of `of`; without an estimate where a reason is given, or where `of` is 0."""
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of}")
    if absent is None and of == 0:
        absent = Absent.NOBODY
    if absent is not None:
        return Proportion(count=count, of=of, absent=absent)
    with many_digits():
        value = Decimal(count) / Decimal(of)
    return Proportion(
        count=count, of=of, value=value, wilson=wilson(count, of), exact=clopper_pearson(count, of)
    )


@lru_cache(maxsize=4096)
def wilson(count: int, of: int) -> Interval:
    """Wilson's score interval without correction (J Am Stat Assoc 1927;22:209-212)."""
    with many_digits():
        k, n = Decimal(count), Decimal(of)
        centre = (k + Z * Z / 2) / (n + Z * Z)
        half = Z / (n + Z * Z) * (k * (n - k) / n + Z * Z / 4).sqrt()
        low = centre - half if count else Decimal(0)
        high = centre + half if count < of else Decimal(1)
        return Interval(low=low, high=high)


@lru_cache(maxsize=4096)
def clopper_pearson(count: int, of: int) -> Interval:
    """The exact interval (Biometrika 1934;26:404-413), by the beta distribution's quantiles."""
    with many_digits():
        low = _quantile(count, of - count + 1, TAIL) if count else Decimal(0)
        high = _quantile(count + 1, of - count, 1 - TAIL) if count < of else Decimal(1)
        return Interval(low=low, high=high)


def _quantile(a: int, b: int, probability: Decimal) -> Decimal:
    """Where the regularised incomplete beta function reaches a probability, by bisection."""
    low, high = Decimal(0), Decimal(1)
    while high - low > _NARROW:
        middle = (low + high) / 2
        if incomplete_beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: int, b: int, x: Decimal) -> Decimal:
    """The regularised incomplete beta function I_x(a, b) of whole a and b.

    By its continued fraction (NIST DLMF 8.17.22), on the side on which it converges fast.
    """
    with many_digits():
        if x <= 0 or x >= 1:
            return Decimal(int(x >= 1))
        if x * (a + b + 2) > a + 1:
            return 1 - _left(b, a, 1 - x)
        return _left(a, b, x)


def _left(a: int, b: int, x: Decimal) -> Decimal:
    # x^a (1-x)^b / (a B(a, b)); with whole numbers 1 / (a B(a, b)) is b / (a + b) C(a + b, a).
    factor = Decimal(_combinations(a, b) * b) / (a + b)
    return factor * x**a * (1 - x) ** b * _fraction(a, b, x)


@lru_cache(maxsize=64)
def _combinations(a: int, b: int) -> int:
    return math.comb(a + b, a)


def _fraction(a: int, b: int, x: Decimal) -> Decimal:
    """1/(1 + d1/(1 + d2/(1 + ...))) by Lentz's method."""
    value = c = Decimal(1)
    d = Decimal(0)
    step = 0
    while True:
        step += 1
        term = _term(a, b, x, step)
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1) < _ENOUGH:
            return 1 / value


def _term(a: int, b: int, x: Decimal, step: int) -> Decimal:
    """The coefficients d_n of DLMF 8.17.23."""
    m, odd = divmod(step, 2)
    if odd:
        return -x * (a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
    return x * m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))
