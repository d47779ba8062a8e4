"""What outcomes keep: events, survival, transplantation, death, and how it ended."""

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
from outcomes.models.dispositions import Disposition
from outcomes.models.event_checks import CAUSES, CRITERIA
from outcomes.models.event_medications import EventMedication
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
from outcomes.models.grades import AdverseEventGrade
from outcomes.models.origins import AdverseEventOrigin
from outcomes.models.sae import (
    TAKEN_BACK,
    Deputy,
    Expedited,
    SaeCase,
    SaeDeadline,
    Standing,
    Suspected,
    To,
)
from outcomes.models.sae_deaths import UnreportedDeath
from outcomes.models.sae_knowledge import FurtherWord, KnownBy, SponsorAwareness
from outcomes.models.sae_reconciliation import Found, SaeReconciliation, SaeReconciliationLine
from outcomes.models.sae_reports import (
    ReportKind,
    SaeReceipt,
    SaeReport,
    SaeReportPdf,
    VoidedAcknowledgement,
    Way,
)
from outcomes.models.survival import ContactAttempt, SurvivalContact
from outcomes.models.transplants import LiverOffer, Transplantation

__all__ = [
    "CAUSES",
    "CRITERIA",
    "CTCAE_VERSION",
    "RELATED",
    "TAKEN_BACK",
    "UNANSWERED",
    "Action",
    "AdverseEvent",
    "AdverseEventGrade",
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
    "Deputy",
    "DeviceAction",
    "Disposition",
    "Donor",
    "EndReason",
    "EventMedication",
    "Expectedness",
    "Expedited",
    "Found",
    "FurtherWord",
    "Grade",
    "GraftFunction",
    "Informant",
    "KnownBy",
    "ListStatus",
    "LiverOffer",
    "LtIndication",
    "OfferAnswer",
    "Outcome",
    "Pattern",
    "ReportKind",
    "SaeCase",
    "SaeDeadline",
    "SaeReceipt",
    "SaeReconciliation",
    "SaeReconciliationLine",
    "SaeReport",
    "SaeReportPdf",
    "Scope",
    "SpecialInterest",
    "SponsorAwareness",
    "Standing",
    "Suitability",
    "SurvivalContact",
    "SurvivalStatus",
    "Suspected",
    "To",
    "Transplantation",
    "UnreportedDeath",
    "VoidedAcknowledgement",
    "Way",
]
