"""Numbers as people read them."""

from __future__ import annotations

from decimal import Decimal

from outcomes.charts.axes import rounded
from outcomes.endpoints.numbers import Interval


def percent(share: Decimal | None) -> str:
    """A probability as a percentage with one decimal; nothing is a dash."""
    return "–" if share is None else f"{rounded(share * 100, 1)} %"


def interval(found: Interval | None) -> str:
    """The ends of an interval of probabilities."""
    if found is None:
        return "–"
    return f"{rounded(found.low * 100, 1)}–{rounded(found.high * 100, 1)} %"


def signed(number: Decimal, places: int) -> str:
    """A change, with its sign; nothing changed is 0."""
    shown = rounded(number, places)
    if number == 0 or not shown.strip("0.-"):
        return shown.removeprefix("-")
    return f"+{shown}" if number > 0 else f"−{shown.removeprefix('-')}"
