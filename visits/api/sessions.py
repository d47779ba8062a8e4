"""The endpoints of treatment sessions; readings and other rows are item groups of the engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from screening.services.consent import ProcedureRefusedError
from trialsite.access.bodies import Body
from trialsite.access.keeping import keep
from trialsite.access.models import User
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint, etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import DETAIL, ENTERS, SEES
from trialsite.casebook.models import Subject
from trialsite.crf.api import refusals_by_item
from visits.models import ChecklistAnswer, EventLook, TreatmentSession
from visits.selectors.people import people_at
from visits.selectors.sessions import minutes_of, pauses_of, sessions_of
from visits.services.event_looks import look_for_events, void_look
from visits.services.sessions import (
    Answer,
    answer_checklist,
    cells_off,
    cells_on,
    end_session,
    plan_session,
    start_session,
    void_session,
)
from visits.session_answers import (
    ChecklistBody,
    LookAnswer,
    NewLook,
    NewSession,
    SessionAnswer,
    SessionInBrief,
    SessionMoment,
    SessionStart,
    SessionStop,
    said_answer,
    said_look,
    said_session,
)


class SessionRows(Endpoint):
    """Base of the endpoints of sessions; a session's address is that of its record."""

    serializer_class = SessionAnswer

    def rows(self) -> Any:
        return sessions_of(self.request.user)

    def held(self, session: uuid.UUID) -> TreatmentSession:
        found: TreatmentSession = self.found(self.rows(), pk=session)
        return found

    def answer(self, pk: uuid.UUID, code: int = 200) -> Response:
        """One session as it stands, with its checklist."""
        session = self.held(pk)
        answers = ChecklistAnswer.objects.visible_to(self.request.user).filter(session=session)
        told = answers.select_related("answered_by", "overridden_by").order_by("key")
        body = {
            **said_session(session, minutes_of(session)),
            "checklist": [said_answer(each) for each in told],
        }
        version = session.record.version
        return Response(body, status=code, headers={"ETag": etag(version)})


class Sessions(SessionRows):
    policy = {"GET": SEES, "POST": ENTERS}
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "visit": Filter("record__visit_id", uuid.UUID),
    }

    @extend_schema(responses=SessionInBrief(many=True))
    def list(self, request: Request) -> Response:
        """Sessions, voided ones too: they keep their numbers."""
        rows = self.paginate_queryset(self.narrow(self.rows())) or []
        pauses = pauses_of([each.pk for each in rows])
        told = [said_session(each, minutes_of(each, pauses[each.pk])) for each in rows]
        return self.get_paginated_response(told)

    def retrieve(self, request: Request, session: uuid.UUID) -> Response:
        return self.answer(session)

    @extend_schema(request=NewSession, responses={201: SessionAnswer})
    def create(self, request: Request) -> Response:
        """Prepare a subject's next session, at a treatment visit of its own."""
        body = self.body(NewSession)
        seen = Subject.objects.visible_to(self.request.user).select_related("site")
        subject = seen.filter(pk=body.pop("subject")).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such subject for you.")]})
        made = plan_session(
            subject=subject, on=body.pop("planned_on"), by=self.request.user, **body
        )
        return self.answer(made.pk, status.HTTP_201_CREATED)


class SessionAct(SessionRows):
    """Base of the acts on a session that was read at a version."""

    policy = {"POST": ENTERS}
    matches = True

    def act(self, session: uuid.UUID, do: Callable[..., object], **said: Any) -> Response:
        found, base = self.held(session), expected_version(self.request)  # type: ignore[arg-type]
        with self.remembered(), refusals_by_item():
            do(session=found, by=self.request.user, base_version=base, **said)
        return self.answer(session)

    def said(self, session: uuid.UUID, body: type[Body]) -> dict[str, Any]:
        """What was sent about a session that the person sees."""
        self.held(session)
        return self.body(body)

    def team(self, session: TreatmentSession, body: dict[str, Any]) -> dict[str, User]:
        """The named people, among those the site has; whether they may is the service's."""
        names = ("operator", "second_checker", "physician")
        known = people_at(session.site, [body[name] for name in names])
        errors = {
            name: [_("This site has no such person.")]
            for name in names
            if body[name].lower() not in known
        }
        if errors:
            raise ValidationError(errors)
        return {name: known[body[name].lower()] for name in names}

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """An attempt that consent does not carry is noted, though it is refused."""
        try:
            yield
        except ProcedureRefusedError as refused:
            keep(self.request._request, refused.propose)  # type: ignore[attr-defined]
            raise


class SessionStarting(SessionAct):
    @extend_schema(request=SessionStart, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Start the circuit; refused with every reason why no session may start (409)."""
        body = self.said(session, SessionStart)
        team = self.team(self.held(session), body)
        late = body["late_reason"]
        at = body["started_at"]
        return self.act(session, start_session, started_at=at, late_reason=late, **team)


class CellsOn(SessionAct):
    @extend_schema(request=SessionMoment, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """The cell reactor goes into the circuit."""
        return self.act(session, cells_on, at=self.said(session, SessionMoment)["at"])


class CellsOff(SessionAct):
    @extend_schema(request=SessionMoment, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """The cell reactor comes out of the circuit."""
        return self.act(session, cells_off, at=self.said(session, SessionMoment)["at"])


class SessionEnding(SessionAct):
    @extend_schema(request=SessionStop, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """End the circuit; possible at any time, whatever hold came meanwhile."""
        return self.act(session, end_session, **self.said(session, SessionStop))


class SessionVoid(SessionAct):
    @extend_schema(request=VoidBody, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Take a session out that was entered in error; it keeps its number."""
        return self.act(session, void_session, reason=self.said(session, VoidBody)["reason"])


class SessionChecklist(SessionRows):
    policy = {"POST": ENTERS}

    @extend_schema(request=ChecklistBody, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Answer questions of the checklist; each answer has its own version."""
        found, body = self.held(session), self.body(ChecklistBody)
        given = {
            each["key"]: Answer(
                answer=each["answer"], reason=each["reason"], base_version=each["base_version"]
            )
            for each in body["answers"]
        }
        with refusals_by_item():
            answer_checklist(
                session=found,
                answers=given,
                reason=body["reason"],
                by=self.request.user,
            )
        return self.answer(session)


class SessionLooks(SessionRows):
    policy = {"GET": SEES, "POST": ENTERS}
    serializer_class = LookAnswer  # type: ignore[assignment]

    def list(self, request: Request, session: uuid.UUID) -> Response:
        """Who has looked for adverse events after the session."""
        seen = EventLook.objects.visible_to(self.request.user).filter(session=self.held(session))
        seen = seen.select_related("looked_by", "voided_by").order_by("looked_at", "pk")
        return self.page(seen, said_look)

    @extend_schema(request=NewLook, responses={201: LookAnswer})
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """State that one has looked; it ends the reminder that asks for it."""
        found, body = self.held(session), self.body(NewLook)
        with refusals_by_item():
            look = look_for_events(session=found, by=self.request.user, **body)
        return Response(said_look(look), status.HTTP_201_CREATED)


class LookVoid(SessionRows):
    policy = {"POST": ENTERS}
    serializer_class = LookAnswer  # type: ignore[assignment]

    @extend_schema(request=VoidBody, responses=LookAnswer)
    def create(self, request: Request, session: uuid.UUID, look: uuid.UUID) -> Response:
        """Take back a look that was stated wrongly; its reminder is asked again."""
        seen = EventLook.objects.visible_to(self.request.user).filter(session=self.held(session))
        found = self.found(seen, pk=look)
        body = self.body(VoidBody)
        return Response(said_look(void_look(look=found, reason=body["reason"], by=request.user)))


_ROWS: dict[str, Any] = {"get": "list", "post": "create"}
_ACT: dict[str, Any] = {"post": "create"}
_ONE = "treatment-sessions/<uuid:session>/"

session_routes: list[URLPattern] = [
    path("treatment-sessions/", Sessions.as_view(_ROWS)),
    path(_ONE, Sessions.as_view(DETAIL)),
    path(f"{_ONE}start/", SessionStarting.as_view(_ACT)),
    path(f"{_ONE}cells-on/", CellsOn.as_view(_ACT)),
    path(f"{_ONE}cells-off/", CellsOff.as_view(_ACT)),
    path(f"{_ONE}end/", SessionEnding.as_view(_ACT)),
    path(f"{_ONE}void/", SessionVoid.as_view(_ACT)),
    path(f"{_ONE}looks/", SessionLooks.as_view(_ROWS)),
    path(f"{_ONE}looks/<uuid:look>/void/", LookVoid.as_view(_ACT)),
    path(f"{_ONE}checklist/", SessionChecklist.as_view(_ACT)),
]
