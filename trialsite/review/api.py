"""Queries: questions to the sites, and what came of them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Prefetch
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import keys_of
from trialsite.casebook.api import ACT, DETAIL
from trialsite.casebook.models import CrfRecord
from trialsite.review.models import Query, QueryMessage, QueryStatus
from trialsite.review.services import answer_query, close_query, raise_query, reopen_query
from trialsite.review.signing_api import routes as signing


class MessageAnswer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=QueryStatus.choices)
    text = serializers.CharField()
    written_by = serializers.CharField(allow_null=True, help_text="Empty: an edit check")
    written_at = serializers.DateTimeField()


class QueryAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    record = serializers.UUIDField()
    form = serializers.CharField()
    row = serializers.UUIDField(allow_null=True)
    item = serializers.CharField(help_text="ItemOID")
    check = serializers.CharField(help_text="The edit check that asks; empty: a person")
    status = serializers.ChoiceField(choices=QueryStatus.choices)
    raised_at = serializers.DateTimeField()
    messages = MessageAnswer(many=True)


class NewQuery(Body):
    record = serializers.UUIDField()
    item = serializers.RegexField(r"^[A-Za-z0-9_.]{0,60}$", required=False, default="")
    text = serializers.CharField(max_length=2000)


class MessageBody(Body):
    text = serializers.CharField(max_length=2000)


def said_query(query: Query) -> dict[str, Any]:
    return {
        "id": query.pk,
        **keys_of(query.subject),
        "subject": query.subject_id,
        "record": query.record_id,
        "form": query.record.form_oid,
        "row": query.row_id,
        "item": query.item_oid,
        "check": query.check_oid,
        "status": query.status,
        "raised_at": query.raised_at,
        "messages": [said_message(each) for each in query.messages.all()],
    }


def said_message(message: QueryMessage) -> dict[str, Any]:
    return {
        "status": message.status,
        "text": message.text,
        "written_by": message.written_by.full_name if message.written_by else None,
        "written_at": message.written_at,
    }


class Queries(Endpoint):
    policy = {
        "GET": Policy(Audience.STAFF, Capability.VIEW_CASEBOOK),
        "POST": Policy(Audience.STAFF, Capability.RAISE_QUERY),
    }
    serializer_class = QueryAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "record": Filter("record_id", uuid.UUID),
        "form": Filter("record__form_oid"),
        "status": Filter("status", choices=tuple(QueryStatus.values)),
    }

    def rows(self) -> Any:
        messages = QueryMessage.objects.visible_to(self.request.user)
        said = Prefetch("messages", messages.select_related("written_by").order_by("id"))
        return (
            Query.objects.visible_to(self.request.user)
            .select_related("subject__site", "record")
            .prefetch_related(said)
            .order_by("raised_at", "pk")
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_query)

    def retrieve(self, request: Request, query: uuid.UUID) -> Response:
        return Response(said_query(self.found(self.rows(), pk=query)))

    @extend_schema(request=NewQuery, responses={201: QueryAnswer})
    def create(self, request: Request) -> Response:
        """Ask the site about an item of a record, or about the record."""
        body = self.body(NewQuery)
        seen = CrfRecord.objects.visible_to(self.request.user).standing()  # type: ignore[attr-defined]
        record = seen.filter(pk=body["record"]).first()
        if record is None:
            raise ValidationError({"record": [_("There is no such record for you.")]})
        query = raise_query(
            record=record, item_oid=body["item"], text=body["text"], by=self.request.user
        )
        made = said_query(self.rows().get(pk=query.pk))
        return Response(made, status.HTTP_201_CREATED)


class QueryAct(Queries):
    """A move of a query. Its state is its version: a move from another state is a conflict."""

    service: Any = None

    @extend_schema(request=MessageBody, responses=QueryAnswer)
    def create(self, request: Request, query: uuid.UUID) -> Response:  # type: ignore[override]
        found = self.found(self.rows(), pk=query)
        text = self.body(MessageBody)["text"]
        type(self).service(query=found, text=text, by=self.request.user)
        return self.retrieve(request, query)


class Answer(QueryAct):
    policy = {"POST": Policy(Audience.STAFF, Capability.ANSWER_QUERY)}
    service = answer_query


class Close(QueryAct):
    policy = {"POST": Policy(Audience.STAFF, Capability.CLOSE_QUERY)}
    service = close_query


class Reopen(QueryAct):
    policy = {"POST": Policy(Audience.STAFF, Capability.CLOSE_QUERY)}
    service = reopen_query


ONE = "queries/<uuid:query>/"

routes: list[URLPattern] = [
    *signing,
    path("queries/", Queries.as_view({"get": "list", "post": "create"})),
    path(ONE, Queries.as_view(DETAIL)),
    path(f"{ONE}answer/", Answer.as_view(ACT)),
    path(f"{ONE}close/", Close.as_view(ACT)),
    path(f"{ONE}reopen/", Reopen.as_view(ACT)),
]
