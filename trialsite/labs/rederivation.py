"""What would be judged otherwise by the ranges as the register has them now: a report only."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trialsite.casebook.protocols import protocol_of
from trialsite.labs.codes import ResultFlag, Sex
from trialsite.labs.derive import DERIVED, ENTERED, SNAPSHOT, snapshot_of
from trialsite.labs.models import Laboratory, LabResult, ReferenceRange, digits
from trialsite.labs.people import Person, person_of
from trialsite.labs.selectors import analyte_of


@dataclass(frozen=True, slots=True)
class Differing:
    """One standing result whose copy of the range is not the register's any more."""

    result: LabResult
    low: Decimal | None
    high: Decimal | None
    unit: str
    flag: str

    @property
    def flag_word(self) -> str:
        return str(ResultFlag(self.flag).label) if self.flag else ""

    @property
    def stood(self) -> str:
        """The range it was judged by."""
        low, high = self.result.range_low, self.result.range_high
        return f"{digits(low)}–{digits(high)} {self.result.range_unit}"

    @property
    def stands(self) -> str:
        """The range of the register now."""
        return f"{digits(self.low)}–{digits(self.high)} {self.unit}"

    @property
    def flips(self) -> bool:
        """Whether the flag itself would be another."""
        return self.flag != self.result.flag


def differing_results(laboratory: Laboratory) -> list[Differing]:
    """The laboratory's standing results that its ranges would judge otherwise today.

    Nothing is changed: a person takes the ranges anew, panel by panel, with a reason.
    """
    by_analyte: dict[str, list[ReferenceRange]] = defaultdict(list)
    for each in ReferenceRange.objects.filter(laboratory=laboratory, voided_at=None):
        by_analyte[each.analyte].append(each)
    rows = (
        LabResult.objects.filter(
            panel__laboratory=laboratory, voided_at=None, panel__record__voided_at=None
        )
        .exclude(value=None)
        .exclude(panel__collected_at=None)
        .select_related("panel__record", "subject")
        .order_by("subject__screening_number", "panel__collected_at", "analyte")
    )
    people: dict[uuid.UUID, Person] = {}
    found = []
    for row in rows:
        if row.subject_id not in people:
            people[row.subject_id] = person_of(row.subject_id)
        differing = _differing(row, by_analyte[row.analyte], people[row.subject_id])
        if differing is not None:
            found.append(differing)
    return found


def _differing(
    row: LabResult, ranges: Iterable[ReferenceRange], person: Person
) -> Differing | None:
    analyte = analyte_of(row.analyte, protocol_of(row.panel.record.protocol_version_id).labs)
    if analyte is None:
        return None
    on = row.panel.collected_at.date()
    age = person.age_on(on)
    fitting = next((each for each in ranges if _fits(each, person.sex, age, on)), None)
    stored: dict[str, Any] = {name: getattr(row, name) for name in (*ENTERED, *DERIVED)}
    columns = snapshot_of(analyte, stored, fitting)
    judged = [name for name in SNAPSHOT if name != "range_id"]
    if all(getattr(row, name) == columns[name] for name in judged):
        return None
    return Differing(
        row, columns["range_low"], columns["range_high"], columns["range_unit"], columns["flag"]
    )


def _fits(each: ReferenceRange, sex: str, age: int | None, on: dt.date) -> bool:
    upper = each.valid.upper
    if not (each.valid.lower <= on and (upper is None or on < upper)):
        return False
    if each.sex != Sex.ALL and each.sex != sex:
        return False
    if age is None:
        return each.age_from == 0 and each.age_below is None
    return each.age_from <= age and (each.age_below is None or age < each.age_below)
