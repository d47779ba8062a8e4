"""A subject's outcome as it stands, and what begins a contact, a transplantation, an ending."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from outcomes.api.beginnings import Beginning, Empty
from outcomes.models import EndReason, Scope, SurvivalContact, SurvivalStatus
from outcomes.selectors.outcome import Overview, overview_of
from outcomes.services.deaths import begin_death
from outcomes.services.dispositions import open_disposition
from outcomes.services.survival import start_contact
from outcomes.services.transplants import open_transplantation
from trialsite.access.bodies import Body
from trialsite.access.rest import Endpoint
from trialsite.casebook.answers import RecordAnswer
from trialsite.casebook.api import ACT, SEES
from trialsite.casebook.models import Subject
from trialsite.core.partial_dates import PartialDate

PARTIAL = r"^\d{4}(-\d\d(-\d\d)?)?$"


class AttemptsAnswer(serializers.Serializer[Any]):
    made = serializers.IntegerField(help_text="Unanswered, since last known alive")
    days = serializers.IntegerField(help_text="On how many different days")
    over = serializers.IntegerField(help_text="Days from the first to the last")
    met = serializers.BooleanField(help_text="The protocol's rule of loss to follow-up")


class SurvivalAtMilestone(serializers.Serializer[Any]):
    day = serializers.IntegerField()
    on = serializers.DateField()
    state = serializers.ChoiceField(choices=["alive", "dead", "unknown", "not_due"])


class ProposalAnswer(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(choices=Scope.choices)
    reason = serializers.ChoiceField(choices=EndReason.choices)
    on = serializers.CharField(help_text="Partial ISO date")
    why = serializers.CharField()


class OutcomeAnswer(serializers.Serializer[Any]):
    subject = serializers.UUIDField()
    status = serializers.ChoiceField(choices=SurvivalStatus.choices)
    last_alive_on = serializers.CharField(allow_null=True, help_text="Partial ISO date")
    evidence = serializers.UUIDField(allow_null=True, help_text="The record that proves it")
    died_on = serializers.CharField(allow_null=True, help_text="Partial ISO date")
    transplanted_on = serializers.CharField(allow_null=True, help_text="Partial ISO date")
    last_treatment_on = serializers.DateField(allow_null=True)
    attempts = AttemptsAnswer()
    milestones = SurvivalAtMilestone(many=True)
    proposals = ProposalAnswer(many=True)


_COUNTS = ("made", "days", "over", "met")


def said_outcome(seen: Overview) -> dict[str, Any]:
    graft = seen.transplantation
    return {
        "subject": seen.subject.pk,
        "status": seen.status,
        "last_alive_on": str(seen.sighting.day) if seen.sighting else None,
        "evidence": seen.sighting.record.pk if seen.sighting else None,
        "died_on": seen.subject.died_on or None,
        "transplanted_on": str(graft.transplanted_on) if graft and graft.transplanted_on else None,
        "last_treatment_on": seen.last_treatment,
        "attempts": {
            name: getattr(seen.attempts, name) for name in ("made", "days", "over", "met")
        },
        "milestones": [
            {"day": each.day, "on": each.on, "state": each.state} for each in seen.milestones
        ],
        "proposals": [
            {"scope": each.scope, "reason": each.reason, "on": str(each.on), "why": each.why}
            for each in seen.proposals
        ],
    }


class Outcome(Endpoint):
    policy = {"GET": SEES}
    serializer_class = OutcomeAnswer

    @extend_schema(responses=OutcomeAnswer)
    def retrieve(self, request: Request, subject: uuid.UUID) -> Response:
        """Whether the participant is known to live, and what is proposed of the endings."""
        mine = Subject.objects.visible_to(self.request.user).select_related("site")
        return Response(said_outcome(overview_of(self.found(mine, pk=subject))))


class ContactBody(Body):
    visit = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="The milestone it stands for"
    )


class EndingBody(Body):
    scope = serializers.ChoiceField(choices=Scope.choices)
    reason = serializers.ChoiceField(
        choices=EndReason.choices, required=False, allow_blank=True, default=""
    )
    ended_on = serializers.RegexField(PARTIAL, required=False, allow_null=True, default=None)


class OfSubject(Beginning):
    def rows(self) -> Any:
        return Subject.objects.visible_to(self.request.user)


class BeginContact(OfSubject):
    @extend_schema(request=ContactBody, responses=RecordAnswer)
    def create(self, request: Request, subject: uuid.UUID) -> Response:
        """Begin a survival contact; one that has found nobody yet is answered again."""
        found = self.found(self.rows(), pk=subject)
        named = self.body(ContactBody)["visit"]
        visit = self.found(found.visits.all(), pk=named) if named else None
        return self.said(start_contact(subject=found, stands_for=visit, by=self.request.user))


class OpenTransplantation(OfSubject):
    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, subject: uuid.UUID) -> Response:
        """The record of a subject's transplantation, opened where there is none that stands."""
        found = self.found(self.rows(), pk=subject)
        self.body(Empty)
        return self.said(open_transplantation(subject=found, by=self.request.user))


class OpenEnding(OfSubject):
    @extend_schema(request=EndingBody, responses=RecordAnswer)
    def create(self, request: Request, subject: uuid.UUID) -> Response:
        """The record of how treatment or study ended; reason and day are kept as a draft."""
        found = self.found(self.rows(), pk=subject)
        body = self.body(EndingBody)
        try:
            ended_on = PartialDate.parse(body["ended_on"]) if body["ended_on"] else None
        except ValueError as error:
            raise serializers.ValidationError({"ended_on": [str(error)]}) from error
        record = open_disposition(
            subject=found,
            scope=body["scope"],
            reason=body["reason"],
            ended_on=ended_on,
            by=self.request.user,
        )
        return self.said(record)


class ToldDeath(Beginning):
    def rows(self) -> Any:
        return SurvivalContact.objects.visible_to(self.request.user).select_related(
            "record", "subject"
        )

    @extend_schema(request=Empty, responses=RecordAnswer)
    def create(self, request: Request, contact: uuid.UUID) -> Response:
        """The record of the death that a contact told of, begun as a draft."""
        found = self.found(self.rows(), pk=contact)
        self.body(Empty)
        return self.said(begin_death(contact=found, by=self.request.user))


SUBJECT = "subjects/<uuid:subject>/"

routes: list[URLPattern] = [
    path(f"{SUBJECT}outcome/", Outcome.as_view({"get": "retrieve"})),
    path(f"{SUBJECT}survival-contact/", BeginContact.as_view(ACT)),
    path(f"{SUBJECT}transplantation/", OpenTransplantation.as_view(ACT)),
    path(f"{SUBJECT}ending/", OpenEnding.as_view(ACT)),
    path("survival-contacts/<uuid:contact>/death/", ToldDeath.as_view(ACT)),
]
