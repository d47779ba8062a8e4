"""Destruction lists in the API: what is to be destroyed, and what became of each sample."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import WALL, wall
from samples.api.bodies import HANDLES, TimedBody, text, witness_of
from samples.api.bodies import moment_of as moment_in
from samples.models import Destruction, DestructionLine, Outcome
from samples.selectors.destruction import destructions, lines_of
from samples.services.destruction import Explanation, destroy_listed, explain_line
from samples.services.withdrawals import close_destruction
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES

#: How a list stands.
STATES = ("open", "closed", "lifted")


class DestructionAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField()
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField()
    state = serializers.ChoiceField(choices=STATES)
    withdrawn_at = serializers.DateTimeField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    lifted_at = serializers.DateTimeField(allow_null=True)
    listed = serializers.IntegerField(help_text="Samples on the list")
    settled = serializers.IntegerField(help_text="Of these destroyed or explained")


class DestructionLineAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField(help_text="Of the specimen or the aliquot (BEREFID)")
    specimen = serializers.UUIDField()
    aliquot = serializers.UUIDField(allow_null=True)
    kind = serializers.CharField(help_text="Of the protocol's sample plan")
    state = serializers.CharField(help_text="Of the sample")
    here = serializers.BooleanField(help_text="Whether the site itself has it")
    settled = serializers.BooleanField()
    outcome = serializers.ChoiceField(choices=["", *Outcome.values])
    happened_at = serializers.CharField(allow_null=True, help_text=WALL)
    reason = serializers.CharField()
    confirmed_by = serializers.CharField()
    witness = serializers.CharField(allow_null=True)


class DestructionDetailAnswer(DestructionAnswer):
    """A list with every sample on it."""

    lines = DestructionLineAnswer(many=True)


class DestroyBody(TimedBody):
    lines = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)
    how = serializers.CharField(max_length=300, help_text="Such as: autoclaved")
    witness = serializers.EmailField(
        help_text="Who stood by: e-mail address of a second person of the site"
    )


class ExplainBody(TimedBody):
    why = serializers.ChoiceField(choices=Explanation.choices)
    explanation = serializers.CharField(max_length=500)
    confirmed_by = text(200, "Of a recipient who has destroyed it")


class DestructionActBody(Body):
    """Nothing is asked."""


def _state(found: Destruction) -> str:
    if found.lifted_at is not None:
        return "lifted"
    return "open" if found.closed_at is None else "closed"


def said_destruction(found: Any) -> dict[str, Any]:
    plain = ("withdrawn_at", "opened_at", "closed_at", "lifted_at", "listed", "settled")
    return {
        "id": found.pk,
        "SITEID": found.site.code,
        "SCRNID": found.subject.screening_number,
        "SUBJID": found.subject.number,
        "subject": found.subject_id,
        "state": _state(found),
        **{name: getattr(found, name) for name in plain},
    }


def said_line(line: DestructionLine) -> dict[str, Any]:
    event = line.event
    return {
        "id": line.pk,
        "code": line.code,
        "specimen": line.specimen_id,
        "aliquot": line.aliquot_id,
        "kind": line.specimen.kind,
        "state": line.sample.state,
        "here": line.is_here,
        "settled": line.is_settled,
        "outcome": line.outcome,
        "happened_at": wall(event.happened_at) if event else None,
        "reason": event.reason if event else "",
        "confirmed_by": event.place if event else "",
        "witness": event.witness.full_name if event and event.witness else None,
    }


class DestructionRows(SampleEndpoint):
    """Base of the endpoints of destruction lists."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        rows = destructions(self.request.user)
        sites = self.request.user.access.sites(capability)
        return rows.filter(site__in=sites)

    def answer(self, pk: uuid.UUID) -> Response:
        found: Destruction = self.found(self.rows(), pk=pk)
        lines = [said_line(each) for each in lines_of(found)]
        return Response(said_destruction(found) | {"lines": lines})


class Destructions(DestructionRows):
    policy = {"GET": SEES}
    serializer_class = DestructionAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject", uuid.UUID),
    }

    def list(self, request: Request) -> Response:
        """Lists of what is to be destroyed after a withdrawal, those that are over too."""
        return self.page(self.rows(), said_destruction)

    @extend_schema(responses=DestructionDetailAnswer)
    def retrieve(self, request: Request, destruction: uuid.UUID) -> Response:
        return self.answer(destruction)


class Destroyed(DestructionRows):
    policy = {"POST": HANDLES}

    @extend_schema(request=DestroyBody, responses=DestructionDetailAnswer)
    def create(self, request: Request, destruction: uuid.UUID) -> Response:
        """These samples were destroyed before a witness."""
        found: Destruction = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=destruction)
        body = self.body(DestroyBody)
        lines = list(found.lines.filter(pk__in=body["lines"]))
        if len(lines) != len(set(body["lines"])):
            raise ValidationError({"lines": [_("There is no such row for you.")]})
        with self.acting():
            destroy_listed(
                destruction=found,
                lines=lines,
                how=body["how"],
                witness=witness_of(body["witness"], found.site),
                at=moment_in(body),
                by=self.request.user,
            )
        return self.answer(found.pk)


class ListClosed(DestructionRows):
    policy = {"POST": HANDLES}

    @extend_schema(request=DestructionActBody, responses=DestructionDetailAnswer)
    def create(self, request: Request, destruction: uuid.UUID) -> Response:
        """Close a list on which each sample is destroyed or explained."""
        found: Destruction = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=destruction)
        self.body(DestructionActBody)
        with self.acting():
            close_destruction(destruction=found, by=self.request.user)
        return self.answer(found.pk)


class ListedExplained(DestructionRows):
    policy = {"POST": HANDLES}

    @extend_schema(request=ExplainBody, responses=DestructionDetailAnswer)
    def create(self, request: Request, listed: uuid.UUID) -> Response:
        """Say what became of one sample that the site does not destroy itself."""
        seen = DestructionLine.objects.visible_to(self.request.user, Capability.HANDLE_SAMPLES)
        named = seen.select_related("specimen", "aliquot", "destruction")
        found: DestructionLine = self.found(named, pk=listed)
        body = self.body(ExplainBody)
        with self.acting():
            explain_line(
                line=found,
                why=body["why"],
                explanation=body["explanation"],
                confirmed_by=body["confirmed_by"],
                at=moment_in(body),
                by=self.request.user,
            )
        return self.answer(found.destruction_id)


destruction_routes: list[URLPattern] = [
    path("sample-destructions/", Destructions.as_view(LIST)),
    path("sample-destructions/<uuid:destruction>/", Destructions.as_view(DETAIL)),
    path("sample-destructions/<uuid:destruction>/destroy/", Destroyed.as_view(ACT)),
    path("sample-destructions/<uuid:destruction>/close/", ListClosed.as_view(ACT)),
    path("sample-destruction-lines/<uuid:listed>/explain/", ListedExplained.as_view(ACT)),
]
