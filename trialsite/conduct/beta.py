"""Exact tail probabilities of the beta distribution, in decimal arithmetic.

P(p > limit) for p ~ Beta(a, b) is one minus the regularised incomplete beta function
(NIST DLMF 8.17): its hypergeometric series, with the beta function by Stirling's series.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

#: Digits carried; what is returned is good to far more than the ten that anybody reads.
_DIGITS = 50
_SHOWN = 30
#: Stirling's series is asymptotic: from here on its terms below are exact to the digits.
_LARGE = 60
#: B(2k) / (2k (2k - 1)) for k = 1, 2, ...
_BERNOULLI = (
    *("1/6", "-1/30", "1/42", "-1/30", "5/66", "-691/2730", "7/6", "-3617/510", "43867/798"),
    *("-174611/330", "854513/138", "-236364091/2730", "8553103/6", "-23749461029/870"),
)
_STIRLING = tuple(
    Fraction(number) / (2 * k * (2 * k - 1)) for k, number in enumerate(_BERNOULLI, start=1)
)
_LOG_2PI = Decimal("1.8378770664093454835606594728112352797227949472755668")


def probability_above(limit: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """P(p > limit) for p ~ Beta(a, b); `limit` in (0, 1), a and b above 0."""
    if not (0 < limit < 1 and a > 0 and b > 0):
        message = f"Beta({a}, {b}) has no tail above {limit}."
        raise ValueError(message)
    with localcontext(prec=_DIGITS):
        above = _series(1 - limit, b, a) if limit > Decimal("0.5") else 1 - _series(limit, a, b)
    with localcontext(prec=_SHOWN):
        return +min(max(above, Decimal(0)), Decimal(1))


def _series(x: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """I_x(a, b) by its hypergeometric series, for x up to a half."""
    term = total = Decimal(1)
    for n in range(10_000):
        term = term * (a + b + n) / (a + 1 + n) * x
        total += term
        if term < total.scaleb(-_DIGITS):
            break
    logged = a * x.ln() + b * (1 - x).ln() - a.ln() - _log_beta(a, b)
    return logged.exp() * total


def _log_beta(a: Decimal, b: Decimal) -> Decimal:
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)


def _log_gamma(z: Decimal) -> Decimal:
    """The logarithm of the gamma function for z above 0."""
    shift = Decimal(1)
    while z < _LARGE:
        shift *= z
        z += 1
    tail = sum(
        (
            Decimal(each.numerator) / Decimal(each.denominator) / z ** (2 * k - 1)
            for k, each in enumerate(_STIRLING, start=1)
        ),
        Decimal(0),
    )
    return (z - Decimal("0.5")) * z.ln() - z + _LOG_2PI / 2 + tail - shift.ln()
