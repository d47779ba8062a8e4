"""Freezers, racks and boxes in the API."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.bodies import HANDLES, STORES, of_body, site_of, text
from samples.api.storage_answers import (
    BoxAnswer,
    BoxMapAnswer,
    FreezerAnswer,
    RackAnswer,
    said_box,
    said_freezer,
    said_move,
    said_position,
    said_rack,
)
from samples.models import Aliquot, Box, Freezer, Rack
from samples.services.aliquots import free_positions
from samples.services.storage import (
    add_box,
    add_freezer,
    add_rack,
    close_box,
    move_box,
    retire_freezer,
)
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter
from trialsite.casebook.answers import VoidBody
from trialsite.casebook.api import ACT, DETAIL, SEES


class NewFreezerBody(Body):
    site = serializers.CharField(max_length=3, help_text="SITEID")
    name = serializers.CharField(max_length=60)
    celsius = serializers.IntegerField(min_value=-273, max_value=40)
    room = text(100)
    racks = serializers.IntegerField(min_value=0, max_value=50, default=0)
    places = serializers.IntegerField(
        min_value=1, max_value=100, default=5, help_text="For boxes, in each rack"
    )


class NewRackBody(Body):
    freezer = serializers.UUIDField()
    name = serializers.CharField(max_length=60)
    places = serializers.IntegerField(min_value=1, max_value=100)


def _place() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1, max_value=100, required=False, default=None, allow_null=True,
        help_text="Left out: the first free one",
    )  # fmt: skip


class NewBoxBody(Body):
    rack = serializers.UUIDField()
    place = _place()
    name = text(60)
    rows = serializers.IntegerField(min_value=1, max_value=26, default=9)
    columns = serializers.IntegerField(min_value=1, max_value=30, default=9)


class MoveBoxBody(Body):
    rack = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="Left out: it is carried"
    )
    place = _place()
    reason = text(500)


class CloseBody(Body):
    closed = serializers.BooleanField()


class Freezers(SampleEndpoint):
    policy = {"GET": SEES, "POST": STORES}
    serializer_class = FreezerAnswer
    filters = {"site": Filter("site__code")}

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = Freezer.objects.visible_to(self.request.user, capability)
        return seen.select_related("site").order_by("site__code", "name", "pk")

    def list(self, request: Request) -> Response:
        """Freezers, also those out of use."""
        return self.page(self.rows(), said_freezer)

    def retrieve(self, request: Request, freezer: uuid.UUID) -> Response:
        return Response(said_freezer(self.found(self.rows(), pk=freezer)))

    @extend_schema(request=NewFreezerBody, responses={201: FreezerAnswer})
    def create(self, request: Request) -> Response:
        """Enter a freezer, with so many numbered racks."""
        body, by = self.body(NewFreezerBody), self.request.user
        site = site_of(by, body.pop("site"), Capability.MANAGE_STORAGE)
        with self.acting():
            made = add_freezer(site=site, by=by, **body)
        return Response(said_freezer(made), status.HTTP_201_CREATED)


class FreezerRetired(Freezers):
    policy = {"POST": STORES}

    @extend_schema(request=VoidBody, responses=FreezerAnswer)
    def create(self, request: Request, freezer: uuid.UUID) -> Response:  # type: ignore[override]
        """Take an empty freezer out of use."""
        found = self.found(self.rows(Capability.MANAGE_STORAGE), pk=freezer)
        reason = self.body(VoidBody)["reason"]
        with self.acting():
            retire_freezer(freezer=found, reason=reason, by=self.request.user)
        return self.retrieve(request, freezer)


class Racks(SampleEndpoint):
    policy = {"GET": SEES, "POST": STORES}
    serializer_class = RackAnswer
    filters = {"site": Filter("site__code"), "freezer": Filter("freezer", uuid.UUID)}

    def list(self, request: Request) -> Response:
        """Racks with their numbered places for boxes."""
        seen = Rack.objects.visible_to(self.request.user).select_related("site", "freezer")
        return self.page(seen.order_by("site__code", "freezer__name", "name", "pk"), said_rack)

    @extend_schema(request=NewRackBody, responses={201: RackAnswer})
    def create(self, request: Request) -> Response:
        """Enter one more rack of a freezer."""
        body, by = self.body(NewRackBody), self.request.user
        seen = Freezer.objects.visible_to(by, Capability.MANAGE_STORAGE)
        freezer = of_body(seen, "freezer", body.pop("freezer"), "site")
        assert freezer is not None
        with self.acting():
            made = add_rack(freezer=freezer, by=by, **body)
        return Response(said_rack(made), status.HTTP_201_CREATED)


class BoxRows(SampleEndpoint):
    """Base of the endpoints of boxes."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = Box.objects.visible_to(self.request.user, capability)
        return seen.select_related("site", "rack__freezer").order_by("code")

    def rack(self, key: uuid.UUID | None, capability: Capability) -> Any:
        seen = Rack.objects.visible_to(self.request.user, capability)
        return of_body(seen, "rack", key, "freezer", "site")

    def map(self, box: uuid.UUID) -> Response:
        found: Box = self.found(self.rows(), pk=box)
        aliquots = Aliquot.objects.visible_to(self.request.user).filter(box=found)
        codes = dict(aliquots.values_list("position", "code"))
        free = free_positions(found)
        empty = set(free)
        positions = [
            said_position(found, each, taken=each not in empty, aliquot=codes.get(each))
            for each in range(1, found.capacity + 1)
        ]
        moves = found.moves.select_related("moved_by").order_by("moved_at", "pk")
        said = {"positions": positions, "free": free, "moves": [said_move(each) for each in moves]}
        return Response(said_box(found) | said)


class Boxes(BoxRows):
    policy = {"GET": SEES, "POST": STORES}
    serializer_class = BoxAnswer
    filters = {
        "site": Filter("site__code"),
        "rack": Filter("rack", uuid.UUID),
        "freezer": Filter("rack__freezer", uuid.UUID),
        "code": Filter("code"),
    }

    def list(self, request: Request) -> Response:
        """Boxes, also those in no rack."""
        return self.page(self.rows(), said_box)

    @extend_schema(responses=BoxMapAnswer)
    def retrieve(self, request: Request, box: uuid.UUID) -> Response:
        """A box with every position, those that are free, and where it stood before."""
        return self.map(box)

    @extend_schema(request=NewBoxBody, responses={201: BoxAnswer})
    def create(self, request: Request) -> Response:
        """Enter a box; it gets its code."""
        body, by = self.body(NewBoxBody), self.request.user
        rack = self.rack(body.pop("rack"), Capability.MANAGE_STORAGE)
        with self.acting():
            made = add_box(site=rack.site, rack=rack, by=by, **body)
        return Response(said_box(made), status.HTTP_201_CREATED)


class BoxMoved(BoxRows):
    policy = {"POST": HANDLES}

    @extend_schema(request=MoveBoxBody, responses=BoxMapAnswer)
    def create(self, request: Request, box: uuid.UUID) -> Response:
        """Put a whole box elsewhere with all that is in it."""
        found = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=box)
        body = self.body(MoveBoxBody)
        rack = self.rack(body.pop("rack"), Capability.HANDLE_SAMPLES)
        with self.acting():
            move_box(box=found, rack=rack, by=self.request.user, **body)
        return self.map(box)


class BoxClosed(BoxRows):
    policy = {"POST": STORES}

    @extend_schema(request=CloseBody, responses=BoxMapAnswer)
    def create(self, request: Request, box: uuid.UUID) -> Response:
        """Let nothing more go into a box, or let it again."""
        found = self.found(self.rows(Capability.MANAGE_STORAGE), pk=box)
        closed = self.body(CloseBody)["closed"]
        with self.acting():
            close_box(box=found, closed=closed, by=self.request.user)
        return self.map(box)


storage_routes: list[URLPattern] = [
    path("freezers/", Freezers.as_view({"get": "list", "post": "create"})),
    path("freezers/<uuid:freezer>/", Freezers.as_view(DETAIL)),
    path("freezers/<uuid:freezer>/retire/", FreezerRetired.as_view(ACT)),
    path("racks/", Racks.as_view({"get": "list", "post": "create"})),
    path("boxes/", Boxes.as_view({"get": "list", "post": "create"})),
    path("boxes/<uuid:box>/", Boxes.as_view(DETAIL)),
    path("boxes/<uuid:box>/move/", BoxMoved.as_view(ACT)),
    path("boxes/<uuid:box>/close/", BoxClosed.as_view(ACT)),
]
