"""Adverse events as they are analysed: with what follows from the rest of the casebook."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from outcomes.models import (
    CTCAE_VERSION,
    AdverseEvent,
    Expectedness,
    Grade,
    Outcome,
    SpecialInterest,
)
from outcomes.selectors.events import EventLine, lines_of
from trialsite.casebook.answers import keys_of
from trialsite.casebook.models import CrfRecord
from trialsite.crf.models import DICTIONARIES
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets

NAME = "adverse_events_analysis"
_LEVELS = DICTIONARIES["MedDRA"]


@register_datasets
def analysed() -> list[Dataset]:
    return [adverse_events()]


def adverse_events() -> Dataset:
    """One row for each standing event (ADAE): under treatment or not, its code, its origin."""
    return Dataset(
        name=NAME,
        title=_("Adverse events for analysis"),
        columns=(
            Column(name="SITEID", label=_("Site"), sdtm="DM.SITEID"),
            Column(name="SUBJID", label=_("Subject number"), sdtm="DM.SUBJID"),
            Column(name="SCRNID", label=_("Screening number")),
            Column(name="AESEQ", label=_("Number"), kind=Kind.INTEGER, sdtm="AE.AESEQ"),
            Column(name="RECORD", label=_("Record"), kind=Kind.ID),
            Column(name="STATUS", label=_("Status")),
            Column(name="AETERM", label=_("Event"), sdtm="AE.AETERM"),
            *_codes(),
            Column(name="AESTDTC", label=_("Start"), sdtm="AE.AESTDTC"),
            Column(name="AEENDTC", label=_("End"), sdtm="AE.AEENDTC"),
            Column(name="AEONGO", label=_("Ongoing"), kind=Kind.BOOLEAN),
            Column(
                name="TRTEMFL",
                label=_("Under treatment"),
                codes={"Y": _("Yes"), "N": _("No"), "U": _("Cannot be said")},
                sdtm="SUPPAE.AETRTEM",
            ),
            Column(
                name="AETOXGR",
                label=_("Worst grade"),
                kind=Kind.INTEGER,
                codes={str(each.value): each.label for each in Grade},
                sdtm="AE.AETOXGR",
            ),
            Column(name="AETOXV", label=_("CTCAE version")),
            Column(name="GRADES", label=_("Course of the grade"), kind=Kind.JSON),
            Column(name="AESER", label=_("Serious"), kind=Kind.BOOLEAN, sdtm="AE.AESER"),
            Column(name="AEREL", label=_("Related to the treatment"), kind=Kind.BOOLEAN),
            Column(name="AEEXP", label=_("Expectedness"), codes=dict(Expectedness.choices)),
            Column(name="SUSAR", label=_("Suspected unexpected"), kind=Kind.BOOLEAN),
            Column(
                name="AESI", label=_("Event of special interest"),
                codes=dict(SpecialInterest.choices),
            ),
            Column(
                name="AEOUT", label=_("Outcome"), codes=dict(Outcome.choices), sdtm="AE.AEOUT"
            ),
            Column(name="SESSION", label=_("Session"), kind=Kind.ID),
            Column(name="SESSNO", label=_("Session number"), kind=Kind.INTEGER),
            Column(name="COMPLICATION", label=_("Complication"), kind=Kind.ID),
            Column(name="READING", label=_("Reading"), kind=Kind.ID),
            Column(name="LBID", label=_("Laboratory result"), kind=Kind.ID),
        ),
        rows=_rows,
    )  # fmt: skip


def _codes() -> Iterator[Column]:
    yield Column(name="AELLT", label=_("Term of the dictionary"), sdtm="AE.AELLT")
    yield Column(name="AELLTCD", label=_("Code"), sdtm="AE.AELLTCD")
    names = {"PT": ("AEDECOD", "AEPTCD")}
    for level in _LEVELS:
        term, code = names.get(level, (f"AE{level}", f"AE{level}CD"))
        yield Column(name=term, label=level, sdtm=f"AE.{term}")
        yield Column(name=code, label=_("%(level)s code") % {"level": level}, sdtm=f"AE.{code}")
    yield Column(name="AEDICTV", label=_("Dictionary and version"))


def _rows(sites: Collection[int]) -> Iterator[dict[str, Any]]:
    records = CrfRecord.objects.standing().filter(
        form_oid=AdverseEvent.form_oid, site_id__in=list(sites)
    )
    ordered = records.select_related("subject__site").order_by(
        "site__code", "subject__screening_number", "repeat_key"
    )
    for line in lines_of(list(ordered)):
        said = said_event(line)
        yield {
            **keys_of(line.record.subject),
            **said,
            "GRADES": json.dumps(said["GRADES"]) if said["GRADES"] else None,
        }


def said_event(line: EventLine) -> dict[str, Any]:
    """One event as the dataset and the API say it."""
    event, origin = line.event, line.origin
    return {
        "AESEQ": line.record.repeat_key,
        "RECORD": line.record.pk,
        "STATUS": line.record.status,
        "AETERM": event and event.term,
        **_said_code(line),
        "AESTDTC": line.onset.replace(" ", "T") or None,
        "AEENDTC": line.end.replace(" ", "T") or None,
        "AEONGO": event and event.ongoing,
        "TRTEMFL": None if event is None else {True: "Y", False: "N", None: "U"}[line.emergent],
        "AETOXGR": event and event.grade,
        "AETOXV": CTCAE_VERSION,
        "GRADES": [
            {"from": f"{row.changed_on or ''}{_clock(row.changed_time)}", "grade": row.grade}
            for row in line.grades
        ],
        "AESER": event and event.serious,
        "AEREL": event and event.is_related,
        "AEEXP": event and event.expectedness,
        "SUSAR": event and event.is_suspected_unexpected,
        "AESI": event and event.special_interest,
        "AEOUT": event and event.outcome,
        "SESSION": origin and origin.session_id,
        "SESSNO": line.session and line.session.number,
        "COMPLICATION": origin and origin.complication_id,
        "READING": origin and origin.reading_id,
        "LBID": origin and origin.result_id,
    }


def _clock(time: Any) -> str:
    return f"T{time:%H:%M}" if time else ""


def _said_code(line: EventLine) -> dict[str, str | None]:
    names = [column.name for column in _codes()]
    if line.coding is None:
        return dict.fromkeys(names)
    levels = [line.coding.levels.get(level, {}) for level in _LEVELS]
    above = [said.get(part) for said in levels for part in ("term", "code")]
    dictionary = f"{line.coding.dictionary} {line.coding.version}"
    return dict(zip(names, [line.coding.term, line.coding.code, *above, dictionary], strict=True))
