"""How ill an invented person is, day by day: one number, on which everything else hangs.

Severity is 1 at the worst of the usual course and 0 when well again. Bilirubin, INR,
ammonia, lactate, the grade of encephalopathy and the pulse are read off this one number,
so that they move together, as they do in a person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

#: Days in which somebody recovering loses two thirds of the severity.
RECOVERY = 16.0
_SLOWLY = 75.0
#: Deterioration of each day, and where it ends: beyond it nobody lives.
_WORSE, _END = 0.045, 1.55


class Trend(Enum):
    """Where an illness goes."""

    RECOVERING = "recovering"
    STABLE = "stable"
    DETERIORATING = "deteriorating"


@dataclass(frozen=True, slots=True)
class Illness:
    """How one invented person differs from the usual course."""

    trend: Trend = Trend.RECOVERING
    #: By analyte, its value at severity 1.
    worst: Mapping[str, float] = field(default_factory=dict)
    #: Not available at screening.
    unknown: tuple[str, ...] = ()
    #: The day of a transplantation; a new liver makes well.
    grafted: int | None = None

    def severity(self, day: float) -> float:
        """On a day, counted from day zero; before it, as on it."""
        days = max(0.0, day)
        if self.grafted is not None and days > self.grafted:
            return self.severity(self.grafted) * math.exp(-(days - self.grafted) / 4)
        if self.trend is Trend.DETERIORATING:
            return min(_END, 1 + _WORSE * days)
        return math.exp(-days / (RECOVERY if self.trend is Trend.RECOVERING else _SLOWLY))


USUAL = Illness()
