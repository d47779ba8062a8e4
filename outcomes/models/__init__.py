"""What outcomes keep: adverse events and deaths."""

from __future__ import annotations

from outcomes.models.adverse_events import CRITERIA, AdverseEvent, AdverseEventOrigin
from outcomes.models.codes import (
    CTCAE_VERSION,
    RELATED,
    Action,
    Causality,
    DeathCause,
    DeathSource,
    Grade,
    Outcome,
)
from outcomes.models.deaths import Death

__all__ = [
    "CRITERIA",
    "CTCAE_VERSION",
    "RELATED",
    "Action",
    "AdverseEvent",
    "AdverseEventOrigin",
    "Causality",
    "Death",
    "DeathCause",
    "DeathSource",
    "Grade",
    "Outcome",
]
