"""What the API says of samples: the shapes of its schema."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from samples.models import (
    Aliquot,
    AliquotState,
    CustodyEvent,
    CustodyKind,
    DrawSite,
    NotCollected,
    Specimen,
    SpecimenState,
    UrineMethod,
    WhyNot,
)
from samples.models.states import ALIQUOT_STEPS, SPECIMEN_STEPS
from samples.selectors.plan import MissingSample
from samples.selectors.waiting import Freezing

WALL = "The clock on the wall at the site, such as 2026-03-05T14:30"
_FACTS = (
    "fasting", "on_ice", "bristol", "blood_seen", "laxatives", "antibiotics", "dipstick",
    "draw_site", "urine_method", "centrifuge_g", "centrifuge_minutes", "centrifuge_celsius",
    "centrifuge_brake", "kept_cool", "remark",
)  # fmt: skip
_TIMES = ("collected_at", "received_at", "centrifuged_at", "aliquoted_at")


def number(value: Decimal | None) -> str | None:
    """A decimal as text, exact."""
    return None if value is None else f"{value:f}"


def wall(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="minutes")


class _Whose(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()


class SpecimenAnswer(_Whose):
    code = serializers.CharField(help_text="BEREFID")
    visit = serializers.UUIDField()
    STUDYEVENT = serializers.CharField()
    session = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField(help_text="Of the protocol's sample plan")
    matrix = serializers.CharField()
    tube_type = serializers.CharField(help_text="SPREC")
    state = serializers.ChoiceField(choices=SpecimenState.choices)
    possible = serializers.ListField(
        child=serializers.ChoiceField(choices=CustodyKind.choices),
        help_text="What can happen to it next",
    )
    extra_reason = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name")
    collected_at = serializers.CharField(allow_null=True, help_text=WALL)
    received_at = serializers.CharField(allow_null=True, help_text=WALL)
    centrifuged_at = serializers.CharField(allow_null=True, help_text=WALL)
    aliquoted_at = serializers.CharField(allow_null=True, help_text=WALL)
    freeze_within = serializers.IntegerField(help_text="Minutes from collection")
    freeze_by = serializers.DateTimeField(allow_null=True)
    amount = serializers.CharField(allow_null=True)
    amount_unit = serializers.CharField()
    fasting = serializers.BooleanField(allow_null=True)
    on_ice = serializers.BooleanField(allow_null=True)
    bristol = serializers.IntegerField(allow_null=True)
    blood_seen = serializers.BooleanField(allow_null=True)
    laxatives = serializers.BooleanField(allow_null=True)
    antibiotics = serializers.BooleanField(allow_null=True)
    dipstick = serializers.CharField()
    draw_site = serializers.ChoiceField(choices=["", *DrawSite.values])
    urine_method = serializers.ChoiceField(choices=["", *UrineMethod.values])
    centrifuge_g = serializers.IntegerField(allow_null=True)
    centrifuge_minutes = serializers.IntegerField(allow_null=True)
    centrifuge_celsius = serializers.IntegerField(allow_null=True)
    centrifuge_brake = serializers.BooleanField(allow_null=True)
    kept_cool = serializers.BooleanField(allow_null=True)
    remark = serializers.CharField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()
    version = serializers.IntegerField(help_text="Also the ETag; counts what is said of it")


class AliquotAnswer(_Whose):
    code = serializers.CharField(help_text="BEREFID")
    specimen = serializers.CharField(help_text="Code of the specimen (RELSPEC parent)")
    number = serializers.IntegerField()
    kind = serializers.CharField(help_text="Of the protocol's sample plan")
    state = serializers.ChoiceField(choices=AliquotState.choices)
    possible = serializers.ListField(
        child=serializers.ChoiceField(choices=CustodyKind.choices),
        help_text="What can happen to it next",
    )
    volume = serializers.CharField(allow_null=True, help_text="What is left of it")
    volume_unit = serializers.CharField()
    thaws = serializers.IntegerField()
    thaws_at_most = serializers.IntegerField()
    frozen_at = serializers.CharField(allow_null=True, help_text=WALL)
    time_zone = serializers.CharField(help_text="IANA name")
    minutes_to_freeze = serializers.IntegerField(allow_null=True)
    frozen_late = serializers.BooleanField()
    box = serializers.CharField(allow_null=True, help_text="Code of its box")
    position = serializers.IntegerField(allow_null=True)
    position_name = serializers.CharField(help_text="Such as C7")
    shipment = serializers.CharField(allow_null=True, help_text="Code of its shipment")


class CustodyAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    code = serializers.CharField(help_text="Of the specimen or the aliquot (BEREFID)")
    specimen = serializers.UUIDField()
    aliquot = serializers.UUIDField(allow_null=True)
    number = serializers.IntegerField(help_text="In the custody of this sample")
    kind = serializers.ChoiceField(choices=CustodyKind.choices)
    happened_at = serializers.CharField(help_text=WALL)
    time_zone = serializers.CharField(help_text="IANA name")
    moment = serializers.DateTimeField(help_text="The same as a moment")
    box = serializers.CharField(allow_null=True)
    position = serializers.IntegerField(allow_null=True)
    shipment = serializers.CharField(allow_null=True)
    place = serializers.CharField()
    amount = serializers.CharField(allow_null=True)
    celsius = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    corrects = serializers.IntegerField(
        allow_null=True, help_text="Number of the event whose time this one puts right"
    )
    witness = serializers.CharField(allow_null=True)
    entered_by = serializers.CharField()
    entered_at = serializers.DateTimeField()


class NotCollectedAnswer(_Whose):
    visit = serializers.UUIDField()
    kind = serializers.CharField()
    reason = serializers.ChoiceField(choices=WhyNot.choices)
    comment = serializers.CharField()
    stated_by = serializers.CharField()
    stated_at = serializers.DateTimeField()
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class MissingAnswer(serializers.Serializer[Any]):
    """A planned kind of an attended visit that was not collected, without a reason."""

    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    visit = serializers.UUIDField()
    STUDYEVENT = serializers.CharField()
    attended_on = serializers.DateField(allow_null=True)
    kind = serializers.CharField()
    collected = serializers.IntegerField()
    planned = serializers.IntegerField()


class FreezingAnswer(serializers.Serializer[Any]):
    """A specimen of which something is not frozen yet; the most urgent come first."""

    specimen = serializers.UUIDField()
    code = serializers.CharField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    kind = serializers.CharField()
    freeze_by = serializers.DateTimeField()
    minutes_left = serializers.IntegerField(help_text="Negative: so much too late")
    aliquots_waiting = serializers.IntegerField()


def _possible(steps: dict[tuple[str, str], str], state: str) -> list[str]:
    return [str(kind) for (before, kind) in steps if before == state]


def said_specimen(specimen: Specimen) -> dict[str, Any]:
    subject, visit = specimen.subject, specimen.visit
    plain = ("code", "kind", "matrix", "tube_type", "state", "extra_reason", "time_zone",
             "freeze_within", "freeze_by", "amount_unit", "voided_at", "void_reason",
             "version")  # fmt: skip
    steps = {} if specimen.voided_at else SPECIMEN_STEPS
    return {
        "id": specimen.pk,
        "SITEID": specimen.site.code,
        "SCRNID": subject.screening_number,
        "SUBJID": subject.number,
        "subject": specimen.subject_id,
        "visit": specimen.visit_id,
        "STUDYEVENT": visit.event_oid,
        "session": specimen.session_id,
        "possible": _possible(steps, specimen.state),
        "amount": number(specimen.amount),
        **{name: getattr(specimen, name) for name in (*plain, *_FACTS)},
        **{name: wall(getattr(specimen, name)) for name in _TIMES},
    }


def said_aliquot(aliquot: Aliquot) -> dict[str, Any]:
    specimen, subject = aliquot.specimen, aliquot.specimen.subject
    plain = ("code", "number", "state", "thaws", "thaws_at_most", "time_zone", "position",
             "minutes_to_freeze", "frozen_late")  # fmt: skip
    named = aliquot.box.position_name(aliquot.position) if aliquot.box and aliquot.position else ""
    return {
        "id": aliquot.pk,
        "SITEID": aliquot.site.code,
        "SCRNID": subject.screening_number,
        "SUBJID": subject.number,
        "subject": aliquot.subject_id,
        "specimen": specimen.code,
        "kind": specimen.kind,
        "possible": _possible(ALIQUOT_STEPS, aliquot.state),
        "volume": number(aliquot.volume),
        "volume_unit": specimen.amount_unit,
        "frozen_at": wall(aliquot.frozen_at),
        "box": aliquot.box.code if aliquot.box else None,
        "position_name": named,
        "shipment": aliquot.shipment.code if aliquot.shipment else None,
        **{name: getattr(aliquot, name) for name in plain},
    }


def said_custody(event: CustodyEvent) -> dict[str, Any]:
    subject = event.specimen.subject
    plain = ("number", "kind", "time_zone", "moment", "position", "place", "reason",
             "entered_at")  # fmt: skip
    return {
        "id": event.pk,
        "SITEID": event.site.code,
        "SCRNID": subject.screening_number,
        "SUBJID": subject.number,
        "code": event.aliquot.code if event.aliquot else event.specimen.code,
        "specimen": event.specimen_id,
        "aliquot": event.aliquot_id,
        "happened_at": wall(event.happened_at),
        "box": event.box.code if event.box else None,
        "shipment": event.shipment.code if event.shipment else None,
        "amount": number(event.amount),
        "celsius": number(event.celsius),
        "corrects": event.corrects.number if event.corrects else None,
        "witness": event.witness.full_name if event.witness else None,
        "entered_by": event.entered_by.full_name,
        **{name: getattr(event, name) for name in plain},
    }


def said_not_collected(statement: NotCollected) -> dict[str, Any]:
    plain = ("kind", "reason", "comment", "stated_at", "voided_at", "void_reason")
    return {
        "id": statement.pk,
        "SITEID": statement.site.code,
        "SCRNID": statement.subject.screening_number,
        "SUBJID": statement.subject.number,
        "subject": statement.subject_id,
        "visit": statement.visit_id,
        "stated_by": statement.stated_by.full_name,
        **{name: getattr(statement, name) for name in plain},
    }


def said_missing(line: MissingSample) -> dict[str, Any]:
    subject = line.visit.subject
    return {
        "SITEID": subject.site.code,
        "SCRNID": subject.screening_number,
        "SUBJID": subject.number,
        "visit": line.visit.pk,
        "STUDYEVENT": line.visit.event_oid,
        "attended_on": line.visit.attended_on,
        "kind": line.kind,
        "collected": line.collected,
        "planned": line.planned,
    }


def said_freezing(line: Freezing) -> dict[str, Any]:
    specimen = line.specimen
    return {
        "specimen": specimen.pk,
        "code": specimen.code,
        "SITEID": specimen.site.code,
        "SCRNID": specimen.subject.screening_number,
        "kind": specimen.kind,
        "freeze_by": specimen.freeze_by,
        "minutes_left": line.minutes,
        "aliquots_waiting": line.waiting,
    }
