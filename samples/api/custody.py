"""Custody in the API: every event, and a wrong time put right."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Q
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import WALL, CustodyAnswer, said_custody
from samples.api.bodies import HANDLES
from samples.models import CustodyEvent, CustodyKind
from samples.services.specimen_ends import correct_time
from screening.api.consent import wall_of
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter, moment
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES

_NAMED = ("site", "specimen__subject", "specimen__site", "aliquot__site", "box", "shipment",
          "corrects", "witness", "entered_by")  # fmt: skip


class CorrectTimeBody(VoidBody):
    happened_at = serializers.CharField(max_length=30, help_text=WALL)


class CustodyEvents(SampleEndpoint):
    policy = {"GET": SEES}
    serializer_class = CustodyAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject", uuid.UUID),
        "specimen": Filter("specimen", uuid.UUID),
        "aliquot": Filter("aliquot", uuid.UUID),
        "box": Filter("box__code"),
        "shipment": Filter("shipment__code"),
        "kind": Filter("kind", choices=tuple(CustodyKind.values)),
        "entered_since": Filter("entered_at__gte", moment),
    }

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = CustodyEvent.objects.visible_to(self.request.user, capability)
        return seen.select_related(*_NAMED).order_by("entered_at", "specimen_id", "number", "pk")

    def list(self, request: Request) -> Response:
        """What happened to samples, in the order in which it was entered."""
        return self.page(self.rows(), said_custody)

    def retrieve(self, request: Request, custody: uuid.UUID) -> Response:
        return Response(said_custody(self.found(self.rows(), pk=custody)))


class TimeCorrected(CustodyEvents):
    policy = {"POST": HANDLES}

    @extend_schema(request=CorrectTimeBody, responses={201: CustodyAnswer})
    def create(self, request: Request, custody: uuid.UUID) -> Response:
        """Put the time of an event right, with the reason; both stay."""
        rows = self.rows(Capability.HANDLE_SAMPLES).filter(~Q(kind=CustodyKind.CORRECTED))
        event, body = self.found(rows, pk=custody), self.body(CorrectTimeBody)
        at = wall_of("happened_at", body["happened_at"])
        with self.acting():
            made = correct_time(event=event, at=at, reason=body["reason"], by=self.request.user)
        said = said_custody(self.found(self.rows(), pk=made.pk))
        return Response(said, status.HTTP_201_CREATED)


custody_routes: list[URLPattern] = [
    path("custody-events/", CustodyEvents.as_view(LIST)),
    path("custody-events/<uuid:custody>/", CustodyEvents.as_view(DETAIL)),
    path("custody-events/<uuid:custody>/correct/", TimeCorrected.as_view(ACT)),
]
