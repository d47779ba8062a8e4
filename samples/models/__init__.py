"""Samples: what was collected, its aliquots, where each is, and what became of it."""

from __future__ import annotations

from samples.models.custody import CustodyEvent, LabelPrint, NotCollected, WhyNot
from samples.models.destruction import Destruction, DestructionLine, Outcome
from samples.models.shipments import Shipment, ShipmentState
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
    "CustodyEvent",
    "CustodyKind",
    "Destruction",
    "DestructionLine",
    "DrawSite",
    "Freezer",
    "LabelPrint",
    "NotCollected",
    "Outcome",
    "Rack",
    "Shipment",
    "ShipmentState",
    "Specimen",
    "SpecimenState",
    "UrineMethod",
    "WhyNot",
]
