"""Temperature excursions of freezers, racks and boxes in the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import WALL, number, wall
from samples.api.bodies import HANDLES, of_body, text
from samples.models import Box, ExcursionLine, Freezer, Rack, StorageExcursion
from samples.selectors.excursions import excursions, lines_of_excursion
from samples.services.excursions import (
    end_storage_excursion,
    note_storage_excursion,
    void_storage_excursion,
)
from screening.api.consent import wall_of
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter
from trialsite.access.rest import etag, expected_version
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, SEES

_PLACES: dict[str, Any] = {"freezer": Freezer, "rack": Rack, "box": Box}


def _celsius() -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=5, decimal_places=1, min_value=-273, max_value=100,
        help_text="The highest temperature",
    )  # fmt: skip


class ExcursionAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    SITEID = serializers.CharField()
    freezer = serializers.UUIDField(allow_null=True)
    rack = serializers.UUIDField(allow_null=True)
    box = serializers.UUIDField(allow_null=True)
    where = serializers.CharField()
    began_at = serializers.CharField(help_text=WALL)
    ended_at = serializers.CharField(allow_null=True, help_text=f"{WALL}; null: still too warm")
    time_zone = serializers.CharField(help_text="IANA name")
    celsius = serializers.CharField(help_text="The highest temperature")
    what = serializers.CharField()
    listed = serializers.IntegerField(help_text="Aliquots that were inside")
    voided_at = serializers.DateTimeField(allow_null=True)
    void_reason = serializers.CharField()
    version = serializers.IntegerField(help_text="Also the ETag")


class ExcursionLineAnswer(serializers.Serializer[Any]):
    aliquot = serializers.UUIDField()
    code = serializers.CharField(help_text="BEREFID")
    box = serializers.CharField(help_text="In which it was then")
    position = serializers.IntegerField()
    custody_event = serializers.UUIDField(
        allow_null=True, help_text="Null: it had come to its end when the excursion was told"
    )


class ExcursionDetailAnswer(ExcursionAnswer):
    """An excursion with every aliquot that was inside, of those the asker sees."""

    lines = ExcursionLineAnswer(many=True)


class NewExcursionBody(Body):
    """One of freezer, rack and box."""

    freezer = serializers.UUIDField(required=False, default=None, allow_null=True)
    rack = serializers.UUIDField(required=False, default=None, allow_null=True)
    box = serializers.UUIDField(required=False, default=None, allow_null=True)
    began_at = serializers.CharField(max_length=30, help_text=WALL)
    ended_at = text(30, f"{WALL}; empty: it is still too warm")
    celsius = _celsius()
    what = serializers.CharField(max_length=500)


class EndExcursionBody(Body):
    ended_at = serializers.CharField(max_length=30, help_text=WALL)
    celsius = _celsius()


def said_excursion(found: Any) -> dict[str, Any]:
    plain = ("time_zone", "what", "listed", "voided_at", "void_reason", "version")
    return {
        "id": found.pk,
        "SITEID": found.site.code,
        "freezer": found.freezer_id,
        "rack": found.rack_id,
        "box": found.box_id,
        "where": str(found.where),
        "began_at": wall(found.began_at),
        "ended_at": wall(found.ended_at),
        "celsius": number(found.celsius),
        **{name: getattr(found, name) for name in plain},
    }


def _said_line(line: ExcursionLine) -> dict[str, Any]:
    return {
        "aliquot": line.aliquot_id,
        "code": line.aliquot.code,
        "box": line.box.code,
        "position": line.position,
        "custody_event": line.event_id,
    }


class ExcursionRows(SampleEndpoint):
    """Base of the endpoints of excursions."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        sites = self.request.user.access.sites(capability)
        return excursions(self.request.user).filter(site__in=sites)

    def answer(self, pk: uuid.UUID, code: int = status.HTTP_200_OK) -> Response:
        found: StorageExcursion = self.found(self.rows(), pk=pk)
        lines = lines_of_excursion(found, self.request.user)
        said = said_excursion(found) | {"lines": [_said_line(each) for each in lines]}
        return Response(said, code, headers={"ETag": etag(found.version)})


class Excursions(ExcursionRows):
    policy = {"GET": SEES, "POST": HANDLES}
    serializer_class = ExcursionAnswer
    filters = {"site": Filter("site__code"), "freezer": Filter("freezer", uuid.UUID)}

    def list(self, request: Request) -> Response:
        """Excursions, the latest first; voided ones too."""
        return self.page(self.rows(), said_excursion)

    @extend_schema(responses=ExcursionDetailAnswer)
    def retrieve(self, request: Request, excursion: uuid.UUID) -> Response:
        return self.answer(excursion)

    @extend_schema(request=NewExcursionBody, responses={201: ExcursionDetailAnswer})
    def create(self, request: Request) -> Response:
        """A freezer, a rack or a box was too warm: what was inside is listed, each aliquot's
        custody says so, and a deviation is proposed."""
        body = self.body(NewExcursionBody)
        named = {name: body[name] for name in _PLACES if body[name] is not None}
        if len(named) != 1:
            raise ValidationError({"freezer": [_("Name one freezer, rack or box.")]})
        ((name, key),) = named.items()
        rows = _PLACES[name].objects.visible_to(self.request.user, Capability.HANDLE_SAMPLES)
        where = of_body(rows, name, key, "site")
        assert where is not None
        with self.acting():
            made = note_storage_excursion(
                where=where,
                began_at=wall_of("began_at", body["began_at"]),
                ended_at=wall_of("ended_at", body["ended_at"]) if body["ended_at"] else None,
                celsius=body["celsius"],
                what=body["what"],
                by=self.request.user,
            )
        return self.answer(made.pk, status.HTTP_201_CREATED)


class ExcursionEnded(ExcursionRows):
    policy = {"POST": HANDLES}
    matches = True

    @extend_schema(request=EndExcursionBody, responses=ExcursionDetailAnswer)
    def create(self, request: Request, excursion: uuid.UUID) -> Response:
        """It was cold again since then; what was put in meanwhile is listed too."""
        found = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=excursion)
        version, body = expected_version(request), self.body(EndExcursionBody)
        with self.acting():
            end_storage_excursion(
                excursion=found,
                ended_at=wall_of("ended_at", body["ended_at"]),
                celsius=body["celsius"],
                base_version=version,
                by=self.request.user,
            )
        return self.answer(found.pk)


class ExcursionVoided(ExcursionRows):
    policy = {"POST": HANDLES}
    matches = True

    @extend_schema(request=VoidBody, responses=ExcursionDetailAnswer)
    def create(self, request: Request, excursion: uuid.UUID) -> Response:
        """It was never so."""
        found = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=excursion)
        version, reason = expected_version(request), self.body(VoidBody)["reason"]
        with self.acting():
            void_storage_excursion(
                excursion=found, reason=reason, base_version=version, by=self.request.user
            )
        return self.answer(found.pk)


excursion_routes: list[URLPattern] = [
    path("storage-excursions/", Excursions.as_view({"get": "list", "post": "create"})),
    path("storage-excursions/<uuid:excursion>/", Excursions.as_view(DETAIL)),
    path("storage-excursions/<uuid:excursion>/end/", ExcursionEnded.as_view(ACT)),
    path("storage-excursions/<uuid:excursion>/void/", ExcursionVoided.as_view(ACT)),
]
