"""Datasets of laboratory data: one row a result, as SDTM's LB names it, and the ranges."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from trialsite.crf.items import MissingReason
from trialsite.exports.casebook import EVENT_KEYS, KEYS, RECORDS, SITES, SUBJECTS, VISITS
from trialsite.exports.registry import Column, Dataset, Kind, register_datasets
from trialsite.labs.codes import (
    PurificationKind,
    PurificationSource,
    ResultFlag,
    Sex,
    Significance,
    Specimen,
    Timepoint,
)
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
)

LABORATORIES, RANGES, PANELS, RESULTS, PURIFICATIONS = (
    model._meta.db_table
    for model in (Laboratory, ReferenceRange, LabPanel, LabResult, PurificationInterval)
)

_DRAWN = "(p.collected_at AT TIME ZONE p.time_zone)"
#: Hours from the end of the last purification to the draw, to a tenth, rounded down.
_HOURS = (
    f"(SELECT floor(extract(epoch FROM {_DRAWN} - max(least("
    f"coalesce(i.ended_at AT TIME ZONE i.time_zone, {_DRAWN}), {_DRAWN}))) / 360) / 10 "
    f"FROM {PURIFICATIONS} i WHERE i.subject_id = d.subject_id AND i.voided_at IS NULL "
    f"AND (i.started_at AT TIME ZONE i.time_zone) <= {_DRAWN})"
)
_CONVERTED = (
    "CASE WHEN d.range_factor IS NOT NULL THEN round({0} * d.range_factor, 12) ELSE NULL END"
)
_FLAGS = {flag.value: flag.label for flag in ResultFlag}


@register_datasets
def laboratory_data() -> list[Dataset]:
    return [results(), ranges(), purifications()]


def _number(name: str, sql: str, label: object, sdtm: str = "") -> Column:
    return Column(
        name=name,
        sql=f"trim_scale({sql})",
        label=label,  # type: ignore[arg-type]
        kind=Kind.FLOAT,
        sdtm=sdtm,
    )


def results() -> Dataset:
    """One row for each standing result of a standing record (SDTM LB)."""
    return Dataset(
        name="lb",
        title=_("Laboratory results"),
        columns=(
            *KEYS,
            *EVENT_KEYS,
            Column(name="REPEATKEY", sql="r.repeat_key", label=_("Repeat"), kind=Kind.INTEGER),
            Column(name="RECORD", sql="r.id", label=_("Record"), kind=Kind.ID),
            Column(name="STATUS", sql="r.status", label=_("Status")),
            Column(name="LBID", sql="d.id", label=_("Result"), kind=Kind.ID),
            *_result(),
            *_range(),
            *_draw(),
        ),
        source=f"{RESULTS} d JOIN {PANELS} p ON p.record_id = d.record_id "
        f"JOIN {RECORDS} r ON r.id = d.record_id JOIN {SUBJECTS} s ON s.id = d.subject_id "
        f"JOIN {SITES} t ON t.id = s.site_id LEFT JOIN {VISITS} v ON v.id = r.visit_id "
        f"LEFT JOIN {LABORATORIES} l ON l.id = p.laboratory_id",
        where="r.voided_at IS NULL AND d.voided_at IS NULL",
        site="d.site_id",
        order='t.code COLLATE "C", s.screening_number COLLATE "C", p.collected_at, '
        'r.repeat_key, d.analyte COLLATE "C", d.id',
    )


def _result() -> tuple[Column, ...]:
    return (
        Column(name="LBTESTCD", sql="d.analyte", label=_("Analyte"), sdtm="LB.LBTESTCD"),
        Column(
            name="LBREFID",
            sql="nullif(d.specimen_ref, '')",
            label=_("Specimen ID"),
            sdtm="LB.LBREFID",
        ),
        Column(
            name="LBORRES",
            sql="nullif(d.text, '')",
            label=_("Result as printed"),
            sdtm="LB.LBORRES",
        ),
        Column(
            name="LBORRESU",
            sql="nullif(d.unit, '')",
            label=_("Unit as printed"),
            sdtm="LB.LBORRESU",
        ),
        Column(name="COMPARATOR", sql="nullif(d.comparator, '')", label=_("Comparator")),
        _number("VALUE", "d.value", _("Value")),
        _number("FACTOR", "d.factor", _("Conversion factor")),
        _number("LBSTRESN", "d.canonical", _("Value in the protocol's unit"), "LB.LBSTRESN"),
        Column(
            name="LBSTRESU",
            sql="nullif(d.canonical_unit, '')",
            label=_("The protocol's unit"),
            sdtm="LB.LBSTRESU",
        ),
        Column(
            name="LBREASND",
            sql="nullif(d.missing, '')",
            label=_("Why there is no value"),
            codes=dict(MissingReason.choices),
            sdtm="LB.LBREASND",
        ),
        Column(
            name="LBCLSIG",
            sql="nullif(d.significance, '')",
            label=_("Clinical significance"),
            codes=dict(Significance.choices),
            sdtm="SUPPLB.LBCLSIG",
        ),
        Column(
            name="PANELCLSIG",
            sql="nullif(p.significance, '')",
            label=_("Significance of what is abnormal"),
            codes=dict(Significance.choices),
        ),
        Column(name="CONFIRMED", sql="nullif(d.confirmed, '')", label=_("Confirmed as")),
    )


def _range() -> tuple[Column, ...]:
    return (
        _number("LBORNRLO", "d.range_low", _("Lower limit"), "LB.LBORNRLO"),
        _number("LBORNRHI", "d.range_high", _("Upper limit"), "LB.LBORNRHI"),
        Column(name="LBORNRU", sql="nullif(d.range_unit, '')", label=_("Unit of the range")),
        _number(
            "LBSTNRLO", _CONVERTED.format("d.range_low"), _("Lower limit, converted"), "LB.LBSTNRLO"
        ),
        _number(
            "LBSTNRHI",
            _CONVERTED.format("d.range_high"),
            _("Upper limit, converted"),
            "LB.LBSTNRHI",
        ),
        Column(
            name="LBNRIND",
            sql="nullif(d.flag, '')",
            label=_("Flag"),
            codes=_FLAGS,
            sdtm="LB.LBNRIND",
        ),
    )


def _draw() -> tuple[Column, ...]:
    marks = (
        ("LBFAST", "p.fasting", _("Fasting")),
        ("ONICE", "p.on_ice", _("On ice")),
        ("HAEMOLYSED", "p.haemolysed", _("Haemolysed")),
        ("LIPAEMIC", "p.lipaemic", _("Lipaemic")),
        ("ICTERIC", "p.icteric", _("Icteric")),
        ("ROUTINE", "p.routine_care", _("Routine care")),
    )
    return (
        Column(name="LBNAM", sql="l.code", label=_("Laboratory"), sdtm="LB.LBNAM"),
        Column(
            name="LBSPEC",
            sql="nullif(p.specimen, '')",
            label=_("Specimen"),
            codes=dict(Specimen.choices),
            sdtm="LB.LBSPEC",
        ),
        Column(
            name="LBDTC",
            sql="p.collected_at",
            label=_("Drawn at"),
            kind=Kind.DATETIME,
            sdtm="LB.LBDTC",
        ),
        Column(
            name="RECEIVED",
            sql="p.received_at",
            label=_("Received by the laboratory"),
            kind=Kind.DATETIME,
        ),
        Column(name="TIMEZONE", sql="p.time_zone", label=_("Time zone")),
        Column(
            name="LBTPT",
            sql="nullif(p.timepoint, '')",
            label=_("Time point"),
            codes=dict(Timepoint.choices),
            sdtm="LB.LBTPT",
        ),
        *(Column(name=name, sql=sql, label=label, kind=Kind.BOOLEAN) for name, sql, label in marks),
        _number("HOURSPURIF", _HOURS, _("Hours since the last blood purification")),
        Column(
            name="CREATMETHOD", sql="nullif(l.creatinine_method, '')", label=_("Creatinine method")
        ),
        Column(
            name="PTREAGENT",
            sql="nullif(l.pt_reagent, '')",
            label=_("Prothrombin reagent and its ISI"),
        ),
    )


def ranges() -> Dataset:
    """Every reference range of the register, voided ones with their reason."""
    return Dataset(
        name="labranges",
        title=_("Reference ranges"),
        columns=(
            Column(name="SITEID", sql="t.code", label=_("Site")),
            Column(name="LBNAM", sql="l.code", label=_("Laboratory"), sdtm="LB.LBNAM"),
            Column(name="LABNAME", sql="l.name", label=_("Name")),
            Column(name="LBTESTCD", sql="d.analyte", label=_("Analyte"), sdtm="LB.LBTESTCD"),
            Column(name="SEX", sql="d.sex", label=_("For"), codes=dict(Sex.choices)),
            Column(name="AGEFROM", sql="d.age_from", label=_("From age"), kind=Kind.INTEGER),
            Column(name="AGEBELOW", sql="d.age_below", label=_("Below age"), kind=Kind.INTEGER),
            _number("LBORNRLO", "d.low", _("Lower limit")),
            _number("LBORNRHI", "d.high", _("Upper limit")),
            Column(name="LBORNRU", sql="d.unit", label=_("Unit")),
            Column(name="VALIDFROM", sql="lower(d.valid)", label=_("Valid from"), kind=Kind.DATE),
            Column(
                name="VALIDBEFORE",
                sql="upper(d.valid)",
                label=_("Valid until before"),
                kind=Kind.DATE,
            ),
            Column(name="VOIDED", sql="d.voided_at", label=_("Voided"), kind=Kind.MOMENT),
            Column(
                name="VOIDREASON", sql="nullif(d.void_reason, '')", label=_("Reason for voiding")
            ),
        ),
        source=f"{RANGES} d JOIN {LABORATORIES} l ON l.id = d.laboratory_id "
        f"JOIN {SITES} t ON t.id = d.site_id",
        site="d.site_id",
        order='t.code COLLATE "C", l.code COLLATE "C", d.analyte COLLATE "C", d.sex, '
        "d.age_from, d.valid, d.id",
    )


def purifications() -> Dataset:
    """When the blood was purified: earlier treatments and the study's sessions."""
    return Dataset(
        name="purifications",
        title=_("Blood purifications"),
        columns=(
            *KEYS,
            Column(
                name="KIND", sql="d.kind", label=_("Kind"), codes=dict(PurificationKind.choices)
            ),
            Column(
                name="SOURCE",
                sql="d.source",
                label=_("Known from"),
                codes=dict(PurificationSource.choices),
            ),
            Column(name="STARTED", sql="d.started_at", label=_("Started"), kind=Kind.DATETIME),
            Column(name="ENDED", sql="d.ended_at", label=_("Ended"), kind=Kind.DATETIME),
            Column(name="TIMEZONE", sql="d.time_zone", label=_("Time zone")),
        ),
        source=f"{PURIFICATIONS} d JOIN {SUBJECTS} s ON s.id = d.subject_id "
        f"JOIN {SITES} t ON t.id = s.site_id",
        where="d.voided_at IS NULL",
        site="d.site_id",
        order='t.code COLLATE "C", s.screening_number COLLATE "C", d.started_at, d.id',
    )
