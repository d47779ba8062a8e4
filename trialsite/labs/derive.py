"""What follows from a printed result: canonical value, copy of the range, flag.

All exact: comparing happens in the unit of the printout, or, where the laboratory states
its range in another unit, in the canonical one. The unit of entry never changes a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trialsite.labs.codes import ResultFlag, Significance
from trialsite.labs.entry import RowEntry
from trialsite.labs.models import LabResult, ReferenceRange
from trialsite.labs.results import UnitSlip, canonical_of, flag_of, suspect_unit
from trialsite.labs.selectors import plain
from trialsite.protocol.labs import Analyte

#: The columns of a result that entry decides, then those that follow from it.
ENTERED = ("text", "unit", "missing", "significance", "confirmed", "specimen_ref")
DERIVED = ("comparator", "value", "factor", "canonical", "canonical_unit")
SNAPSHOT = ("range_id", "range_low", "range_high", "range_unit", "range_factor", "flag")
ABNORMAL = frozenset({ResultFlag.LOW, ResultFlag.HIGH})


def columns_of(analyte: Analyte, row: RowEntry) -> dict[str, Any]:
    """The columns of a result but those of its range."""
    entered = {
        "text": row.text,
        "unit": row.unit,
        "missing": row.missing,
        "significance": row.significance,
        "confirmed": row.confirmed,
        "specimen_ref": row.specimen_ref,
    }
    if row.value is None:
        empty = {"value": None, "factor": None, "canonical": None}
        return {**entered, **empty, "comparator": "", "canonical_unit": ""}
    return {
        **entered,
        "comparator": row.comparator,
        "value": row.value,
        "factor": analyte.factor(row.unit),
        "canonical": canonical_of(analyte, row.value, row.unit),
        "canonical_unit": analyte.unit,
    }


def snapshot_of(
    analyte: Analyte, row: Mapping[str, Any], found: ReferenceRange | None
) -> dict[str, Any]:
    """The copy of the range and the flag that it gives a row (`columns_of`)."""
    if row["value"] is None:
        return dict.fromkeys(SNAPSHOT[:3]) | {"range_unit": "", "range_factor": None, "flag": ""}
    if found is None or found.unit not in analyte.accepted_units:
        blank = dict.fromkeys(SNAPSHOT[:3]) | {"range_unit": "", "range_factor": None}
        return blank | {"flag": ResultFlag.UNKNOWN.value}
    low, high = plain(found.low), plain(found.high)
    return {
        "range_id": found.pk,
        "range_low": low,
        "range_high": high,
        "range_unit": found.unit,
        "range_factor": analyte.factor(found.unit),
        "flag": _flag(analyte, row, low, high, found.unit),
    }


def _flag(
    analyte: Analyte, row: Mapping[str, Any], low: Decimal | None, high: Decimal | None, unit: str
) -> str:
    if unit == row["unit"]:
        return flag_of(row["comparator"], row["value"], low, high).value
    ends = [None if end is None else canonical_of(analyte, end, unit) for end in (low, high)]
    return flag_of(row["comparator"], row["canonical"], *ends).value


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a value must be confirmed with a comment before the panel is complete."""

    outside: bool
    slip: UnitSlip | None

    def __bool__(self) -> bool:
        return self.outside or self.slip is not None


def doubt_of(
    analyte: Analyte,
    value: Decimal | None,
    unit: str,
    canonical: Decimal | None,
    previous: Decimal | None,
) -> Doubt:
    """Whether a value is implausible, or looks as if it were in another unit.

    Only the jump from the value before is used beside the number itself; nothing changes
    by it (decisions C1).
    """
    if value is None or canonical is None:
        return Doubt(outside=False, slip=None)
    outside = analyte.hard is not None and canonical not in analyte.hard
    return Doubt(outside=outside, slip=suspect_unit(analyte, value, unit, previous))


def is_unusual(analyte: Analyte, canonical: Decimal | None) -> bool:
    """Whether the value lies outside the protocol's expected range."""
    return canonical is not None and analyte.soft is not None and canonical not in analyte.soft


def significance_of(result: LabResult, panel_wide: str, *, shifted: bool) -> str:
    """A result's significance: its own, else the panel's, unless its flag has shifted (C16)."""
    if result.significance or result.flag not in ABNORMAL or shifted:
        return result.significance
    return Significance(panel_wide).value if panel_wide else ""
