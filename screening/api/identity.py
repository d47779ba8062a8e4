"""Identifiers at the API: masked, kept, asked for, handed out once, erased.

A POST's answer is kept for its Idempotency-Key, so no POST answers with an identifier: what
was asked for is read by a GET, once, and nothing of that is kept.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from screening.models import ScreeningEntry
from screening.services.identity import (
    MAX_LENGTH,
    MAX_REASON,
    RevealedIdentity,
    Told,
    ask_for_identity,
    erase_identity,
    keep_identity,
    likely_duplicates,
    masked_identity,
    reveal_identity,
)
from screening.vault_functions import OPEN_FOR
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.http import Audience, Policy
from trialsite.access.models import User
from trialsite.access.rest import Endpoint

IDENTIFIES = Policy(Audience.STAFF, Capability.VIEW_IDENTITY)


class IdentityBody(Body):
    name = serializers.CharField(required=False, max_length=MAX_LENGTH["name"])
    phone = serializers.CharField(required=False, max_length=MAX_LENGTH["phone"])
    hospital_number = serializers.CharField(
        required=False, max_length=MAX_LENGTH["hospital_number"]
    )
    reason = serializers.CharField(
        required=False, max_length=MAX_REASON, help_text="Needed to correct what stands"
    )


class IdentityReasonBody(Body):
    reason = serializers.CharField(max_length=MAX_REASON)


class MatchAnswer(serializers.Serializer[Any]):
    entry = serializers.UUIDField()
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class MaskedAnswer(serializers.Serializer[Any]):
    entry = serializers.UUIDField()
    name = serializers.CharField(help_text="Masked; empty where none is kept")
    phone = serializers.CharField(help_text="Masked")
    hospital_number = serializers.CharField(help_text="Masked")
    erased = serializers.BooleanField()
    likely_duplicates = MatchAnswer(many=True, help_text="After keeping: suggestions, no merge")


class DisclosureAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    seconds = serializers.IntegerField(help_text="How long it may be opened, once")


class ToldAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    text = serializers.CharField()
    kept_at = serializers.DateTimeField()
    replaced_at = serializers.DateTimeField(allow_null=True)


class RevealedAnswer(serializers.Serializer[Any]):
    entry = serializers.UUIDField()
    standing = ToldAnswer(many=True)
    earlier = ToldAnswer(many=True)


class OfAnEntry(Endpoint):
    """What hangs on an entry of the screening log."""

    policy = {"POST": IDENTIFIES}

    def entry(self, entry: uuid.UUID) -> ScreeningEntry:
        mine = ScreeningEntry.objects.visible_to(self.request.user, Capability.VIEW_IDENTITY)
        found: ScreeningEntry = self.found(mine, pk=entry)
        return found


class Identities(OfAnEntry):
    """The identifiers of an entry of the screening log, masked."""

    policy = {"GET": IDENTIFIES, "POST": IDENTIFIES}
    serializer_class = MaskedAnswer

    def retrieve(self, request: Request, entry: uuid.UUID) -> Response:
        return Response(said_masked(self.entry(entry).pk, self.request.user))

    @extend_schema(request=IdentityBody, responses=MaskedAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:
        """Keep identifiers, or correct them with a reason; one not given stays as it is."""
        found, user = self.entry(entry), self.request.user
        body = self.body(IdentityBody)
        keep_identity(entry_id=found.pk, site=found.site_id, by=user, **body)
        body.pop("reason", None)
        likely = likely_duplicates(site=found.site_id, by=user, apart_from=found.pk, **body)
        matches = [{"entry": each, "fields": list(fields)} for each, fields in likely.items()]
        return Response(said_masked(found.pk, user) | {"likely_duplicates": matches})


class Disclosures(OfAnEntry):
    serializer_class = DisclosureAnswer

    @extend_schema(request=IdentityReasonBody, responses={201: DisclosureAnswer})
    def create(self, request: Request, entry: uuid.UUID) -> Response:
        """Say why the identifiers must be seen; leaves the event, answers no identifier."""
        found = self.entry(entry)
        reason = self.body(IdentityReasonBody)["reason"]
        asked = ask_for_identity(entry_id=found.pk, reason=reason, by=self.request.user)
        return Response({"id": asked, "seconds": OPEN_FOR}, status.HTTP_201_CREATED)


class Disclosure(Endpoint):
    policy = {"GET": IDENTIFIES}
    serializer_class = RevealedAnswer

    def retrieve(self, request: Request, disclosure: uuid.UUID) -> Response:
        """The identifiers that were asked for: once, soon, and to the person who asked."""
        return Response(said_revealed(reveal_identity(disclosure=disclosure, by=self.request.user)))


class Erasure(OfAnEntry):
    serializer_class = MaskedAnswer

    @extend_schema(request=IdentityReasonBody, responses=MaskedAnswer)
    def create(self, request: Request, entry: uuid.UUID) -> Response:
        """Destroy the identifiers of an entry for good."""
        found = self.entry(entry)
        reason = self.body(IdentityReasonBody)["reason"]
        erase_identity(entry_id=found.pk, reason=reason, by=self.request.user)
        return Response(said_masked(found.pk, self.request.user))


def said_masked(entry: uuid.UUID, by: User) -> dict[str, Any]:
    found = masked_identity(entry, by=by)
    values = found.values if found else {}
    return {
        "entry": entry,
        **{name: values.get(name, "") for name in MAX_LENGTH},
        "erased": bool(found and found.erased),
        "likely_duplicates": [],
    }


def said_revealed(told: RevealedIdentity) -> dict[str, Any]:
    return {
        "entry": told.entry_id,
        "standing": [_said_told(each) for each in told.standing.values()],
        "earlier": [_said_told(each) for each in told.earlier],
    }


def _said_told(each: Told) -> dict[str, Any]:
    return {name: getattr(each, name) for name in ("field", "text", "kept_at", "replaced_at")}


ACT: dict[str, Any] = {"post": "create"}

routes: list[URLPattern] = [
    path(
        "screening/<uuid:entry>/identity/",
        Identities.as_view({"get": "retrieve", "post": "create"}),
    ),
    path("screening/<uuid:entry>/identity/disclosures/", Disclosures.as_view(ACT)),
    path("screening/<uuid:entry>/identity/erasure/", Erasure.as_view(ACT)),
    path("screening/disclosures/<uuid:disclosure>/", Disclosure.as_view({"get": "retrieve"})),
]
