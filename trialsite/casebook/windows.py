"""Visit windows as people read them: first and last day, and how urgent the last one is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from trialsite.casebook.models import Visit, VisitStatus
from trialsite.core.date_ranges import ends_of

COMING_DAYS = 7
STANDING = (VisitStatus.PLANNED, VisitStatus.DUE, VisitStatus.OPEN)


class Lane(StrEnum):
    """The columns of Today, most urgent first."""

    OVERDUE = "overdue"
    CLOSING = "closing"
    OPEN = "open"
    COMING = "coming"


@dataclass(frozen=True, slots=True)
class Window:
    """A window with both ends inside."""

    first: dt.date
    last: dt.date
    target: dt.date | None = None

    @classmethod
    def of(cls, visit: Visit) -> Window | None:
        """The window of a visit, or None where it has none or one without an end."""
        ends = ends_of(visit.window)
        return None if ends is None else cls(*ends, visit.target_on)

    def lane(self, today: dt.date) -> Lane | None:
        """Where a visit with work left belongs today; None while it is too far ahead."""
        if self.last < today:
            return Lane.OVERDUE
        if self.first > today:
            coming = self.first <= today + dt.timedelta(days=COMING_DAYS)
            return Lane.COMING if coming else None
        closing = self.last <= today + dt.timedelta(days=1)
        return Lane.CLOSING if closing else Lane.OPEN


WIDTH = 168
_EDGE = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """A window drawn to scale, with today's mark; a day far outside stands at the edge."""

    start: float
    width: float
    target: float | None
    now: float

    @classmethod
    def of(cls, window: Window, today: dt.date) -> Bar:
        days = (window.last - window.first).days + 1
        margin = max(3, days)
        origin = window.first - dt.timedelta(days=margin)
        unit = (WIDTH - 2 * _EDGE) / (days + 2 * margin)

        def middle(date: dt.date) -> float:
            x = _EDGE + ((date - origin).days + 0.5) * unit
            return round(min(max(x, _EDGE), WIDTH - _EDGE), 1)

        return cls(
            start=round(_EDGE + margin * unit, 1),
            width=round(days * unit, 1),
            target=middle(window.target) if window.target and days > 1 else None,
            now=middle(today),
        )
