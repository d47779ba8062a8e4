"""What the rest of the house knows of one laboratory result: plain data, no tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFact:
    """One standing result of one draw, as printed and in the protocol's canonical unit.

    `draw` is shared by the results of one panel. `comparator` is one of COMPARATORS;
    `low` and `high` are the reporting laboratory's range in the unit reported. `missing`
    is the reason code of a result there is not. `routine_care`: drawn for the ward, not
    for the study.
    """

    result_id: UUID | None
    record_id: UUID | None
    draw: UUID | None
    analyte: str
    text: str
    comparator: str
    value: Decimal | None
    unit: str
    canonical: Decimal | None
    canonical_unit: str
    laboratory: str
    collected_at: datetime
    low: Decimal | None
    high: Decimal | None
    hours_since_purification: Decimal | None
    routine_care: bool
    missing: str

    @property
    def censored(self) -> bool:
        """Whether only a limit is known, such as "<0.2"."""
        return self.comparator != ""
