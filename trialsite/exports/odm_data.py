"""The data of the casebooks as a CDISC ODM-XML 1.3.2 snapshot: what stands at one moment.

CamelCase is the standard's; the order of elements is that of its schema. The values are those
of the datasets: one computation, two forms. A value that is missing is null, with its reason
as annotation.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from django.db import connection

from trialsite.access.models import Site
from trialsite.casebook.models import ProtocolVersion, Subject
from trialsite.casebook.protocols import protocol_of
from trialsite.crf.items import Item, all_items_of
from trialsite.crf.models import CrfRow, ItemData
from trialsite.crf.odm import THROUGHOUT, add, group_oid, head, study_element, unit_oid, version_oid
from trialsite.crf.registry import form, forms
from trialsite.exports.casebook import of_table
from trialsite.exports.python_rows import Block
from trialsite.exports.registry import Column, Kind
from trialsite.exports.writing import Format, query
from trialsite.protocol import Protocol

_SUBJECTS_AT_ONCE = 100
_VISIT_REPEAT = Column(name="VISITREPEAT", sql="v.repeat_key", label="", kind=Kind.INTEGER)
_SUBJECT = Column(name="SUBJECT", sql="d.subject_id", label="", kind=Kind.ID)
#: Records that belong to no visit come after all visits.
_NO_VISIT = 1e9


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of one table, where ODM places it."""

    table: type[ItemData]
    event: str
    values: dict[str, Any]

    @property
    def at_event(self) -> tuple[float, str, int]:
        number = self.values["VISITNUM"]
        return (
            _NO_VISIT if number is None else float(number),
            self.event,
            self.values["VISITREPEAT"] or 1,
        )

    @property
    def at_form(self) -> tuple[str, int]:
        return (self.table.form_oid, self.values["REPEATKEY"])

    @property
    def at_group(self) -> tuple[int, int]:
        tables = list(form(self.table.form_oid).tables)
        return (tables.index(self.table), self.values.get("ROWNUM", 0))


def snapshot(
    version: ProtocolVersion, *, sites: Collection[int], at: dt.datetime
) -> Iterator[Block]:
    """The file piece by piece, a few subjects at a time, in the order of their numbers."""
    protocol = protocol_of(version.pk)
    root = head(version, at=at, what="snapshot")
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in root.items())
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<ODM {attributes}>\n'.encode(), 0
    yield _text(study_element(version)), 0
    yield _text(_admin_data(version, protocol, sites)), 0
    study = quoteattr(protocol.study.study_id)
    where = f"<ClinicalData StudyOID={study} MetaDataVersionOID={quoteattr(version_oid(version))}>"
    yield where.encode() + b"\n", 0
    known = list(
        Subject.objects.at(sites).select_related("site").order_by("site__code", "screening_number")
    )
    for first in range(0, len(known), _SUBJECTS_AT_ONCE):
        some = known[first : first + _SUBJECTS_AT_ONCE]
        entries = _entries(some, sites)
        for subject in some:
            yield _text(_subject_data(subject, entries[subject.pk], protocol)), 1
    yield b"</ClinicalData>\n</ODM>\n", 0


def _text(element: ET.Element) -> bytes:
    ET.indent(element)
    written: bytes = ET.tostring(element, encoding="utf-8")
    return written + b"\n"


def _admin_data(version: ProtocolVersion, protocol: Protocol, sites: Collection[int]) -> ET.Element:
    """The sites, as locations."""
    data = ET.Element("AdminData", StudyOID=protocol.study.study_id)
    for site in Site.objects.filter(pk__in=sites):
        location = add(data, "Location", OID=_location(site), Name=site.name, LocationType="Site")
        add(
            location,
            "MetaDataVersionRef",
            StudyOID=protocol.study.study_id,
            MetaDataVersionOID=version_oid(version),
            EffectiveDate=version.loaded_at.date().isoformat(),
        )
    return data


def _location(site: Site) -> str:
    return f"LOC.{site.code}"


def _entries(subjects: list[Subject], sites: Collection[int]) -> dict[uuid.UUID, list[_Entry]]:
    """Everything entered for these subjects: one statement a table."""
    found: dict[uuid.UUID, list[_Entry]] = defaultdict(list)
    ids = ", ".join(f"'{each.pk}'" for each in subjects)
    for table in (table for each in forms().values() for table in each.tables):
        dataset = of_table(table)
        chosen = replace(
            dataset,
            columns=(*dataset.columns, _VISIT_REPEAT, _SUBJECT),
            where=f"({dataset.where}) AND d.subject_id = ANY (ARRAY[{ids}]::uuid[])",
        )
        with connection.cursor() as cursor:
            cursor.execute(query(chosen, sites, Format.NDJSON))
            for (row,) in cursor:
                values = row if isinstance(row, dict) else json.loads(row)
                event = values["STUDYEVENT"] or THROUGHOUT
                found[uuid.UUID(values["SUBJECT"])].append(_Entry(table, event, values))
    return found


def _subject_data(subject: Subject, entries: list[_Entry], protocol: Protocol) -> ET.Element:
    data = ET.Element("SubjectData", SubjectKey=subject.number or subject.screening_number)
    add(data, "SiteRef", LocationOID=_location(subject.site))
    repeating = {each.oid for each in protocol.schedule.events if each.repeating}
    for (_number, event_oid, repeat), of_event in _grouped(entries, lambda each: each.at_event):
        key = {"StudyEventRepeatKey": str(repeat)} if event_oid in repeating else {}
        in_event = add(data, "StudyEventData", StudyEventOID=event_oid, **key)
        for (form_oid, number), of_form in _grouped(of_event, lambda each: each.at_form):
            key = {"FormRepeatKey": str(number)} if form(form_oid).repeating else {}
            in_form = add(in_event, "FormData", FormOID=form_oid, **key)
            for entry in sorted(of_form, key=lambda each: each.at_group):
                _group_data(in_form, entry)
    return data


def _grouped(
    entries: list[_Entry], key: Callable[[_Entry], Any]
) -> Iterator[tuple[Any, list[_Entry]]]:
    for at, group in groupby(sorted(entries, key=key), key=key):
        yield at, list(group)


def _group_data(in_form: ET.Element, entry: _Entry) -> None:
    key = {}
    if issubclass(entry.table, CrfRow):
        key = {"ItemGroupRepeatKey": str(entry.values["ROWNUM"])}
    group = add(in_form, "ItemGroupData", ItemGroupOID=group_oid(entry.table), **key)
    for name, item in all_items_of(entry.table).items():
        _item_data(group, item, entry.values.get(name), entry.values.get(f"{name}_missing"))


def _item_data(group: ET.Element, item: Item, value: Any, missing: str | None) -> None:
    if value not in (None, ""):
        data = add(group, "ItemData", ItemOID=item.oid, Value=_said(value))
        if item.unit:
            add(data, "MeasurementUnitRef", MeasurementUnitOID=unit_oid(item.unit))
    elif missing:
        data = add(group, "ItemData", ItemOID=item.oid, IsNull="Yes")
        note = add(data, "Annotation", SeqNum="1")
        add(note, "Comment", SponsorOrSite="Site").text = missing


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
