"""What the API says of treatment sessions, and what it takes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.access.models import User
from trialsite.casebook.answers import keys_of, said_number
from trialsite.casebook.models import RecordStatus
from trialsite.core.wall_time import WallTimeField
from visits.effective import Minutes
from visits.models import ChecklistAnswer, EventLook, Finding, TreatmentSession
from visits.models.session_codes import Modality, State, StopReason

_CLOCK = "The clock at the site, without offset"


@extend_schema_field(OpenApiTypes.STR)
class WallTime(serializers.Field[dt.datetime, Any, Any, Any]):
    """A time on the clock at the site, without an offset."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"help_text": _CLOCK} | options))

    def to_internal_value(self, data: Any) -> dt.datetime:
        text = data if isinstance(data, str) else "-"
        try:
            moment: dt.datetime | None = WallTimeField().to_python(text.strip()[:30])
        except Invalid as error:
            raise serializers.ValidationError(list(error.messages)) from error
        if moment is None:
            self.fail("required")
        return moment

    def to_representation(self, value: Any) -> Any:
        return value


def _codes(choices: Any, **options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=choices, **options)


def _text(length: int, **options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=length, required=False, default="", allow_blank=True, **options
    )


class ChecklistAnswerAnswer(serializers.Serializer[Any]):
    key = serializers.CharField()
    answer = serializers.BooleanField()
    reason = serializers.CharField()
    version = serializers.IntegerField()
    answered_by = serializers.CharField()
    answered_at = serializers.DateTimeField()
    overridden_by = serializers.CharField(allow_null=True)
    overridden_at = serializers.DateTimeField(allow_null=True)
    override_reason = serializers.CharField()


class SessionInBrief(serializers.Serializer[Any]):
    record = serializers.UUIDField(help_text="Also the session's own key")
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    visit = serializers.UUIDField(allow_null=True)
    STUDYEVENT = serializers.CharField(allow_null=True)
    VISITNUM = serializers.CharField(allow_null=True)
    status = _codes(RecordStatus.choices)
    version = serializers.IntegerField(help_text="Also the ETag")
    number = serializers.IntegerField()
    state: Any = _codes(State.choices)
    modality = serializers.ListField(child=_codes(Modality.choices))
    modality_other = serializers.CharField()
    no_cells_reason = serializers.CharField()
    planned_minutes = serializers.IntegerField()
    started_at = WallTime(allow_null=True)
    cells_on_at = WallTime(allow_null=True)
    cells_off_at = WallTime(allow_null=True)
    ended_at = WallTime(allow_null=True)
    time_zone = serializers.CharField()
    circuit_minutes = serializers.CharField(allow_null=True)
    effective_minutes = serializers.CharField(
        allow_null=True, help_text="Interruptions taken out; null until the session has ended"
    )
    contact_minutes = serializers.CharField(allow_null=True, help_text="Of the cells")
    stop_reason = _codes(StopReason.choices, allow_blank=True)
    stop_comment = serializers.CharField()
    operator = serializers.CharField(allow_null=True)
    second_checker = serializers.CharField(allow_null=True)
    physician = serializers.CharField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class SessionAnswer(SessionInBrief):
    checklist = ChecklistAnswerAnswer(many=True)


class NewSession(Body):
    subject = serializers.UUIDField()
    planned_minutes = serializers.IntegerField(min_value=1, max_value=32767)
    modality = serializers.ListField(child=_codes(Modality.choices), min_length=1)
    modality_other = _text(200)
    no_cells_reason = _text(300, help_text="Needed where the MSC reactor is not among them")
    planned_on = serializers.DateField(required=False, allow_null=True, default=None)


class SessionStart(Body):
    started_at = WallTime()
    operator = serializers.EmailField(help_text="Of a person delegated at the site")
    second_checker = serializers.EmailField()
    physician = serializers.EmailField(help_text="Of an investigator")
    late_reason = _text(500, help_text="Why it is entered afterwards in spite of a refusal")


class SessionMoment(Body):
    at = WallTime()


class SessionStop(Body):
    ended_at = WallTime()
    cells_off_at = WallTime(required=False, allow_null=True, default=None)
    stop_reason = _codes(StopReason.choices)
    stop_comment = _text(5000)


class SessionCorrection(Body):
    """Everything as it should have been entered; what is null was not."""

    started_at = WallTime()
    cells_on_at = WallTime(required=False, allow_null=True, default=None)
    cells_off_at = WallTime(required=False, allow_null=True, default=None)
    ended_at = WallTime(required=False, allow_null=True, default=None)
    stop_reason = _codes(StopReason.choices, allow_blank=True, required=False, default=None)
    stop_comment = _text(5000)
    operator = serializers.EmailField(help_text="Of a person delegated at the site")
    second_checker = serializers.EmailField()
    physician = serializers.EmailField(help_text="Of an investigator")
    reason = serializers.CharField(max_length=500)


class SessionPrescription(Body):
    planned_minutes = serializers.IntegerField(min_value=1, max_value=32767)
    modality = serializers.ListField(child=_codes(Modality.choices), min_length=1)
    modality_other = _text(200)
    no_cells_reason = _text(300, help_text="Needed where the MSC reactor is not among them")
    reason = _text(500, help_text="Needed once the session has started")


class SessionCompletion(Body):
    reason = _text(500)


class ChecklistOverride(Body):
    key = serializers.CharField(max_length=40)
    reason = serializers.CharField(max_length=500)
    base_version = serializers.IntegerField(min_value=1, help_text="The answer you read")


class ChecklistEntry(Body):
    key = serializers.CharField(max_length=40)
    answer = serializers.BooleanField()
    reason = _text(500)
    base_version = serializers.IntegerField(
        min_value=0, required=False, default=0, help_text="The answer you read; 0: none"
    )


class ChecklistBody(Body):
    answers = ChecklistEntry(many=True)
    reason = _text(500, help_text="Needed once the session has started")


class LookAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    finding = serializers.ChoiceField(choices=Finding.choices)
    comment = serializers.CharField()
    looked_by = serializers.CharField()
    looked_at = serializers.DateTimeField()
    voided_by = serializers.CharField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()


class NewLook(Body):
    finding = serializers.ChoiceField(choices=Finding.choices)
    comment = _text(500)


def said_look(look: EventLook) -> dict[str, Any]:
    names = ("finding", "comment", "looked_at", "voided_at", "void_reason")
    return {
        "id": look.pk,
        **{name: getattr(look, name) for name in names},
        "looked_by": look.looked_by.full_name,
        "voided_by": _name(look.voided_by),
    }


def said_answer(row: ChecklistAnswer) -> dict[str, Any]:
    names = ("key", "answer", "reason", "version", "answered_at", "overridden_at")
    return {
        **{name: getattr(row, name) for name in names},
        "override_reason": row.override_reason,
        "answered_by": row.answered_by.full_name,
        "overridden_by": _name(row.overridden_by),
    }


def _name(person: User | None) -> str | None:
    return person.full_name if person is not None else None


def said_session(session: TreatmentSession, minutes: Minutes) -> dict[str, Any]:
    """A session without its rows and answers."""
    record, visit = session.record, session.record.visit
    own = ("number", "state", "modality", "modality_other", "no_cells_reason", "planned_minutes")
    course = ("time_zone", "stop_reason", "stop_comment", "voided_at", "void_reason")
    times = ("started_at", "cells_on_at", "cells_off_at", "ended_at")
    people = ("operator", "second_checker", "physician")
    return {
        "record": record.pk,
        **keys_of(session.subject),
        "subject": session.subject_id,
        "visit": record.visit_id,
        "STUDYEVENT": visit.event_oid if visit else None,
        "VISITNUM": said_number(visit.visit_number) if visit else None,
        "status": record.status,
        "version": record.version,
        **{name: getattr(session, name) for name in (*own, *course)},
        **{name: _wall(getattr(session, name)) for name in times},
        **{
            f"{name}_minutes": None if (span := getattr(minutes, name)) is None else str(span)
            for name in ("circuit", "effective", "contact")
        },
        **{name: _name(getattr(session, name)) for name in people},
    }


def _wall(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="minutes") if moment else None
