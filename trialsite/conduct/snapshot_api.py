"""Safety snapshots in the API: taken and read by whoever sees every site."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.rest import Endpoint
from trialsite.casebook.api import ACT, DETAIL, LIST, SEES
from trialsite.casebook.selectors import current_version
from trialsite.conduct.models import SafetySnapshot
from trialsite.conduct.services.snapshots import is_intact, take_snapshot

HOLDS = Policy(Audience.STAFF, Capability.HOLD)


class SnapshotAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    version = serializers.CharField()
    purpose = serializers.CharField()
    content = serializers.JSONField(help_text="Language -> counts, rules with inputs, holds")
    sha256 = serializers.CharField(help_text="Of the content")
    intact = serializers.BooleanField()
    taken_by = serializers.CharField()
    taken_at = serializers.DateTimeField()


class NewSnapshot(Body):
    purpose = serializers.CharField(max_length=200)


def said_snapshot(found: SafetySnapshot) -> dict[str, Any]:
    names = ("number", "purpose", "content", "sha256", "taken_at")
    return {
        "id": found.pk,
        **{name: getattr(found, name) for name in names},
        "version": found.version.version,
        "intact": is_intact(found),
        "taken_by": found.taken_by.full_name,
    }


class SafetySnapshots(Endpoint):
    policy = {"GET": SEES, "POST": HOLDS}
    serializer_class = SnapshotAnswer

    def rows(self) -> Any:
        """Figures of the whole study: others are told of none (decisions D6)."""
        seen = SafetySnapshot.objects.visible_to(self.request.user)
        return seen.select_related("version", "taken_by").order_by("number")

    def list(self, request: Request) -> Response:
        """The data cuts for safety committees."""
        return self.page(self.rows(), said_snapshot)

    def retrieve(self, request: Request, snapshot: uuid.UUID) -> Response:
        return Response(said_snapshot(self.found(self.rows(), pk=snapshot)))

    @extend_schema(request=NewSnapshot, responses={201: SnapshotAnswer})
    def create(self, request: Request) -> Response:
        """Freeze the figures, rules, gates and holds of the whole study as they are now."""
        purpose = self.body(NewSnapshot)["purpose"]
        made = take_snapshot(version=current_version(), purpose=purpose, by=self.request.user)
        return Response(said_snapshot(made), status.HTTP_201_CREATED)


routes: list[URLPattern] = [
    path("safety-snapshots/", SafetySnapshots.as_view({**LIST, **ACT})),
    path("safety-snapshots/<uuid:snapshot>/", SafetySnapshots.as_view(DETAIL)),
]
