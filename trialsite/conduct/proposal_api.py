"""Proposed holds in the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.paging import Filter
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES
from trialsite.conduct.models import ProposalStatus, ProposedHold, Scope
from trialsite.conduct.services.proposals import dismiss_proposed, place_proposed
from trialsite.protocol.proposals import HoldTrigger

HOLDS = Policy(Audience.STAFF, Capability.HOLD)


class ProposedHoldAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    SCRNID = serializers.CharField(allow_null=True)
    SUBJID = serializers.CharField(allow_null=True)
    subject = serializers.UUIDField(allow_null=True)
    rule = serializers.CharField(help_text="Key of the protocol's rule; empty: it has none")
    trigger = serializers.ChoiceField(
        choices=[("", ""), *((e.value, e.value) for e in HoldTrigger)]
    )
    reason = serializers.CharField()
    raised_at = serializers.DateTimeField()
    cause_ended_at = serializers.DateTimeField(
        allow_null=True, help_text="When what raised it was corrected or voided"
    )
    status = serializers.ChoiceField(choices=ProposalStatus.choices)
    hold = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    dismiss_reason = serializers.CharField()


class PlaceBody(Body):
    scope = serializers.ChoiceField(choices=Scope.choices)


class DismissProposalBody(Body):
    reason = serializers.CharField(max_length=500)


def said_proposal(found: ProposedHold) -> dict[str, Any]:
    subject = found.subject
    same = ("rule", "trigger", "reason", "raised_at", "cause_ended_at", "status", "decided_at",
            "dismiss_reason")  # fmt: skip
    return {
        "id": found.pk,
        "SITEID": found.site.code,
        "SCRNID": subject.screening_number if subject else None,
        "SUBJID": subject.number if subject else None,
        "subject": found.subject_id,
        "hold": found.hold_id,
        **{name: getattr(found, name) for name in same},
    }


class ProposedHolds(Endpoint):
    policy = {"GET": SEES}
    serializer_class = ProposedHoldAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject_id", uuid.UUID),
        "status": Filter("status", choices=tuple(ProposalStatus.values)),
    }

    def rows(self) -> Any:
        seen = ProposedHold.objects.visible_to(self.request.user)
        return seen.select_related("site", "subject").order_by("-raised_at", "pk")

    def list(self, request: Request) -> Response:
        """What happened for which a rule of the protocol would pause the study."""
        return self.page(self.rows(), said_proposal)

    def retrieve(self, request: Request, proposal: uuid.UUID) -> Response:
        return Response(said_proposal(self.found(self.rows(), pk=proposal)))


class PlaceProposed(ProposedHolds):
    policy = {"POST": HOLDS}

    @extend_schema(request=PlaceBody, responses=ProposedHoldAnswer)
    def create(self, request: Request, proposal: uuid.UUID) -> Response:
        """Place the hold that is proposed, at its site."""
        found = self.found(self.rows(), pk=proposal)
        scope = Scope(self.body(PlaceBody)["scope"])
        place_proposed(proposal=found, scope=scope, by=self.request.user)
        return self.retrieve(request, proposal)


class DismissProposed(ProposedHolds):
    policy = {"POST": HOLDS}

    @extend_schema(request=DismissProposalBody, responses=ProposedHoldAnswer)
    def create(self, request: Request, proposal: uuid.UUID) -> Response:
        """State why no hold is needed."""
        found = self.found(self.rows(), pk=proposal)
        reason = self.body(DismissProposalBody)["reason"]
        dismiss_proposed(proposal=found, reason=reason, by=self.request.user)
        return self.retrieve(request, proposal)


ONE = "proposed-holds/<uuid:proposal>/"

routes: list[URLPattern] = [
    path("proposed-holds/", ProposedHolds.as_view(LIST)),
    path(ONE, ProposedHolds.as_view(DETAIL)),
    path(f"{ONE}place/", PlaceProposed.as_view(ACT)),
    path(f"{ONE}dismiss/", DismissProposed.as_view(ACT)),
]
