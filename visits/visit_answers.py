"""What the API says of visits: the shapes of its schema."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rest_framework import serializers

from trialsite.access.bodies import Body
from trialsite.casebook.answers import keys_of, said_number
from trialsite.casebook.models import (
    ClosingCause,
    LockState,
    Visit,
    VisitMode,
    VisitStatus,
)
from trialsite.protocol import EventRole
from visits.selectors.visits import study_days
from visits.services.visits import ADDABLE


class VisitAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    STUDYEVENT = serializers.CharField(help_text="StudyEventOID")
    REPEATKEY = serializers.IntegerField()
    VISITNUM = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(
        choices=VisitStatus.choices, help_text="As stored: a planned visit is never due here"
    )
    state = serializers.ChoiceField(
        choices=VisitStatus.choices, help_text="On the present date at the site"
    )
    target_on = serializers.DateField(allow_null=True)
    window_first = serializers.DateField(allow_null=True)
    window_last = serializers.DateField(allow_null=True)
    anchor_version = serializers.IntegerField(help_text="Counts up each time the dates move")
    opened_at = serializers.DateTimeField(allow_null=True)
    attended_on = serializers.DateField(allow_null=True)
    mode = serializers.ChoiceField(choices=VisitMode.choices, allow_blank=True)
    days_outside = serializers.IntegerField(
        allow_null=True, help_text="Days by which the attendance missed the window; below 0: early"
    )
    protocol_day = serializers.IntegerField(allow_null=True, help_text="Day zero is 0")
    SVSTDY = serializers.IntegerField(allow_null=True, help_text="Day zero is 1, the day before -1")
    missed_reason = serializers.CharField(allow_blank=True)
    not_required_cause = serializers.ChoiceField(choices=ClosingCause.choices, allow_blank=True)
    stands_for = serializers.UUIDField(
        allow_null=True, help_text="The visit missed in person that this contact stands for"
    )
    lock = serializers.ChoiceField(choices=LockState.choices)
    version = serializers.IntegerField(help_text="Also the ETag")


class AttendBody(Body):
    on = serializers.DateField()
    mode = serializers.ChoiceField(choices=VisitMode.choices)
    reason = serializers.CharField(
        max_length=500,
        required=False,
        default="",
        allow_blank=True,
        help_text="Needed where the visit is already attended or missed",
    )


class VisitReasonBody(Body):
    reason = serializers.CharField(max_length=500)


class NewVisit(Body):
    subject = serializers.UUIDField()
    role = serializers.ChoiceField(choices=[role.value for role in ADDABLE])
    on = serializers.DateField(
        help_text="Of the visit or contact; of an early termination, the day participation ended"
    )
    mode = serializers.ChoiceField(
        choices=VisitMode.choices, required=False, default="", allow_blank=True
    )
    stands_for = serializers.UUIDField(required=False, default=None, allow_null=True)

    def validate_role(self, value: str) -> EventRole:
        return EventRole(value)


def said_visit(visit: Visit) -> dict[str, Any]:
    """A visit that `with_state` has annotated."""
    ends: tuple[dt.date | None, dt.date | None] = visit.window_ends or (None, None)
    protocol_day, study_day = study_days(visit)
    same = ("status", "state", "target_on", "anchor_version", "opened_at", "attended_on", "mode",
            "missed_reason", "not_required_cause", "version")  # fmt: skip
    return {
        "id": visit.pk,
        **keys_of(visit.subject),
        "subject": visit.subject_id,
        "STUDYEVENT": visit.event_oid,
        "REPEATKEY": visit.repeat_key,
        "VISITNUM": said_number(visit.visit_number),
        **{name: getattr(visit, name) for name in same},
        "window_first": ends[0],
        "window_last": ends[1],
        "days_outside": visit.days_outside(visit.attended_on) if visit.attended_on else None,
        "protocol_day": protocol_day,
        "SVSTDY": study_day,
        "stands_for": visit.stands_for_id,
        "lock": visit.lock_state,
    }
