"""What outcomes keep: events, survival, transplantation, death, and how it ended."""

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
from outcomes.models.dispositions import Disposition
from outcomes.models.follow_up_codes import (
    UNANSWERED,
    AliveSource,
    AttemptResult,
    ContactWay,
    DelistReason,
    Donor,
    EndReason,
    GraftFunction,
    Informant,
    ListStatus,
    LtIndication,
    OfferAnswer,
    Scope,
    Suitability,
    SurvivalStatus,
)
from outcomes.models.survival import ContactAttempt, SurvivalContact
from outcomes.models.transplants import LiverOffer, Transplantation

__all__ = [
    "CRITERIA",
    "CTCAE_VERSION",
    "RELATED",
    "UNANSWERED",
    "Action",
    "AdverseEvent",
    "AdverseEventOrigin",
    "AliveSource",
    "AttemptResult",
    "Causality",
    "ContactAttempt",
    "ContactWay",
    "Death",
    "DeathCause",
    "DeathSource",
    "DelistReason",
    "Disposition",
    "Donor",
    "EndReason",
    "Grade",
    "GraftFunction",
    "Informant",
    "ListStatus",
    "LiverOffer",
    "LtIndication",
    "OfferAnswer",
    "Outcome",
    "Scope",
    "Suitability",
    "SurvivalContact",
    "SurvivalStatus",
    "Transplantation",
]
