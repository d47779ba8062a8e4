"""What begins an adverse event or the record of a death; the forms then have the rest."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.services.adverse_events import (
    record_from_complication,
    record_from_reading,
    record_from_result,
)
from outcomes.services.deaths import open_death
from trialsite.access.bodies import Body
from trialsite.access.rest import Endpoint, etag
from trialsite.casebook.answers import RecordAnswer, said_record
from trialsite.casebook.api import ACT, ENTERS
from trialsite.casebook.models import CrfRecord, Subject
from trialsite.casebook.selectors import records_of
from trialsite.labs.models import LabResult
from visits.models import Complication, SessionReading


class Empty(Body):
    """An act that says everything by its address."""


class Beginning(Endpoint):
    """Base of the endpoints that answer with a record, the standing one where there is one."""

    policy = {"POST": ENTERS}
    serializer_class = RecordAnswer

    def said(self, record: CrfRecord) -> Response:
        found = records_of(self.request.user).get(pk=record.pk)
        return Response(said_record(found), headers={"ETag": etag(found.version)})


class EventOfComplication(Beginning):
    def rows(self) -> Any:
        return Complication.objects.visible_to(self.request.user)

    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, complication: uuid.UUID) -> Response:
        """The adverse event of a complication, begun with what is known of it; made once."""
        found = self.found(self.rows(), pk=complication)
        self.body(Empty)
        return self.said(record_from_complication(complication=found, by=self.request.user))


class EventOfReading(Beginning):
    def rows(self) -> Any:
        return SessionReading.objects.visible_to(self.request.user)

    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, reading: uuid.UUID) -> Response:
        """The adverse event of a bedside reading, begun with its values out of range; made once."""
        found = self.found(self.rows(), pk=reading)
        self.body(Empty)
        return self.said(record_from_reading(reading=found, by=self.request.user))


class EventOfResult(Beginning):
    def rows(self) -> Any:
        return LabResult.objects.visible_to(self.request.user)

    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, result: uuid.UUID) -> Response:
        """The adverse event of a laboratory result, begun with its CTCAE grade; made once."""
        found = self.found(self.rows(), pk=result)
        self.body(Empty)
        return self.said(record_from_result(result=found, by=self.request.user))


class OpenDeath(Beginning):
    def rows(self) -> Any:
        return Subject.objects.visible_to(self.request.user)

    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, subject: uuid.UUID) -> Response:
        """The record of a subject's death, opened where there is none that stands."""
        found = self.found(self.rows(), pk=subject)
        self.body(Empty)
        return self.said(open_death(subject=found, by=self.request.user))


routes: list[URLPattern] = [
    path(
        "complications/<uuid:complication>/adverse-event/",
        EventOfComplication.as_view(ACT),
    ),
    path("session-readings/<uuid:reading>/adverse-event/", EventOfReading.as_view(ACT)),
    path("lab-results/<uuid:result>/adverse-event/", EventOfResult.as_view(ACT)),
    path("subjects/<uuid:subject>/death/", OpenDeath.as_view(ACT)),
]
