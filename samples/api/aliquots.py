"""Aliquots in the API: made, frozen, moved, thawed, analysed, ended."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from samples.api.acting import SampleEndpoint
from samples.api.answers import AliquotAnswer, said_aliquot
from samples.api.bodies import (
    HANDLES,
    SampleEndBody,
    TimedBody,
    TimedReasonBody,
    amount,
    moment_of,
    of_body,
    witness_of,
)
from samples.models import Aliquot, AliquotState, Box, CustodyKind, Specimen
from samples.services.aliquots import (
    analyse_aliquot,
    correct_volume,
    end_aliquot,
    find_aliquot,
    move_aliquots,
    note_excursion,
    store_aliquot,
    thaw_aliquot,
    use_up_aliquot,
)
from samples.services.specimens import aliquot_specimen
from trialsite.access.bodies import Body
from trialsite.access.capabilities import Capability
from trialsite.access.paging import Filter
from trialsite.casebook.api import ACT, DETAIL, SEES

_NAMED = ("site", "box", "shipment", "specimen__subject__site", "specimen__visit")


class MakeBody(TimedBody):
    specimen = serializers.UUIDField()
    count = serializers.IntegerField(
        min_value=1, max_value=20, required=False, default=None, allow_null=True,
        help_text="Left out: as many as the protocol plans",
    )  # fmt: skip
    volume = amount()


class IntoBoxBody(TimedBody):
    box = serializers.UUIDField()
    position = serializers.IntegerField(
        min_value=1, max_value=780, required=False, default=None, allow_null=True,
        help_text="Left out: the next free one",
    )  # fmt: skip


class AnalysisBody(TimedReasonBody):
    amount = amount()


class ExcursionBody(TimedReasonBody):
    celsius = serializers.DecimalField(max_digits=5, decimal_places=1)


class AliquotRows(SampleEndpoint):
    """Base of the endpoints of aliquots."""

    def rows(self, capability: Capability = Capability.VIEW_CASEBOOK) -> Any:
        seen = Aliquot.objects.visible_to(self.request.user, capability)
        return seen.select_related(*_NAMED).order_by("code")

    def answer(self, aliquot: uuid.UUID) -> Response:
        return Response(said_aliquot(self.found(self.rows(), pk=aliquot)))


class Aliquots(AliquotRows):
    policy = {"GET": SEES, "POST": HANDLES}
    serializer_class = AliquotAnswer
    filters = {
        "site": Filter("site__code"),
        "subject": Filter("subject", uuid.UUID),
        "visit": Filter("specimen__visit", uuid.UUID),
        "specimen": Filter("specimen", uuid.UUID),
        "state": Filter("state", choices=tuple(AliquotState.values)),
        "box": Filter("box__code"),
        "shipment": Filter("shipment__code"),
        "code": Filter("code"),
    }

    def list(self, request: Request) -> Response:
        """Aliquots, also those that are used up or ended."""
        return self.page(self.rows(), said_aliquot)

    def retrieve(self, request: Request, aliquot: uuid.UUID) -> Response:
        return self.answer(aliquot)

    @extend_schema(request=MakeBody, responses={201: AliquotAnswer(many=True)})
    def create(self, request: Request) -> Response:
        """Divide a specimen; one that was divided before gives the aliquots of then."""
        body, by = self.body(MakeBody), self.request.user
        seen = Specimen.objects.visible_to(by, Capability.HANDLE_SAMPLES)
        specimen = of_body(seen, "specimen", body["specimen"], "site")
        assert specimen is not None
        said = {"count": body["count"], "volume": body["volume"], "at": moment_of(body)}
        with self.acting():
            made = aliquot_specimen(specimen=specimen, by=by, **said)
        rows = self.rows().filter(pk__in=[each.pk for each in made])
        return Response([said_aliquot(each) for each in rows], status.HTTP_201_CREATED)


class AliquotAct(AliquotRows):
    """Base of the acts on one aliquot."""

    policy = {"POST": HANDLES}

    def one(self, aliquot: uuid.UUID) -> Aliquot:
        found: Aliquot = self.found(self.rows(Capability.HANDLE_SAMPLES), pk=aliquot)
        return found

    def done(self, found: Aliquot, act: Callable[..., object], /, **said: Any) -> Response:
        with self.acting():
            act(by=self.request.user, **said)
        return self.answer(found.pk)

    def box(self, body: dict[str, Any]) -> Any:
        seen = Box.objects.visible_to(self.request.user, Capability.HANDLE_SAMPLES)
        return of_body(seen, "box", body["box"], "site")


class Stored(AliquotAct):
    @extend_schema(request=IntoBoxBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """Freeze it into a box; later than planned it is frozen all the same, and proposed as
        a deviation. Once more into the same box changes nothing."""
        found, body = self.one(aliquot), self.body(IntoBoxBody)
        said = {"box": self.box(body), "position": body["position"], "at": moment_of(body)}
        return self.done(found, store_aliquot, aliquot=found, **said)


class Moved(AliquotAct):
    @extend_schema(request=IntoBoxBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """Move it into a box."""
        found, body = self.one(aliquot), self.body(IntoBoxBody)
        places = None if body["position"] is None else [body["position"]]
        said = {"box": self.box(body), "positions": places, "at": moment_of(body)}
        return self.done(found, move_aliquots, aliquots=[found], **said)


class Thawed(AliquotAct):
    @extend_schema(request=TimedReasonBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """Take it out to thaw; more often than the protocol allows is refused."""
        found, body = self.one(aliquot), self.body(TimedReasonBody)
        said = {"reason": body["reason"], "at": moment_of(body)}
        return self.done(found, thaw_aliquot, aliquot=found, **said)


class Analysed(AliquotAct):
    @extend_schema(request=AnalysisBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """An analysis took something of it; with nothing left it is used up."""
        found, body = self.one(aliquot), self.body(AnalysisBody)
        said = {"reason": body["reason"], "amount": body["amount"], "at": moment_of(body)}
        return self.done(found, analyse_aliquot, aliquot=found, **said)


class VolumeBody(Body):
    volume = serializers.DecimalField(
        max_digits=7, decimal_places=2, allow_null=True, help_text="Null: nobody knows it"
    )
    reason = serializers.CharField(max_length=500)


class VolumeCorrected(AliquotAct):
    @extend_schema(request=VolumeBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """How much there is of it was entered wrongly, or is not known."""
        found, body = self.one(aliquot), self.body(VolumeBody)
        return self.done(found, correct_volume, aliquot=found, **body)


class UsedUp(AliquotAct):
    @extend_schema(request=TimedReasonBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """Nothing is left of it, whether or not its volume was ever measured."""
        found, body = self.one(aliquot), self.body(TimedReasonBody)
        said = {"reason": body["reason"], "at": moment_of(body)}
        return self.done(found, use_up_aliquot, aliquot=found, **said)


class AliquotEnded(AliquotAct):
    @extend_schema(request=SampleEndBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """It was discarded, destroyed before a witness, or lost."""
        found, body = self.one(aliquot), self.body(SampleEndBody)
        said = {
            "kind": CustodyKind(body["kind"]),
            "reason": body["reason"],
            "at": moment_of(body),
            "witness": witness_of(body["witness"], found.site),
        }
        return self.done(found, end_aliquot, aliquot=found, **said)


class Found(AliquotAct):
    @extend_schema(request=TimedReasonBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """A lost one was found again, and waits for its position."""
        found, body = self.one(aliquot), self.body(TimedReasonBody)
        said = {"reason": body["reason"], "at": moment_of(body)}
        return self.done(found, find_aliquot, aliquot=found, **said)


class Excursion(AliquotAct):
    @extend_schema(request=ExcursionBody, responses=AliquotAnswer)
    def create(self, request: Request, aliquot: uuid.UUID) -> Response:
        """It was warmer than it should be."""
        found, body = self.one(aliquot), self.body(ExcursionBody)
        said = {"celsius": body["celsius"], "reason": body["reason"], "at": moment_of(body)}
        return self.done(found, note_excursion, aliquots=[found], **said)


aliquot_routes: list[URLPattern] = [
    path("aliquots/", Aliquots.as_view({"get": "list", "post": "create"})),
    path("aliquots/<uuid:aliquot>/", Aliquots.as_view(DETAIL)),
    path("aliquots/<uuid:aliquot>/store/", Stored.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/move/", Moved.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/thaw/", Thawed.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/analyse/", Analysed.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/use-up/", UsedUp.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/volume/", VolumeCorrected.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/end/", AliquotEnded.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/found/", Found.as_view(ACT)),
    path("aliquots/<uuid:aliquot>/excursion/", Excursion.as_view(ACT)),
]
