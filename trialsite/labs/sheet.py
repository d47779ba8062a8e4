"""A lab panel on its way into the casebook: what stands, what is entered, what follows.

Reading and judging only; `services.panels` writes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from trialsite.casebook.models import CrfRecord
from trialsite.casebook.protocols import protocol_of
from trialsite.core.clock import trial_now
from trialsite.core.units import unit_label
from trialsite.labs.checks import Broken, Drawn, broken_checks
from trialsite.labs.derive import (
    ABNORMAL,
    DERIVED,
    ENTERED,
    SNAPSHOT,
    Doubt,
    columns_of,
    doubt_of,
    significance_of,
    snapshot_of,
)
from trialsite.labs.entry import PanelEntry, RowEntry
from trialsite.labs.facts import LabFact
from trialsite.labs.models import Laboratory, LabPanel, LabResult, ReferenceRange
from trialsite.labs.names import said
from trialsite.labs.people import person_of
from trialsite.labs.results import flag_of
from trialsite.labs.selectors import (
    analytes_of,
    lab_facts,
    panel_of,
    panels_open,
    plain,
    previous_facts,
    ranges_on,
)
from trialsite.labs.specimen_checks import specimen_warnings
from trialsite.protocol import Protocol
from trialsite.protocol.labs import Analyte

REQUIRED = ("laboratory", "collected_at", "specimen")


@dataclass(slots=True)
class Change:
    """What an entry does to the results: made, changed (with the columns), emptied."""

    made: list[LabResult] = field(default_factory=list)
    changed: list[LabResult] = field(default_factory=list)
    emptied: list[LabResult] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)
    header: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.made or self.changed or self.emptied or self.header)

    @property
    def names(self) -> frozenset[str]:
        rows = (*self.made, *self.changed, *self.emptied)
        return frozenset({*self.header, *(row.analyte for row in rows)})


class Sheet:
    """One draw with its results, as stored and then as entered."""

    def __init__(self, record: CrfRecord) -> None:
        self.record = record
        panel, self.results = panel_of(record)
        self.is_new = panel is None
        self.panel = panel or LabPanel(
            record=record,
            site_id=record.site_id,
            subject_id=record.subject_id,
            time_zone=record.site.time_zone,
        )

    @property
    def drawn_at(self) -> dt.datetime:
        """The moment of the draw; of one not yet dated, now."""
        wall = self.panel.collected_at
        return wall.replace(tzinfo=ZoneInfo(self.panel.time_zone)) if wall else trial_now()

    @cached_property
    def protocol(self) -> Protocol:
        return protocol_of(self.record.protocol_version_id)

    @cached_property
    def analytes(self) -> dict[str, Analyte]:
        return {analyte.key: analyte for analyte in self.protocol.labs.analytes}

    @property
    def expected(self) -> list[str]:
        """The analytes that need a result or a reason."""
        return analytes_of(self.protocol, self.panel.panels)

    @property
    def drawn(self) -> dt.datetime | None:
        """The moment of the draw."""
        wall = self.panel.collected_at
        return wall.replace(tzinfo=ZoneInfo(self.panel.time_zone)) if wall else None

    @cached_property
    def history(self) -> list[LabFact]:
        return lab_facts(self.record.subject)

    @property
    def previous(self) -> dict[str, LabFact]:
        """The last value before this draw, by analyte."""
        return previous_facts(self.history, record_id=self.record.pk, before=self.drawn)

    def ranges(self) -> Mapping[str, ReferenceRange]:
        """The laboratory's ranges for this person on the day of the draw."""
        wall = self.panel.collected_at
        if self.panel.laboratory_id is None or wall is None:
            return {}
        person = person_of(self.record.subject_id)
        return ranges_on(
            self.panel.laboratory_id,
            sex=person.sex,
            age=person.age_on(wall.date()),
            on=wall.date(),
        )

    def apply(self, entry: PanelEntry, laboratory: Laboratory | None) -> Change:
        """Put an entry onto the sheet; what it changes."""
        change = Change(header=self._apply_header(entry, laboratory))
        anew = bool(change.header & {"laboratory_id", "collected_at"})
        ranges = self.ranges()
        for key in dict.fromkeys((*self.results, *entry.rows)):
            row = entry.rows.get(key, RowEntry())
            self._apply_row(change, key, row, ranges.get(key), anew=anew)
        return change

    def _apply_header(self, entry: PanelEntry, laboratory: Laboratory | None) -> set[str]:
        values = {
            **entry.header,
            "panels": entry.panels,
            "laboratory_id": laboratory.pk if laboratory else None,
        }
        changed = {name for name, value in values.items() if getattr(self.panel, name) != value}
        for name in changed:
            setattr(self.panel, name, values[name])
        self.panel.laboratory = laboratory
        return changed

    def _apply_row(
        self, change: Change, key: str, row: RowEntry, found: ReferenceRange | None, *, anew: bool
    ) -> None:
        stands = self.results.get(key)
        if row.empty:
            if stands is not None:
                change.emptied.append(self.results.pop(key))
            return
        columns = columns_of(self.analytes[key], row)
        same = stands is not None and (stands.text, stands.unit) == (row.text, row.unit)
        if stands is None or anew or not same:
            columns |= snapshot_of(self.analytes[key], columns, found)
        if stands is None:
            made = LabResult(
                panel=self.panel,
                site_id=self.record.site_id,
                subject_id=self.record.subject_id,
                analyte=key,
                **columns,
            )
            self.results[key] = made
            change.made.append(made)
            return
        _drop_outdated(stands, columns, row.restated, same=same)
        changed = set_columns(stands, columns)
        if changed:
            change.changed.append(stands)
            change.columns |= changed

    def retake(self) -> Change:
        """Copy the ranges anew, as the register has them now."""
        change, ranges = Change(), self.ranges()
        for key, row in self.results.items():
            if key not in self.analytes:
                continue
            stored = {name: getattr(row, name) for name in (*ENTERED, *DERIVED)}
            columns = snapshot_of(self.analytes[key], stored, ranges.get(key))
            changed = set_columns(row, columns)
            if changed:
                change.changed.append(row)
                change.columns |= changed
        return change

    def doubt(self, key: str) -> Doubt:
        """Whether a stored or entered value must be confirmed."""
        row, before = self.results[key], self.previous.get(key)
        analyte = self.analytes.get(key)
        if analyte is None:
            return Doubt(outside=False, slip=None)
        canonical = before.canonical if before is not None and not before.comparator else None
        return doubt_of(analyte, row.value, row.unit, row.canonical, canonical)

    def shifted(self, key: str) -> bool:
        """Whether a result lies elsewhere in its range than the one before."""
        before = self.previous.get(key)
        if before is None or before.value is None:
            return False
        flag = flag_of(before.comparator, before.value, before.low, before.high)
        return flag.value != self.results[key].flag

    def significance(self, key: str) -> str:
        """The significance that holds for a result: its own or the whole panel's."""
        row = self.results[key]
        return significance_of(row, self.panel.significance, shifted=self.shifted(key))

    def broken(self) -> list[Broken]:
        """The edit checks that the panel breaks."""
        panel = self.panel
        return broken_checks(
            Drawn(
                results=self.results,
                previous=self.previous,
                analytes=self.analytes,
                collected_at=self.drawn,
                laboratory=panel.laboratory.code if panel.laboratory else "",
                specimens=self.specimens,
            )
        )

    @cached_property
    def specimens(self) -> Mapping[str, str]:
        """What speaks against the specimens that the rows name, by their identifier."""
        refs = {row.specimen_ref for row in self.results.values()} - {""}
        return specimen_warnings(self.record.subject_id, refs)

    def problems(self) -> dict[str, str]:
        """What stands in the way of completion, by field."""
        found = self._missing_header()
        for key in self.expected:
            if key not in self.results:
                found[key] = _("Enter a value, or why there is none.")
        if not self.results and not self.expected:
            found["panels"] = _("Choose what was drawn, or enter a result.")
        for key, row in self.results.items():
            problem = self._problem_of(key, row)
            if problem:
                found[key] = problem
        return found

    def _missing_header(self) -> dict[str, str]:
        panel = self.panel
        values = {
            "laboratory": panel.laboratory,
            "collected_at": panel.collected_at,
            "specimen": panel.specimen,
        }
        found = {name: _("Needed to complete.") for name in REQUIRED if not values[name]}
        left = [key for key in panels_open(self.record) if key not in panel.panels]
        if left and self._is_first_draw():
            names = {each.key: said(each.name) for each in self.protocol.labs.panels}
            found["panels"] = _("Expected at this visit and on no draw yet: %(panels)s.") % {
                "panels": ", ".join(names[key] for key in left)
            }
        return found

    def _is_first_draw(self) -> bool:
        draws = CrfRecord.objects.standing().filter(
            visit=self.record.visit, form_oid=self.record.form_oid
        )
        return not draws.filter(repeat_key__lt=self.record.repeat_key).exists()

    def _problem_of(self, key: str, row: LabResult) -> str:
        doubt = self.doubt(key)
        if doubt.slip is not None and not row.confirmed:
            return _("%(text)s %(unit)s? Perhaps %(other)s. Correct the unit, or confirm it.") % {
                "text": row.text,
                "unit": unit_label(row.unit),
                "other": unit_label(doubt.slip.suggested_unit),
            }
        if doubt.outside and not row.confirmed:
            return _("This value is outside the plausible range. Confirm it with a comment.")
        if row.flag in ABNORMAL and not self.significance(key):
            return _("Outside the range: judge its clinical significance.")
        return ""

    def content_hash(self) -> str:
        """SHA-256 over the draw and its results as stored; what a signature is bound to."""
        panel = self.panel
        header = {
            "laboratory": str(panel.laboratory_id or ""),
            "panels": sorted(panel.panels),
            "time_zone": panel.time_zone,
            **{name: str(getattr(panel, name)) for name in HASHED},
        }
        rows = {key: _row_content(row) for key, row in sorted(self.results.items())}
        text = json.dumps([header, rows], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


HASHED = (
    "collected_at",
    "received_at",
    "specimen",
    "timepoint",
    "fasting",
    "on_ice",
    "haemolysed",
    "lipaemic",
    "icteric",
    "routine_care",
    "significance",
    "comment",
)


def _row_content(row: LabResult) -> dict[str, str]:
    content: dict[str, str] = {}
    for name in (*ENTERED, *DERIVED, *SNAPSHOT):
        value: Any = getattr(row, name)
        if name in NUMBERS:
            value = plain(value)
        if value not in (None, ""):
            content[name] = f"{value:f}" if name in NUMBERS else str(value)
    return content


NUMBERS = frozenset({"value", "factor", "canonical", "range_low", "range_high", "range_factor"})


def set_columns(row: LabResult, columns: Mapping[str, Any]) -> set[str]:
    """Set what differs; the names of it. Numbers are compared as numbers."""
    changed = {name for name, value in columns.items() if getattr(row, name) != value}
    for name in changed:
        setattr(row, name, columns[name])
    return changed


def _drop_outdated(
    stands: LabResult, columns: dict[str, Any], restated: frozenset[str], *, same: bool
) -> None:
    """A comment confirms the value it was written for, a judgement the flag it was made on.

    What was chosen anew for this value stands, even in the same words.
    """
    outdated = set() if same else {"confirmed"}
    if columns.get("flag", stands.flag) != stands.flag:
        outdated.add("significance")
    for name in outdated - restated:
        if columns[name] == getattr(stands, name):
            columns[name] = ""
