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
from outcomes.models.sae import Deputy, Expedited, SaeCase, SaeDeadline, Suspected, To
from outcomes.models.sae_reconciliation import Found, SaeReconciliation, SaeReconciliationLine
from outcomes.models.sae_reports import (
    ReportKind,
    SaeReceipt,
    SaeReport,
    SaeReportPdf,
    Way,
)

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
    "Deputy",
    "DeviceAction",
    "Expectedness",
    "Expedited",
    "Found",
    "Grade",
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
    "SpecialInterest",
    "Suspected",
    "To",
    "Way",
]
