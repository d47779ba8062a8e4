"""Laboratories of the demonstration: registers with dated ranges, and draws of a liver failure.

A draw is entered as its laboratory prints it: one of them in conventional units. What it
says hangs on how ill the person is that day (`trialsite.demo.severity`): bilirubin, INR,
ammonia and lactate rise and fall together, prothrombin activity and albumin against them.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Mapping
from decimal import Decimal

from screening.models.forms import Demographics
from trialsite.access.context import context_of
from trialsite.access.models import Site, User
from trialsite.casebook.models import CrfRecord, Subject, Visit
from trialsite.casebook.protocols import protocol_of
from trialsite.core.context import Channel, acting
from trialsite.demo.clock import earlier_today
from trialsite.demo.severity import RECOVERY, USUAL, Illness
from trialsite.labs.codes import (
    FORM_OID,
    CreatinineMethod,
    PurificationKind,
    Significance,
    Specimen,
)
from trialsite.labs.entry import read_panel
from trialsite.labs.models import Laboratory
from trialsite.labs.selectors import analytes_of, panels_of_visit
from trialsite.labs.services.panels import open_panel, save_panel
from trialsite.labs.services.purification import record_purification
from trialsite.labs.services.ranges import RangeValues, keep_laboratory, keep_range
from trialsite.protocol import Protocol
from trialsite.protocol.labs import Analyte

CODE = "LAB1"

#: Into the study, the laboratories changed to another CRP assay with a lower limit.
NEW_ASSAY = dt.timedelta(days=40)

#: What the laboratory of this site prints in; every other one prints canonical units.
CONVENTIONAL = {
    "003": {
        "BILI": "mg/dL",
        "BILDIR": "mg/dL",
        "CREAT": "mg/dL",
        "ALB": "g/dL",
        "FIBRINO": "mg/dL",
        "HGB": "g/dL",
    }
}

#: Canonical value at severity 1 and when well again, digits printed, and in how many days of
#: recovery two thirds of the way are gone.
ANALYTES: dict[str, tuple[float, float, int, float]] = {
    "BILI": (330, 24, 1, 16),
    "ALT": (620, 34, 0, 9),
    "AST": (480, 31, 0, 8),
    "ALP": (172, 98, 0, 20),
    "GGT": (118, 46, 0, 20),
    "ALB": (29.5, 40, 1, 30),
    "INR": (2.05, 1.08, 2, 12),
    "FIBRINO": (1.45, 2.6, 2, 14),
    "CREAT": (71, 66, 0, 20),
    "UREA": (5.2, 4.8, 1, 20),
    "SODIUM": (136, 139.5, 0, 10),
    "K": (3.9, 4.2, 2, 10),
    "WBC": (8.4, 5.6, 1, 14),
    "HGB": (112, 131, 0, 40),
    "PLAT": (92, 168, 0, 25),
    "CRP": (27, 3.5, 1, 9),
    "PCT": (0.9, 0.08, 2, 8),
    "LACTICAC": (2.6, 1.3, 1, 7),
    "AMMONIA": (68, 26, 0, 9),
    "PH": (7.45, 7.41, 2, 7),
    "PCO2": (34, 39, 0, 7),
    "PO2": (88, 94, 0, 7),
    "BICARB": (23.5, 24.4, 1, 7),
    "BASEEXCS": (-0.8, 0.6, 1, 7),
    "CAION": (1.12, 1.19, 2, 10),
    "AFP": (96, 14, 1, 30),
    "FERRITIN": (1450, 310, 0, 20),
    "INTLK6": (42, 4.2, 1, 8),
    "TNF": (15.5, 6.4, 1, 10),
    "INTLK10": (13, 5.1, 1, 10),
    "HBVDNA": (180000, 900, 0, 7),
}
#: Relative spread of one measurement; gases and electrolytes are held tight by the body.
_SPREAD = 0.05
#: Prothrombin activity in % follows from the INR by a curve like a thromboplastin's.
_ACTIVITY = 40
#: How much faster than the illness anything moves.
_HASTE = 2.2
_TIGHT = {"SODIUM": 0.008, "K": 0.03, "PH": 0.002, "CAION": 0.015, "BICARB": 0.02, "INR": 0.02}


def make_laboratories(sites: Iterable[Site], *, by: User, since: dt.date, version: int) -> None:
    """One laboratory a site, with ranges since the study began; one was revised meanwhile."""
    protocol = protocol_of(version)
    with acting(context_of(by, Channel.COMMAND)):
        for site in sites:
            laboratory = keep_laboratory(
                site=site,
                by=by,
                code=CODE,
                name=f"Laboratory of {site.name}",
                name_zh=f"{site.name_zh}检验科",
                creatinine_method=CreatinineMethod.ENZYMATIC,
                pt_reagent="Recombinant, ISI 1.0 (SYNTHETIC)",
            )
            for analyte in protocol.labs.analytes:
                _state_ranges(laboratory, analyte, since, by)
            values = RangeValues(analyte="CRP", unit="mg/L", high=Decimal(8))
            keep_range(laboratory=laboratory, values=values, since=since + NEW_ASSAY, by=by)


def _state_ranges(laboratory: Laboratory, analyte: Analyte, since: dt.date, by: User) -> None:
    unit = unit_of(laboratory.site.code, analyte)
    found = {each.sex: (each.limits.low, each.limits.high) for each in analyte.reference}
    together = len(set(found.values())) == 1
    for sex, (low, high) in found.items():
        values = RangeValues(
            analyte=analyte.key,
            unit=unit,
            low=None if low is None else _printed(analyte, low, unit, 2),
            high=None if high is None else _printed(analyte, high, unit, 2),
            sex="ALL" if together else sex,
        )
        keep_range(laboratory=laboratory, values=values, since=since, by=by)
        if together:
            return


def unit_of(site: str, analyte: Analyte) -> str:
    """The unit in which a site's laboratory prints an analyte."""
    return CONVENTIONAL.get(site, {}).get(analyte.key, analyte.unit)


def _printed(analyte: Analyte, canonical: Decimal, unit: str, places: int) -> Decimal:
    """A canonical number as it would be printed in another unit."""
    if unit == analyte.unit:
        return canonical
    return round(canonical / analyte.factor(unit), places)


def draw_at(
    *,
    visit: Visit,
    by: User,
    chance: random.Random,
    day: int,
    illness: Illness = USUAL,
    also: tuple[str, ...] = (),
) -> None:
    """The draw of a visit, transcribed and completed; `day` counts from day zero.

    Before day zero it is the screening's, taken once consent was given that morning; `also`
    names panels drawn beyond those that the schedule expects.
    """
    record = CrfRecord.objects.select_related("site", "subject").get(
        visit=visit, form_oid=FORM_OID, voided_at=None
    )
    protocol = protocol_of(record.protocol_version_id)
    texts = _header(record, chance, hour=10 if day < 0 else 7)
    panels = (*panels_of_visit(record), *also)
    texts |= {f"panel.{key}": "on" for key in panels}
    values = values_on(chance, max(day, 0), illness)
    sex = str(Demographics.objects.get(subject=record.subject).sex)
    known = {each.key: each for each in protocol.labs.analytes}
    for key in analytes_of(protocol, panels):
        if key in illness.unknown and day < 0:
            texts[f"{key}.missing"] = "NAV"
        else:
            texts |= _result(known[key], values[key], record.site.code, sex)
    _save(record, protocol, texts, by=by)


def enter_ward_draw(*, visit: Visit, bilirubin: float, by: User, chance: random.Random) -> None:
    """The ward's own bilirubin of the day before: two draws tell whether it rises."""
    opened = open_panel(subject=visit.subject, visit_id=visit.pk, by=by)
    record = CrfRecord.objects.select_related("site", "subject").get(pk=opened.pk)
    protocol = protocol_of(record.protocol_version_id)
    texts = _header(record, chance, hour=7) | {"routine_care": "true"}
    for name in ("collected_at", "received_at"):
        before = dt.datetime.fromisoformat(texts[name]) - dt.timedelta(days=1)
        texts[name] = before.isoformat(timespec="minutes")
    analyte = protocol.labs.analyte("BILI")
    sex = str(Demographics.objects.get(subject=record.subject).sex)
    texts |= _result(analyte, Decimal(str(bilirubin)), record.site.code, sex)
    _save(record, protocol, texts, by=by)


def _save(record: CrfRecord, protocol: Protocol, texts: Mapping[str, str], *, by: User) -> None:
    entry = read_panel(protocol, texts)
    save_panel(record=record, entry=entry, by=by, base_version=record.version, complete=True)


def _header(record: CrfRecord, chance: random.Random, *, hour: int) -> dict[str, str]:
    drawn = earlier_today(record.site.time_zone, hour=hour, minute=chance.randrange(10, 40))
    return {
        "laboratory": CODE,
        "collected_at": drawn.isoformat(timespec="minutes"),
        "received_at": drawn.isoformat(timespec="minutes"),
        "specimen": Specimen.BLOOD,
        "fasting": "true",
        "on_ice": "true",
        "significance": Significance.NCS_DISEASE,
        "comment": "SYNTHETIC",
    }


def values_on(chance: random.Random, day: int, illness: Illness) -> dict[str, Decimal]:
    """What a person's blood holds on a day, counted from day zero, in canonical units."""
    found = {}
    severity = illness.severity(day)
    for key, (usual, well, places, days) in ANALYTES.items():
        worst = illness.worst.get(key, usual)
        # What is made anew within days runs ahead of the illness, what lasts lags behind.
        mean = well + (worst - well) * severity ** min(RECOVERY / days, _HASTE)
        spread = 0 if key in illness.worst and not day else _TIGHT.get(key, _SPREAD)
        found[key] = round(Decimal(str(chance.gauss(mean, abs(mean) * spread))), places)
    return found | _dependent(found)


def _dependent(found: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What must agree with the rest: fractions with their whole, activity with the ratio."""
    cells = found["WBC"]
    return {
        "BILDIR": round(found["BILI"] * Decimal("0.64"), 1),
        "PT": round(Decimal("11.6") * found["INR"], 1),
        "PTA": min(Decimal(120), round(_ACTIVITY / (found["INR"] - Decimal("0.6")), 0)),
        "NEUT": round(cells * Decimal("0.66"), 2),
        "LYM": round(cells * Decimal("0.22"), 2),
    }


def _result(analyte: Analyte, canonical: Decimal, site: str, sex: str) -> dict[str, str]:
    unit = unit_of(site, analyte)
    value = _printed(analyte, canonical, unit, 2)
    limits = next((each.limits for each in analyte.reference if each.sex == sex), None)
    texts = {analyte.key: f"{value:f}", f"{analyte.key}.unit": unit}
    back = value * analyte.factor(unit)
    if limits is not None and back not in limits:
        texts[f"{analyte.key}.sig"] = Significance.NCS_DISEASE
    return texts


def give_earlier_exchange(*, subject: Subject, by: User) -> None:
    """Two days before, the ward had exchanged plasma: the history of nearly everybody here."""
    ended = earlier_today(subject.site.time_zone, hour=12) - dt.timedelta(days=2)
    record_purification(
        subject=subject,
        kind=PurificationKind.PE,
        started_at=ended - dt.timedelta(hours=3),
        ended_at=ended,
        by=by,
    )
