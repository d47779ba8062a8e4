"""The delivery log in the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter, moment
from trialsite.access.rest import Endpoint
from trialsite.notify.models import By, Lane, Notice, Outcome, State


class AttemptAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    error = serializers.CharField()


class ReminderAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField(allow_null=True, help_text="Empty: no site's, as account mails")
    kind = serializers.CharField()
    recipient = serializers.CharField(allow_null=True, help_text="Empty: nobody to send to")
    channel = serializers.ChoiceField(choices=By.choices)
    lane = serializers.ChoiceField(choices=Lane.choices)
    due_at = serializers.DateTimeField()
    send_at = serializers.DateTimeField(help_text="Later than due for quiet hours or a digest")
    state = serializers.ChoiceField(choices=State.choices)
    attempts = serializers.IntegerField()
    doubts = serializers.IntegerField(help_text="Interruptions after which it was repeated")
    repeats = serializers.IntegerField(help_text="How often a person had it sent again")
    digest = serializers.UUIDField(allow_null=True, help_text="The reminder that says it")
    sent_at = serializers.DateTimeField(allow_null=True)
    seen_at = serializers.DateTimeField(allow_null=True, help_text="Seen in Trialsite")
    last_error = serializers.CharField()
    log = AttemptAnswer(many=True)


def said_reminder(notice: Notice) -> dict[str, Any]:
    names = ("kind", "channel", "lane", "due_at", "send_at", "state", "attempts", "doubts",
             "repeats", "sent_at", "seen_at", "last_error")  # fmt: skip
    return {
        "id": notice.pk,
        "SITEID": notice.site.code if notice.site else None,
        "recipient": notice.recipient.full_name if notice.recipient else None,
        "digest": notice.within_id,
        **{name: getattr(notice, name) for name in names},
        "log": [
            {"at": each.at, "outcome": each.outcome, "error": each.error}
            for each in notice.log.all()
        ],
    }


class Reminders(Endpoint):
    """What was to be said to whom, and what became of it."""

    policy = {"GET": Policy(Audience.STAFF, Capability.VIEW_NOTICES)}
    serializer_class = ReminderAnswer
    filters = {
        "site": Filter("site__code"),
        "kind": Filter("kind"),
        "state": Filter("state", choices=tuple(State.values)),
        "channel": Filter("channel", choices=tuple(By.values)),
        "digest": Filter("within_id", uuid.UUID),
        "due_since": Filter("due_at__gte", moment),
        "due_before": Filter("due_at__lt", moment),
    }

    def rows(self) -> Any:
        return (
            Notice.objects.visible_to(self.request.user)
            .select_related("site", "recipient")
            .prefetch_related("log")
            .order_by("-due_at", "pk")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_reminder)

    def retrieve(self, request: Request, reminder: uuid.UUID) -> Response:
        return Response(said_reminder(self.found(self.rows(), pk=reminder)))


routes: list[URLPattern] = [
    path("reminders/", Reminders.as_view({"get": "list"})),
    path("reminders/<uuid:reminder>/", Reminders.as_view({"get": "retrieve"})),
]
