"""Samples: what was collected, its aliquots, where each is, and what became of it."""

from __future__ import annotations

from samples.models.custody import CustodyEvent, LabelPrint, NotCollected, WhyNot
from samples.models.destruction import Destruction, DestructionLine, Outcome
from samples.models.excursions import ExcursionLine, StorageExcursion
from samples.models.shipment_lines import Condition, LineState, ShipmentLine
from samples.models.shipments import Cooling, ExportPermission, Shipment, ShipmentState
from samples.models.specimens import Aliquot, DrawSite, Specimen, UrineMethod
from samples.models.states import (
    ALIQUOT_STEPS,
    LIVE_ALIQUOTS,
    LIVE_SPECIMENS,
    OVER,
    SPECIMEN_STEPS,
    AliquotState,
    CustodyKind,
    SpecimenState,
)
from samples.models.storage import Box, BoxMove, Freezer, Rack

__all__ = [
    "ALIQUOT_STEPS",
    "LIVE_ALIQUOTS",
    "LIVE_SPECIMENS",
    "OVER",
    "SPECIMEN_STEPS",
    "Aliquot",
    "AliquotState",
    "Box",
    "BoxMove",
    "Condition",
    "Cooling",
    "CustodyEvent",
    "CustodyKind",
    "Destruction",
    "DestructionLine",
    "DrawSite",
    "ExcursionLine",
    "ExportPermission",
    "Freezer",
    "LabelPrint",
    "LineState",
    "NotCollected",
    "Outcome",
    "Rack",
    "Shipment",
    "ShipmentLine",
    "ShipmentState",
    "Specimen",
    "SpecimenState",
    "StorageExcursion",
    "UrineMethod",
    "WhyNot",
]
