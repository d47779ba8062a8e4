"""What outcomes keep: adverse events and deaths."""

from __future__ import annotations

from outcomes.models.adverse_events import AdverseEvent
from outcomes.models.codes import (
    CTCAE_VERSION,
    RELATED,
    Action,
    Causality,
    DeathCause,
    DeathSource,
    DeviceAction,
    Expectedness,
    Grade,
    Outcome,
    Pattern,
    SpecialInterest,
)
from outcomes.models.deaths import Death
from outcomes.models.event_checks import CAUSES, CRITERIA
from outcomes.models.origins import AdverseEventOrigin

__all__ = [
    "CAUSES",
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
    "DeviceAction",
    "Expectedness",
    "Grade",
    "Outcome",
    "Pattern",
    "SpecialInterest",
]
