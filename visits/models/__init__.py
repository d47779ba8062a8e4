"""What visits keep: forms of the visits, treatment sessions, the cell product.

`Visit` itself, ODM's StudyEventData, is `trialsite.casebook.models.Visit`.
"""

from __future__ import annotations

from visits.models.deficiencies import Component, DeviceDeficiency, Phase, Whereabouts
from visits.models.event_looks import EventLook, Finding
from visits.models.loaded_product import LoadedProduct
from visits.models.product_use import LotMovement, MovementKind
from visits.models.products import (
    STATE_AFTER,
    Assay,
    CellSource,
    DonorScreening,
    LotAct,
    LotDecision,
    LotState,
    ProductLot,
    ReleaseTest,
    ResultStage,
    Verdict,
)
from visits.models.session_end import SessionEnd
from visits.models.session_preparation import SessionPreparation
from visits.models.session_rows import Complication, IntegrityTest, Interruption, SessionReading
from visits.models.sessions import ChecklistAnswer, TreatmentSession
from visits.models.vital_signs import FAHRENHEIT, POUND, OxygenSupport, Position, VitalSigns

__all__ = [
    "FAHRENHEIT",
    "POUND",
    "STATE_AFTER",
    "Assay",
    "CellSource",
    "ChecklistAnswer",
    "Complication",
    "Component",
    "DeviceDeficiency",
    "DonorScreening",
    "EventLook",
    "Finding",
    "IntegrityTest",
    "Interruption",
    "LoadedProduct",
    "LotAct",
    "LotDecision",
    "LotMovement",
    "LotState",
    "MovementKind",
    "OxygenSupport",
    "Phase",
    "Position",
    "ProductLot",
    "ReleaseTest",
    "ResultStage",
    "SessionEnd",
    "SessionPreparation",
    "SessionReading",
    "TreatmentSession",
    "Verdict",
    "VitalSigns",
    "Whereabouts",
]
