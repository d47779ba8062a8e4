"""What the API says of laboratories, ranges, draws and purifications, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.casebook.answers import keys_of, said_number
from trialsite.casebook.models import CrfRecord, RecordStatus
from trialsite.crf.items import MissingReason
from trialsite.labs.codes import (
    CreatinineMethod,
    PurificationKind,
    PurificationSource,
    ResultFlag,
    Sex,
    Significance,
    Specimen,
    Timepoint,
)
from trialsite.labs.entry import MARKS, STATED
from trialsite.labs.models import (
    Laboratory,
    LabPanel,
    LabResult,
    PurificationInterval,
    ReferenceRange,
    digits,
)


class Exact(serializers.CharField):
    """A number as text, so that no client makes a float of it."""


def _codes(choices: Any, **options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=choices, **options)


class LaboratoryAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_zh = serializers.CharField()
    creatinine_method = _codes(CreatinineMethod.choices)
    pt_reagent = serializers.CharField()
    active = serializers.BooleanField()


class NewLaboratory(Body):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    code = serializers.CharField(max_length=20)
    name = serializers.CharField(max_length=200)
    name_zh = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    creatinine_method = _codes(
        CreatinineMethod.choices, required=False, default="", allow_blank=True
    )
    pt_reagent = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class ReferenceRangeAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    laboratory = serializers.UUIDField()
    analyte = serializers.CharField()
    sex = _codes(Sex.choices)
    age_from = serializers.IntegerField()
    age_below = serializers.IntegerField(allow_null=True)
    low = Exact(allow_null=True)
    high = Exact(allow_null=True)
    unit = serializers.CharField(help_text="UCUM")
    valid_from = serializers.DateField()
    valid_before = serializers.DateField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewRange(Body):
    laboratory = serializers.UUIDField()
    analyte = serializers.CharField(max_length=20)
    unit = serializers.CharField(max_length=40)
    low = serializers.DecimalField(24, 9, required=False, allow_null=True, default=None)
    high = serializers.DecimalField(24, 9, required=False, allow_null=True, default=None)
    sex = _codes(Sex.choices, required=False, default=Sex.ALL.value)
    age_from = serializers.IntegerField(min_value=0, max_value=150, required=False, default=0)
    age_below = serializers.IntegerField(
        min_value=1, max_value=150, required=False, allow_null=True, default=None
    )
    valid_from = serializers.DateField()
    valid_before = serializers.DateField(required=False, allow_null=True, default=None)


class RangeEnd(Body):
    valid_before = serializers.DateField()


class ResultAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    analyte = serializers.CharField()
    text = serializers.CharField(help_text="As printed")
    unit = serializers.CharField(help_text="As printed, UCUM")
    missing = _codes(MissingReason.choices, allow_blank=True)
    comparator = serializers.CharField()
    value = Exact(allow_null=True)
    factor = Exact(allow_null=True)
    canonical = Exact(allow_null=True)
    canonical_unit = serializers.CharField()
    range_low = Exact(allow_null=True)
    range_high = Exact(allow_null=True)
    range_unit = serializers.CharField()
    flag = _codes(ResultFlag.choices, allow_blank=True)
    significance = _codes(Significance.choices, allow_blank=True)
    confirmed = serializers.CharField()
    specimen_ref = serializers.CharField(help_text="The specimen's identifier as printed")


class PanelInBrief(serializers.Serializer[Any]):
    record = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    visit = serializers.UUIDField(allow_null=True)
    STUDYEVENT = serializers.CharField(allow_null=True)
    VISITNUM = serializers.CharField(allow_null=True)
    REPEATKEY = serializers.IntegerField()
    status = _codes(RecordStatus.choices)
    version = serializers.IntegerField(help_text="Also the ETag")
    laboratory = serializers.CharField(allow_null=True, help_text="Code")
    panels = serializers.ListField(child=serializers.CharField())
    collected_at = serializers.CharField(allow_null=True, help_text="The clock at the site")
    received_at = serializers.CharField(allow_null=True, help_text="The clock at the site")
    time_zone = serializers.CharField(allow_null=True)
    specimen = _codes(Specimen.choices, allow_blank=True)
    timepoint = _codes(Timepoint.choices, allow_blank=True)
    fasting = serializers.BooleanField(allow_null=True)
    on_ice = serializers.BooleanField(allow_null=True)
    haemolysed = serializers.BooleanField()
    lipaemic = serializers.BooleanField()
    icteric = serializers.BooleanField()
    routine_care = serializers.BooleanField()
    significance = _codes(Significance.choices, allow_blank=True)
    comment = serializers.CharField()


class PanelAnswer(PanelInBrief):
    results = ResultAnswer(many=True)
    asked = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="After a save: analyte -> the questions that broken checks ask",
    )


class NewPanel(Body):
    subject = serializers.UUIDField()
    visit = serializers.UUIDField(required=False, allow_null=True, default=None)


def _text(length: int, **options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=length, required=False, default="", allow_blank=True, **options
    )


class ResultBody(Body):
    analyte = serializers.CharField(max_length=20)
    text = _text(40, help_text="As printed")
    unit = _text(40, help_text="UCUM, one of the analyte's accepted units")
    missing = _codes(MissingReason.choices, required=False, default="", allow_blank=True)
    significance = _codes(Significance.choices, required=False, default="", allow_blank=True)
    confirmed = _text(500)
    specimen_ref = _text(40, help_text="The specimen's identifier as printed")
    stated_anew = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Judgement and comment are about this very value, though they stood before",
    )


class PanelBody(Body):
    """A whole draw: a result that is not sent is emptied."""

    laboratory = _text(20, help_text="Code")
    panels = serializers.ListField(child=serializers.CharField(max_length=40), default=list)
    collected_at = _text(25, help_text="The clock at the site, without offset")
    received_at = _text(25, help_text="The clock at the site, without offset")
    specimen = _codes(Specimen.choices, required=False, default="", allow_blank=True)
    timepoint = _codes(Timepoint.choices, required=False, default="", allow_blank=True)
    fasting = serializers.BooleanField(required=False, allow_null=True, default=None)
    on_ice = serializers.BooleanField(required=False, allow_null=True, default=None)
    haemolysed = serializers.BooleanField(required=False, default=False)
    lipaemic = serializers.BooleanField(required=False, default=False)
    icteric = serializers.BooleanField(required=False, default=False)
    routine_care = serializers.BooleanField(required=False, default=False)
    significance = _codes(Significance.choices, required=False, default="", allow_blank=True)
    comment = _text(5000)
    results = ResultBody(many=True)
    complete = serializers.BooleanField(required=False, default=False)
    reason = _text(500)


class PurificationAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    kind = _codes(PurificationKind.choices)
    source: Any = _codes(PurificationSource.choices)
    started_at = serializers.CharField(help_text="The clock at the site")
    ended_at = serializers.CharField(allow_null=True, help_text="The clock at the site")
    time_zone = serializers.CharField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewPurification(Body):
    subject = serializers.UUIDField()
    kind = _codes(PurificationKind.choices)
    started_at = serializers.CharField(max_length=25)
    ended_at = serializers.CharField(max_length=25, required=False, allow_null=True, default=None)


def _wall(moment: Any) -> str | None:
    return moment.isoformat(timespec="minutes") if moment else None


def said_laboratory(lab: Laboratory) -> dict[str, Any]:
    names = ("id", "code", "name", "name_zh", "creatinine_method", "pt_reagent", "active")
    return {"SITEID": lab.site.code, **{name: getattr(lab, name) for name in names}}


def said_range(row: ReferenceRange) -> dict[str, Any]:
    names = ("id", "analyte", "sex", "age_from", "age_below", "unit", "voided_at", "void_reason")
    return {
        **{name: getattr(row, name) for name in names},
        "SITEID": row.site.code,
        "laboratory": row.laboratory_id,
        "low": digits(row.low) or None,
        "high": digits(row.high) or None,
        "valid_from": row.valid.lower,
        "valid_before": row.valid.upper,
    }


def said_result(row: LabResult) -> dict[str, Any]:
    names = ("id", "analyte", "text", "unit", "missing", "comparator", "canonical_unit")
    more = ("range_unit", "flag", "significance", "confirmed", "specimen_ref")
    numbers = ("value", "factor", "canonical", "range_low", "range_high")
    return {
        **{name: getattr(row, name) for name in (*names, *more)},
        **{name: digits(getattr(row, name)) or None for name in numbers},
    }


def said_panel(record: CrfRecord, panel: LabPanel | None) -> dict[str, Any]:
    """A draw without its results; nothing entered yet is empty."""
    visit = record.visit
    shown = panel or LabPanel(record=record)
    laboratory = shown.laboratory
    return {
        "record": record.pk,
        **keys_of(record.subject),
        "subject": record.subject_id,
        "visit": record.visit_id,
        "STUDYEVENT": visit.event_oid if visit else None,
        "VISITNUM": said_number(visit.visit_number) if visit else None,
        "REPEATKEY": record.repeat_key,
        "status": record.status,
        "version": record.version,
        "laboratory": laboratory.code if laboratory else None,
        "panels": shown.panels,
        "collected_at": _wall(shown.collected_at),
        "received_at": _wall(shown.received_at),
        "time_zone": shown.time_zone or None,
        **{name: getattr(shown, name) for name in ("specimen", "timepoint", *STATED, *MARKS)},
        "significance": shown.significance,
        "comment": shown.comment,
    }


def said_purification(row: PurificationInterval) -> dict[str, Any]:
    names = ("id", "kind", "source", "time_zone", "voided_at", "void_reason")
    return {
        **keys_of(row.subject),
        **{name: getattr(row, name) for name in names},
        "subject": row.subject_id,
        "started_at": _wall(row.started_at),
        "ended_at": _wall(row.ended_at),
    }


def texts_of_body(body: dict[str, Any]) -> dict[str, str]:
    """A sent draw as the page's fields, so that one reading judges both (trust DI9)."""
    words = {True: "true", False: "false", None: ""}
    texts = {f"panel.{key}": "true" for key in body["panels"]}
    for name in ("laboratory", "collected_at", "received_at", "specimen", "timepoint"):
        texts[name] = body[name]
    texts |= {name: words[body[name]] for name in (*STATED, *MARKS)}
    texts |= {name: body[name] for name in ("significance", "comment")}
    for row in body["results"]:
        parts = {
            "": "text",
            ".unit": "unit",
            ".missing": "missing",
            ".sig": "significance",
            ".confirm": "confirmed",
            ".ref": "specimen_ref",
        }
        texts |= {f"{row['analyte']}{part}": row[name] for part, name in parts.items()}
    return texts


def base_of_body(body: dict[str, Any], texts: dict[str, str]) -> dict[str, str]:
    """What counts as said before: all that is sent, but for the rows that were stated anew."""
    anew = {row["analyte"] for row in body["results"] if row["stated_anew"]}
    return {name: text for name, text in texts.items() if name.partition(".")[0] not in anew}
