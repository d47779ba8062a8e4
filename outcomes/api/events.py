"""The adverse events of the person's sites in the API, with what is derived of each."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.event_datasets import adverse_events, said_event
from outcomes.selectors.events import all_events, lines_of
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import keys_of
from trialsite.casebook.api import DETAIL, LIST, SEES
from trialsite.exports.registry import Kind

_FIELDS: dict[Kind, Any] = {
    Kind.INTEGER: serializers.IntegerField,
    Kind.BOOLEAN: serializers.BooleanField,
    Kind.ID: serializers.UUIDField,
}


class _GradeAnswer(serializers.Serializer[Any]):
    grade = serializers.IntegerField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python, and the name of the field."""
        return {"from": serializers.CharField(allow_blank=True), **super().get_fields()}


def _answer() -> type[serializers.Serializer[Any]]:
    """The dataset's columns as an answer: one definition for both."""
    fields: dict[str, Any] = {
        column.name: _FIELDS.get(column.kind, serializers.CharField)(
            allow_null=True, help_text=column.label
        )
        for column in adverse_events().columns
    }
    fields["GRADES"] = _GradeAnswer(many=True)
    return type("AdverseEventAnswer", (serializers.Serializer,), fields)


AdverseEventAnswer = _answer()


class AdverseEvents(Endpoint):
    """Standing adverse events with their code, their origin, and whether they came up under
    treatment (TRTEMFL: Y, N, or U where the dates do not tell)."""

    policy = {"GET": SEES}
    serializer_class = AdverseEventAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("pk", uuid.UUID),
    }

    def list(self, request: Request) -> Response:
        chosen = self.paginate_queryset(self.narrow(self.rows())) or []
        return self.get_paginated_response(self.said(chosen))

    def retrieve(self, request: Request, record: uuid.UUID) -> Response:
        return Response(self.said([self.found(self.rows(), pk=record)])[0])

    def rows(self) -> Any:
        return all_events(self.request.user).select_related("subject__site")

    def said(self, records: Any) -> Any:
        return [{**keys_of(each.record.subject), **said_event(each)} for each in lines_of(records)]


routes: list[URLPattern] = [
    path("adverse-events/", AdverseEvents.as_view(LIST)),
    path("adverse-events/<uuid:record>/", AdverseEvents.as_view(DETAIL)),
]
