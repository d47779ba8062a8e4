"""The audit trail through the API: the events a person may see, by number."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import Site
from trialsite.access.paging import Filter, moment
from trialsite.access.rest import Endpoint
from trialsite.audit.models import Event, Operation
from trialsite.casebook.api import DETAIL, LIST
from trialsite.core.context import Channel
from trialsite.crf.trail import visible_events

READS = Policy(Audience.STAFF, Capability.VIEW_TRAIL)


class AuditEventAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="In the order in which they were written")
    at = serializers.DateTimeField()
    trial_at = serializers.DateTimeField(help_text="On the study's clock")
    actor = serializers.IntegerField(allow_null=True)
    system = serializers.CharField(allow_blank=True, help_text="The process, where nobody acted")
    role = serializers.CharField(allow_blank=True)
    channel = serializers.ChoiceField(choices=Channel.choices)
    request = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    operation = serializers.ChoiceField(choices=Operation.choices)
    act = serializers.CharField(allow_blank=True, help_text="Of what changes no row")
    table = serializers.CharField(allow_blank=True)
    row = serializers.CharField(allow_blank=True)
    SITEID = serializers.CharField(allow_null=True, help_text="Where it was when it happened")
    subject = serializers.UUIDField(allow_null=True)
    record = serializers.UUIDField(allow_null=True)
    old = serializers.JSONField(allow_null=True, help_text="Changed columns, before")
    new = serializers.JSONField(allow_null=True, help_text="Changed columns, after")


class AuditEvents(Endpoint):
    """Everything that happened to the data of the person's sites, the latest first.

    A subject's events follow its present site. What belongs to no site is for study-wide
    readers. Nothing here is ever changed. The dataset `audit_events` holds all that is
    about a subject, whole.
    """

    policy = {"GET": READS}
    one_moment = True
    serializer_class = AuditEventAnswer
    filters = {
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
        "table": Filter("table_name"),
        "row": Filter("row_id"),
        "act": Filter("act"),
        "operation": Filter("operation", choices=tuple(Operation.values)),
        "channel": Filter("channel", choices=tuple(Channel.values)),
        "since": Filter("at__gte", moment),
        "before": Filter("at__lt", moment),
    }

    def list(self, request: Request) -> Response:
        rows = self.narrow(visible_events(self.request.user))
        return self.get_paginated_response(said_events(self.paginate_queryset(rows) or []))

    def retrieve(self, request: Request, event: int) -> Response:
        found: Event = self.found(visible_events(self.request.user), pk=event)
        return Response(said_events([found])[0])


def said_events(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Events with the codes of their sites."""
    sites = dict(Site.objects.values_list("pk", "code"))
    return [said_event(each, sites.get(each.site_id or 0)) for each in events]


def said_event(event: Event, site: str | None) -> dict[str, Any]:
    """One event; `site` is the code of its site."""
    same = ("at", "trial_at", "system", "role", "channel", "reason", "operation", "act")
    return {
        "id": event.eid,
        **{name: getattr(event, name) for name in (*same, "old", "new")},
        "actor": event.actor_id,
        "request": event.request_id,
        "table": event.table_name,
        "row": event.row_id,
        "SITEID": site,
        "subject": event.subject_id,
        "record": event.record_id,
    }


routes: list[URLPattern] = [
    path("audit-events/", AuditEvents.as_view(LIST)),
    path("audit-events/<int:event>/", AuditEvents.as_view(DETAIL)),
]
