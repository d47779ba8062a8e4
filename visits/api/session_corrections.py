"""Corrections of a session, its completion, and a physician's decision about a "no"."""

from __future__ import annotations

import uuid
from dataclasses import fields
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.crf.api import refusals_by_item
from visits.api.sessions import SessionAct, SessionRows
from visits.services.sessions import (
    SessionPlanned,
    Team,
    Times,
    change_plan,
    complete_session,
    correct_times,
    override_answer,
)
from visits.session_answers import (
    ChecklistOverride,
    SessionAnswer,
    SessionCompletion,
    SessionCorrection,
    SessionPrescription,
)


class Correction(SessionAct):
    @extend_schema(request=SessionCorrection, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Correct times, people and end of a started session, with a reason."""
        body = self.said(session, SessionCorrection)
        team = Team(**self.team(self.held(session), body))
        times = Times(**{each.name: body[each.name] for each in fields(Times)})
        kept = {name: body[name] for name in ("stop_reason", "stop_comment", "reason")}
        return self.act(session, correct_times, times=times, team=team, **kept)


class Prescription(SessionAct):
    @extend_schema(request=SessionPrescription, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Change what is prescribed; once the session has started, with a reason."""
        body = self.said(session, SessionPrescription)
        reason = body.pop("reason")
        return self.act(session, change_plan, planned=SessionPlanned(**body), reason=reason)


class Completion(SessionAct):
    @extend_schema(request=SessionCompletion, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """State that the run sheet is whole; refused with what is missing."""
        return self.act(session, complete_session, **self.said(session, SessionCompletion))


class Override(SessionRows):
    policy = {"POST": Policy(Audience.STAFF, Capability.SIGN_FORM)}

    @extend_schema(request=ChecklistOverride, responses=SessionAnswer)
    def create(self, request: Request, session: uuid.UUID) -> Response:
        """Let a session start in spite of a "no": a physician's decision."""
        found = self.held(session)
        body: dict[str, Any] = self.body(ChecklistOverride)
        with refusals_by_item():
            override_answer(session=found, by=self.request.user, **body)
        return self.answer(session)


_ACT: dict[str, Any] = {"post": "create"}
_ONE = "treatment-sessions/<uuid:session>/"

correction_routes: list[URLPattern] = [
    path(f"{_ONE}correction/", Correction.as_view(_ACT)),
    path(f"{_ONE}prescription/", Prescription.as_view(_ACT)),
    path(f"{_ONE}complete/", Completion.as_view(_ACT)),
    path(f"{_ONE}checklist/override/", Override.as_view(_ACT)),
]
