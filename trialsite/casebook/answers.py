"""What the API says of sites, subjects and records: the shapes of its schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.access.models import Site
from trialsite.casebook.models import (
    ConsentState,
    CrfRecord,
    LockState,
    RecordStatus,
    Subject,
    SubjectStatus,
)


class SiteAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="SITEID")
    name = serializers.CharField()
    name_zh = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name")
    active = serializers.BooleanField()


class SubjectAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField(help_text="Screening number")
    SUBJID = serializers.CharField(allow_null=True, help_text="Subject number, once enrolled")
    status = serializers.ChoiceField(choices=SubjectStatus.choices)
    consent = serializers.ChoiceField(choices=ConsentState.choices)
    lock = serializers.ChoiceField(choices=LockState.choices)
    protocol_version = serializers.CharField()
    day_zero = serializers.DateField(allow_null=True)
    died_on = serializers.CharField(help_text="Partial ISO date, empty while alive")
    created_at = serializers.DateTimeField()


class RecordAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    visit = serializers.UUIDField(allow_null=True)
    STUDYEVENT = serializers.CharField(allow_null=True)
    VISITNUM = serializers.CharField(allow_null=True)
    form = serializers.CharField(help_text="FormOID")
    REPEATKEY = serializers.IntegerField()
    status = serializers.ChoiceField(choices=RecordStatus.choices)
    not_done_reason = serializers.CharField()
    version = serializers.IntegerField(help_text="Also the ETag")
    form_version = serializers.IntegerField()
    content_hash = serializers.CharField()
    completed_at = serializers.DateTimeField(allow_null=True)
    lock = serializers.ChoiceField(choices=LockState.choices)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()
    updated_at = serializers.DateTimeField(allow_null=True)


class EventAnswer(serializers.Serializer[Any]):
    oid = serializers.CharField()
    name = serializers.CharField()
    name_zh = serializers.CharField()
    visitnum = serializers.IntegerField(allow_null=True)
    repeating = serializers.BooleanField()
    target_day = serializers.IntegerField(allow_null=True)
    window = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    forms = serializers.ListField(child=serializers.CharField())
    optional_forms = serializers.ListField(child=serializers.CharField())


class ApprovalAnswer(serializers.Serializer[Any]):
    site = serializers.CharField()
    effective_on = serializers.DateField()


class StudyAnswer(serializers.Serializer[Any]):
    study_id = serializers.CharField()
    short_name = serializers.CharField()
    title = serializers.CharField()
    title_zh = serializers.CharField()
    version = serializers.CharField()
    content_hash = serializers.CharField()
    target_enrolment = serializers.IntegerField()
    anchor = serializers.CharField(help_text="What day zero is")
    synthetic = serializers.BooleanField(help_text="A demonstration: nobody's data")


class ProtocolAnswer(StudyAnswer):
    events = EventAnswer(many=True)
    approvals = ApprovalAnswer(many=True)


class ReasonBody(Body):
    reason = serializers.CharField(max_length=200)


class VoidBody(Body):
    reason = serializers.CharField(max_length=500)


def said_site(site: Site) -> dict[str, Any]:
    fields = ("code", "name", "name_zh", "time_zone", "active")
    return {name: getattr(site, name) for name in fields}


def keys_of(subject: Subject) -> dict[str, Any]:
    """The names under which statistics programs know a subject."""
    return {
        "SITEID": subject.site.code,
        "SCRNID": subject.screening_number,
        "SUBJID": subject.number,
    }


def said_number(number: Decimal | None) -> str | None:
    """VISITNUM as SDTM writes it: 7, 3.1."""
    return None if number is None else f"{number.normalize():f}"


def said_subject(subject: Subject) -> dict[str, Any]:
    return {
        "id": subject.pk,
        **keys_of(subject),
        "status": subject.status,
        "consent": subject.consent_state,
        "lock": subject.lock_state,
        "protocol_version": subject.protocol_version.version,
        "day_zero": subject.day_zero,
        "died_on": subject.died_on,
        "created_at": subject.created_at,
    }


def said_record(record: CrfRecord) -> dict[str, Any]:
    visit = record.visit
    return {
        "id": record.pk,
        **keys_of(record.subject),
        "subject": record.subject_id,
        "visit": record.visit_id,
        "STUDYEVENT": visit.event_oid if visit else None,
        "VISITNUM": said_number(visit.visit_number) if visit else None,
        "form": record.form_oid,
        "REPEATKEY": record.repeat_key,
        "status": record.status,
        "not_done_reason": record.not_done_reason,
        "version": record.version,
        "form_version": record.form_version,
        "content_hash": record.content_hash,
        "completed_at": record.completed_at,
        "lock": record.lock_state,
        "voided_at": record.voided_at,
        "void_reason": record.void_reason,
        "updated_at": getattr(record, "updated_at", None),
    }
