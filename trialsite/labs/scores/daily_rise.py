"""How much a value rises in 24 hours between two draws."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from .score import Number, Score, ScoreInput, Used, Why, number, settled, without_score

ALGORITHM = "DAILY_RISE"
VERSION = "1"

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND
_HOUR = timedelta(hours=1) // _MICROSECOND


def daily_rise(
    *,
    earlier: Number,
    later: Number,
    elapsed: timedelta,
    minimum_hours: Decimal | None = None,
    maximum_hours: Decimal | None = None,
    unit: str = "umol/L",
) -> Score:
    """The rise per 24 hours in `unit`; draws not within the hours are not applicable.

    One division of exact numbers: 150.0 to 167.1 in 24 hours is 17.1, and draws 21 h 20 min
    apart lose nothing to a rounded number of hours. Whether two draws may be compared at all
    (laboratory, treatment between) is the caller's to know.
    """
    length = elapsed // _MICROSECOND
    hours = Decimal(length) / _HOUR
    inputs = (
        number("earlier", earlier, unit),
        number("later", later, unit),
        ScoreInput(name="hours", value=hours, unit="h", used=hours),
    )
    if length <= 0 or not _within(length, minimum_hours, maximum_hours):
        return without_score(ALGORITHM, VERSION, inputs, Why.NOT_APPLICABLE)

    def formula(used: Used) -> Decimal:
        return (used["later"] - used["earlier"]) * _DAY / length

    return settled(ALGORITHM, VERSION, inputs, formula, places=2)


def _within(length: int, minimum: Decimal | None, maximum: Decimal | None) -> bool:
    """Compared in microseconds: the limits themselves are within."""
    return (minimum is None or length >= minimum * _HOUR) and (
        maximum is None or length <= maximum * _HOUR
    )
