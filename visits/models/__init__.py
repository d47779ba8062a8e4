"""What visits keep: forms of the visits, treatment sessions, the cell product.

`Visit` itself, ODM's StudyEventData, is `trialsite.casebook.models.Visit`.
"""

from __future__ import annotations

from visits.models.vital_signs import FAHRENHEIT, POUND, OxygenSupport, Position, VitalSigns

__all__ = [
    "FAHRENHEIT",
    "POUND",
    "OxygenSupport",
    "Position",
    "VitalSigns",
]
