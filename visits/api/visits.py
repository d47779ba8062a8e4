"""Visits in the API: the schedule, and what happened of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.paging import Filter, day
from trialsite.access.rest import Endpoint, etag, expected_version
from trialsite.casebook.api import ACT, DETAIL, ENTERS, LIST, SEES
from trialsite.casebook.models import Subject, Visit, VisitStatus
from visits.selectors.visits import with_state
from visits.services.visits import add, attend, begin, cancel, miss, take_back
from visits.visit_answers import AttendBody, NewVisit, VisitAnswer, VisitReasonBody, said_visit


class Visits(Endpoint):
    policy = {"GET": SEES, "POST": ENTERS}
    serializer_class = VisitAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "event": Filter("event_oid"),
        "status": Filter("status", choices=tuple(VisitStatus.values)),
        "state": Filter("state", choices=tuple(VisitStatus.values)),
        "from": Filter("target_on__gte", day),
        "to": Filter("target_on__lte", day),
    }

    def rows(self) -> Any:
        seen = with_state(Visit.objects.visible_to(self.request.user))
        return seen.select_related("subject__site").order_by(
            "subject__screening_number", "visit_number", "repeat_key", "pk"
        )

    def list(self, request: Request) -> Response:
        return self.page(self.rows(), said_visit)

    def retrieve(self, request: Request, visit: uuid.UUID) -> Response:
        return self.answer(visit)

    @extend_schema(request=NewVisit, responses={201: VisitAnswer})
    def create(self, request: Request) -> Response:
        """Add an unscheduled visit, a survival contact or an early termination."""
        body = self.body(NewVisit)
        mine = Subject.objects.visible_to(self.request.user).select_related("site")
        subject = mine.filter(pk=body.pop("subject")).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        if body["stands_for"] is not None:
            body["stands_for"] = subject.visits.filter(pk=body["stands_for"]).first()
        made = add(subject=subject, by=self.request.user, **body)
        return self.answer(made.pk, status.HTTP_201_CREATED)

    def answer(self, visit: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found = self.found(self.rows(), pk=visit)
        return Response(said_visit(found), code, headers={"ETag": etag(found.version)})


class VisitAct(Visits):
    """An act on a visit, from the version that was read."""

    policy = {"POST": ENTERS}
    matches = True

    def act(self, visit: uuid.UUID, service: Callable[..., Visit], **said: Any) -> Response:
        seen = Visit.objects.visible_to(self.request.user).select_related("subject__site")
        found = self.found(seen, pk=visit)
        version = expected_version(self.request)  # type: ignore[arg-type]
        service(visit=found, by=self.request.user, base_version=version, **said)
        return self.answer(visit)


class Start(VisitAct):
    @extend_schema(request=None, responses=VisitAnswer)
    def create(self, request: Request, visit: uuid.UUID) -> Response:  # type: ignore[override]
        """The visit begins now; from here on its dates no longer move."""
        return self.act(visit, begin)


class Attend(VisitAct):
    @extend_schema(request=AttendBody, responses=VisitAnswer)
    def create(self, request: Request, visit: uuid.UUID) -> Response:  # type: ignore[override]
        """The visit took place; outside its window it is kept, and proposed as a deviation."""
        return self.act(visit, attend, **self.body(AttendBody))


class Miss(VisitAct):
    @extend_schema(request=VisitReasonBody, responses=VisitAnswer)
    def create(self, request: Request, visit: uuid.UUID) -> Response:  # type: ignore[override]
        """The visit did not take place, and why."""
        return self.act(visit, miss, **self.body(VisitReasonBody))


class TakeBack(VisitAct):
    @extend_schema(request=VisitReasonBody, responses=VisitAnswer)
    def create(self, request: Request, visit: uuid.UUID) -> Response:  # type: ignore[override]
        """What was said of the visit was an error: it is planned again."""
        return self.act(visit, take_back, **self.body(VisitReasonBody))


class Cancel(VisitAct):
    @extend_schema(request=VisitReasonBody, responses=VisitAnswer)
    def create(self, request: Request, visit: uuid.UUID) -> Response:  # type: ignore[override]
        """Take out a visit that was added in error."""
        return self.act(visit, cancel, **self.body(VisitReasonBody))


visit_routes: list[URLPattern] = [
    path("visits/", Visits.as_view({**LIST, **ACT})),
    path("visits/<uuid:visit>/", Visits.as_view(DETAIL)),
    path("visits/<uuid:visit>/start/", Start.as_view(ACT)),
    path("visits/<uuid:visit>/attend/", Attend.as_view(ACT)),
    path("visits/<uuid:visit>/miss/", Miss.as_view(ACT)),
    path("visits/<uuid:visit>/take-back/", TakeBack.as_view(ACT)),
    path("visits/<uuid:visit>/cancel/", Cancel.as_view(ACT)),
]
