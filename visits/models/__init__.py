"""What visits keep: forms of the visits, treatment sessions, the cell product.

`Visit` itself, ODM's StudyEventData, is `trialsite.casebook.models.Visit`.
"""

from __future__ import annotations

from visits.models.session_end import SessionEnd
from visits.models.session_preparation import SessionPreparation
from visits.models.session_rows import Complication, IntegrityTest, Interruption, SessionReading
from visits.models.sessions import ChecklistAnswer, TreatmentSession
from visits.models.vital_signs import FAHRENHEIT, POUND, OxygenSupport, Position, VitalSigns

__all__ = [
    "FAHRENHEIT",
    "POUND",
    "ChecklistAnswer",
    "Complication",
    "IntegrityTest",
    "Interruption",
    "OxygenSupport",
    "Position",
    "SessionEnd",
    "SessionPreparation",
    "SessionReading",
    "TreatmentSession",
    "VitalSigns",
]
